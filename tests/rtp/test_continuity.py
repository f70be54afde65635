"""One stream toward a phone out of several sources."""

from kobza.rtp.continuity import OutgoingStream
from kobza.rtp.packet import RtpPacket

TONE = b"\xd5" * 160


def relay(stream: OutgoingStream, packet: RtpPacket, now: float) -> RtpPacket:
    return RtpPacket.parse(stream.relayed(packet.to_bytes(), now))


def tone(stream: OutgoingStream, now: float, *, first: bool = False) -> RtpPacket:
    return RtpPacket.parse(stream.generated(8, TONE, samples=160, first=first, now=now))


def test_a_tone_goes_on_after_what_was_relayed() -> None:
    last = RtpPacket(0, 65535, 2**32 - 160, 7, b"voice")
    stream = OutgoingStream.after(last.to_bytes(), now=10.0)
    assert tone(stream, 10.02, first=True) == RtpPacket(8, 0, 0, 7, TONE, marker=True)
    assert tone(stream, 10.04) == RtpPacket(8, 1, 160, 7, TONE)


def test_a_pause_counts_in_timestamps_not_in_sequence_numbers() -> None:
    stream = OutgoingStream(ssrc=7, sequence=10, timestamp=1000, now=10.0)
    packet = tone(stream, 12.0, first=True)
    assert (packet.sequence, packet.timestamp) == (11, 1000 + 16000)


def test_a_source_is_renumbered_into_the_stream() -> None:
    stream = OutgoingStream(ssrc=7, sequence=10, timestamp=1000, now=10.0)
    first = relay(stream, RtpPacket(8, 500, 90_000, 99, b"a", csrcs=(3,)), 10.5)
    assert first == RtpPacket(8, 11, 5000, 7, b"a", marker=True, csrcs=(3,))
    assert relay(stream, RtpPacket(8, 501, 90_160, 99, b"b"), 10.52) == RtpPacket(8, 12, 5160, 7, b"b")


def test_reordering_and_loss_of_the_source_are_kept() -> None:
    stream = OutgoingStream(ssrc=7, sequence=65530, timestamp=0, now=0.0)
    sequences = [relay(stream, RtpPacket(8, 100 + n, 160 * n, 99, b""), 0.02 * n).sequence for n in (0, 3, 2, 7)]
    assert sequences == [65531, 65534, 65533, 2]
    # The tone goes on after the newest, not after the last.
    assert tone(stream, 0.16, first=True).sequence == 3


def test_voice_tone_voice_is_one_stream() -> None:
    stream = OutgoingStream.after(RtpPacket(8, 1, 160, 99, b"").to_bytes(), now=0.0)
    tones = [tone(stream, 0.02 * (1 + n), first=n == 0) for n in range(3)]
    voice = [relay(stream, RtpPacket(8, 50 + n, 8000 + 160 * n, 99, b""), 0.08 + 0.02 * n) for n in range(3)]
    packets = tones + voice
    assert [packet.sequence for packet in packets] == [2, 3, 4, 5, 6, 7]
    assert [packet.timestamp for packet in packets] == [320, 480, 640, 800, 960, 1120]
    assert [packet.marker for packet in packets] == [True, False, False, True, False, False]
    assert {packet.ssrc for packet in packets} == {99}


def test_another_source_joins_in() -> None:
    stream = OutgoingStream(ssrc=7, sequence=0, timestamp=0, now=0.0)
    relay(stream, RtpPacket(8, 9, 9, 1, b""), 0.02)
    joined = relay(stream, RtpPacket(8, 60_000, 2**31, 2, b""), 0.04)
    assert (joined.sequence, joined.timestamp, joined.marker) == (2, 320, True)


def test_an_event_lies_in_the_stream_between_two_voices() -> None:
    stream = OutgoingStream.after(RtpPacket(8, 10, 1600, 7, b"").to_bytes(), now=1.0)
    reports = [
        stream.event(101, bytes([1, 0, 0, count]), first=not count, now=1.125 + count / 50) for count in range(3)
    ]
    assert [RtpPacket.parse(report) for report in reports] == [
        RtpPacket(101, 11, 2600, 7, b"\x01\0\0\0", marker=True),
        RtpPacket(101, 12, 2600, 7, b"\x01\0\0\1"),
        RtpPacket(101, 13, 2600, 7, b"\x01\0\0\2"),
    ]
    voice = relay(stream, RtpPacket(8, 500, 99, 3, b""), 1.25)
    assert (voice.sequence, voice.timestamp, voice.marker, voice.ssrc) == (14, 2600 + 1000, True, 7)
