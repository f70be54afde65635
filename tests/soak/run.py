"""One soak: an office is opened, works, goes home, and nothing may be left of it.

    make soak                                       # 50 phones for an hour
    make soak ARGS="--minutes 5 --seed 7 --database postgresql"

Twice: after the first calls it is looked what is inside the server that nobody calls, then all of it begins anew, for
the rest of the time, and in the end there must be no more. The books must agree as after crashes (`tests.crash.books`).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from kobza.store import Store, schema
from tests.crash.books import Found, wrong_states
from tests.crash.evidence import Evidence, arrivals
from tests.interop.conftest import SinkThread
from tests.interop.server import Site
from tests.soak.files import database_at, fewest_files, left_open
from tests.soak.inside import at_rest
from tests.soak.office import Office
from tests.soak.stories import ORDERLY
from tests.support import authority
from tests.support.impairment import Impairment
from tests.support.ports import free_port, free_range
from tests.support.postgres import PostgresServer

FIRST: Final = 0.2
"""The part of the time after which it is looked what is inside for the first time."""
REST: Final = 120.0
"""Seconds in which a server comes to rest: the longest of a session that its phone has left."""
KINDS: Final = (*ORDERLY, "wild", "wild")
PAUSE: Final = 5.0
MEDIA_TIMEOUT: Final = 15
Tell = Callable[[str], None]


def soak(
    folder: Path,
    postgres: PostgresServer | None,
    *,
    seconds: float,
    phones: int,
    seed: int,
    at_once: int,
    impairment: Impairment | None = None,
    tell: Tell,
) -> list[str]:
    """Soak; return in words what is wrong."""
    sink = SinkThread()
    sink.start()
    try:
        site = Site(folder, postgres, rtp=free_range(600))
        web = free_port()
        _prepare(site, sink, phones, web)
        server = site.start()
        began = time.time()
        try:
            wrong: list[str] = []
            before, files = None, Counter[str]()
            database = database_at(site.place)
            for part in (FIRST, 1 - FIRST):
                office = Office(server, sink, ("127.0.0.1", web), seed, impairment=impairment)
                asyncio.run(office.day(part * seconds, KINDS, at_once=at_once, pause=PAUSE))
                inside, unrest = at_rest(site.http, REST, later=True)
                tell(f"{sum(office.told.values())} stories, {len(office.failed)} failed; {inside}")
                wrong += [*unrest, *inside.wrong(), *office.failed]
                if before is None:
                    files = fewest_files(server.process.pid, database)
                else:
                    wrong += inside.grown(before)
                    files, more = left_open(server.process.pid, database, files, REST)
                    wrong += [f"more files are open: {more}"] if more else []
                tell(f"files: {', '.join(f'{kind} {count}' for kind, count in sorted(files.items()))}")
                before = inside
            wrong += wrong_books(site, sink, began, 0)
        except BaseException:
            server.kill()
            raise
        server.stop()
        return wrong
    finally:
        sink.stop()


def _prepare(site: Site, sink: SinkThread, phones: int, web: int) -> None:
    """Make the store: numbers, of which every third has its calls recorded, ringing groups, the webhook."""
    lines = [f"06712{index:05d}" for index in range(phones)]
    site.folder.mkdir(parents=True, exist_ok=True)
    site.create(lines, webhook=sink.url, recorded=lines[2::3])
    for index in range(phones // 3):
        members = [word for line in lines[3 * index + 1 : 3 * index + 3] for word in ("--member", line)]
        enterprise = ("--enterprise", site.enterprise["enterprise_id"])
        site.prepare("group", "set", str(200 + index), *enterprise, "--name", f"Group {index}", *members)
    certificate, key = authority.files(site.folder)
    site.environment |= {
        "KOBZA_SIP_CERTIFICATE": str(certificate),
        "KOBZA_SIP_KEY": str(key),
        "KOBZA_MEDIA_TIMEOUT": str(MEDIA_TIMEOUT),
        "KOBZA_SIP_KEPT_MB": "2",  # filled within minutes, so that it is not taken for growth
        "KOBZA_RING_TIMEOUT": "10",
        "KOBZA_SIP_NEVER_BAN": "127.0.0.0/8",
    }
    site.more_sip = (f"ws:127.0.0.1:{web}",)
    site.environment |= dict.fromkeys(("KOBZA_OUTSIDE_CALLS_MINUTE", "KOBZA_OUTSIDE_AT_ONCE"), "0")


def wrong_books(site: Site, sink: SinkThread, began: float, cursor: int) -> list[str]:
    """Return what is wrong with the books of calls since a moment, their states behind a cursor, once all is told."""
    evidence = Evidence(site.place, site.folder / "recordings")
    try:
        unrest = evidence.come_to_rest(time.time() + REST)
        events, came = evidence.events(cursor), arrivals(sink.sink.requests, lambda _: True)
        found = Found(
            history=_calls(site, began),
            events=events,
            arrivals=[arrival for arrival in came if arrival.event_id in {event.event_id for event in events}],
            recordings=evidence.recordings(began),
            transfers=True,
            left_over=[*unrest, *evidence.left_over()],
        )
        wrong = [f"call {row['call_id']} has no end" for row in found.history if not row["ended_at"]]
        wrong += [f"{row} is not ready" for row in found.recordings if row.status != "ready"]
        return [*wrong, *wrong_states(found)]
    finally:
        evidence.close()


def _calls(site: Site, began: float) -> list[Mapping[str, Any]]:
    store = Store.open(site.place)
    found = select(schema.calls).where(schema.calls.c.started_at >= began * 1000)
    try:
        with store.read() as conn:
            return [dict(row._mapping) for row in conn.execute(found)]
    finally:
        store.close()
