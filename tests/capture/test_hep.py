"""Packets for a collector."""

from hypothesis import given
from hypothesis import strategies as st

from kobza.capture.hep import MAX_CORRELATION, MAX_PACKET, HepEncoder
from kobza.capture.message import Seen
from kobza.sip.flow import Flow, Transport
from tests.capture.hep_packets import HepPacket, packets_in

OURS, THEIRS = ("192.0.2.1", 5060), ("198.51.100.7", 40_000)


def test_what_is_in_a_packet() -> None:
    seen = Seen(1_790_000_000.25, False, Flow(Transport.UDP, OURS, THEIRS), b"INVITE 1")
    again = Seen(1.5, True, Flow(Transport.WSS, ("2001:db8::1", 443), ("fe80::1%eth0", 5)), b"BYE")
    encoder = HepEncoder(7, "secret")
    data = encoder.packet(seen, b"INVITE x", "a@b") + HepEncoder(2**32 - 1).packet(again, b"BYE", "")
    assert packets_in(data) == [
        HepPacket(2, 17, THEIRS, OURS, 1_790_000_000.25, 1, 7, b"secret", b"a@b", b"INVITE x"),
        HepPacket(10, 6, ("2001:db8::1", 443), ("fe80::1", 5), 1.5, 1, 2**32 - 1, None, None, b"BYE"),
    ]


def test_a_message_that_no_datagram_takes_is_cut() -> None:
    seen = Seen(1.0, False, Flow(Transport.TCP, OURS, THEIRS), b"")
    packet = HepEncoder(1, "k").packet(seen, b"x" * 65_535, "id")
    assert len(packet) == MAX_PACKET
    (read,) = packets_in(packet)
    assert set(read.payload) == {ord("x")}


def test_a_call_id_as_long_as_a_datagram_leaves_room_for_the_message() -> None:
    """Found by `make fuzz`: a stranger's Call-ID is the correlation of what belongs to no call."""
    seen = Seen(1.0, False, Flow(Transport.UDP, OURS, THEIRS), b"")
    (read,) = packets_in(HepEncoder(1).packet(seen, b"INVITE", "x" * 65_000))
    assert (read.payload, read.correlation) == (b"INVITE", b"x" * MAX_CORRELATION)


flows = st.builds(
    Flow, st.sampled_from(Transport), st.tuples(st.just(OURS[0]), st.integers(0, 65_535)), st.just(THEIRS)
)


@given(st.builds(Seen, st.floats(0, 4e9), st.booleans(), flows, st.binary(max_size=300)), st.text(max_size=300))
def test_any_message_is_read_as_it_was_written(seen: Seen, correlation: str) -> None:
    data = correlation.encode("utf-8", "replace").decode()
    (packet,) = packets_in(HepEncoder(1).packet(seen, seen.data, data))
    assert packet.payload == seen.data
    assert (packet.correlation or b"").decode() == data
