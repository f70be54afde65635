"""Seats in a mix as descriptions: what they answer, what phones are asked for before, what the relay is told."""

import pytest

from kobza.media.plane import MediaError, Seat
from kobza.media.seats import heard_beyond
from tests.media.test_negotiation import CALLEE, CALLER, EVENTS, OPUS, connected, line, sdp

WIDE = sdp("96 9 8 101", lines=(*EVENTS, OPUS))


def test_phones_that_send_something_else_are_asked_for_one_law() -> None:
    media = connected(WIDE, WIDE)
    offer = media.narrow(CALLER)
    assert line(offer, "m=") == ["m=audio 20000 RTP/AVP 8 0 101"]
    media.reanswer(CALLER, sdp("0 101"))
    assert media.narrow(CALLER) == b""
    assert line(media.narrow(CALLEE), "m=") == ["m=audio 20002 RTP/AVP 0 101"], "of the law that the first one chose"
    media.reanswer(CALLEE, sdp("0 101"))
    assert media.narrow(CALLEE) == media.narrow(CALLER) == b""
    assert (media.flow(CALLER).profile.tone_type, media.flow(CALLEE).profile.tone_type) == (0, 0)


def test_a_phone_that_refuses_keeps_what_it_had() -> None:
    media = connected(WIDE, WIDE)
    media.narrow(CALLER)
    with pytest.raises(MediaError, match=r"^not acceptable"):
        media.reanswer(CALLER, sdp("9"))
    assert media.flow(CALLER).profile.tone_type == 8, "it takes G.711, and sends Opus"
    assert line(media.narrow(CALLER), "m=") == ["m=audio 20000 RTP/AVP 8 0 101"]


def test_a_seat_answers_with_what_can_be_mixed_and_hears_no_tone() -> None:
    media = connected(sdp("0 8 101"), sdp("0 101"))
    media.leave(CALLEE)
    offer = media.offer(CALLER, CALLEE, None)
    answer = media.sit(CALLEE, offer)
    assert line(answer, "m=") == ["m=audio 9 RTP/AVP 0 101"]
    assert media.flow(CALLEE).profile.seated, "before the answer nobody else is heard at its ports either"
    media.answer(CALLEE, answer)
    flow = media.flow(CALLEE)
    profile = flow.profile
    assert (profile.seated, profile.source, profile.watched) == (True, "relay", False)
    assert (profile.tone_type, flow.rtp) == (0, None)
    media.callee.plays = "music"
    assert media.flow(CALLEE).profile.source == "none"
    with pytest.raises(MediaError, match="several voices"):
        media.event_type(CALLEE)
    media.leave(CALLEE)
    assert not media.flow(CALLEE).profile.seated


def test_a_seat_refuses_what_cannot_be_mixed() -> None:
    with pytest.raises(MediaError, match=r"^not acceptable: only G.711 can be mixed$"):
        connected(WIDE, WIDE).sit(CALLEE, sdp("96 9", lines=(OPUS,)))


def test_a_phone_hears_the_mix_in_place_of_music_only_when_somebody_speaks_there() -> None:
    media = connected()
    media.caller.plays = "music"
    media.hears_mix = {CALLER: False, CALLEE: False}
    assert (media.flow(CALLER).profile.source, media.flow(CALLEE).profile.source) == ("music", "mix")
    media.hears_mix = {CALLER: True}
    assert (media.flow(CALLER).profile.source, media.flow(CALLEE).profile.source) == ("mix", "relay")


def test_who_hears_more_than_the_other_side() -> None:
    one, other, guest = ("call", CALLER), ("call", CALLEE), ("guest", CALLEE)
    phones = [Seat(*one), Seat(*other)]
    assert heard_beyond([*phones, Seat(*guest, ())], ()) == {guest: True}
    assert heard_beyond([*phones, Seat(*guest, ())], (one,)) == {one: False, guest: True}
    assert heard_beyond([*phones, Seat(*guest, (other,))], ()) == {other: True, guest: True}
    assert heard_beyond([*phones, Seat(*guest)], (one, other)) == {one: True, other: True, guest: True}
