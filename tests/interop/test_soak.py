"""The short form of `make soak`: three phones of the served Kobza for a few seconds, over UDP and TCP."""

import asyncio
import time

import pytest

from tests.crash.evidence import Evidence
from tests.interop.conftest import SinkThread
from tests.interop.server import Server
from tests.soak.inside import at_rest, look
from tests.soak.office import Office
from tests.soak.run import wrong_books
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.database("sqlite")  # `make soak` is for both
KINDS = ("attended", "digits", "wild", "moved", "transferred")


async def test_nothing_is_left_of_an_office_at_work(kobza_server: Server, sink: SinkThread) -> None:
    site = kobza_server.site
    evidence = Evidence(site.place, site.folder / "recordings")
    cursor, began = await asyncio.to_thread(evidence.last_cursor), time.time()
    evidence.close()
    before = await asyncio.to_thread(look, site.http)
    office = Office(kobza_server, sink, None, 2026, brief=True)
    await office.day(6.0, KINDS, at_once=1, pause=0.1)
    _, unrest = await asyncio.to_thread(at_rest, site.http, PATIENCE, later=False, before=before)
    assert not unrest
    assert not office.failed
    assert office.told["lamps"]
    assert sum(office.told.values()) > 2
    assert not await asyncio.to_thread(wrong_books, site, sink, began, cursor)
