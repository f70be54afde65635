"""Working hours in the store."""

from dataclasses import replace

import pytest

from kobza.call.group import RingingGroup
from kobza.call.hours import Callers, Override
from kobza.store import NotInStore, Store, audit, directory, enterprises, groups, hours, numbers
from kobza.store.audit import AuditSearch, By
from kobza.store.hours import COMPANY
from tests.store.builders import ANNA, BOHDAN, NOW_MS, OUTSIDE
from tests.support.hours import working

OWN = working(
    "mon-fri 09:00-13:00, 14:00-18:00",
    "2026-12-25 closed; 2026-12-31 22:00-04:00",
    company_dates=False,
    callers=Callers.ALL,
    closed_to=OUTSIDE,
    override=Override(False, NOW_MS),
)
COMPANY_HOURS = working("mon-fri 08:00-20:00", "2026-08-24")


@pytest.fixture
def own(store: Store, enterprise_id: str) -> str:
    with store.write() as conn:
        numbers.add(conn, ANNA, enterprise_id)
        groups.put(conn, RingingGroup("200", enterprise_id, members=(ANNA,)))
    return enterprise_id


def test_hours_come_back_whole_and_change_whole(store: Store, own: str) -> None:
    version = store.directory_version()
    with store.write() as conn:
        hours.put(conn, own, ANNA, OWN)
        hours.put(conn, own, "200", working("always"))
        hours.put(conn, own, COMPANY, COMPANY_HOURS)
    assert store.directory_version() > version
    with store.read() as conn:
        assert hours.find(conn, own, ANNA) == OWN
        assert list(hours.list_for(conn, own)) == [COMPANY, ANNA, "200"]
        assert hours.find(conn, own, BOHDAN) is hours.find(conn, "another", ANNA) is None
        dates = {**COMPANY_HOURS.dates}
        assert directory.load(conn).hours == {
            own: COMPANY_HOURS,
            ANNA: OWN,
            f"{own}/200": replace(working("always"), dates=dates),
        }
    with store.write() as conn:
        hours.put(conn, own, ANNA, working("always"))
        hours.set_zone(conn, own, "America/St_Johns")
    with store.read() as conn:
        assert hours.find(conn, own, ANNA) == working("always", zone="America/St_Johns")
        assert directory.load(conn).enterprises[own].zone == "America/St_Johns"
    with store.write() as conn:
        hours.set_zone(conn, own, "Europe/Atlantis")
    with store.read() as conn:
        assert hours.find(conn, own, ANNA) == working("always")


def test_hours_go_with_whose_they_are(store: Store, own: str) -> None:
    with store.write() as conn:
        for whose in (ANNA, "200", COMPANY):
            hours.put(conn, own, whose, OWN)
        assert hours.remove(conn, own, COMPANY)
        assert not hours.remove(conn, own, COMPANY)
        groups.remove(conn, own, "200")
        numbers.remove(conn, own, ANNA)
        assert hours.list_for(conn, own) == {}
        for number, told in ((ANNA, f"no number and no group {ANNA}"), ("200", "no number and no group 200")):
            with pytest.raises(NotInStore, match=told.replace("+", "[+]")):
                hours.put(conn, own, number, OWN)
        with pytest.raises(NotInStore, match="there is no enterprise x"):
            hours.put(conn, "x", COMPANY, OWN)
        with pytest.raises(NotInStore, match="there is no enterprise x"):
            hours.set_zone(conn, "x", "UTC")


def test_a_number_of_another_enterprise_gets_none(store: Store, own: str) -> None:
    with store.write() as conn:
        other = enterprises.add(conn, "B", "other", "hash", 1).enterprise_id
        with pytest.raises(NotInStore):
            hours.put(conn, other, ANNA, OWN)


def test_the_audit_has_before_and_after(store: Store, own: str) -> None:
    by = By("cli", "root")
    with store.write() as conn:
        with audit.noted(conn, by, "hours.set", own, own, NOW_MS):
            hours.put(conn, own, COMPANY, COMPANY_HOURS)
            hours.set_zone(conn, own, "UTC")
        with audit.noted(conn, by, "hours.set", own, "200", NOW_MS + 1):
            hours.put(conn, own, "200", OWN)
        with audit.noted(conn, by, "hours.removed", own, own, NOW_MS + 2):
            hours.remove(conn, own, COMPANY)
        gone, group, company = audit.page(conn, AuditSearch(own), None, 9)
    assert company.before == {"week": None, "dates": None, "callers": None, "time_zone": "Europe/Kyiv"}
    assert company.after is not None
    assert (company.after["week"], company.after["time_zone"]) == ("mon-fri 08:00-20:00", "UTC")
    assert (group.before, gone.after) == (None, {"week": None, "dates": None, "callers": None})
    assert group.after is not None
    assert group.after["closed_to"] == OUTSIDE
