"""INVITEs that take a place in a call, as ladders: what rings is picked up, what is talked goes on at another phone."""

import pytest

from kobza.call.errors import WrongStateError
from kobza.call.leg import LegState
from kobza.call.phases import Phase
from tests.call.ladder import GROUP, PETRO, STRANGER, TARAS, Ladder, with_direction


def ringing() -> Ladder:
    ladder = Ladder()
    ladder.invite("desk", "soft", caller=STRANGER, origin="trunk")
    ladder.progress("desk")
    ladder.take()
    return ladder


def test_what_rings_is_picked_up() -> None:
    ladder = ringing()
    ladder.pick_up("callee", "petro")
    assert ladder.take() == [
        "media: answer from callee",
        "media: new offer from callee",
        "to petro: 200",
        "to desk: CANCEL, cause 26, answered elsewhere",
        "to soft: CANCEL, cause 26, answered elsewhere",
        "callee is +380671110003",
        "timer ring: stop",
        "to caller: 200",
    ]
    ladder.answer("soft", after=0)  # it crosses the CANCEL
    ladder.reject("desk", 487)
    assert ladder.take() == ["to soft: BYE, cause 26"]
    assert ladder.fact_names == ["CallStarted", "CallRinging", "CallPickedUp", "CallAnswered"]
    assert ladder.call.leg_of("petro-in") == ladder.leg_ids["callee"]
    ladder.ack("petro")
    ladder.offer("petro", with_direction("sendonly"))
    assert ladder.state_of("callee") == LegState.HELD


def test_one_who_is_called_too_answers_on_one_more_device() -> None:
    ladder = ringing()
    ladder.pick_up("callee", "mobile", TARAS)
    assert "callee is +380671110003" not in ladder.take()
    assert ladder.told("callee") == "alerting established"
    grouped = Ladder()
    grouped.invite(callee=GROUP, first=grouped.ring_group((TARAS, "desk"), (PETRO, "new")))
    grouped.progress("new")
    grouped.pick_up(TARAS.number, "mobile", PETRO)
    assert grouped.told_members() == "Тарас none; Петро alerting established"
    assert "to new: CANCEL, cause 26, answered elsewhere" in grouped.take()


def test_who_is_called_by_a_transfer_answers_on_one_more_device() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.transfer("callee", "one")
    ladder.progress("one")
    ladder.take()
    ladder.pick_up("callee", "mobile", PETRO)
    assert ladder.take() == [
        "media: answer from callee",
        "media: new offer from callee",
        "to mobile: 200",
        "to one: CANCEL, cause 26, answered elsewhere",
        "timer ring: 10 s",
        "timer ring: stop",
        "media: play none to caller",
    ]
    assert "CallPickedUp" not in ladder.fact_names
    assert ladder.told("callee") == "alerting established finished, then alerting established"
    assert ladder.call.leg_of("mobile-in") == ladder.leg_ids["callee"]


@pytest.mark.parametrize(("reason", "status"), [("not acceptable: video", "488, cause 65"), ("gone", "503, cause 41")])
@pytest.mark.parametrize("read", [0, 1])
def test_an_offer_that_cannot_be_answered_leaves_all_ringing(reason: str, status: str, read: int) -> None:
    ladder = ringing()
    ladder.media = "manual"
    ladder.pick_up("callee", "petro")
    for _ in range(read):
        ladder.media_replies()
    ladder.take()
    ladder.media_fails(reason)
    assert ladder.take() == [f"to petro: {status}"]
    ladder.answer("desk")
    ladder.media_replies()
    assert ladder.told("callee") == "alerting established"


@pytest.mark.parametrize("read", [0, 1])
def test_who_picks_up_is_too_late_or_changes_his_mind(read: int) -> None:
    """While the plane reads the offer for the first time, or for the second."""
    ladder = ringing()
    ladder.media = "manual"
    ladder.pick_up("callee", "petro")
    for _ in range(read):
        ladder.media_replies()
    ladder.answer("desk", after=0)
    ladder.media_replies()
    assert "to petro: 486, cause 26" in ladder.take()
    ladder = ringing()
    ladder.media = "manual"
    ladder.pick_up("callee", "petro")
    for _ in range(read):
        ladder.media_replies()
    ladder.withdraw("petro")
    ladder.take()
    ladder.media_replies()
    assert ladder.take() == []
    assert ladder.call.phase is Phase.RINGING
    ladder.pick_up("callee", "again")
    ladder.cancel()
    assert "to again: 603, cause 31" in ladder.take()


def test_who_has_changed_his_mind_is_not_refused_for_his_offer() -> None:
    ladder = ringing()
    ladder.media = "manual"
    ladder.pick_up("callee", "petro")
    ladder.withdraw("petro")
    ladder.take()
    ladder.media_fails("not acceptable: video")
    assert ladder.take() == []
    assert ladder.call.phase is Phase.RINGING


def test_who_picks_up_ends_it_by_bye_before_the_answer() -> None:
    """A BYE in the early dialog: the INVITE still wants its 487 (RFC 3261, section 15.1.2)."""
    ladder = ringing()
    ladder.media = "manual"
    ladder.pick_up("callee", "petro")
    ladder.take()
    ladder.hang_up("petro", after=0)
    assert ladder.take() == ["to petro: 487, cause 31"]
    ladder.media_replies()
    assert ladder.take() == []
    assert ladder.call.phase is Phase.RINGING


def test_where_it_rings() -> None:
    ladder = ringing()
    rings = ladder.call.rings
    assert [rings(leg_id) for leg_id in ("leg-caller", "leg-callee", "unknown")] == [False, True, False]
    ladder.answer("desk")
    assert not rings("leg-callee")
    ladder.transfer("caller", "new")
    assert [rings(ladder.leg_ids[side]) for side in ("caller", "callee")] == [True, False]
    ladder.answer("new")
    assert not rings(ladder.leg_ids["caller"])


def test_a_late_offer_waits_for_the_ack_of_the_caller() -> None:
    ladder = Ladder()
    ladder.invite("desk", sdp=b"")
    ladder.progress("desk")
    ladder.pick_up("callee", "petro")
    ladder.take()
    ladder.ack("petro")
    assert ladder.take() == []
    ladder.ack("caller", with_direction("sendrecv"))
    assert ladder.take() == ["media: answer from caller"]


def test_what_rings_nowhere_cannot_be_picked_up() -> None:
    ladder = Ladder()
    ladder.talk()
    for side in ("caller", "callee"):
        with pytest.raises(WrongStateError):
            ladder.pick_up(side, "petro")
    assert ladder.take() == []


def test_a_talk_goes_on_at_another_phone() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.offer("desk", with_direction("sendonly"))
    ladder.take()
    ladder.move("callee", "mobile")
    assert ladder.take() == ["media: new offer from callee", "to mobile: 200", "to desk: BYE, cause 16"]
    assert ladder.told("callee") == "alerting established held resumed"
    ladder.hang_up("desk")  # its BYE crosses ours
    assert ladder.call.phase is Phase.TALKING
    token = ladder.hold("callee")
    assert "to mobile: re-INVITE" in ladder.take()
    with pytest.raises(WrongStateError):  # it is being asked for something
        ladder.move("callee", "third")
    ladder.accept_offer("mobile", with_direction("inactive"))
    assert ladder.commands == {token: "held"}


def test_a_talk_stays_when_the_new_phone_does_not_come() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.media = "manual"
    ladder.move("caller", "mobile")
    ladder.offer("caller", with_direction("sendonly"))
    ladder.media_fails("not acceptable: video")
    assert ladder.take() == [
        "media: new offer from caller",
        "to caller: 491 to the re-INVITE",
        "to mobile: 488, cause 65",
    ]
    ladder.move("caller", "again")
    ladder.withdraw("again")
    ladder.media_replies()
    assert ladder.take() == ["media: new offer from caller", "media: sendrecv to caller"]  # where the phone is, anew
    ladder.media_replies()
    ladder.accept_offer("caller")
    ladder.media_replies()
    ladder.move("caller", "third")
    ladder.hang_up("desk")
    assert "to third: 603, cause 16" in ladder.take()


@pytest.mark.parametrize("withdrawn", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_a_talk_that_was_transferred_meanwhile_does_not_go_on_at_the_new_phone(*, withdrawn: bool, fails: bool) -> None:
    """The plane reads the new phone's offer while the owner of the talk leaves it."""
    ladder = Ladder()
    ladder.talk()
    ladder.media = "manual"
    ladder.move("callee", "mobile")
    ladder.transfer("callee", "new")
    if withdrawn:
        ladder.withdraw("mobile")
    ladder.take()
    if fails:
        ladder.media_fails("not acceptable: video")
        assert ladder.take() == ([] if withdrawn else ["to mobile: 488, cause 65"])
    else:
        ladder.media_replies()
        assert ladder.take() == ([] if withdrawn else ["to mobile: 603, cause 16"])
    ladder.media_replies()
    assert ladder.take() == ["to new: INVITE", "command: finished"]
    assert ladder.call.phase is Phase.TRANSFERRING
