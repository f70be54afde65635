"""What did not arrive, and what phones say of the other way."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.media.reception import MAX_DROPOUT, MAX_ROUND_TRIP, Doubles, Losses, Reports, Totals
from kobza.rtp.packet import RtpPacket
from kobza.rtp.rtcp import RtcpPacket, RtcpType


def packet(sequence: int, ssrc: int = 7) -> bytes:
    return RtpPacket(8, sequence % 65536, 0, ssrc, b"").to_bytes()


@given(
    st.integers(0, 65535),
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 59)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_every_loss_is_found_however_packets_are_ordered(
    first: int, rounds: list[tuple[int, int]], chance: random.Random
) -> None:
    losses = Losses()
    assert losses.look(packet(first), 1) == 0
    sequence, lost, found = first, 0, 0
    for sent, dropped in rounds:
        numbers = list(range(sequence + 1, sequence + sent + 1))
        sequence += sent
        gone = set(chance.sample(numbers[:-1], min(dropped, sent - 1)))
        lost += len(gone)
        arrived = [number for number in numbers if number not in gone]
        found += losses.look(packet(arrived[-1]), len(arrived))
    assert found == lost


def test_a_late_packet_makes_up_for_itself() -> None:
    losses = Losses()
    losses.look(packet(0), 1)
    assert losses.look(packet(10), 11) == 0  # one of them was of the time before
    assert losses.look(packet(20), 9) == 0


def test_who_is_late_at_a_look_is_lost_until_it_comes() -> None:
    losses = Losses()
    losses.look(packet(0), 1)
    assert losses.look(packet(10), 8) == 2
    assert losses.total == 2
    assert losses.look(packet(20), 12) == 0  # both have come
    assert losses.total == 0
    assert losses.look(packet(30), 7) == 1  # of three that are missing now two were told before
    assert losses.total == 3
    losses.look(packet(500, ssrc=8), 1)
    assert losses.look(packet(510, ssrc=8), 9) == 1
    assert losses.total == 4


def test_what_is_lost_before_the_first_look_is_found() -> None:
    def beginning(number: int, ssrc: int = 7) -> bytes:
        return packet(number, ssrc)[2:4] + packet(number, ssrc)[8:12]

    losses = Losses()
    assert losses.look(packet(9), 7, [beginning(3), beginning(0)]) == 3
    assert losses.look(packet(19), 9) == 1
    assert losses.total == 4
    for first in ([], [beginning(0, 8)], [beginning(5)], [beginning(9 - MAX_DROPOUT)]):  # nothing that tells
        assert Losses().look(packet(9), 7, first) == 0
    losses = Losses()
    assert losses.look(packet(65535), 4, [beginning(65530)]) == 2


def test_what_a_network_doubles_is_found_across_two_looks() -> None:
    doubles = Doubles()
    numbers = [number.to_bytes(2, "big") + bytes(8) for number in range(200)]
    assert doubles.look([]) == 0
    assert doubles.look([*numbers[:100], numbers[40], numbers[97]]) == 2
    assert doubles.look([numbers[99], *numbers[100:110]]) == 1
    assert doubles.look([]) == 0
    assert doubles.look([numbers[105], numbers[105], numbers[110]]) == 2
    assert doubles.look(numbers[:10]) == 0  # long ago: a stream that began anew


def test_another_stream_and_a_stream_that_jumps_lose_nothing() -> None:
    losses = Losses()
    losses.look(packet(0), 1)
    assert losses.look(packet(500, ssrc=8), 1) == 0
    assert losses.look(packet(500 + MAX_DROPOUT + 1, ssrc=8), 1) == 0
    assert losses.look(None, 0) == 0
    assert losses.look(packet(9), 1) == 0


def report(lost: int, jitter: int, ssrc: int = 7) -> bytes:
    block = struct.pack("!6I", ssrc, lost & 0xFFFFFF, 1000, jitter, 0, 0)
    return RtcpPacket(RtcpType.RECEIVER_REPORT, 1, b"\0\0\0\1" + block).to_bytes()


def test_reports_are_added_up() -> None:
    totals, reports = Totals(), Reports()
    for data in (report(3, 80), report(5, 800), report(5, 0), report(4, 0), report(2, 8, ssrc=9)):
        reports.take(data, totals, clock=8000, now=0.0)
    assert totals.traffic.lost_beyond == 6  # one of the five came late
    assert totals.jitter.total == pytest.approx(0.111)
    assert totals.jitter.count == 5
    reports.take(report(2, 8, ssrc=9), totals, clock=None, now=0.0)
    assert totals.jitter.count == 5


def test_what_is_known_of_one_phone() -> None:
    totals, reports = Totals(), Reports()
    assert (reports.count, reports.lost_beyond, reports.jitter, reports.round_trip) == (0, 0, 0.0, None)
    reports.take(report(3, 80), totals, clock=8000, now=0.0)
    reports.take(report(5, 240), totals, clock=8000, now=5.0)
    reports.take(report(5, 900), totals, clock=None, now=6.0)
    assert (reports.count, reports.lost_beyond) == (3, 5)
    assert reports.jitter == pytest.approx(0.02)


def test_how_far_away_a_phone_is() -> None:
    """It repeats the time of the sender report that it got, and says how long ago that was."""
    totals, reports = Totals(), Reports()
    sent = RtcpPacket(RtcpType.SENDER_REPORT, 0, b"\0\0\0\2" + bytes.fromhex("0000123456789abc") + bytes(12))

    def answer(last_report: int, delay: float, now: float) -> None:
        block = struct.pack("!6I", 7, 0, 0, 0, last_report, int(delay * 65536))
        data = RtcpPacket(RtcpType.RECEIVER_REPORT, 1, b"\0\0\0\1" + block).to_bytes()
        reports.take(data, totals, clock=8000, now=now)

    answer(0x12345678, 1.0, 9.0)
    assert reports.round_trip is None  # nothing was passed to it
    reports.passed([sent], 10.0)
    reports.passed([RtcpPacket(RtcpType.BYE, 1, b"\0\0\0\2"), RtcpPacket(RtcpType.SENDER_REPORT, 0, b"")], 11.0)
    answer(0x12345679, 1.0, 11.04)
    answer(0x12345678, 2.0, 11.0)
    answer(0x12345678, 1.0, 11.5 + MAX_ROUND_TRIP)
    assert reports.round_trip is None  # another one's time, or what cannot be
    answer(0x12345678, 1.0, 11.25)
    answer(0x12345678, 2.0, 12.75)
    assert reports.round_trip == pytest.approx(0.5)


@given(st.binary(max_size=120) | st.binary(max_size=100).map(lambda body: b"\x81\xc9\x00\x07" + body))
def test_whatever_a_phone_sends_counts_stay_sane(data: bytes) -> None:
    totals = Totals()
    Reports().take(data, totals, clock=8000, now=0.0)
    assert 0 <= totals.traffic.lost_beyond < MAX_DROPOUT
