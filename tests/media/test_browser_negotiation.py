"""Descriptions for browsers and what follows for the relay, without a relay: profiles, names, roles, forks."""

import itertools

import pytest

from kobza.media.browser_end import BrowserAccess
from kobza.media.messages import Secure
from kobza.media.negotiation import CallMedia
from kobza.media.plane import MediaError, Side
from kobza.sdp.audio import Direction
from tests.media.test_negotiation import CALLEE, CALLER, OURS, line, offered, sdp, version
from tests.sdp.test_webrtc import SHA_256
from tests.sdp.test_webrtc import browser as browser_says

PUBLIC = "203.0.113.9"
THEIRS = (f"sha-256 {SHA_256}",)
OWN = "sha-256 01:02"


def call(*, browsers: bool = True) -> CallMedia:
    """A call whose ports are open. Names are "name1", "password1" and so on."""
    count = itertools.count(1)

    def new_names() -> tuple[str, str]:
        number = next(count)
        return f"name{number}", f"password{number}"

    media = CallMedia(
        OURS, 77, BrowserAccess((PUBLIC, OURS), OWN, new_names, lambda suite: f"key for {suite}") if browsers else None
    )
    media.caller.port, media.callee.port = 20000, 20002
    return media


def browser(*lines: str, setup: str = "actpass", without: str = "a=nothing") -> bytes:
    said = browser_says(f"a=setup:{setup}", *lines, without="a=setup").to_bytes().decode()
    return "".join(text for text in said.splitlines(keepends=True) if not text.startswith(without)).encode()


def restarted(said: bytes) -> bytes:
    """The same after a restart of ICE."""
    return said.replace(b"a=ice-ufrag:aB3/", b"a=ice-ufrag:new4")


def ours(description: bytes) -> list[str]:
    return line(description, "a=ice-ufrag") + line(description, "a=setup")


def secure(name: int = 1, peer: str = "aB3/", *, client: bool = False) -> Secure:
    return Secure(f"name{name}", f"password{name}", peer, THEIRS, client=client)


def connected(offer: bytes | None = None, answer: bytes | None = None) -> CallMedia:
    """A browser that called a phone."""
    media = call()
    offered(media, offer or browser())
    media.answer(CALLEE, answer or sdp())
    return media


def test_what_a_browser_offers_reaches_a_phone_as_plain_rtp() -> None:
    media = call()
    offer = offered(media, browser())
    # G.711 first: it can be recorded, and tones are made of it.
    assert line(offer, "m=") == ["m=audio 20002 RTP/AVP 8 111"]
    assert line(offer, "c=") == [f"c=IN IP4 {OURS}"]
    assert not any(word in offer for word in (b"ice", b"fingerprint", b"setup", b"mid", b"candidate", b"mux", b"group"))
    # Checks may come as soon as the answer is on the way.
    assert media.flow(CALLER).secure == secure()
    answer = media.answer(CALLEE, sdp())
    assert line(answer, "m=") == ["m=audio 20000 UDP/TLS/RTP/SAVPF 8"]
    assert line(answer, "c=") == [f"c=IN IP4 {PUBLIC}"]
    assert ours(answer) == ["a=ice-ufrag:name1", "a=setup:passive"]
    assert line(answer, "a=fingerprint") == [f"a=fingerprint:{OWN}"]
    assert len(line(answer, "a=candidate")) == 2
    flow = media.flow(CALLER)
    assert (flow.secure, flow.rtp, flow.rtcp) == (secure(), None, None)
    assert (flow.profile.mux, flow.profile.watched) == (True, True)
    assert media.flow(CALLEE).secure is None
    assert media.flow(CALLEE).rtp == ("192.0.2.1", 4000)


def test_the_name_of_the_stream_is_the_browsers() -> None:
    media = call()
    offered(media, browser("a=mid:audio-1", without="a=mid:0").replace(b"BUNDLE 0", b"BUNDLE audio-1"))
    answer = media.answer(CALLEE, sdp())
    assert line(answer, "a=mid") == ["a=mid:audio-1"]
    assert line(answer, "a=group") == ["a=group:BUNDLE audio-1"]


def test_a_browser_that_waits_is_called() -> None:
    media = call()
    offered(media, browser(setup="passive"))
    assert ours(media.answer(CALLEE, sdp())) == ["a=ice-ufrag:name1", "a=setup:active"]
    assert media.flow(CALLER).secure == secure(client=True)


def test_both_forms_of_an_offer_and_which_is_answered() -> None:
    media = call()
    plain = offered(media, sdp())
    assert line(plain, "m=") == ["m=audio 20002 RTP/AVP 8 0 101"]
    secured = media.offer_in("browser", CALLEE)
    assert line(secured, "m=") == ["m=audio 20002 UDP/TLS/RTP/SAVPF 8 0 101"]
    assert ours(secured) == ["a=ice-ufrag:name1", "a=setup:actpass"]
    assert line(secured, "a=group") == ["a=group:BUNDLE 0"]
    assert media.offer_in("browser", CALLEE) == secured
    # The phone has early media, the browser answers, and another one is rung in turn.
    assert line(media.answer(CALLEE, sdp(host="192.0.2.7")), "m=") == ["m=audio 20000 RTP/AVP 8 0 101"]
    assert media.flow(CALLEE).secure is None
    media.answer(CALLEE, browser(setup="active"))
    assert media.flow(CALLEE).secure == secure()
    assert media.flow(CALLEE).rtp is None
    assert ours(media.offer_in("browser", CALLEE)) == ["a=ice-ufrag:name1", "a=setup:actpass"]
    media.answer(CALLEE, sdp(host="192.0.2.7"))
    assert media.flow(CALLEE).secure is None
    assert media.flow(CALLEE).rtp == ("192.0.2.7", 4000)


def test_a_phone_cannot_answer_what_it_was_not_offered() -> None:
    media = call()
    offered(media, sdp())
    with pytest.raises(MediaError, match=r"^not acceptable: UDP/TLS/RTP/SAVPF in the answer to an offer of RTP/AVP"):
        media.answer(CALLEE, browser(setup="active"))
    assert media.flow(CALLEE).secure is None


def test_each_side_keeps_its_profile_in_later_offers() -> None:
    media = connected()
    later = media.direct(CALLER, Direction.INACTIVE)
    assert line(later, "m=") == ["m=audio 20000 UDP/TLS/RTP/SAVPF 8"]
    assert ours(later) == ["a=ice-ufrag:name1", "a=setup:passive"]
    assert line(later, "a=mid") == ["a=mid:0"]
    with pytest.raises(MediaError, match=r"^not acceptable: RTP/AVP in the answer to an offer of UDP/TLS/RTP/SAVPF"):
        media.reanswer(CALLER, sdp(direction="inactive"))
    media.reanswer(CALLER, browser("a=inactive", setup="active", without="a=sendrecv"))
    assert media.flow(CALLER).secure == secure()
    assert line(media.direct(CALLEE, Direction.SENDONLY), "m=") == ["m=audio 20002 RTP/AVP 8 111"]
    refreshed = media.reoffer(CALLER, b"")
    assert ours(refreshed) == ["a=ice-ufrag:name1", "a=setup:passive"]
    assert refreshed == later
    assert version(media.direct(CALLER, Direction.SENDRECV)) == version(later) + 1


def test_hold_by_a_browser_changes_nothing_of_how_it_is_reached() -> None:
    media = connected()
    answer = media.reoffer(CALLER, browser("a=sendonly", without="a=sendrecv"))
    assert line(answer, "a=recvonly")
    assert ours(answer) == ["a=ice-ufrag:name1", "a=setup:passive"]
    assert media.flow(CALLER).secure == secure()
    assert media.flow(CALLEE).profile.source == "music"


def test_a_restart_of_ice_is_answered_by_one() -> None:
    media = connected()
    answer = media.reoffer(CALLER, restarted(browser()))
    assert ours(answer) == ["a=ice-ufrag:name2", "a=setup:passive"]
    assert media.flow(CALLER).secure == secure(2, "new4")


def test_another_phone_in_the_place_of_a_browser() -> None:
    media = connected()
    media.leave(CALLER)
    assert media.flow(CALLER).secure is None
    plain = media.offer(CALLEE, CALLER, None)
    assert line(plain, "m=")[0].startswith("m=audio 20000 RTP/AVP 8")
    assert ours(media.offer_in("browser", CALLER)) == ["a=ice-ufrag:name2", "a=setup:actpass"]
    media.answer(CALLER, sdp())
    assert media.flow(CALLER).secure is None
    assert media.flow(CALLER).rtp == ("192.0.2.1", 4000)


def test_a_phone_may_change_its_profile_in_a_later_offer() -> None:
    media = connected()
    answer = media.reoffer(CALLER, sdp())
    assert line(answer, "m=") == ["m=audio 20000 RTP/AVP 8"]
    assert not line(answer, "a=ice")
    assert media.flow(CALLER).secure is None
    assert line(media.reoffer(CALLER, browser()), "m=") == ["m=audio 20000 UDP/TLS/RTP/SAVPF 8"]
    assert media.flow(CALLER).secure == secure(2)


@pytest.mark.parametrize("side", list(Side))
def test_where_browsers_cannot_be_served_they_are_refused(side: Side) -> None:
    media = call(browsers=False)
    with pytest.raises(MediaError, match=r"^not acceptable: UDP/TLS/RTP/SAVPF, which browsers speak, is not available"):
        media.check_offer(side, browser())
    assert media.flow(side).secure is None
    offered(media, sdp(), side)
    with pytest.raises(MediaError, match=r"^not acceptable"):
        media.offer_in("browser", side.other)
    with pytest.raises(MediaError, match="no offer was made"):
        media.offer_in("browser", side)


def test_what_is_missing_in_a_browsers_offer_is_told() -> None:
    with pytest.raises(MediaError, match=r"^not acceptable: .*rtcp-mux"):
        call().check_offer(CALLER, browser(without="a=rtcp-mux"))
