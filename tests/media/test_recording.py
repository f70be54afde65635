"""Recordings through a real relay, from two phones to the mp3."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from kobza.media import voice_codecs
from kobza.media.encoder import encode
from kobza.media.plane import MediaPlaneLost, RecordingClosed, Side
from kobza.media.spool import read_header, read_records
from kobza.rtp.g711 import Law
from tests.media.phone_end import PhoneEnd
from tests.media.planes import CALL, AnyRunning, StartPlane, running_plane
from tests.media.spools import decode_mp3, needs_mp3, packets_so_far
from tests.support.spectrum import Samples, dominant_tone, tone_share
from tests.support.waiting import PATIENCE


async def talk(running: AnyRunning, caller: PhoneEnd, callee: PhoneEnd, packets: int) -> None:
    """Let both talk until each has heard so many packets of the other."""
    caller.talk()
    callee.talk()
    await asyncio.gather(caller.hear(packets), callee.hear(packets))
    caller.hush()
    callee.hush()


async def closed(running: AnyRunning) -> Path:
    """End the call; return its spool once it is complete."""
    # What a phone has heard is on its way to the recorder, which rtpengine sends it to next.
    await running.settle()
    running.plane.release(CALL)
    return (await running.event(RecordingClosed)).spool


def heard(spool: Path, mp3: Path) -> tuple[Samples, Samples, float]:
    """Return left, right, and the length in seconds."""
    encoded = encode(spool, mp3)
    left, right = decode_mp3(mp3)
    assert len(left) / 8000 == pytest.approx(encoded.duration_ms / 1000, abs=0.01)
    return left, right, encoded.duration_ms / 1000


@needs_mp3
@pytest.mark.parametrize("law", Law)
async def test_both_parties_each_on_their_side_as_long_as_they_talked(
    tmp_path: Path, law: Law, start_plane: StartPlane
) -> None:
    async with start_plane() as running:
        with PhoneEnd(440.0, law) as caller, PhoneEnd(660.0, law, ssrc=2) as callee:
            caller_sdp, callee_sdp = caller.sdp(str(int(law))), callee.sdp(str(int(law)))
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller_sdp))
            caller.learn(await running.answer(Side.CALLEE, callee_sdp))
            running.record(tmp_path / "day" / "spool")
            await running.settle()
            loop = asyncio.get_running_loop()
            started = loop.time()
            await talk(running, caller, callee, 100)
            spool = await closed(running)
            talked = loop.time() - started
    left, right, length = heard(spool, tmp_path / "mp3")
    assert length == pytest.approx(talked, abs=0.5)
    assert dominant_tone(left) == pytest.approx(440, abs=5)
    assert dominant_tone(right) == pytest.approx(660, abs=5)
    assert tone_share(left, 660) < 0.01
    assert tone_share(right, 440) < 0.01


async def test_it_grows_on_the_disk_while_the_call_is_on(tmp_path: Path, start_plane: StartPlane) -> None:
    spool = tmp_path / "spool"

    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            running.record(spool)
            await running.settle()
            for _ in range(3):
                before = packets_so_far(spool)
                for _ in range(10):
                    caller.send()
                await callee.hear(10)
                async with asyncio.timeout(PATIENCE):
                    while packets_so_far(spool) < before + 10:  # noqa: ASYNC110 - a file tells nobody
                        await asyncio.sleep(0.02)
            assert running.events == []


@needs_mp3
async def test_what_a_killed_relay_recorded_is_kept(tmp_path: Path) -> None:
    async with running_plane() as running:
        with PhoneEnd(440.0) as caller, PhoneEnd(660.0, ssrc=2) as callee:
            await running.connect(caller, callee)
            running.record(tmp_path / "spool")
            await talk(running, caller, callee, 100)
            assert running.plane.relay_pid is not None
            await asyncio.sleep(1.0)
            os.kill(running.plane.relay_pid, signal.SIGKILL)
            await running.event(MediaPlaneLost)
            spool = (await running.event(RecordingClosed)).spool
    left, right, length = heard(spool, tmp_path / "mp3")
    assert length > 1.9
    assert dominant_tone(left[:15000]) == pytest.approx(440, abs=5)
    assert dominant_tone(right[:15000]) == pytest.approx(660, abs=5)


@needs_mp3
async def test_hold_is_silence_of_the_one_who_holds(tmp_path: Path, start_plane: StartPlane) -> None:
    """Music is not recorded: nobody said it."""
    async with start_plane() as running:
        with PhoneEnd(440.0) as caller, PhoneEnd(660.0, ssrc=2) as callee:
            await running.connect(caller, callee)
            running.record(tmp_path / "spool")
            await running.settle()
            await talk(running, caller, callee, 50)
            await running.reoffer(Side.CALLER, caller.sdp(direction="sendonly"))
            await callee.hear(50)
            await running.reoffer(Side.CALLER, caller.sdp())
            await running.settle()
            await talk(running, caller, callee, 50)
            spool = await closed(running)
    left, right, length = heard(spool, tmp_path / "mp3")
    assert length > 2.9
    for channel, frequency in ((left, 440), (right, 660)):
        assert dominant_tone(channel[:8000]) == pytest.approx(frequency, abs=5)
        assert dominant_tone(channel[-8000:]) == pytest.approx(frequency, abs=5)
        # Of the music in between nothing.
        for note in (523.25, 659.26 if frequency == 440 else 440.0):
            assert tone_share(channel, note) < 0.02


async def test_a_voice_is_in_the_spool_whatever_its_codec_is(tmp_path: Path, start_plane: StartPlane) -> None:
    """With the number of the codec; under which payload type it comes is the phones' affair."""
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            opus = ["a=rtpmap:96 opus/48000/2"]
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp("96 18 101", lines=opus)))
            caller.learn(await running.answer(Side.CALLEE, callee.sdp("96 18 101", lines=opus)))
            running.record(tmp_path / "spool")
            await running.settle()
            for payload_type in (96, 18, 101, 13, 96):
                caller.send(b"speech", payload_type=payload_type)
            await callee.hear(5)
            spool = await closed(running)
    with spool.open("rb") as file:
        read_header(file)
        found = [(record.kind, record.codec) for record in read_records(file)]
    assert found == [(0, voice_codecs.OPUS), (0, 18), (0, voice_codecs.OPUS), (2, 0)]


async def test_recordings_of_one_call_are_independent_of_each_other(tmp_path: Path, start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)

            async def say(count: int) -> None:
                await running.settle()
                for _ in range(count):
                    caller.send()
                await callee.hear(count)
                await running.settle()

            running.plane.record(CALL, record_id="one", spool=tmp_path / "one")
            await say(1)
            running.plane.record(CALL, record_id="two", spool=tmp_path / "two")
            await say(2)
            running.plane.pause_recording(CALL, record_id="one", on=True)
            await say(4)
            running.plane.stop_recording(CALL, record_id="two")
            await say(8)
            running.plane.pause_recording(CALL, record_id="one", on=False)
            running.plane.pause_recording(CALL, record_id="two", on=False)
            running.plane.stop_recording(CALL, record_id="nobody's")
            await say(16)
            assert await running.event(RecordingClosed) == RecordingClosed(CALL, "two", tmp_path / "two")
            running.plane.release(CALL)
            async with asyncio.timeout(PATIENCE):
                while len(running.events) < 2:  # noqa: ASYNC110 - the event before may be the second's
                    await asyncio.sleep(0.01)
    assert running.events[1] == RecordingClosed(CALL, "one", tmp_path / "one")
    assert (packets_so_far(tmp_path / "one"), packets_so_far(tmp_path / "two")) == (1 + 2 + 16, 2 + 4)


async def test_recording_an_unknown_call_is_told_at_once(tmp_path: Path, start_plane: StartPlane) -> None:
    async with start_plane() as running:
        running.record(tmp_path / "spool", "nobody")
        assert running.events == [RecordingClosed("nobody", "record-1", tmp_path / "spool")]


async def test_a_call_that_ended_before_its_recording_began(tmp_path: Path, start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as caller:
            # The ports are asked for, the recording and the end follow before the relay has opened them.
            reply = asyncio.create_task(running.offer(Side.CALLER, Side.CALLEE, caller.sdp()))
            await asyncio.sleep(0)
            running.record(tmp_path / "spool")
            running.plane.release(CALL)
            assert await running.event(RecordingClosed) == RecordingClosed(CALL, "record-1", tmp_path / "spool")
            await asyncio.gather(reply, return_exceptions=True)
            await running.ports_are_back()


async def test_a_recording_without_a_disk_ends_early_and_the_call_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, start_plane: StartPlane
) -> None:
    (tmp_path / "file").touch()
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            running.record(tmp_path / "file" / "spool")
            await running.settle()
            for _ in range(3):
                caller.send()
            await callee.hear(3)
            assert await closed(running) == tmp_path / "file" / "spool"
    [line] = [record for record in caplog.records if record.name == "kobza.media.recorder"]  # of the other process
    assert "the disk failed" in line.getMessage()
    assert (line.levelname, vars(line)["call_id"], vars(line)["record_id"]) == ("ERROR", CALL, "record-1")
