import pytest

from kobza.phone.agreement import Agreement
from kobza.rtp.g711 import Law
from kobza.sdp.audio import Direction
from kobza.sdp.codecs import PCMU
from kobza.sdp.errors import MalformedSdp, NotAcceptable

HOLD = (
    b"v=0\r\no=x 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0 97\r\na=rtpmap:97 telephone-event/8000\r\na=%s\r\n"
)


def pair(*codecs: object) -> tuple[Agreement, Agreement]:
    a = Agreement(1, "127.0.0.1", 4000)
    b = Agreement(2, "127.0.0.1", 5000, *codecs)  # type: ignore[arg-type]
    return a, b


def test_two_phones_agree_on_the_first_common_codec() -> None:
    a, b = pair()
    answer = b.answer(a.offer())
    agreed = a.answered(answer)
    assert (agreed.law, agreed.payload_type, agreed.event_type, agreed.codec) == (Law.A, 8, 101, "PCMA")
    assert agreed.remote == ("127.0.0.1", 5000)
    assert agreed.direction is Direction.SENDRECV
    assert b.agreed is not None
    assert (b.agreed.remote, b.agreed.law) == (("127.0.0.1", 4000), Law.A)


def test_a_phone_with_one_codec_gets_it() -> None:
    a, b = pair((PCMU,))
    agreed = a.answered(b.answer(a.offer()))
    assert (agreed.law, agreed.event_type) == (Law.MU, None)


@pytest.mark.parametrize(
    ("theirs", "most", "ours"),
    [
        (b"sendonly", Direction.SENDRECV, Direction.RECVONLY),
        (b"recvonly", Direction.SENDRECV, Direction.SENDONLY),
        (b"inactive", Direction.SENDRECV, Direction.INACTIVE),
        (b"sendonly", Direction.SENDONLY, Direction.INACTIVE),
        (b"sendrecv", Direction.SENDONLY, Direction.SENDONLY),
        (b"sendrecv", Direction.SENDRECV, Direction.SENDRECV),
    ],
)
def test_directions_of_an_offer_are_answered_as_rfc_3264_has_them(
    theirs: bytes, most: Direction, ours: Direction
) -> None:
    phone = Agreement(1, "127.0.0.1", 4000)
    answer = phone.answer(HOLD % theirs, most)
    assert f"a={ours.value}\r\n".encode() in answer
    assert phone.agreed is not None
    assert phone.agreed.direction is ours
    assert phone.agreed.event_type == 97


def test_hold_and_resume_keep_the_description_and_count_its_version() -> None:
    a, b = pair()
    a.answered(b.answer(a.offer()))
    hold = a.offer(Direction.SENDONLY)
    assert b"a=sendonly" in hold
    assert a.answered(b.answer(hold)).direction is Direction.SENDONLY
    assert b.agreed is not None
    assert b.agreed.direction is Direction.RECVONLY
    resume = a.offer()
    versions = [line.split()[2] for text in (hold, resume) for line in text.splitlines() if line.startswith(b"o=")]
    assert versions == [b"2", b"3"]
    assert a.answered(b.answer(resume)).direction is Direction.SENDRECV


def test_no_g711_and_no_audio_are_not_acceptable() -> None:
    phone = Agreement(1, "127.0.0.1", 4000)
    with pytest.raises(NotAcceptable):
        phone.answer((HOLD % b"sendrecv").replace(b"AVP 0 97", b"AVP 9 97"))
    with pytest.raises(NotAcceptable):
        phone.answer((HOLD % b"sendrecv").replace(b"audio", b"video"))
    with pytest.raises(MalformedSdp):
        phone.answer(b"hello")
    assert phone.agreed is None


def test_a_peer_without_an_address_is_not_sent_to() -> None:
    phone = Agreement(1, "127.0.0.1", 4000)
    phone.answer((HOLD % b"sendrecv").replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 0.0.0.0"))
    assert phone.agreed is not None
    assert phone.agreed.remote is None
