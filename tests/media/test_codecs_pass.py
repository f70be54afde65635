"""What is not G.711 passes as it came: frames that real encoders made, and the noise between words."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from kobza.media.plane import CallHeard, Side
from kobza.rtp.g711 import Law
from kobza.rtp.packet import RtpPacket
from tests.media.phone_end import PACKET, PhoneEnd
from tests.media.planes import RunningPlane, running_plane
from tests.media.spools import needs_mp3
from tests.media.test_recording import closed, heard
from tests.support.spectrum import loudness

FRAMES = Path(__file__).parent / "frames"


@dataclass(frozen=True)
class Kind:
    """A codec as phones agree on it. `step`: units of its clock in a frame."""

    name: str
    payload_type: int
    step: int
    lines: tuple[str, ...] = ()


KINDS = (
    Kind("opus", 111, 960, ("a=rtpmap:111 opus/48000/2", "a=fmtp:111 useinbandfec=1;usedtx=1")),
    Kind("g722", 9, 160),  # its clock is that of G.711, by an old mistake (RFC 3551, section 4.5.2)
    Kind("g729", 18, 160, ("a=fmtp:18 annexb=no",)),
)


def frames(name: str) -> list[bytes]:
    """Return the frames of a file, 20 ms each."""
    lines = (FRAMES / f"{name}.hex").read_text().splitlines()
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


async def swept(running: RunningPlane, packets: int) -> None:
    """Wait until the relay has looked at so many packets: it does once a second."""
    async with asyncio.timeout(10):
        while running.plane.traffic.received < packets:
            await running.settle()
            await asyncio.sleep(0.05)


async def talk(running: RunningPlane, kind: Kind, caller: PhoneEnd, callee: PhoneEnd) -> None:
    """Let two phones talk in a codec, each hear every packet of the other as it was sent."""
    offered, lines = f"{kind.payload_type} 8", kind.lines
    offer = callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp(offered, lines=lines), kind.name))
    assert all(line.encode() + b"\r\n" in offer for line in lines)
    caller.learn(await running.answer(Side.CALLEE, callee.sdp(str(kind.payload_type), lines=lines), kind.name))
    await running.settle()
    sent: dict[PhoneEnd, list[bytes]] = {caller: [], callee: []}
    for number, frame in enumerate(frames(kind.name)):
        for phone, packets in sent.items():
            packet = RtpPacket(kind.payload_type, 65520 + number & 0xFFFF, number * kind.step, phone.ssrc, frame)
            packets.append(packet.to_bytes())
            phone.rtp.sendto(packets[-1], (phone.host, phone.to))
        await asyncio.sleep(0.002)
    for listener, speaker in ((callee, caller), (caller, callee)):
        await listener.wait(lambda listener=listener: len(listener.datagrams) == 50)  # type: ignore[misc]
        assert listener.datagrams == sent[speaker]


async def test_codecs_pass_untouched_and_are_known_by_their_names() -> None:
    async with running_plane() as running:
        with ExitStack() as stack:
            for kind in KINDS:
                await talk(running, kind, *(stack.enter_context(PhoneEnd(ssrc=ssrc)) for ssrc in (1, 2)))
            await swept(running, 300)
            for kind in KINDS:
                running.plane.release(kind.name)
            await running.event(CallHeard)
            await running.settle()
            told = [event for event in running.events if isinstance(event, CallHeard)]
    assert [event.call_id for event in told] == [kind.name for kind in KINDS]
    for event in told:
        for side in event.sides.values():
            assert (side.codec, side.sent, side.lost) == (event.call_id, 50, 0)


@needs_mp3
async def test_comfort_noise_passes_and_is_silence_in_the_recording(tmp_path: Path) -> None:
    """RFC 3389: a phone that keeps silent says how loud its silence is, a few bytes now and then."""
    noise = bytes([0x4A, 0x30, 0x20, 0x60])
    async with running_plane() as running:
        with PhoneEnd(440.0) as caller, PhoneEnd(660.0, ssrc=2) as callee:
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp("8 13 101")))
            answer = caller.learn(await running.answer(Side.CALLEE, callee.sdp("8 13 101")))
            assert b"RTP/AVP 8 13 101\r\n" in answer
            running.record(tmp_path / "spool")
            await running.settle()
            caller.talk()
            await callee.hear(25)
            caller.hush()
            for _ in range(3):
                caller.timestamp += 20 * PACKET
                sent = caller.send(noise, payload_type=13)
                await callee.wait(lambda sent=sent: sent in callee.datagrams)  # type: ignore[misc]
                await asyncio.sleep(0.2)
            caller.talk()
            await callee.hear(25)
            caller.hush()
            spool = await closed(running)
    left, right, _ = heard(spool, tmp_path / "mp3")
    assert loudness(left[800:3200]) > 0.1
    assert loudness(left[5600:8000]) < 0.001
    assert loudness(right) < 0.001
    assert {packet.payload_type for packet in callee.packets} == {int(Law.A), 13}
