"""Kobza dies in the middle of calls and is started again: nobody is left without an end."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from kobza.pbx.switch import STORE_SECONDS
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from kobza.store import driver
from kobza.store.place import STORE_FILE
from tests.interop.conftest import NUMBERS, SinkThread
from tests.interop.outcome import Ledger, Outcome
from tests.interop.server import Server, Site
from tests.support.spectrum import duration, needs_sox, read_audio, tones_over_time
from tests.support.waiting import PATIENCE

A, B, C, D = NUMBERS


@pytest.fixture
def site(tmp_path: Path, new_site: Site) -> Site:
    return new_site.copy(tmp_path / "kobza")


def phone(site: Site, number: str, tone: int, **options: float) -> SoftPhone:
    return SoftPhone(
        number,
        site.sip,
        password=site.lines[number].password,
        sound=Sound.tone(tone),
        **options,  # type: ignore[arg-type]
    )


async def gone(pids: list[int], within: float = PATIENCE) -> None:
    async with asyncio.timeout(within):
        while any(map(running, pids)):  # noqa: ASYNC110 - a process of another parent tells nobody of its end
            await asyncio.sleep(0.05)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def told(sink: SinkThread, owner: str, state: str) -> str:
    """Wait until the integrator has heard of a state of an owner's newest call; return the leg."""
    for _ in range(int(PATIENCE / 0.05)):
        mine = [each for each in sink.sink.states if each["state_owner"] == owner]
        if mine and mine[-1]["state_type"] == state:
            return str(mine[-1]["call_control_id"])
        await asyncio.sleep(0.05)
    raise AssertionError(f"{owner}: no {state}")


@needs_sox()
async def test_after_kill_9_every_call_is_closed_and_the_next_one_works(
    site: Site, sink: SinkThread, tmp_path: Path
) -> None:
    server = await asyncio.to_thread(site.start)
    again: Server | None = None
    try:
        ledger = Ledger(server, sink)
        server.put("/v1/webhook", {"url": sink.url, "token": "remote-token", "extended": True})
        async with (
            phone(site, A, 440) as a,
            phone(site, B, 660, answer_after=0.1) as b,
            phone(site, C, 550) as c,
            phone(site, D, 770) as d,
        ):
            talking = a.dial(B)
            await talking.established()
            ringing = c.dial(D)
            await d.incoming()
            await ringing.ringing()
            await told(sink, B, "established")
            await told(sink, D, "alerting")
            demanded = d.dial(C)  # a third call, recorded on demand
            (await c.incoming()).answer()
            await demanded.established()
            leg = await told(sink, D, "established")
            started = await asyncio.to_thread(control, server, leg, "record_start")
            await asyncio.sleep(2)
            paused = await asyncio.to_thread(control, server, leg, "record_pause")
            assert paused["recording"] == "paused"
            await asyncio.sleep(1)
            media = server.children()
            assert media
            os.kill(server.process.pid, 9)
            await asyncio.to_thread(server.kill)
            await gone(media)
            again = await asyncio.to_thread(site.start)
            ledger._server = again
            talked = await ledger.call(A, B, owners=(A, B))
            rang = await ledger.call(C, D, owners=(C, D))
            check_talked(again, talked, tmp_path)
            await check_record_ready(again, sink, talked)
            on_demand = await ledger.call(D, C, owners=(C, D))
            assert on_demand.row["record_id"] == started["record_id"]
            check_on_demand(again, started["record_id"], tmp_path)
            rang.has(cause=41, status=rang.row["sip_status"], released_by="network")
            assert rang.types(C) == rang.types(D) == ["alerting", "finished"]
            for call in (talking, ringing, *b.calls, *c.calls, *d.calls):
                call.hang_up()
            b.answer_after = 0.1
            fresh = a.dial(B)  # the binding of B survived too
            await fresh.established()
            fresh.hang_up()
            outcome = await ledger.call(A, B, owners=(A, B))
            outcome.has(cause=16, status=200, released_by="caller")
        await asyncio.to_thread(again.stop)
    finally:
        server.kill()
        if again is not None:
            again.kill()


def control(server: Server, leg: str, action: str) -> dict[str, Any]:
    answer: dict[str, Any] = server.post("/v1/callcontrol", {"call_control_id": leg, "action": action})
    return answer


def check_on_demand(server: Server, record_id: str, folder: Path) -> None:
    """What was said before the pause is there, and the pause in silence: the media process outlived the server."""
    path = folder / "on-demand.mp3"
    path.write_bytes(server.recording(record_id))
    left, right = read_audio(path)
    assert 2.5 <= duration(left) <= 8.0
    for samples, hz in ((left, 770), (right, 550)):
        windows = tones_over_time(samples[4000:])
        spoken = [tone for tone in windows if tone is not None]
        assert len(spoken) >= 4, windows
        assert all(abs(tone - hz) < 8 for tone in spoken), windows
        assert windows[-3:] == [None] * 3, windows


def check_talked(server: Server, talked: Outcome, folder: Path) -> None:
    talked.has(cause=41, status=200, released_by="network")
    assert talked.types(A) == talked.types(B) == ["alerting", "established", "finished"]
    path = folder / "record.mp3"
    path.write_bytes(server.recording(talked.row["record_id"]))
    left, right = read_audio(path)
    assert 2.0 <= duration(left) <= 8.0  # what was said until a second before the end is on the disk
    for samples, hz in ((left, 440), (right, 660)):
        windows = tones_over_time(samples[4000:-4000])
        assert windows
        assert all(tone is not None and abs(tone - hz) < 8 for tone in windows), windows


async def check_record_ready(server: Server, sink: SinkThread, talked: Outcome) -> None:
    """The mp3 that the next life made is told to both owners, by the webhook as by the journal."""
    call_id, record_id = talked.row["call_id"], talked.row["record_id"]

    def ready(states: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return {state["state_owner"]: state for state in states if state["state_type"] == "record_ready"}

    posted: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(PATIENCE):
        while posted.keys() != {A, B}:
            await asyncio.sleep(0.05)
            posted = ready(sink.of_call(call_id))
    assert {(state["sequence"], state["record_id"]) for state in posted.values()} == {(4, record_id)}
    assert all(2 <= state["record_duration"] <= 8 for state in posted.values())
    events = [event for event in server.get("/v1/events", limit=5000)["events"] if event["call_id"] == call_id]
    assert ready(events) == posted


async def test_stopping_ends_calls_and_says_so(site: Site, sink: SinkThread) -> None:
    server = await asyncio.to_thread(site.start)
    again: Server | None = None
    try:
        ledger = Ledger(server, sink)
        async with phone(site, C, 440) as c, phone(site, D, 660, answer_after=0.1) as d:
            call = c.dial(D)
            await call.established()
            (other,) = d.calls
            await told(sink, D, "established")
            await asyncio.to_thread(server.stop)
            assert (await call.ended()).by == "peer"
            assert (await other.ended()).by == "peer"
            again = await asyncio.to_thread(site.start)
            ledger._server = again
            outcome = await ledger.call(C, D, owners=(C, D))
            outcome.has(cause=41, status=200, released_by="network")
    finally:
        server.kill()
        if again is not None:
            again.kill()


@pytest.mark.database("sqlite")
async def test_nobody_hears_of_a_call_that_is_not_stored(site: Site, sink: SinkThread) -> None:
    """Another writer keeps the store: the phone rings when it has gone; when it stays, the caller is refused."""
    server = await asyncio.to_thread(site.start)
    writer = driver.connect(site.folder / STORE_FILE)
    ledger = Ledger(server, sink)
    try:
        async with phone(site, A, 440) as a, phone(site, B, 660) as b:
            writer.execute("BEGIN IMMEDIATE")
            call = a.dial(B)
            with pytest.raises(TimeoutError):
                await call.ringing(1.0)
            assert not b.calls
            writer.execute("ROLLBACK")
            await call.ringing()
            assert b.calls
            call.hang_up()
            await ledger.call(A, B, owners=(A, B))
            writer.execute("BEGIN IMMEDIATE")
            ending = await a.dial(B).ended(within=STORE_SECONDS + 10)
            assert (ending.by, ending.status) == ("peer", 503)
            assert not b.calls
            writer.execute("ROLLBACK")
            refused = await ledger.call(A, B)
            refused.has(cause=41, status=503, released_by="network")
    finally:
        writer.close()
        server.kill()


@pytest.mark.database("sqlite")
async def test_ports_that_run_out_are_told(site: Site, sink: SinkThread) -> None:
    """A call needs two pairs of ports; of four ports the second one gets none, and the log says why."""
    site.rtp = range(site.rtp.start, site.rtp.start + 4)
    server = await asyncio.to_thread(site.start)
    ledger = Ledger(server, sink)
    try:
        async with phone(site, A, 440) as a, phone(site, B, 660, answer_after=0.1), phone(site, C, 880) as c:
            first = a.dial(B)
            await first.established()
            ending = await c.dial(A).ended()
            assert (ending.by, ending.status) == ("peer", 503)
            refused = await ledger.call(C, A)
            refused.has(cause=41, status=503, released_by="network")
            assert "no free ports: calls hold 2 pairs of 2" in server.log
            first.hang_up()
            await ledger.call(A, B, owners=(A, B))
    finally:
        server.stop()
