"""What those who talk are told of a recording, over what they say, and that the recording shows it."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from kobza.media.decoding import decoder_of
from kobza.media.encoder import Encoded, encode
from kobza.media.plane import RecordingClosed, RecordingNotice, Side
from kobza.rtp.g711 import Law
from kobza.rtp.packet import RtpPacket
from tests.media.phone_end import HOST, PhoneEnd, heard, tone
from tests.media.planes import CALL, RunningPlane, running_plane
from tests.media.spools import decode_mp3, needs_mp3
from tests.media.test_srtp import SHA1_80, SecretPhone
from tests.support.spectrum import Samples, from_pcm16, tone_share

ANNOUNCED, BEEP = 880.0, 1400.0
ANNOUNCEMENT = 40
"""Packets, 0.8 s."""
G722, G729 = 9, 18
BOTH = (Side.CALLER, Side.CALLEE)


@pytest.fixture
def sound(tmp_path: Path) -> str:
    path = tmp_path / "sound.alaw"
    path.write_bytes(b"".join(tone(ANNOUNCED, ANNOUNCEMENT)))
    return str(path)


def record(running: RunningPlane, spool: Path, notice: RecordingNotice) -> None:
    running.plane.record(CALL, record_id="record-1", spool=spool, notice=notice)


async def recorded(running: RunningPlane, mp3: Path) -> tuple[Encoded, Samples, Samples]:
    """End the call; return what its recording says and holds on the left and on the right."""
    running.plane.release(CALL)
    spool = (await running.event(RecordingClosed)).spool
    encoded = encode(spool, mp3)
    return (encoded, *decode_mp3(mp3))


def spans(samples: Samples, hertz: float, share: float = 0.1) -> list[tuple[float, float]]:
    """Return from when to when a tone is heard, in seconds, to 20 ms."""
    step = 160
    found: list[tuple[float, float]] = []
    for start in range(0, len(samples) - step + 1, step):
        if tone_share(samples[start : start + step], hertz) > share:
            at = start / 8000
            if found and at - found[-1][1] < 0.03:
                found[-1] = (found[-1][0], at + 0.02)
            else:
                found.append((at, at + 0.02))
    return [span for span in found if span[1] - span[0] > 0.05]


def is_one_stream(packets: list[RtpPacket]) -> bool:
    """Tell whether a phone gets one stream without a gap or a step back."""
    steps = {(two.sequence - one.sequence) % 65536 for one, two in pairwise(packets)}
    times = [(two.timestamp - one.timestamp) % 2**32 for one, two in pairwise(packets)]
    return steps == {1} and len({packet.ssrc for packet in packets}) == 1 and all(0 < time < 16000 for time in times)


@needs_mp3
async def test_both_hear_it_over_the_other_one_and_beeps_at_their_times(tmp_path: Path, sound: str) -> None:
    law = Law.MU  # of the phones; the sounds are A-law
    async with running_plane() as running:
        with PhoneEnd(440.0, law) as caller, PhoneEnd(660.0, law, ssrc=2) as callee:
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp(f"{int(law)} 101")))
            caller.learn(await running.answer(Side.CALLEE, callee.sdp(f"{int(law)} 101")))
            for phone in (caller, callee):
                phone.talk()
            await running.settle()
            record(running, tmp_path / "spool", RecordingNotice(BOTH, sound, 0.7))
            await running.settle()
            to_caller, to_callee = await asyncio.gather(caller.hear(140), callee.hear(140))
            running.plane.pause_recording(CALL, record_id="record-1", on=True)
            await running.settle()
            await caller.hear(15)
            silent = await caller.hear(50)
            encoded, left, right = await recorded(running, tmp_path / "mp3")
    for packets, voice in ((to_caller, 660.0), (to_callee, 440.0)):
        samples = heard(packets)
        (said,) = spans(samples, ANNOUNCED)
        assert said[1] - said[0] == pytest.approx(0.8, abs=0.05)
        beeps = spans(samples, BEEP, 0.008)
        assert [end - start for start, end in beeps] == pytest.approx([0.2] * len(beeps), abs=0.05)
        assert [two[0] - one[0] for one, two in pairwise(beeps)] == pytest.approx([0.7] * (len(beeps) - 1), abs=0.06)
        assert len(beeps) >= 2
        assert tone_share(samples, voice) > 0.3  # talk goes on
        # Under the announcement it is 12 dB lower, so less than a tenth of that is the voice.
        assert 0.01 < tone_share(samples[int(said[0] * 8000) + 800 :][:4000], voice) < 0.2
        assert is_one_stream(packets)
    assert spans(heard(silent), BEEP, 0.008) == []
    for channel, voice in ((left, 440.0), (right, 660.0)):
        (said,) = spans(channel[:24000], ANNOUNCED)
        assert said == pytest.approx((0.5, 1.3), abs=0.08)
        assert len(spans(channel, BEEP, 0.008)) >= 2
        assert tone_share(channel[4800:9600], voice) > 0.3  # in full
    assert dict(encoded.announced) == {side: pytest.approx(1300, abs=80) for side in BOTH}
    assert len(encoded.announced) == 2
    assert encoded.unannounced == ()


async def test_who_is_not_to_hear_it_does_not_and_who_hears_nobody_else_does(tmp_path: Path, sound: str) -> None:
    async with running_plane() as running:
        with PhoneEnd(440.0) as caller, PhoneEnd(660.0, ssrc=2) as callee:
            await running.connect(caller, callee)
            record(running, tmp_path / "spool", RecordingNotice((Side.CALLEE,), sound))
            # Nobody talks: the announcement comes by itself, and behind it a voice in the same stream.
            alone = await callee.hear(ANNOUNCEMENT)
            caller.talk()
            after = await callee.hear(20)
            assert caller.packets == []
            # Somebody else has come to the caller's side.
            running.plane.announce(CALL, record_id="record-1", target=Side.CALLER, sound=sound)
            assert tone_share(heard(await caller.hear(ANNOUNCEMENT)), ANNOUNCED) > 0.9
            await running.settle()
            running.plane.announce(CALL, record_id="record-1", target=Side.CALLEE, sound=sound)
            await running.settle()
            running.plane.release(CALL)
            spool = (await running.event(RecordingClosed)).spool
    samples = heard(alone)
    assert tone_share(samples, ANNOUNCED) > 0.9
    assert [packet.marker for packet in alone] == [True] + [False] * (ANNOUNCEMENT - 1)
    assert is_one_stream(alone + after)
    encoded = encode(spool, tmp_path / "mp3")
    assert [side for side, _ in encoded.announced] == [Side.CALLEE, Side.CALLER]
    assert encoded.unannounced == (Side.CALLEE,), "the last one hung up before"


async def test_what_becomes_of_voices_that_nothing_can_be_added_to(tmp_path: Path, sound: str) -> None:
    """Both sides of three calls speak G.722 and take G.711 too, G.722 alone, or G.729."""
    calls = {"both": f"{G722} 8 101", "alone": f"{G722} 101", "neither": f"{G729} 101"}
    came: dict[str, list[RtpPacket]] = {}
    spools: dict[str, Path] = {}

    async def talk(running: RunningPlane, call: str, formats: str) -> None:
        spoken, octets = (G729, 20) if call == "neither" else (G722, 160)
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp(formats), call))
            caller.learn(await running.answer(Side.CALLEE, callee.sdp(formats), call))
            await running.settle()
            notice = RecordingNotice((Side.CALLER,), sound, 0.3 if call == "neither" else 0.0)
            running.plane.record(call, record_id=call, spool=tmp_path / call, notice=notice)
            while len(caller.datagrams) < 100:
                callee.send(bytes(octets), payload_type=spoken)
                await asyncio.sleep(0.02)
            running.plane.release(call)
            came[call] = caller.packets

    async with running_plane() as running:
        await asyncio.gather(*(talk(running, *each) for each in calls.items()))
        while len(spools) < len(calls):
            await running.event(RecordingClosed)
            spools = {event.record_id: event.spool for event in running.events if isinstance(event, RecordingClosed)}
            await asyncio.sleep(0.01)
    assert all(map(is_one_stream, came.values()))
    kinds = [packet.payload_type for packet in came["both"]]
    first = kinds.index(Law.A)
    assert set(kinds[first : first + ANNOUNCEMENT]) == {Law.A}, "the voice gives way"
    assert set(kinds[first + ANNOUNCEMENT :]) == {G722}
    assert tone_share(heard(came["both"][first : first + ANNOUNCEMENT]), ANNOUNCED) > 0.9
    assert {packet.payload_type for packet in came["alone"]} == {G722}
    said = decoder_of(G722).decode([packet.payload for packet in came["alone"]])
    pcm = b"".join(part[::2].tobytes() for part in said if part is not None)  # 16,000 samples a second
    assert any(abs(end - start - 0.8) < 0.05 for start, end in spans(from_pcm16(pcm), ANNOUNCED, 0.5))
    assert {packet.payload_type for packet in came["neither"]} == {G729}
    told = {call: encode(spool, tmp_path / "mp3") for call, spool in spools.items()}
    assert {call: [side for side, _ in encoded.announced] for call, encoded in told.items()} == {
        "both": [Side.CALLER],
        "alone": [Side.CALLER],
        "neither": [],
    }
    assert [call for call, encoded in told.items() if encoded.unannounced] == ["neither"]
    assert told["both"].rate == 16000


async def test_a_phone_with_srtp_hears_it(tmp_path: Path, sound: str) -> None:
    async with running_plane(browser_hosts=(HOST,)) as running:
        with SecretPhone(440.0, SHA1_80) as caller, PhoneEnd(660.0, ssrc=2) as callee:
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.said()))
            caller.learn(await running.answer(Side.CALLEE, callee.sdp()))
            callee.talk()
            await running.settle()
            record(running, tmp_path / "spool", RecordingNotice((Side.CALLER,), sound))
            await caller.hear(80)
            packets = [RtpPacket.parse(data) for data in caller.understood()]
    (said,) = spans(heard(packets), ANNOUNCED)
    assert said[1] - said[0] == pytest.approx(0.8, abs=0.05)
    assert is_one_stream(packets)
