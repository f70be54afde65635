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
from tests.support.impairment import Impairment
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.database("sqlite")  # `make soak` is for both


@pytest.mark.parametrize(
    ("kinds", "impairment"),
    [
        (("attended", "digits", "wild", "moved", "transferred"), None),
        (("talk", "outward", "inward", "cancelled"), Impairment.of(0.1)),
    ],
    ids=["good network", "bad network"],
)
async def test_nothing_is_left_of_an_office_at_work(
    kobza_server: Server, sink: SinkThread, kinds: tuple[str, ...], impairment: Impairment | None
) -> None:
    site = kobza_server.site
    evidence = Evidence(site.place, site.folder / "recordings")
    cursor, began = await asyncio.to_thread(evidence.last_cursor), time.time()
    evidence.close()
    before = await asyncio.to_thread(look, site.http)
    office = Office(kobza_server, sink, None, 2026, brief=True, impairment=impairment)
    await office.day(6.0, kinds, at_once=1, pause=0.1)
    _, unrest = await asyncio.to_thread(at_rest, site.http, PATIENCE, later=False, before=before)
    assert not unrest
    assert not office.failed
    assert office.told["lamps"]
    assert sum(office.told.values()) > 2
    assert bool(sum(path.fate.lost for path in office.paths)) is (impairment is not None)
    assert not await asyncio.to_thread(wrong_books, site, sink, began, cursor)
