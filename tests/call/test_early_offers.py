"""A caller that offers anew while it rings, once it has an answer to its first offer (RFC 3262, RFC 3311)."""

import pytest

from kobza.call.leg import LegState
from kobza.call.phases import Phase
from tests.call.ladder import Ladder, with_direction


def hearing(*devices: str) -> Ladder:
    """A caller who hears early media of the first device."""
    ladder = Ladder()
    ladder.invite(*devices)
    ladder.progress(devices[0], 183, b"early")
    ladder.take()
    return ladder


def test_a_new_offer_is_answered_at_once() -> None:
    ladder = hearing("desk")
    ladder.offer("caller", with_direction("sendrecv"))
    assert ladder.take() == ["media: new offer from caller", "to caller: 200 to the re-INVITE"]
    ladder.answer("desk")
    assert ladder.take() == ["media: answer from callee", "timer ring: stop", "to caller: 200"]
    assert ladder.call.phase is Phase.TALKING


def test_it_was_answered_for_another_device_than_answers() -> None:
    """Then the caller is asked for the codec of the one that did."""
    ladder = hearing("desk", "soft")
    ladder.offer("caller", with_direction("sendonly"))
    ladder.codecs_differ = True
    ladder.answer("soft")
    assert ladder.take()[-2:] == ["media: codec of the other side to caller", "to caller: re-INVITE"]
    assert ladder.state_of("caller") == LegState.HELD


def test_one_that_cannot_be_answered_leaves_things_as_they_were() -> None:
    ladder = hearing("desk")
    ladder.media = "manual"
    ladder.offer("caller", with_direction("sendrecv"))
    ladder.offer("caller", with_direction("sendrecv"))  # a second one before the first was answered
    ladder.media_fails("not acceptable: video")
    assert ladder.take() == [
        "media: new offer from caller",
        "to caller: 491 to the re-INVITE",
        "to caller: 488 to the re-INVITE",
    ]
    assert ladder.call.phase is Phase.RINGING


@pytest.mark.parametrize("sdp", [b"", b"early"])
def test_before_the_caller_has_an_answer_it_may_not(sdp: bytes) -> None:
    ladder = Ladder()
    ladder.invite("desk", sdp=b"" if sdp else b"offer")
    ladder.progress("desk", 183 if sdp else 180, sdp)
    ladder.take()
    ladder.offer("caller", with_direction("sendrecv"))
    assert ladder.take() == ["to caller: 491 to the re-INVITE"]


def test_the_answer_comes_while_it_is_read() -> None:
    ladder = hearing("desk")
    ladder.media = "manual"
    ladder.offer("caller", with_direction("sendrecv"))
    ladder.answer("desk")
    ladder.asked.reverse()
    ladder.media_replies()
    assert ladder.call.phase is Phase.TALKING
    assert "to caller: 200" in ladder.take()
    ladder.media_replies()
    assert ladder.take()[:1] == ["to caller: 200 to the re-INVITE"]
