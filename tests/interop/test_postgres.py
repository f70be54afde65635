"""Whole calls with the store on PostgreSQL, whose server dies and comes back while they are on."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobza.store.place import PostgresUrl
from tests.interop.conftest import NUMBERS, RECORDED, SinkThread
from tests.interop.outcome import Ledger
from tests.interop.server import STOP_WITHIN, Site
from tests.interop.test_crash import phone, told
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.database("postgresql")

A, B, C, D = NUMBERS
AWAY = 3.0
"""Seconds without a server: the journal tries and fails several times."""


@pytest.fixture
def site(tmp_path: Path, postgres: PostgresServer, sink: SinkThread) -> Iterator[Site]:
    made = Site(tmp_path / "kobza", postgres)
    made.create(NUMBERS, webhook=sink.url, recorded=RECORDED)
    yield made
    assert isinstance(made.place, PostgresUrl)
    postgres.drop(made.place)


async def test_calls_outlive_their_database_and_nothing_of_them_is_lost(
    site: Site, sink: SinkThread, postgres: PostgresServer
) -> None:
    server = await asyncio.to_thread(site.start)
    try:
        ledger = Ledger(server, sink)
        async with (
            phone(site, A, 440) as a,
            phone(site, B, 660, answer_after=0.1),
            phone(site, C, 550) as c,
            phone(site, D, 770) as d,
        ):
            talking = a.dial(B)
            await talking.established()
            ringing = c.dial(D)
            await d.incoming()
            await told(sink, B, "established")
            await told(sink, D, "alerting")

            await asyncio.to_thread(postgres.stop, "immediate")
            (answering,) = d.calls
            answering.answer()
            await ringing.established()  # calls go on without it
            talking.hang_up()
            await talking.ended()
            heard = len(sink.sink.states)
            await asyncio.sleep(AWAY)
            assert len(sink.sink.states) == heard  # what is not stored nobody hears of
            await asyncio.to_thread(postgres.start)

            talked = await ledger.call(A, B, owners=(A, B))
            talked.has(cause=16, status=200, released_by="caller")
            assert talked.types(A) == talked.types(B) == ["alerting", "established", "finished"]
            assert server.recording(talked.row["record_id"])
            await told(sink, D, "established")
            answering.hang_up()
            answered = await ledger.call(C, D, owners=(C, D))
            answered.has(cause=16, status=200, released_by="called")
            assert answered.types(C) == answered.types(D) == ["alerting", "established", "finished"]
            assert answered.talk_seconds >= AWAY  # it began when it did, not when that was stored

            fresh = a.dial(B)
            await fresh.established()
            fresh.hang_up()
            (await ledger.call(A, B, owners=(A, B))).has(cause=16, status=200, released_by="caller")
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, STOP_WITHIN) == 0
        assert "what calls produce cannot be stored" in server.log
        assert "refused" not in server.log.replace("Connection refused", "")
    finally:
        server.kill()
