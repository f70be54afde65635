"""The audit: what is noted of a change, and that nothing of it goes."""

from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from kobza.call.directory import Package
from kobza.call.group import RingingGroup
from kobza.call.outside import OutsideLimits
from kobza.defence.bans import Ban
from kobza.store import (
    NotInStore,
    Store,
    audit,
    audited,
    endpoints,
    enterprises,
    groups,
    holds,
    numbers,
    outside,
    presentation,
    sip_bans,
    sounds,
    terms,
    tokens,
    trunks,
    users,
)
from kobza.store.audit import AuditSearch, By, Entry, Place
from kobza.store.days import OwnTerms
from kobza.store.place import MASK
from kobza.store.users import Role
from tests.store.builders import ANNA

OLENA = By("portal", "olena", "192.0.2.7")


def entries(store: Store, **search: Any) -> list[Entry]:
    with store.read() as conn:
        return audit.page(conn, AuditSearch(search.pop("enterprise_id", None), **search), None, 100)


def test_what_differs_is_noted_and_secrets_are_not(store: Store, enterprise_id: str) -> None:
    for at, url, token in (
        (1, "https://a.example", "t1"),
        (2, "https://a.example", "t2"),
        (3, "https://b.example", "t2"),
    ):
        with store.write() as conn, audit.noted(conn, OLENA, "webhook.set", enterprise_id, enterprise_id, at):
            endpoints.set(conn, enterprise_id, url, token, now_ms=at)
    moved, turned, made = entries(store)
    assert (made.before, made.after) == (
        None,
        {"url": "https://a.example", "token": MASK, "extended": False, "active": True},
    )
    assert (turned.before, turned.after) == ({"token": MASK}, {"token": MASK})
    assert (moved.before, moved.after) == ({"url": "https://a.example"}, {"url": "https://b.example"})
    assert moved[1:9] == (
        *(enterprise_id, 3, "portal", "olena", "192.0.2.7", "webhook.set", enterprise_id),
        "https://b.example",
    )
    with store.write() as conn, audit.noted(conn, OLENA, "webhook.removed", enterprise_id, enterprise_id, 4):
        endpoints.delete(conn, enterprise_id)
    assert entries(store)[0].after is None


def test_what_changes_nothing_or_nobody_did_or_failed_is_not_noted(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        numbers.add(conn, ANNA, enterprise_id)
    for by, on in ((OLENA, False), (None, True)):
        with store.write() as conn, audit.noted(conn, by, "number.dnd", enterprise_id, ANNA, 1):
            numbers.set_dnd(conn, enterprise_id, ANNA, on)
    with (
        pytest.raises(NotInStore),
        store.write() as conn,
        audit.noted(conn, OLENA, "number.dnd", enterprise_id, "+380000000000", 1),
    ):
        numbers.set_dnd(conn, enterprise_id, "+380000000000", True)
    assert entries(store) == []
    with pytest.raises(ValueError, match="no such action"), store.write() as conn:
        audit.note(conn, OLENA, "number.painted", None, "", 1)


def test_every_kind_of_thing_is_described(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        numbers.add(conn, ANNA, enterprise_id, "Анна", "Збут", [Package.CONVERGENT], ha1_md5="a", ha1_sha256="b")
        presentation.add(conn, enterprise_id, "+380800123456", now_ms=1)
        trunks.add(conn, "carrier", "192.0.2.1", 5060)
        endpoints.set(conn, enterprise_id, "https://crm.example", "t", "s")
        terms.set_own(conn, enterprise_id, OwnTerms(history_days=60), 1)
        hold = holds.place(conn, enterprise_id, "number", ANNA, reason="court", placed_by="olena", now_ms=1)
        sip_bans.put(conn, [Ban("192.0.2.66", "scan", "olena", 1.0, None)])
        outside.put(conn, enterprise_id, "", OutsideLimits(at_once=3))
        token = tokens.add(conn, enterprise_id, 1, name="CRM").token
        users.add(conn, "svitlana", "hash", Role.SUPERVISOR, enterprise_id, 1, name="Світлана")
        groups.put(conn, RingingGroup("700", enterprise_id, "Sales", members=(ANNA,)))
        sounds.put(conn, enterprise_id, "music", "tune.wav", b"\xd5" * 8000, 1)
        keys = {
            "group": ("700", "Sales"),
            "enterprise": (enterprise_id, "Ромашка"),
            "person": ("svitlana", "Світлана"),
            "token": (token.token_id, "CRM"),
            "number": (ANNA, "Анна"),
            "presentation": ("+380800123456", "+380800123456"),
            "trunk": ("carrier", "carrier"),
            "webhook": (enterprise_id, "https://crm.example"),
            "retention": (enterprise_id, "60"),
            "hold": (hold.hold_id, "number"),
            "ban": ("192.0.2.66", "192.0.2.66"),
            "limits": (enterprise_id, ""),
            "hours": (enterprise_id, "Ромашка"),
            "sound": ("music", "tune.wav"),
        }
        assert keys.keys() == audited._READERS.keys() == {action.partition(".")[0] for action in audit.CHANGES}
        for kind, (key, label) in keys.items():
            thing = audited.find(conn, kind, enterprise_id, key)  # type: ignore[arg-type]
            assert thing is not None, kind
            assert thing.label == label
            _, after = audited.changes(None, thing)
            assert after is not None
            assert all(value == MASK for name, value in after.items() if name in audited.SECRET)
            if kind not in ("webhook", "retention"):  # an enterprise has one
                assert audited.find(conn, kind, enterprise_id, "no such") is None  # type: ignore[arg-type]
        packed = audited.find(conn, "number", enterprise_id, ANNA)
        assert packed is not None
        assert (packed.settings["packages"], packed.settings["department"]) == (["convergent"], "Збут")


def test_entries_are_found_page_by_page(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        for at in range(5):
            audit.note(conn, OLENA, "recording.heard", enterprise_id, f"rec-{at % 2}", at, label="call-1")
        audit.note(conn, By("cli", "root"), "person.signed_in", None, "100%", 2)
    assert [entry.at for entry in entries(store)] == [4, 3, 2, 2, 1, 0]
    assert [entry.at for entry in entries(store, enterprise_id=enterprise_id, from_ms=1, to_ms=3)] == [3, 2, 1]
    assert [entry.who for entry in entries(store, action="person")] == ["root"]
    assert len(entries(store, action="recording.heard", text="call-")) == 5
    assert entries(store, action="recordin") == []
    assert len(entries(store, text="%")) == 1
    assert len(entries(store, text="192.0.2.")) == 5
    with store.read() as conn:
        first = audit.page(conn, AuditSearch(None), None, 3)
        rest = audit.page(conn, AuditSearch(None), Place(first[-1].at, first[-1].audit_id), 10)
    assert [*first, *rest] == entries(store)


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit"])
def test_the_database_lets_no_entry_be_changed_or_deleted(store: Store, enterprise_id: str, statement: str) -> None:
    with store.write() as conn:
        audit.note(conn, OLENA, "person.signed_in", enterprise_id, "olena", 1)
    before = entries(store)
    with pytest.raises(DBAPIError, match="append-only"), store.write() as conn:
        conn.exec_driver_sql(statement)
    assert entries(store) == before


def test_an_entry_outlives_its_enterprise(store: Store) -> None:
    with store.write() as conn:
        with audit.noted(conn, OLENA, "enterprise.added", None, "", 1) as noting:
            added = enterprises.add(conn, "A", "a", "hash", 1)
            noting.key = noting.enterprise_id = added.enterprise_id
        conn.exec_driver_sql(f"DELETE FROM enterprises WHERE enterprise_id = '{added.enterprise_id}'")
    (entry,) = entries(store)
    assert (entry.label, entry.after) == (
        "A",
        {"name": "A", "integrator_id": added.integrator_id, "supervision_announced": True},
    )
