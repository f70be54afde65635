"""Jitter from the moments at which packets came."""

import itertools
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.media.arrivals import MAX_DIFFERENCE, Arrivals
from kobza.rtp.packet import RtpPacket
from tests.media.phone_end import HOST
from tests.support.ports import free_port


def packet(timestamp: int, ssrc: int = 7, payload_type: int = 8) -> bytes:
    return RtpPacket(payload_type, 0, timestamp % 2**32, ssrc, b"").to_bytes()


@given(st.integers(0, 2**32 - 1), st.lists(st.floats(0, 0.2), min_size=2, max_size=30), st.sampled_from([8000, 48000]))
def test_it_is_the_mean_difference_of_the_ways(first: int, ways: list[float], clock: int) -> None:
    arrivals = Arrivals()
    for second, way in enumerate(ways):
        arrivals.take(packet(first + second * clock), 1_790_000_000.0 + second + way, clock)
    differences = [abs(after - before) for before, after in itertools.pairwise(ways)]
    assert arrivals.jitter == pytest.approx(sum(differences) / len(differences), abs=1e-5)


def test_streams_that_cannot_be_compared_are_not() -> None:
    arrivals = Arrivals()
    assert arrivals.jitter is None
    arrivals.take(packet(0), 0.0, 8000)
    arrivals.take(packet(8000, ssrc=8), 1.5, 8000)
    arrivals.take(packet(16000, ssrc=8, payload_type=0), 2.9, 8000)
    arrivals.take(packet(16000 + 8000, ssrc=8, payload_type=0), 3.9 + MAX_DIFFERENCE + 0.01, 8000)  # a clock was set
    assert arrivals.jitter is None
    arrivals.take(packet(16000 + 16000, ssrc=8, payload_type=0), 4.9 + MAX_DIFFERENCE + 0.03, 8000)
    assert arrivals.jitter == pytest.approx(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux notes when packets come")
def test_the_system_says_when_a_packet_came() -> None:
    """However late it is read: the second one waits in the socket for the third."""
    port = free_port(HOST)
    arrivals = Arrivals()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
    ):
        here.bind((HOST, port))
        arrivals.look(here, packet(0), 8000)  # nothing has come, but from now on it is noted
        for timestamp in (160, 320):
            there.sendto(packet(timestamp), (HOST, port))
        for timestamp in (160, 320):
            here.recv(100)
            arrivals.look(here, packet(timestamp), 8000)
    # They were sent at once, though they say that they are 20 ms apart.
    assert arrivals.jitter == pytest.approx(0.02, abs=0.015)
