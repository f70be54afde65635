"""A store with something in every table, and all that is in one: for what must keep all of it."""

import json
from ipaddress import ip_network
from typing import Any

from sqlalchemy import Connection, inspect, select

from kobza.call.directory import Package
from kobza.call.forwarding import Forwarding
from kobza.call.group import RingingGroup, Strategy
from kobza.call.hours import Override
from kobza.call.outside import OutsideLimits
from kobza.call.recording_notices import RecordingNotices
from kobza.defence.bans import Ban
from kobza.store import (
    Store,
    address_book,
    audit,
    diversions,
    endpoints,
    enterprises,
    erasures,
    groups,
    hearings,
    holds,
    hours,
    meta,
    numbers,
    outside,
    presentation,
    recording_notices,
    saved_filters,
    second_factor,
    sessions,
    sip_bans,
    sounds,
    terms,
    trunks,
    users,
)
from kobza.store.days import OwnTerms
from kobza.store.diversions import Diverted
from kobza.store.entries import BindingStored, CdrClosed, CdrOpened, DetailStored, Entry, KeyUsed, LegPromised
from kobza.store.journal import JournalWriter
from kobza.store.recording_files import Doomed
from kobza.store.schema import metadata
from tests.store.builders import ANNA, BOHDAN, NOW, NOW_MS, OUTSIDE, attempt, binding, cdr, ended, recording, stored
from tests.support.hours import working

AWKWARD = 'Ганна \t\\N \\. "q" \';--\n\r\x1f 🙂'
"""What a copy as text could trip over."""


def fill_everything(store: Store) -> str:
    """Put rows into every table; return the enterprise."""
    with store.write() as conn:
        enterprise_id = enterprises.add(conn, AWKWARD, "olena", "hash", NOW_MS).enterprise_id
        numbers.add(
            conn,
            ANNA,
            enterprise_id,
            name=AWKWARD,
            department="Продажі",
            packages=frozenset(Package),
            username="0671000001",
            ha1_md5="0" * 32,
            ha1_sha256="1" * 64,
            now_ms=NOW_MS,
        )
        numbers.set_dnd(conn, enterprise_id, ANNA, True, NOW_MS + 1)
        numbers.set_forwarding(conn, enterprise_id, ANNA, Forwarding(BOHDAN, OUTSIDE, BOHDAN, OUTSIDE, 30))
        boss = users.add(conn, "boss", "hash", users.Role.SUPERVISOR, enterprise_id, NOW_MS, name=AWKWARD, number=ANNA)
        second_factor.set_up(conn, boss.user_id, "SECRET", 7, ["d" * 64])
        saved_filters.save(conn, boss.user_id, AWKWARD, "q=1")
        sessions.begin(conn, boss.user_id, "secret", NOW_MS, ends_at=NOW_MS + 1, address="192.0.2.7", client=AWKWARD)
        entry = audit.note(
            conn, audit.By("cli", AWKWARD), "person.signed_in", None, AWKWARD, NOW_MS, after={"a": AWKWARD}
        )
        hearings.begin(conn, entry, 40_000, NOW_MS)
        numbers.set_mobile(conn, enterprise_id, ANNA, OUTSIDE)
        numbers.set_calls(conn, enterprise_id, ANNA, call_waiting=False, max_calls=2)
        groups.put(
            conn, RingingGroup("200", enterprise_id, AWKWARD, Strategy.IN_TURN, (ANNA,), 15, OUTSIDE), now_ms=NOW_MS
        )
        sounds.put(conn, enterprise_id, "music", AWKWARD, bytes(range(256)) * 40, NOW_MS)
        sounds.set_ringback(conn, enterprise_id, "uk")
        sounds.put(conn, enterprise_id, "recording", AWKWARD, bytes(range(256)), NOW_MS)
        recording_notices.put(conn, enterprise_id, RecordingNotices("outside", "en", 15))
        hours.put(
            conn,
            enterprise_id,
            ANNA,
            working("mon-fri 09:00-18:00", closed_to=OUTSIDE, override=Override(True, NOW_MS)),
        )
        presentation.add(conn, enterprise_id, "+380800123456", now_ms=NOW_MS)
        address_book.put(conn, enterprise_id, [address_book.Entry(OUTSIDE, AWKWARD, "")])
        line: dict[str, Any] = {"username": "044", "password": AWKWARD, "networks": [ip_network("10.0.0.0/8")]}
        line |= {"capacity": 5, "incoming_username": "carrier", "inbound": "credentials"}
        trunk_id = trunks.add(conn, "carrier", "192.0.2.1", 5060, prefix="+38044", trusted=False, now_ms=NOW_MS, **line)
        trunks.set_states(conn, [trunks.TrunkState(trunk_id, "down", "refused", AWKWARD, NOW_MS)])
        endpoints.set(conn, enterprise_id, "https://crm.example/k", "token", "whsec_c2VjcmV0", now_ms=NOW_MS)
        endpoints.note_failing(conn, enterprise_id, NOW_MS)
        meta.set_number(conn, meta.HEARTBEAT, NOW_MS)
        terms.set_own(conn, enterprise_id, OwnTerms(history_days=60), NOW_MS)
        outside.put(conn, enterprise_id, ANNA, OutsideLimits(at_once=3, denied=("+7", "+979")))
        sip_bans.put(conn, [Ban("192.0.2.66", AWKWARD, "olena", NOW, NOW + 600, 2)])
        holds.place(conn, enterprise_id, "number", BOHDAN, reason=AWKWARD, placed_by="olena", now_ms=NOW_MS)
    of: dict[str, Any] = {"enterprise_id": enterprise_id}
    entries: list[Entry] = [
        CdrOpened(cdr("on", **of)),
        CdrClosed(ended("call-1", **of, record_id="rec-1", client_state=AWKWARD)),
        CdrClosed(ended("call-2", **of, talk=None)),
        LegPromised("on", "leg-9", enterprise_id, ANNA, OUTSIDE, "outgoing", AWKWARD, NOW),
        KeyUsed(enterprise_id, "key", "f" * 64, "call-1", "leg-1", NOW + 60),
        DetailStored("call-1", "quality", json.dumps(AWKWARD)),
        DetailStored("call-1", "sip_ladder", json.dumps(AWKWARD)),
        DetailStored("call-1", "diversions", diversions.written([Diverted(OUTSIDE, AWKWARD)])),
        *(stored(number, **of) for number in (1, 2, 3)),
        stored(1, **of, call_control_id="leg-2", owed=False),
        recording(
            "ready",
            **of,
            path="2025/10/09/rec-1.mp3",
            duration_ms=10_000,
            size=40_000,
            sha256="a" * 64,
            remarks='{"paused":[[1,2]]}',
        ),
        recording("recording", **of, record_id="rec-2", call_id="on"),
        BindingStored(binding()),
        BindingStored(binding(BOHDAN, path=())),
    ]
    writer = JournalWriter(store.place)
    writer.write(entries, alive_at=NOW + 1)
    writer.write([attempt(1, 1, response=AWKWARD, exchange=AWKWARD), attempt(2, 1, outcome="retry", retry_at=NOW + 30)])
    writer.close()
    gone = Doomed("rec-0", "call-0", "0.mp3", "c" * 64, 7, False)
    with store.write() as conn:
        erasure = erasures.begin(conn, enterprise_id, OUTSIDE, "olena", AWKWARD, NOW_MS)
        erasures.note_files(conn, erasure, [gone])
        erasures.finish(conn, erasure, [], NOW_MS)
    assert all(all_rows(store).values())
    return enterprise_id


def all_rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Return table -> its rows, sorted."""
    with store.read() as conn:
        return rows_of(conn)


def rows_of(conn: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Return table -> its rows, sorted, of the tables and columns that are there."""
    there = set(inspect(conn).get_table_names())
    found = {}
    for name, table in metadata.tables.items():
        if name in there:
            known = {column["name"] for column in inspect(conn).get_columns(name)}
            columns = [column for column in table.columns if column.name in known]
            rows = [tuple(row) for row in conn.execute(select(*columns))]
            found[name] = sorted(rows, key=json.dumps)
    return found
