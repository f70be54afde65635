"""Offers and answers of a call's two sides, without a relay."""

import random
import re
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from kobza.media.media_profile import Voice
from kobza.media.negotiation import CallMedia
from kobza.media.plane import MediaError, Side
from kobza.sdp.audio import Direction
from kobza.sdp.codecs import PCMA
from kobza.sdp.description import SessionDescription
from tests.media.flows import flow_with

CALLER, CALLEE = Side.CALLER, Side.CALLEE
OURS = "198.51.100.1"
EVENTS = ("a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16")


def sdp(
    formats: str = "8 0 101",
    direction: str = "sendrecv",
    *,
    host: str = "192.0.2.1",
    port: int = 4000,
    lines: tuple[str, ...] = EVENTS,
    after: tuple[str, ...] = (),
) -> bytes:
    """What a phone says."""
    text = ("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", f"m=audio {port} RTP/AVP {formats}")
    return "".join(f"{line}\r\n" for line in (*text, *lines, f"a={direction}", *after)).encode()


def call() -> CallMedia:
    """A call whose ports are open: 20000 toward the caller, 20002 toward the callee."""
    media = CallMedia(OURS, 77)
    media.caller.port, media.callee.port = 20000, 20002
    return media


def offered(media: CallMedia, said: bytes, source: Side = CALLER) -> bytes:
    media.check_offer(source, said)
    return media.offer(source, source.other, said)


def connected(offer: bytes | None = None, answer: bytes | None = None) -> CallMedia:
    media = call()
    offered(media, offer or sdp())
    media.answer(CALLEE, answer or sdp(host="192.0.2.2", port=5000))
    return media


def line(description: bytes, start: str) -> list[str]:
    return [text for text in description.decode().split("\r\n") if text.startswith(start)]


def version(description: bytes) -> int:
    (origin,) = line(description, "o=")
    return int(origin.split()[2])


def test_an_offer_passes_with_our_address() -> None:
    offer = offered(call(), sdp())
    assert line(offer, "c=") == [f"c=IN IP4 {OURS}"]
    assert line(offer, "m=") == ["m=audio 20002 RTP/AVP 8 0 101"]
    assert "a=rtpmap:101 telephone-event/8000" in line(offer, "a=")
    assert line(offer, "a=fmtp") == ["a=fmtp:101 0-16"]
    assert b"192.0.2.1" not in offer


def test_the_answer_passes_back_with_what_is_common() -> None:
    media = call()
    offered(media, sdp())
    answer = media.answer(CALLEE, sdp("0 101", host="192.0.2.2", port=5000))
    assert line(answer, "m=") == ["m=audio 20000 RTP/AVP 0 101"]
    assert line(answer, "c=") == [f"c=IN IP4 {OURS}"]
    assert media.flow(CALLER).rtp == ("192.0.2.1", 4000)
    assert media.flow(CALLEE).rtp == ("192.0.2.2", 5000)
    assert media.flow(CALLER).profile.source == media.flow(CALLEE).profile.source == "relay"
    assert media.flow(CALLER).profile.watched
    assert media.flow(CALLEE).profile.watched


def test_other_streams_are_refused_in_their_place() -> None:
    media = call()
    video = ("m=video 6000 RTP/AVP 99", "a=rtpmap:99 H264/90000")
    offer = offered(media, sdp(after=video))
    assert not line(offer, "m=video")
    answer = media.answer(CALLEE, sdp())
    assert line(answer, "m=") == ["m=audio 20000 RTP/AVP 8 0 101", "m=video 0 RTP/AVP 99"]


@pytest.mark.parametrize(
    ("offer", "answer", "expected"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendonly", "recvonly", "recvonly"),
        ("sendrecv", "recvonly", "recvonly"),
        ("sendrecv", "inactive", "inactive"),
        ("recvonly", "sendonly", "sendonly"),
        ("inactive", "inactive", "inactive"),
    ],
)
def test_directions_of_a_first_offer(offer: str, answer: str, expected: str) -> None:
    media = call()
    assert f"a={offer}".encode() in offered(media, sdp(direction=offer))
    assert f"a={expected}".encode() in media.answer(CALLEE, sdp(direction=answer))
    both = offer == answer == "sendrecv"
    assert (media.flow(CALLER).profile.watched and media.flow(CALLEE).profile.watched) is both


def test_before_an_answer_the_caller_may_hear_early_media() -> None:
    media = call()
    offered(media, sdp())
    assert media.flow(CALLER).profile.source == "relay"
    voices = {0: Voice("pcmu", 8000), 8: Voice("pcma", 8000)}
    assert media.flow(CALLEE) == flow_with(laws={0: 0, 8: 8}, codecs={0: 0, 8: 8}, source="none", voices=voices)
    assert not media.flow(CALLER).profile.watched


def test_the_same_answer_again_is_the_same_version_another_a_later_one() -> None:
    media = call()
    offered(media, sdp())
    early = media.answer(CALLEE, sdp("8 101"))
    assert media.answer(CALLEE, sdp("8 101")) == early
    other = media.answer(CALLEE, sdp("0", lines=()))
    assert version(other) == version(early) + 1
    assert line(other, "m=") == ["m=audio 20000 RTP/AVP 0"]


def test_without_an_offer_it_is_ours() -> None:
    media = call()
    offer = media.offer(None, CALLER, None)
    assert line(offer, "m=") == ["m=audio 20000 RTP/AVP 8 0 101"]
    assert media.answer(CALLER, sdp("0 8 101")) == b""
    onward = media.offer(CALLER, CALLEE, None)
    assert line(onward, "m=") == ["m=audio 20002 RTP/AVP 0 8 101"]
    assert media.answer(CALLEE, sdp("0 101", port=5000)) == b""
    assert media.flow(CALLER).profile.source == media.flow(CALLEE).profile.source == "relay"


def originated(answer: bytes, destination: bytes) -> CallMedia:
    """Click2dial: the originator has answered our offer, and so has the destination."""
    media = call()
    media.offer(None, CALLER, None)
    assert media.answer(CALLER, answer) == b""
    media.offer(CALLER, CALLEE, None)
    assert media.answer(CALLEE, destination) == b""
    return media


OPUS = "a=rtpmap:96 opus/48000/2"


@pytest.mark.parametrize(
    ("answer", "offered"),
    [
        ("8 0 101", "8 0 101"),
        ("0 8 101", "0 8 101"),
        ("0 101", "0 8 101"),  # it has named what it chose, and may know the other one
        ("8 101", "8 0 101"),
    ],
)
def test_a_destination_is_offered_what_the_originator_answered_and_g711(answer: str, offered: str) -> None:
    media = call()
    media.offer(None, CALLER, None)
    media.answer(CALLER, sdp(answer))
    assert line(media.offer(CALLER, CALLEE, None), "m=") == [f"m=audio 20002 RTP/AVP {offered}"]


@pytest.mark.parametrize(
    ("answer", "destination", "to_caller", "to_callee"),
    [
        ("8 0 101", "8 0 101", None, None),
        ("8 0 101", "8 101", None, None),
        ("8 0 101", "0 101", "0 101", "8 101"),
        ("8 0 101", "0 8 101", "0 101", "8 101"),
        ("0 101", "8 101", "8 101", "0 101"),
        ("8 0 101", "0", "0", "8 101"),  # no digits where the other side takes none
    ],
)
def test_one_side_is_given_the_codec_of_the_other(
    answer: str, destination: str, to_caller: str | None, to_callee: str | None
) -> None:
    media = originated(sdp(answer), sdp(destination, host="192.0.2.2", port=5000))
    for side, wanted in ((CALLER, to_caller), (CALLEE, to_callee)):
        offer = media.align(side)
        if wanted is None:
            assert offer == b""
        else:
            assert line(offer, "m=") == [f"m=audio {media.side(side).port} RTP/AVP {wanted}"]
            assert "a=sendrecv" in line(offer, "a=")
    if to_callee is not None:
        media.reanswer(CALLEE, sdp(to_callee, host="192.0.2.2", port=5000))
        assert media.align(CALLER) == media.align(CALLEE) == b""
        assert media.flow(CALLEE).profile.tone_type == int(to_callee[0])


def test_a_phone_that_holds_when_it_is_aligned_holds() -> None:
    media = originated(sdp("8 0 101"), sdp("0 101", port=5000))
    media.align(CALLER)
    media.reanswer(CALLER, sdp("0 101", "sendonly"))
    assert media.flow(CALLEE).profile.source == "music"
    assert line(media.reoffer(CALLER, sdp("8 0 101")), "m=") == ["m=audio 20000 RTP/AVP 0 101"]
    assert media.align(CALLER) == media.align(CALLEE) == b""
    assert media.flow(CALLEE).profile.source == "relay"


def test_a_refused_alignment_changes_nothing() -> None:
    media = originated(sdp("8 0 101"), sdp("0 101", port=5000))
    media.align(CALLER)
    with pytest.raises(MediaError, match="not acceptable"):
        media.reanswer(CALLER, sdp("8 101"))
    assert line(media.align(CALLEE), "m=") == ["m=audio 20002 RTP/AVP 8 101"]


def test_another_device_answers_than_the_one_with_early_media() -> None:
    media = originated(sdp("8 0 101"), sdp("0 101", port=5000))
    assert media.align(CALLER)
    media.answer(CALLEE, sdp("8 101", port=6000))
    assert media.align(CALLER) == media.align(CALLEE) == b""
    assert line(media.reoffer(CALLER, sdp("0 8 101")), "m=") == ["m=audio 20000 RTP/AVP 8 101"]


def test_wide_codecs_and_their_payload_types_go_on_to_who_comes_later() -> None:
    """After a transfer the side that stays is offered again what it has named, under its own numbers."""
    wide = sdp("96 9 8 101", lines=(*EVENTS, OPUS))
    media = connected(wide, sdp("111", lines=("a=rtpmap:111 opus/48000/2",)))
    media.leave(CALLEE)
    offer = media.offer(CALLER, CALLEE, None)
    assert line(offer, "m=") == ["m=audio 20002 RTP/AVP 96 9 8 0 101"]
    assert OPUS in line(offer, "a=")
    media.answer(CALLEE, sdp("9 101", port=5000))
    assert line(media.align(CALLER), "m=") == ["m=audio 20000 RTP/AVP 9 101"]
    assert line(media.align(CALLEE), "m=") == ["m=audio 20002 RTP/AVP 96"]
    assert media.flow(CALLER).profile.renamed == {}


def test_a_payload_type_keeps_its_meaning() -> None:
    """Where 8 is no A-law A-law is not offered under 8, nor under another number."""
    odd = sdp("8 101", lines=(*EVENTS, "a=rtpmap:8 speex/8000"))
    media = connected(odd, odd)
    media.leave(CALLEE)
    assert line(media.offer(CALLER, CALLEE, None), "m=") == ["m=audio 20002 RTP/AVP 8 0 101"]
    media.caller.named = media.caller.common
    media.answer(CALLEE, sdp("0", port=5000))
    media.caller.named += (replace(PCMA, payload_type=0),)
    with pytest.raises(MediaError, match="means another one"):
        media.align(CALLER)


def test_a_later_offer_is_answered_in_the_order_of_the_other_side() -> None:
    """So its phone goes on with the codec that the other one hears."""
    media = connected(sdp("8 0 101"), sdp("0 8 101"))
    assert line(media.reoffer(CALLER, sdp("8 0 101")), "m=") == ["m=audio 20000 RTP/AVP 0 8 101"]
    media = connected(sdp("8 0 101"), sdp("8 101"))
    assert line(media.reoffer(CALLEE, sdp("0 8 101")), "m=") == ["m=audio 20002 RTP/AVP 8 0 101"]
    assert media.align(CALLER) == b""
    assert line(media.reoffer(CALLEE, sdp("0 101")), "m=") == ["m=audio 20002 RTP/AVP 0 101"]
    assert line(media.align(CALLER), "m=") == ["m=audio 20000 RTP/AVP 0 101"]


@pytest.mark.parametrize("side", Side)
def test_there_is_nothing_to_align_before_both_have_agreed(side: Side) -> None:
    media = call()
    with pytest.raises(MediaError):
        media.align(side)
    offered(media, sdp())
    with pytest.raises(MediaError):
        media.align(side)


@pytest.mark.parametrize("source", [CALLER, None])
def test_without_an_answer_before_all_that_we_have_is_offered(source: Side | None) -> None:
    assert line(call().offer(source, CALLEE, None), "m=") == ["m=audio 20002 RTP/AVP 8 0 101"]


def test_packet_times_pass() -> None:
    media = call()
    assert b"a=ptime:40" in offered(media, sdp(lines=(*EVENTS, "a=ptime:40")))
    assert b"a=ptime:30" in media.answer(CALLEE, sdp(lines=(*EVENTS, "a=ptime:30")))


@pytest.mark.parametrize(
    ("said", "answered", "kind"),
    [
        (sdp(direction="sendonly"), "recvonly", "sendonly"),
        (sdp(direction="inactive"), "inactive", "inactive"),
        (sdp(host="0.0.0.0"), "inactive", "the old way"),
    ],
    ids=["sendonly", "inactive", "0.0.0.0"],
)
@pytest.mark.parametrize("holder", [CALLER, CALLEE])
def test_hold_and_resume(said: bytes, answered: str, kind: str, holder: Side) -> None:
    media = connected()
    before = {side: media.flow(side) for side in Side}
    answer = media.reoffer(holder, said)
    assert re.search(rb"a=(\w+)\r\n$", answer), answer
    if kind != "the old way":
        assert f"a={answered}\r\n".encode() in answer
    assert media.flow(holder.other).profile.source == "music"
    assert media.flow(holder).profile.source == "none"
    assert not media.flow(holder).profile.watched
    host, port = before[holder].rtp or ("", 0)
    resumed = media.reoffer(holder, sdp(host=host, port=port))
    assert b"a=sendrecv\r\n" in resumed
    assert version(resumed) > version(answer)
    before[holder] = replace(before[holder], exchange=2)
    assert {side: media.flow(side) for side in Side} == before


def test_both_may_hold() -> None:
    media = connected()
    media.reoffer(CALLER, sdp(direction="sendonly"))
    media.reoffer(CALLEE, sdp(direction="sendonly", port=5000))
    assert [media.flow(side).profile.source for side in Side] == ["none", "none"]
    media.reoffer(CALLER, sdp())
    assert [media.flow(side).profile.source for side in Side] == ["music", "none"]
    media.reoffer(CALLEE, sdp(port=5000))
    assert [media.flow(side).profile.source for side in Side] == ["relay", "relay"]


def test_a_new_address_is_taken_over() -> None:
    media = connected()
    media.reoffer(CALLER, sdp(host="192.0.2.9", port=7000, lines=(*EVENTS, "a=rtcp:7777")))
    assert (media.flow(CALLER).rtp, media.flow(CALLER).rtcp) == (("192.0.2.9", 7000), ("192.0.2.9", 7777))


def test_the_same_offer_again_is_answered_the_same() -> None:
    """A session refresh (RFC 4028): nothing changes, so the version does not."""
    media = connected()
    first = media.reoffer(CALLER, sdp())
    assert media.reoffer(CALLER, sdp()) == first


def test_the_api_holds_and_resumes() -> None:
    media = connected()
    before = {side: media.flow(side) for side in Side}
    offer = media.direct(CALLER, Direction.INACTIVE)
    assert b"a=inactive\r\n" in offer
    assert {side: media.flow(side) for side in Side} == before  # not before the phone agreed
    media.reanswer(CALLER, sdp(direction="inactive"))
    assert media.flow(CALLER).profile.source == "none"
    assert media.flow(CALLEE).profile.source == "music"
    # A refresh by the held phone, also one that says sendrecv, is told that it stays held.
    assert b"a=inactive\r\n" in media.reoffer(CALLER, sdp())
    assert media.flow(CALLEE).profile.source == "music"
    media.direct(CALLER, Direction.SENDRECV)
    media.reanswer(CALLER, sdp())
    before[CALLER] = replace(before[CALLER], exchange=3)
    assert {side: media.flow(side) for side in Side} == before


def test_a_late_offer_says_what_holds() -> None:
    media = connected()
    offer = media.reoffer(CALLEE, b"")
    assert line(offer, "m=") == ["m=audio 20002 RTP/AVP 8 0 101"]
    media.reanswer(CALLEE, sdp("8", lines=(), host="192.0.2.9", port=7000))
    assert media.flow(CALLEE).rtp == ("192.0.2.9", 7000)


def test_tones_replace_the_other_side() -> None:
    media = connected()
    media.caller.plays = "ringback"
    flow = media.flow(CALLER)
    assert (flow.profile.source, flow.profile.tone_type, flow.profile.tone_law) == ("ringback", 8, 8)
    assert media.flow(CALLEE).profile.source == "relay"
    opus = ("a=rtpmap:96 opus/48000/2",)
    media = connected(sdp("96", lines=opus), sdp("96", lines=opus))
    media.caller.plays = "ringback"
    assert media.flow(CALLER).profile.source == "none"


def test_payload_types_are_each_sides_own() -> None:
    media = call()
    dynamic = ("a=rtpmap:110 PCMA/8000", "a=rtpmap:120 telephone-event/8000")
    offered(media, sdp("110 120", lines=dynamic))
    answer = media.answer(CALLEE, sdp("8 101"))
    assert line(answer, "m=") == ["m=audio 20000 RTP/AVP 110 120"]
    # The callee was told 110 and 120 and sends those; the caller wants them too.
    assert media.flow(CALLER).profile.renamed == {}
    # What the caller sends under its own numbers the callee wants under its own.
    assert media.flow(CALLEE).profile.renamed == {110: 8, 120: 101}
    assert media.flow(CALLER).profile.laws[110] == 8
    assert 120 not in media.flow(CALLER).profile.laws


def test_a_static_number_with_another_meaning_is_no_g711() -> None:
    odd = ("a=rtpmap:0 opus/48000/2",)
    media = connected(sdp("0 8", lines=odd), sdp("0 8", lines=odd))
    assert media.flow(CALLER).profile.laws == {8: 8}


def test_reports_on_one_port_only_when_both_say_so() -> None:
    mux = (*EVENTS, "a=rtcp-mux")
    media = call()
    offered(media, sdp(lines=mux))
    answer = media.answer(CALLEE, sdp(lines=EVENTS))
    assert b"a=rtcp-mux" in answer
    assert media.flow(CALLER).profile.mux
    assert not media.flow(CALLEE).profile.mux


def test_an_answer_that_does_not_fit_the_other_sides_offer_changes_nothing() -> None:
    """The caller offered one codec, the callee was offered others."""
    media = call()
    media.check_offer(CALLER, sdp("0", lines=()))
    media.offer(None, CALLEE, None)
    before = media.flow(CALLEE)
    with pytest.raises(MediaError, match="not acceptable"):
        media.answer(CALLEE, sdp("8"))
    assert media.flow(CALLEE) == before


def test_an_open_offer_that_was_withdrawn() -> None:
    media = call()
    with pytest.raises(MediaError, match="withdrawn"):
        media.offer(CALLER, CALLEE, sdp())


@pytest.mark.parametrize("side", Side)
def test_nothing_comes_before_an_offer(side: Side) -> None:
    media = call()
    with pytest.raises(MediaError, match="no offer"):
        media.answer(side, sdp())
    with pytest.raises(MediaError, match="no offer"):
        media.reanswer(side, sdp())
    with pytest.raises(MediaError, match="agreed on nothing"):
        media.reoffer(side, sdp())
    with pytest.raises(MediaError, match="agreed on nothing"):
        media.direct(side, Direction.INACTIVE)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "malformed"),
        (b"junk", "malformed"),
        (sdp("96", lines=("a=rtpmap:96 opus/48000/2",)), "not acceptable"),
        (sdp("101"), "not acceptable"),
        (sdp(port=0), "not acceptable"),
    ],
    ids=["nothing", "junk", "another codec", "no speech", "refused"],
)
def test_what_is_unusable_changes_nothing(said: bytes, reason: str) -> None:
    media = connected()
    before = {side: media.flow(side) for side in Side}
    media.direct(CALLER, Direction.INACTIVE)
    attempts: list[Callable[[], bytes]] = [
        lambda: media.answer(CALLEE, said),
        lambda: media.reanswer(CALLER, said),
        lambda: media.reoffer(CALLER, said or b"v=1"),
    ]
    for attempt in attempts:
        with pytest.raises(MediaError) as refused:
            attempt()
        assert refused.value.reason.startswith(reason)
        assert {side: media.flow(side) for side in Side} == before


def test_any_order_of_events_ends_in_descriptions_or_errors() -> None:
    """Whatever phones and the API do, in whatever order: a readable description comes out, or a MediaError."""
    chance = random.Random(23)
    says = [sdp(), sdp("0"), sdp("8 101", "sendonly"), sdp("8", "inactive"), sdp("8", host="0.0.0.0"), b"junk"]
    says += [sdp("96 0", lines=("a=rtpmap:96 opus/48000/2",)), sdp("8", "recvonly", lines=("a=rtcp-mux",))]
    outcomes = {"described": 0, "refused": 0}
    for _ in range(600):
        media = call()
        for _ in range(12):
            side, said = chance.choice(list(Side)), chance.choice(says)
            result = b""
            try:
                match chance.randrange(8):
                    case 0:
                        result = offered(media, said, side)
                    case 1:
                        result = media.offer(chance.choice([None, side.other]), side, None)
                    case 2 | 3:
                        result = media.answer(side, said)
                    case 4:
                        result = media.reoffer(side, chance.choice([said, b""]))
                    case 5:
                        result = media.direct(side, chance.choice(list(Direction)))
                    case 6:
                        result = media.align(side)
                    case _:
                        media.reanswer(side, said)
            except MediaError:
                outcomes["refused"] += 1
            if result:
                described = SessionDescription.parse(result)
                assert OURS in result.decode()
                assert [stream.port for stream in described.media if stream.kind == "audio"] in ([20000], [20002])
                outcomes["described"] += 1
            for each in Side:
                media.flow(each)
    assert min(outcomes.values()) > 1000


# digits that become INFO


def told_events(description: bytes) -> list[str]:
    return [text for text in line(description, "a=rtpmap") if "telephone-event" in text]


def test_events_are_agreed_on_for_a_phone_that_takes_info_alone() -> None:
    media = call()
    offered(media, sdp("8 0 97", lines=("a=rtpmap:97 telephone-event/8000",)))
    answer = media.answer(CALLEE, sdp("0", lines=()), by_info=True)
    assert line(answer, "m=") == ["m=audio 20000 RTP/AVP 0 97"]
    assert (media.flow(CALLER).profile.keys, media.flow(CALLEE).profile.keys) == (97, -1)
    again = media.reoffer(CALLER, sdp("8 0 97", "sendonly", lines=("a=rtpmap:97 telephone-event/8000",)))
    assert told_events(again) == ["a=rtpmap:97 telephone-event/8000"]
    assert line(media.align(CALLER) or b"", "m=") == []  # both send the same


def test_events_are_offered_for_a_caller_that_takes_info_alone() -> None:
    media = call()
    media.check_offer(CALLER, sdp("8", lines=()), by_info=True)
    assert told_events(media.offer(CALLER, CALLEE, sdp("8", lines=())))
    assert not told_events(media.answer(CALLEE, sdp("8 101"), by_info=True))
    assert (media.flow(CALLER).profile.keys, media.flow(CALLEE).profile.keys) == (-1, 101)
    media.leave(CALLEE)
    assert told_events(media.offer(CALLER, CALLEE, None))


def test_who_takes_events_gets_events() -> None:
    media = call()
    media.check_offer(CALLER, sdp(), by_info=True)
    media.offer(CALLER, CALLEE, sdp())
    media.answer(CALLEE, sdp(), by_info=True)
    assert (media.flow(CALLER).profile.keys, media.flow(CALLEE).profile.keys) == (-1, -1)


@pytest.mark.parametrize(
    ("formats", "lines"),
    [
        ("8", ()),  # it has none itself
        ("96 101", ("a=rtpmap:96 opus/48000/2", *EVENTS)),  # of another clock than its speech
    ],
)
def test_no_events_are_answered_that_were_not_offered_for_what_is_sent(formats: str, lines: tuple[str, ...]) -> None:
    media = call()
    offered(media, sdp(formats, lines=lines))
    said = tuple(text for text in lines if "telephone" not in text)
    answer = media.answer(CALLEE, sdp(formats.split()[0], lines=said), by_info=True)
    assert not told_events(answer)
    assert media.flow(CALLER).profile.keys == -1


def test_no_events_are_offered_under_a_number_that_means_something_else() -> None:
    media = call()
    said = sdp("8 101", lines=("a=rtpmap:101 speex/8000",))
    media.check_offer(CALLER, said, by_info=True)
    assert not told_events(media.offer(CALLER, CALLEE, said))


def test_the_offer_of_the_other_ones_codec_has_events_too() -> None:
    """The plane offered both by itself, and they chose different laws; the caller takes its digits in INFO."""
    media = call()
    media.offer(None, CALLER, None)
    media.answer(CALLER, sdp("0", lines=()), by_info=True)
    assert told_events(media.offer(CALLER, CALLEE, None))
    media.answer(CALLEE, sdp("8 101"), by_info=False)
    offer = media.align(CALLEE)
    assert line(offer, "m=") == ["m=audio 20002 RTP/AVP 0 101"]
