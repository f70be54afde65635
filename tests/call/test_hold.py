"""Hold and resume, by the phones and through the API, as ladders."""

import pytest

from kobza.call.errors import WrongStateError
from kobza.call.leg import LegState
from kobza.call.phases import Phase
from tests.call.ladder import Ladder, with_direction

INACTIVE = with_direction("inactive")


def talking() -> Ladder:
    ladder = Ladder()
    ladder.talk()
    return ladder


def held() -> Ladder:
    """Held through the API by the caller's owner; both phones have answered."""
    ladder = talking()
    ladder.hold("caller")
    ladder.accept_offer("caller", INACTIVE)
    ladder.accept_offer("desk", with_direction("recvonly"))
    ladder.take()
    return ladder


# by a phone


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_a_phone_holds_and_resumes(direction: str) -> None:
    ladder = talking()
    ladder.offer("desk", with_direction(direction))
    assert ladder.take() == ["media: new offer from callee", "to desk: 200 to the re-INVITE"]
    assert ladder.fact_names[-1] == "CallHeld"
    assert ladder.state_of("callee") == LegState.HELD
    ladder.ack("desk")
    ladder.offer("desk", with_direction(direction))  # a session refresh changes nothing
    assert ladder.fact_names.count("CallHeld") == 1
    ladder.offer("desk", with_direction("sendrecv"))
    assert ladder.fact_names[-1] == "CallResumed"
    assert ladder.state_of("callee") == LegState.ESTABLISHED
    assert ladder.told("callee") == "alerting established held resumed"
    assert ladder.told("caller") == "alerting established"


def test_a_refresh_is_answered_and_tells_nothing() -> None:
    ladder = talking()
    ladder.offer("caller", with_direction("sendrecv"))
    assert ladder.take() == ["media: new offer from caller", "to caller: 200 to the re-INVITE"]
    assert ladder.fact_names[-1] == "CallAnswered"


def test_a_refresh_of_ours_offers_what_the_phone_has() -> None:
    ladder = talking()
    ladder.refresh("desk")
    assert ladder.take() == ["media: sendrecv to callee", "to desk: re-INVITE"]
    ladder.refresh("desk")  # one at a time
    assert ladder.take() == []
    ladder.accept_offer("desk")
    assert ladder.take() == ["media: new answer from callee"]
    assert ladder.fact_names[-1] == "CallAnswered"
    ladder.refresh("caller")
    ladder.refuse_offer("caller", 488)  # all stays as it was
    ladder.take()
    ladder.refresh("caller")
    assert ladder.take() == ["media: sendrecv to caller", "to caller: re-INVITE"]


def test_a_refresh_of_ours_while_it_is_held() -> None:
    ladder = held()
    ladder.refresh("caller")
    assert ladder.take() == ["media: inactive to caller", "to caller: re-INVITE"]
    ladder.accept_offer("caller", INACTIVE)
    ladder.refresh("desk")
    ladder.accept_offer("desk", with_direction("recvonly"))
    assert "media: sendonly to callee" in ladder.take()
    assert ladder.state_of("caller") == LegState.HELD
    assert ladder.fact_names.count("CallHeld") == 1


def test_a_command_waits_for_a_refresh() -> None:
    ladder = talking()
    ladder.refresh("caller")
    token = ladder.hold("caller")
    ladder.take()
    ladder.accept_offer("caller")
    assert "media: inactive to caller" in ladder.take()
    ladder.accept_offer("caller", INACTIVE)
    assert ladder.commands[token] == "held"


def test_a_late_offer_holds_by_its_ack() -> None:
    ladder = talking()
    ladder.offer("desk", b"")
    assert ladder.take() == ["media: new offer from callee", "to desk: 200 to the re-INVITE"]
    ladder.ack("desk", with_direction("sendonly"))
    assert ladder.take() == ["media: new answer from callee"]
    assert ladder.fact_names[-1] == "CallHeld"
    ladder.ack("desk", with_direction("sendrecv"))  # a repeated ACK
    assert ladder.take() == []
    assert ladder.fact_names[-1] == "CallHeld"


def test_a_late_offer_without_an_answer_changes_nothing() -> None:
    ladder = talking()
    ladder.offer("caller", b"")
    ladder.take()
    ladder.ack("caller", b"")
    ladder.ack("caller", with_direction("sendonly"))
    assert ladder.take() == []
    assert ladder.call.phase is Phase.TALKING


@pytest.mark.parametrize(("reason", "status"), [("not acceptable: video only", 488), ("the relay is gone", 503)])
def test_an_offer_that_media_refuses_leaves_the_call_as_it_is(reason: str, status: int) -> None:
    ladder = talking()
    ladder.media = "manual"
    ladder.offer("desk", with_direction("sendonly"))
    ladder.take()
    ladder.media_fails(reason)
    assert ladder.take() == [f"to desk: {status} to the re-INVITE"]
    assert ladder.fact_names[-1] == "CallAnswered"


def test_a_second_offer_gets_491() -> None:
    ladder = talking()
    ladder.media = "manual"
    ladder.offer("desk", with_direction("sendonly"))
    ladder.offer("desk", with_direction("sendrecv"))
    assert ladder.take() == ["media: new offer from callee", "to desk: 491 to the re-INVITE"]


def test_an_offer_while_ours_is_out_gets_491() -> None:
    ladder = talking()
    ladder.hold("caller")
    ladder.take()
    ladder.offer("caller", with_direction("sendonly"))
    assert ladder.take() == ["to caller: 491 to the re-INVITE"]


def test_an_open_offer_is_answered_when_the_call_ends() -> None:
    ladder = talking()
    ladder.media = "manual"
    ladder.offer("desk", with_direction("sendonly"))
    ladder.take()
    ladder.hang_up("caller")
    assert ladder.take() == ["to desk: 487 to the re-INVITE", "to desk: BYE, cause 16", "media: release"]


def test_an_offer_after_the_end_gets_481() -> None:
    ladder = talking()
    ladder.hang_up("caller")
    ladder.take()
    ladder.offer("desk", with_direction("sendonly"))
    assert ladder.take() == ["to desk: 481 to the re-INVITE"]


# through the API


def test_hold_through_the_api() -> None:
    ladder = talking()
    token = ladder.hold("caller")
    assert ladder.take() == ["timer command: 10 s", "media: inactive to caller", "to caller: re-INVITE"]
    assert ladder.commands == {}
    ladder.accept_offer("caller", INACTIVE)
    assert ladder.take() == [
        "media: new answer from caller",
        "timer command: stop",
        "command: held",
        "media: play music to callee",
        "media: sendonly to callee",
        "to desk: re-INVITE",
    ]
    assert ladder.commands == {token: "held"}
    assert ladder.fact_names[-1] == "CallHeld"
    ladder.accept_offer("desk", with_direction("recvonly"))
    assert ladder.take() == ["media: new answer from callee"]
    assert ladder.told("caller") == "alerting established held"
    assert ladder.told("callee") == "alerting established"


def test_unhold_through_the_api() -> None:
    ladder = held()
    token = ladder.unhold("caller")
    assert ladder.take() == ["timer command: 10 s", "media: sendrecv to caller", "to caller: re-INVITE"]
    ladder.accept_offer("caller")
    assert ladder.take() == [
        "media: new answer from caller",
        "timer command: stop",
        "command: established",
        "media: play none to callee",
        "media: sendrecv to callee",
        "to desk: re-INVITE",
    ]
    assert ladder.commands[token] == "established"
    ladder.accept_offer("desk")
    assert ladder.fact_names[-1] == "CallResumed"


def test_wrong_states() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    with pytest.raises(WrongStateError):
        ladder.hold("caller")
    ladder.answer("desk")
    with pytest.raises(WrongStateError):
        ladder.unhold("caller")
    ladder.hold("caller")
    with pytest.raises(WrongStateError):
        ladder.hold("caller")
    ladder.accept_offer("caller", INACTIVE)
    with pytest.raises(WrongStateError):
        ladder.hold("caller")


@pytest.mark.parametrize(("status", "code"), [(488, "refused_by_phone"), (408, "no_answer_from_phone")])
def test_the_phone_refuses(status: int, code: str) -> None:
    ladder = talking()
    token = ladder.hold("caller")
    ladder.take()
    ladder.refuse_offer("caller", status)
    assert ladder.take() == ["timer command: stop", f"command: {code}"]
    assert ladder.commands == {token: code}
    assert ladder.fact_names[-1] == "CallAnswered"
    ladder.hold("caller")  # one may try again
    ladder.accept_offer("caller", INACTIVE)
    assert ladder.fact_names[-1] == "CallHeld"


def test_the_other_side_refuses_and_hears_the_music_all_the_same() -> None:
    ladder = talking()
    ladder.hold("caller")
    ladder.accept_offer("caller", INACTIVE)
    ladder.take()
    ladder.refuse_offer("desk", 488)
    assert ladder.take() == []
    ladder.unhold("caller")
    ladder.accept_offer("caller")
    assert ladder.take()[-1] == "to desk: re-INVITE"


def test_media_cannot_write_the_offer() -> None:
    ladder = talking()
    ladder.media = "manual"
    token = ladder.hold("caller")
    ladder.media_fails()
    assert ladder.commands == {token: "media_failed"}


def test_the_phone_answers_too_late_and_is_held_after_all() -> None:
    ladder = talking()
    token = ladder.hold("caller")
    ladder.timer(f"command:{token}", after=10)
    assert ladder.commands == {token: "no_answer_from_phone"}
    ladder.take()
    ladder.timer(f"command:{token}")
    assert ladder.take() == []
    with pytest.raises(WrongStateError):  # the re-INVITE is still out
        ladder.hold("caller")
    ladder.take()
    ladder.accept_offer("caller", INACTIVE)
    assert "command: held" not in ladder.take()
    assert ladder.fact_names[-1] == "CallHeld"
    ladder.unhold("caller")


def test_the_phone_refuses_too_late() -> None:
    ladder = talking()
    token = ladder.hold("caller")
    ladder.timer(f"command:{token}", after=10)
    ladder.take()
    ladder.refuse_offer("caller", 408)
    assert ladder.take() == []
    ladder.hold("caller")


def test_a_command_waits_for_the_phones_own_offer() -> None:
    ladder = talking()
    ladder.media = "manual"
    ladder.offer("caller", with_direction("sendrecv"))
    ladder.hold("caller")
    assert ladder.take() == ["media: new offer from caller", "timer command: 10 s"]
    ladder.media_replies()
    assert ladder.take() == [
        "to caller: 200 to the re-INVITE",
        "media: codec of the other side to callee",
        "media: inactive to caller",
    ]


def test_a_command_that_never_got_out_is_dropped() -> None:
    ladder = talking()
    ladder.media = "manual"
    ladder.offer("caller", with_direction("sendrecv"))
    token = ladder.hold("caller")
    ladder.timer(f"command:{token}", after=10)
    ladder.take()
    ladder.media_fails()
    assert ladder.take() == ["to caller: 503 to the re-INVITE"]


def test_a_command_that_waits_behind_a_courtesy_offer_is_dropped() -> None:
    ladder = talking()
    ladder.hold("caller")
    ladder.accept_offer("caller", INACTIVE)  # the desk's re-INVITE is out
    token = ladder.hold("callee")
    ladder.timer(f"command:{token}", after=10)
    ladder.take()
    ladder.accept_offer("desk", with_direction("recvonly"))
    assert ladder.take() == ["media: new answer from callee"]


def test_a_command_while_the_courtesy_offer_is_out() -> None:
    ladder = talking()
    ladder.hold("caller")
    ladder.accept_offer("caller", INACTIVE)
    token = ladder.hold("callee")
    ladder.take()
    ladder.accept_offer("desk", with_direction("recvonly"))
    assert ladder.take() == ["media: new answer from callee", "media: inactive to callee", "to desk: re-INVITE"]
    ladder.accept_offer("desk", INACTIVE)
    assert ladder.commands[token] == "held"


def test_unhold_overtakes_the_courtesy_offer() -> None:
    ladder = talking()
    ladder.hold("caller")
    ladder.accept_offer("caller", INACTIVE)
    ladder.unhold("caller")
    ladder.accept_offer("caller")
    ladder.take()
    ladder.accept_offer("desk", with_direction("recvonly"))  # to the hold, which is past
    assert ladder.take() == ["media: new answer from callee", "media: sendrecv to callee", "to desk: re-INVITE"]


def test_both_owners_hold() -> None:
    ladder = held()
    ladder.hold("callee")
    ladder.accept_offer("desk", INACTIVE)
    assert "media: play none to callee" in ladder.take()
    ladder.unhold("caller")
    ladder.accept_offer("caller", with_direction("recvonly"))
    lines = ladder.take()
    assert "media: play music to caller" in lines
    assert "media: sendonly to caller" in lines
    assert ladder.told("caller") == "alerting established held resumed"
    assert ladder.told("callee") == "alerting established held"
    ladder.unhold("callee")
    ladder.accept_offer("desk")
    assert "media: sendrecv to caller" in ladder.take()
    ladder.accept_offer("caller")
    assert ladder.told("callee") == "alerting established held resumed"


def test_phone_and_api_hold_together() -> None:
    ladder = talking()
    ladder.offer("caller", with_direction("sendonly"))
    token = ladder.hold("caller")
    ladder.accept_offer("caller", INACTIVE)
    assert ladder.commands[token] == "held"
    assert ladder.told("caller") == "alerting established held"
    token = ladder.unhold("caller")
    ladder.accept_offer("caller", with_direction("sendonly"))  # the phone still holds
    assert ladder.commands[token] == "held"
    ladder.offer("caller", with_direction("sendrecv"))
    assert ladder.told("caller") == "alerting established held resumed"


def test_while_the_api_holds_the_phones_echo_says_nothing() -> None:
    ladder = held()
    ladder.offer("caller", INACTIVE)
    ladder.unhold("caller")
    ladder.accept_offer("caller")
    assert ladder.told("caller") == "alerting established held resumed"


def test_while_the_api_holds_the_phone_may_resume_its_own_hold() -> None:
    ladder = talking()
    ladder.offer("caller", with_direction("sendonly"))
    ladder.hold("caller")
    ladder.accept_offer("caller", INACTIVE)
    ladder.offer("caller", with_direction("recvonly"))
    assert ladder.state_of("caller") == LegState.HELD
    ladder.unhold("caller")
    ladder.accept_offer("caller")
    assert ladder.told("caller") == "alerting established held resumed"


def test_answers_that_nobody_waits_for_are_harmless() -> None:
    ladder = talking()
    ladder.accept_offer("caller", INACTIVE)
    ladder.refuse_offer("caller", 488)
    assert ladder.take() == []
    ladder.media = "manual"
    ladder.hold("caller")
    ladder.take()
    ladder.accept_offer("caller", INACTIVE)  # ours is not even sent
    ladder.refuse_offer("caller", 488)
    assert ladder.take() == []


def test_the_call_ends_while_commands_wait() -> None:
    ladder = talking()
    in_time = ladder.hold("caller")
    late = ladder.hold("callee")
    ladder.timer(f"command:{late}", after=10)
    ladder.take()
    ladder.hang_up("caller")
    assert ladder.take() == [
        "to desk: BYE, cause 16",
        "media: release",
        "timer command: stop",
        "command: wrong_state",
    ]
    assert ladder.commands == {in_time: "wrong_state", late: "no_answer_from_phone"}
    ladder.timer(f"command:{in_time}")
    assert ladder.take() == []
