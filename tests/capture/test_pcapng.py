"""Files of packets."""

from hypothesis import given
from hypothesis import strategies as st

from kobza.capture.message import Seen
from kobza.capture.pcapng import MAX_PAYLOAD, PcapngWriter
from kobza.sip.flow import Flow, Transport
from tests.capture.packets import packets_of

OURS, THEIRS = ("192.0.2.1", 5060), ("198.51.100.7", 40_000)


def written(*messages: Seen) -> bytes:
    writer = PcapngWriter("Kobza")
    return writer.begin() + b"".join(map(writer.message, messages))


def test_a_conversation_over_tcp_has_its_sequence() -> None:
    flow = Flow(Transport.TCP, OURS, THEIRS, 7)
    long = b"x" * (MAX_PAYLOAD + 1)
    file = written(Seen(1.5, False, flow, b"INVITE"), Seen(1.75, True, flow, long), Seen(2.0, False, flow, b"ACK"))
    packets = packets_of(file)
    assert [(each.at, each.source, each.target, each.sequence, len(each.payload)) for each in packets] == [
        (1.5, THEIRS, OURS, 1, 6),
        (1.75, OURS, THEIRS, 1, MAX_PAYLOAD),
        (1.75, OURS, THEIRS, 1 + MAX_PAYLOAD, 1),
        (2.0, THEIRS, OURS, 7, 3),
    ]
    assert {(each.protocol, each.comment) for each in packets} == {(6, "")}


def test_what_was_encrypted_is_said() -> None:
    flow = Flow(Transport.WSS, ("2001:db8::1", 443), ("fe80::1%eth0", 40_000))
    (packet,) = packets_of(written(Seen(1.0, True, flow, b"BYE")))
    assert (packet.protocol, packet.source[0], packet.target[0]) == (17, "2001:db8::1", "fe80::1")
    assert (packet.payload, packet.comment) == (b"BYE", "WSS in truth")


hosts = st.ip_addresses(v=4).map(str)
ports = st.integers(0, 65_535)


@given(
    st.lists(
        st.builds(
            Seen,
            st.floats(0, 4e9),
            st.booleans(),
            st.builds(Flow, st.sampled_from(Transport), st.tuples(hosts, ports), st.tuples(hosts, ports)),
            st.binary(min_size=1, max_size=300),
        ),
        max_size=5,
    )
)
def test_whatever_passed_can_be_read_again(messages: list[Seen]) -> None:
    packets = packets_of(written(*messages))
    assert [each.payload for each in packets] == [each.data for each in messages]
