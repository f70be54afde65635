"""The audio stream: found, its direction, where it wants its packets."""

import pytest

from kobza.sdp.audio import Audio, Destination, Direction, audio_of
from kobza.sdp.description import SessionDescription
from kobza.sdp.errors import NotAcceptable


def audio(*lines: str, connection: str = "192.0.2.1", session: tuple[str, ...] = ()) -> Audio:
    text = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", f"c=IN IP4 {connection}", *session, "m=audio 4000 RTP/AVP 0", *lines]
    return audio_of(SessionDescription.parse("\n".join(text).encode()))


def test_the_first_usable_stream_is_taken() -> None:
    lines = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1", "m=video 4 RTP/AVP 99", "m=audio 0 RTP/AVP 0"]
    lines += ["m=audio 4 RTP/SAVP 0", "m=audio 6 rtp/avpf 8", "m=audio 8 RTP/AVP 0"]
    found = audio_of(SessionDescription.parse("\n".join(lines).encode()))
    assert (found.index, found.destination.port, found.protocol, found.codecs[0].name) == (3, 6, "rtp/avpf", "PCMA")


def test_without_one_nothing_can_be_agreed() -> None:
    with pytest.raises(NotAcceptable):
        audio_of(SessionDescription.parse(b"v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 4 RTP/SAVP 0\n"))


def test_directions() -> None:
    assert audio().direction is Direction.SENDRECV
    assert audio("a=sendonly").direction is Direction.SENDONLY
    assert audio(session=("a=inactive",)).direction is Direction.INACTIVE
    assert audio("a=recvonly", session=("a=inactive",)).direction is Direction.RECVONLY


def test_the_old_hold_address_means_not_to_receive() -> None:
    assert audio(connection="0.0.0.0").direction is Direction.SENDONLY
    assert audio("a=recvonly", connection="0.0.0.0").direction is Direction.INACTIVE
    assert audio("c=IN IP4 192.0.2.9", connection="0.0.0.0").direction is Direction.SENDRECV
    assert audio(connection="0.0.0.0").destination.host is None


@pytest.mark.parametrize("direction", Direction)
def test_reversing_twice_changes_nothing(direction: Direction) -> None:
    assert direction.reversed.reversed is direction
    assert direction.narrowed(direction) is direction
    assert direction.narrowed(Direction.INACTIVE) is Direction.INACTIVE
    assert direction.reversed.sends is direction.receives


def test_directions_narrow_each_other() -> None:
    assert Direction.SENDRECV.narrowed(Direction.RECVONLY) is Direction.RECVONLY
    assert Direction.SENDONLY.narrowed(Direction.RECVONLY) is Direction.INACTIVE


@pytest.mark.parametrize(
    ("lines", "destination"),
    [
        ((), Destination("192.0.2.1", 4000, "192.0.2.1", 4001, mux=False)),
        (("a=rtcp-mux",), Destination("192.0.2.1", 4000, "192.0.2.1", 4000, mux=True)),
        (("a=rtcp:5005",), Destination("192.0.2.1", 4000, "192.0.2.1", 5005, mux=False)),
        (("a=rtcp:5005 IN IP4 192.0.2.7",), Destination("192.0.2.1", 4000, "192.0.2.7", 5005, mux=False)),
        (("a=rtcp:5005 IN IP4 phone.example",), Destination("192.0.2.1", 4000, None, 5005, mux=False)),
        (("a=rtcp:x",), Destination("192.0.2.1", 4000, "192.0.2.1", 4001, mux=False)),
        (("a=rtcp:99999",), Destination("192.0.2.1", 4000, "192.0.2.1", 4000, mux=False)),
        (("a=rtcp:0",), Destination("192.0.2.1", 4000, "192.0.2.1", 4000, mux=False)),
        (("c=IN IP4 phone.example",), Destination(None, 4000, None, 4001, mux=False)),
        (("c=IN IP4 224.0.1.1",), Destination(None, 4000, None, 4001, mux=False)),
        (("c=IN IP6 2001:DB8::0:1",), Destination("2001:db8::1", 4000, "2001:db8::1", 4001, mux=False)),
    ],
)
def test_destinations(lines: tuple[str, ...], destination: Destination) -> None:
    assert audio(*lines).destination == destination


def test_without_any_address_there_is_no_destination() -> None:
    found = audio_of(SessionDescription.parse(b"v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 0\n"))
    assert found.destination.host is None
    assert found.direction is Direction.SENDRECV


@pytest.mark.parametrize(
    ("line", "ptime"), [("a=ptime:30", 30), ("a=ptime:x", None), ("a=ptime:", None), ("a=x", None)]
)
def test_packet_time(line: str, ptime: int | None) -> None:
    assert audio(line).ptime == ptime
