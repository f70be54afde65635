"""Calls on several rtpengines: which carries a call, what happens when one dies, what a crash leaves there."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobza.media.announcements import ANNOUNCEMENTS
from kobza.media.encoder import encode
from kobza.media.plane import CallHeard, MediaError, MediaPlaneLost, RecordingClosed, RecordingNotice, Side
from kobza.media.rtpengine import instance, words
from kobza.media.rtpengine.endpoint import NgEndpoint
from kobza.media.rtpengine.plane import RtpenginePlane
from tests.interop.tools import require
from tests.media.phone_end import HOST, PhoneEnd, heard
from tests.media.planes import CALL, LateRecorder, RunningRtpengine, running_rtpengine_plane
from tests.media.spools import packets_so_far
from tests.media.test_digits import events_in, send
from tests.support.ports import free_port, free_range
from tests.support.rtpengine import Rtpengine, running_rtpengine
from tests.support.spectrum import dominant_tone
from tests.support.waiting import until

CALLER, CALLEE = Side.CALLER, Side.CALLEE


@pytest.fixture
def mortal() -> Iterator[Rtpengine]:
    """An rtpengine that the test may kill."""
    require("rtpengine")
    with running_rtpengine(free_range(40)) as engine:
        yield engine


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "PING_INTERVAL", 0.1)


async def ask(engine: Rtpengine, command: words.Command) -> dict[str, object]:
    endpoint = NgEndpoint(*engine.control)
    await endpoint.open()
    try:
        return dict(await endpoint.ask(command))
    finally:
        endpoint.close()


async def calls_there(engine: Rtpengine) -> list[bytes]:
    found = (await ask(engine, words.list_calls()))["calls"]
    assert isinstance(found, list)
    return found


def up(running: RunningRtpengine) -> list[bool]:
    return [each.is_up for each in running.plane.instances]


async def test_calls_are_shared_out_and_those_of_a_dead_one_end(
    rtpengine: Rtpengine, mortal: Rtpengine, tmp_path: Path
) -> None:
    async with running_rtpengine_plane(rtpengine, mortal) as running:
        with PhoneEnd(700.0) as caller, PhoneEnd(1500.0, ssrc=2) as callee:
            for number in range(4):
                await running.connect(caller, callee, f"call-{number}")
            assert [each.calls for each in running.plane.instances] == [2, 2]
            assert len(await calls_there(mortal)) == 2
            doomed = [call for call in running.plane._calls.values() if call.key in running.plane._instances[1].keys]
            running.plane.record(doomed[0].call_id, record_id="r", spool=tmp_path / "spool")
            waiting = asyncio.create_task(send(running, CALLEE, "1" * 50, doomed[1].call_id))
            await until(lambda: doomed[0].settled is not None and doomed[0].settled.copied, "a copy")
            mortal.kill()
            lost = await running.event(MediaPlaneLost)
            assert set(lost.call_ids) == {call.call_id for call in doomed}
            assert (await running.event(RecordingClosed)).spool == tmp_path / "spool"
            with pytest.raises(MediaError):
                await waiting
            assert up(running) == [True, False]
            assert running.plane.deaths == 1
            for call in lost.call_ids:
                running.plane.release(call)  # as the switch does, of what is gone already

            # New calls go where somebody is; the other one has them again when it is back.
            await running.connect(caller, callee, "later")
            assert [each.calls for each in running.plane.instances] == [3, 0]
            mortal.begin()
            await until(lambda: up(running) == [True, True])
            await running.connect(caller, callee, "much-later")
            assert [each.calls for each in running.plane.instances] == [3, 1]
            caller.talk()
            assert dominant_tone(heard(await callee.hear(25))) == pytest.approx(700, abs=5)
            for call in list(running.plane._calls):
                running.plane.release(call)
            await running.ports_are_back()
        assert await calls_there(rtpengine) == await calls_there(mortal) == []


async def test_one_that_answers_nothing_any_more_loses_its_calls(mortal: Rtpengine) -> None:
    async with running_rtpengine_plane(mortal) as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            mortal.freeze()
            try:
                # A call that is being begun there fails when it does.
                with pytest.raises(MediaError, match="no rtpengine takes the call"):
                    await running.offer(CALLER, CALLEE, caller.sdp(), "late")
                assert await running.event(MediaPlaneLost) == MediaPlaneLost((CALL,))
                with pytest.raises(MediaError, match="no rtpengine answers"):
                    await running.offer(CALLER, CALLEE, caller.sdp(), "later")
                assert not running.plane.is_ready
                assert f"no rtpengine answers: {HOST}:{mortal.control[1]} (no reply in" in running.plane.trouble
            finally:
                mortal.freeze(on=False)
            # What it still had of them is ended when it is back.
            await until(lambda: running.plane.is_ready)
            assert await calls_there(mortal) == []
            await running.connect(caller, callee, "again")


async def test_a_call_that_it_gave_up_is_lost_and_the_others_go_on(rtpengine: Rtpengine) -> None:
    async with running_rtpengine_plane(rtpengine, silence=0.4) as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            await running.connect(caller, callee, "other")
            await ask(rtpengine, words.delete(running.plane._calls[CALL].key))
            assert await running.event(MediaPlaneLost) == MediaPlaneLost((CALL,))
            assert list(running.plane._calls) == ["other"]
            assert running.plane.is_ready


async def test_what_a_crash_has_left_is_ended_and_calls_of_others_are_not(rtpengine: Rtpengine) -> None:
    left, foreign = f"{RunningRtpengine.OWNER}0123-7", "somebody-else"
    with PhoneEnd() as phone:
        for key in (left, foreign):
            await ask(rtpengine, words.offer(key, phone.sdp(), inject=False))
    try:
        async with running_rtpengine_plane(rtpengine):
            assert await calls_there(rtpengine) == [foreign.encode()]
    finally:
        await ask(rtpengine, words.delete(foreign))


async def test_none_that_answers_is_no_plane() -> None:
    ports = [free_port(), free_port()]
    plane = RtpenginePlane(
        instances=[(HOST, port) for port in ports],
        owner="test-",
        timeout=60.0,
        recorder=LateRecorder(host=HOST, ports=free_range(4), timeout=60.0),
    )
    with pytest.raises(MediaError, match=rf"no rtpengine answers: {HOST}:{ports[0]} \(.*media_plane to embedded"):
        await plane.start()


async def test_a_call_goes_to_another_one_when_the_first_has_no_ports(rtpengine: Rtpengine) -> None:
    with running_rtpengine(free_range(8)) as small:
        async with running_rtpengine_plane(small, rtpengine) as running:
            with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
                for number in range(8):
                    await running.connect(caller, callee, f"call-{number}")
                assert [each.calls for each in running.plane.instances] == [2, 6]


async def test_digits_go_out_among_what_the_other_one_says(rtpengine: Rtpengine) -> None:
    async with running_rtpengine_plane(rtpengine) as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            with pytest.raises(MediaError, match="only while the other phone sends its voice"):
                await send(running, CALLEE, "1")
            caller.talk()
            await callee.hear(5)
            await asyncio.gather(send(running, CALLEE, "19"), send(running, CALLEE, ",#"))
            await callee.hear(5)
            digits = [event[0][1].digit for event in events_in(callee.packets)]
            assert digits == ["1", "9", "#"]
            assert not events_in(caller.packets)
            running.plane.play(CALL, target=CALLEE, what="music")
            await running.settle()
            with pytest.raises(MediaError, match="no tone"):
                await send(running, CALLEE, "1")
            under_way = asyncio.create_task(send(running, CALLER, "1"))
            await asyncio.sleep(0)
            running.plane.release(CALL)
            with pytest.raises(MediaError, match=r"released|no digits"):
                await under_way


async def test_how_a_call_fared_is_told_and_short_ones_are_not(rtpengine: Rtpengine) -> None:
    async with running_rtpengine_plane(rtpengine) as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            await running.connect(caller, callee, "short")
            caller.send()
            await callee.hear(1)
            running.plane.release("short")
            caller.learn(await running.reoffer(CALLER, caller.sdp()))
            callee.learn(await running.reoffer(CALLEE, callee.sdp()))
            caller.talk()
            await callee.hear(60)
            caller.hush()
            running.plane.release(CALL)
            told = await running.event(CallHeard)
    assert [event for event in running.events if isinstance(event, CallHeard)] == [told]
    assert told.call_id == CALL
    assert told.sides[CALLER].sent >= 60
    assert told.sides[CALLEE].sent == 0
    assert told.sides[CALLER].mos is None  # it heard nobody
    assert told.sides[CALLEE].mos is not None


async def test_a_call_that_ends_while_its_recording_begins_leaves_nothing(rtpengine: Rtpengine, tmp_path: Path) -> None:
    async with running_rtpengine_plane(rtpengine) as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            running.record(tmp_path / "spool")
            await asyncio.sleep(0)  # the copy is asked for
            running.plane.release(CALL)
            assert running.events == [RecordingClosed(CALL, "record-1", tmp_path / "spool")]
            await running.ports_are_back()
            assert running.recorder.ports_used == 0


async def test_nobody_is_told_of_a_recording_which_it_says(rtpengine: Rtpengine, tmp_path: Path) -> None:
    async with running_rtpengine_plane(rtpengine) as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            notice = RecordingNotice((CALLER, CALLEE), str(ANNOUNCEMENTS["uk"]), 1.0)
            running.plane.record(CALL, record_id="r", spool=tmp_path / "spool", notice=notice)
            caller.talk()
            await callee.hear(40)
            await running.settle()
            running.plane.announce(CALL, record_id="r", target=CALLER, sound=notice.sound)
            running.plane.release(CALL)
            spool = (await running.event(RecordingClosed)).spool
    encoded = encode(spool, tmp_path / "mp3")
    assert (encoded.announced, encoded.unannounced) == ((), (CALLER, CALLEE))


async def test_a_recorder_that_dies_takes_no_call_with_it(rtpengine: Rtpengine, tmp_path: Path) -> None:
    async with running_rtpengine_plane(rtpengine) as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            running.record(tmp_path / "one")
            await running.settle()
            caller.talk()
            await until(lambda: packets_so_far(tmp_path / "one"), "something on the disk")
            link = running.recorder._link
            assert link is not None
            link.kill()
            closed = await running.event(RecordingClosed)
            assert closed.spool == tmp_path / "one"
            await callee.hear(5)
            # It is there again, and so are recordings.
            await until(lambda: running.recorder.is_ready and running.recorder._link is not link)
            running.plane.record(CALL, record_id="two", spool=tmp_path / "two")
            await until(lambda: packets_so_far(tmp_path / "two"), "something on the disk")
            assert not [event for event in running.events if isinstance(event, MediaPlaneLost)]
