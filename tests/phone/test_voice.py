import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kobza.phone.recording import WavRecording
from kobza.phone.sound import Sound
from kobza.phone.voice import Voice
from kobza.rtp.event import TelephoneEvent
from kobza.rtp.g711 import Law, decode
from kobza.rtp.packet import RtpPacket
from tests.support.spectrum import dominant_tone, from_pcm16, needs_sox, read_audio
from tests.support.waiting import PATIENCE


@pytest.fixture
async def voice() -> AsyncIterator[Voice]:
    voice = Voice("127.0.0.1", Sound.tone(440))
    yield voice
    voice.close()


@pytest.fixture
async def peer() -> AsyncIterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield sock


async def packets(peer: socket.socket, count: int) -> list[RtpPacket]:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        return [RtpPacket.parse(await loop.sock_recv(peer, 2048)) for _ in range(count)]


async def test_sends_every_20_ms_with_counting_headers(voice: Voice, peer: socket.socket) -> None:
    assert voice.port % 2 == 0
    voice.sends = True
    voice.connect(peer.getsockname(), Law.MU, 0, 101)
    heard = await packets(peer, 50)
    first = heard[0]
    assert [packet.marker for packet in heard[:3]] == [True, False, False]
    assert {packet.payload_type for packet in heard} == {0}
    assert {packet.ssrc for packet in heard} == {first.ssrc}
    assert [(packet.sequence - first.sequence) % 65536 for packet in heard] == list(range(50))
    assert [(packet.timestamp - first.timestamp) % 2**32 for packet in heard] == [160 * index for index in range(50)]
    pcm = decode(b"".join(packet.payload for packet in heard), Law.MU)
    assert dominant_tone(from_pcm16(pcm)) == 440
    assert voice.packets_sent == 50


async def test_the_plan_is_kept_when_the_loop_is_late(voice: Voice, peer: socket.socket) -> None:
    """A stall costs packets, and the timestamps still tell the true time."""
    voice.sends = True
    loop = asyncio.get_running_loop()
    voice.connect(peer.getsockname(), Law.A, 8, None)
    before = (await packets(peer, 5))[-1]
    began = voice._next_at
    voice._next_at -= 1.0  # as if the loop had stood still for a second
    after = (await packets(peer, 5))[0]
    assert (after.sequence - before.sequence) % 65536 == 1
    assert (after.timestamp - before.timestamp) % 2**32 >= 0.8 * 8000
    assert abs(voice._next_at - began) < 5
    assert loop.time() - voice._next_at < 1


async def test_a_fast_clock_spreads_the_packets_over_its_time(peer: socket.socket) -> None:
    voice = Voice("127.0.0.1", Sound.tone(440), speed=7.5)
    try:
        voice.sends = True
        voice.connect(peer.getsockname(), Law.A, 8, None)
        first, *rest = await packets(peer, 4)
    finally:
        voice.close()
    assert [(packet.timestamp - first.timestamp) % 2**32 for packet in rest] == [1200, 2400, 3600]
    assert [(packet.sequence - first.sequence) % 65536 for packet in rest] == [1, 2, 3]


async def test_muted_is_silence_and_not_sending_is_nothing(voice: Voice, peer: socket.socket) -> None:
    voice.sends = voice.muted = True
    voice.connect(peer.getsockname(), Law.A, 8, None)
    silent = await packets(peer, 5)
    assert {packet.payload for packet in silent} == {b"\xd5" * 160}
    voice.sends = False
    await asyncio.sleep(0.1)
    sent = voice.packets_sent
    await asyncio.sleep(0.1)
    assert voice.packets_sent == sent
    voice.sends, voice.muted = True, False
    while not (again := (await packets(peer, 1))[0]).marker:
        pass
    assert again.payload != b"\xd5" * 160


@needs_sox()
async def test_hears_records_and_tells_digits_once(voice: Voice, peer: socket.socket, tmp_path: Path) -> None:
    digits: asyncio.Queue[str] = asyncio.Queue()
    voice.on_digit = digits.put_nowait
    voice.recording = WavRecording(tmp_path / "heard.wav")
    voice.connect(peer.getsockname(), Law.A, 8, 101)
    to = ("127.0.0.1", voice.port)
    for index, payload in enumerate(Sound.tone(660).payloads(Law.A)):
        peer.sendto(RtpPacket(8, index, index * 160, 7, payload).to_bytes(), to)
        await asyncio.sleep(0.001)
    for repeat in range(5):
        event = TelephoneEvent(5, repeat > 2, 10, 160 * repeat)
        peer.sendto(RtpPacket(101, 100 + repeat, 9000, 7, event.to_bytes()).to_bytes(), to)
    peer.sendto(RtpPacket(101, 110, 20000, 7, TelephoneEvent(11, True, 10, 160).to_bytes()).to_bytes(), to)
    peer.sendto(RtpPacket(101, 111, 30000, 7, b"x").to_bytes(), to)  # cut off
    peer.sendto(RtpPacket(101, 112, 40000, 7, TelephoneEvent(16, True, 10, 160).to_bytes()).to_bytes(), to)  # flash
    peer.sendto(RtpPacket(34, 113, 50000, 7, bytes(160)).to_bytes(), to)  # a codec nobody agreed on
    peer.sendto(b"nonsense that is no RTP", to)
    peer.sendto(bytes.fromhex("80c80006") + bytes(24), ("127.0.0.1", voice.port + 1))  # RTCP has its own port
    async with asyncio.timeout(PATIENCE):
        assert [await digits.get(), await digits.get()] == ["5", "#"]
    assert voice.packets_heard == 50
    assert voice.ear.tone() == 660
    voice.close()
    voice.close()
    assert digits.empty()
    (heard,) = read_audio(tmp_path / "heard.wav")
    assert dominant_tone(heard) == 660


async def test_without_a_remote_nothing_is_sent(voice: Voice) -> None:
    voice.sends = True
    voice.connect(None, Law.A, 8, None)
    await asyncio.sleep(0.05)
    assert voice.packets_sent == 0
