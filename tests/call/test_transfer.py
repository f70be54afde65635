"""Blind transfer as ladders: who hears and is told what until somebody talks again, or nobody does."""

import pytest
from msgspec.structs import replace

from kobza.call.errors import NotFoundError, WrongStateError
from kobza.call.leg import LegState
from kobza.call.phases import Phase
from kobza.call.routing import Party
from kobza.call.step import Destination
from tests.call.ladder import COMPETITOR, OLENA, PETRO, STRANGER, TARAS, Ladder, q850, with_direction

INACTIVE = with_direction("inactive")


def talking() -> Ladder:
    ladder = Ladder()
    ladder.talk()
    return ladder


def transferring(*devices: str, **more: object) -> Ladder:
    """The called one has transferred the caller to devices; their INVITEs are out."""
    ladder = talking()
    ladder.transfer("callee", *devices, **more)  # type: ignore[arg-type]
    ladder.take()
    return ladder


CALLED_AGAIN = [
    "callee is +380671110002",
    "media: callee leaves",
    "timer ring: 60 s",
    "media: offer from caller to callee",
    "to again: INVITE",
]


def test_a_transfer() -> None:
    ladder = talking()
    token = ladder.transfer("callee", "one", "two")
    assert ladder.take() == [
        "to desk: BYE, cause 16",
        "callee is +380671110003",
        "media: callee leaves",
        "timer ring: 60 s",
        "media: play ringback to caller",
        "media: offer from caller to callee",
        "to one: INVITE",
        "to two: INVITE",
        "command: finished",
    ]
    assert ladder.commands == {token: "finished"}
    ladder.progress("one")
    ladder.progress("two")
    ladder.progress("one", 181)
    assert ladder.take() == []
    assert ladder.state_of("callee") == LegState.ALERTING
    ladder.answer("two")
    assert ladder.take() == [
        "to one: CANCEL, cause 26, answered elsewhere",
        "media: answer from callee",
        "timer ring: 10 s",
        "timer ring: stop",
        "media: play none to caller",
    ]
    assert ladder.state_of("callee") == LegState.ESTABLISHED
    ladder.reject("one", 487)
    ladder.hang_up("two")
    assert ladder.take() == ["to caller: BYE, cause 16", "media: release"]
    assert ladder.fact_names[3:] == ["CallTransferred", "CallRinging", "TransferAnswered", "CallEnded"]
    assert ladder.ended.released_by == "called"
    (record,) = ladder.records
    assert record.answered_number == PETRO.number
    assert ladder.told("caller") == "alerting established finished"
    first, then = [state for state in ladder.states if state.state_type == "finished"][:2]
    assert (first.state_owner, first.cause, first.released_by) == (TARAS.number, 16, "api")
    assert then.state_owner == OLENA.number
    finished = ladder.states[-1]
    assert (finished.state_owner, finished.phone_number) == (PETRO.number, OLENA.number)
    assert (finished.call_direction, finished.call_duration, finished.ringing) == ("local", 11, 4)


def test_the_leg_that_left_is_no_more() -> None:
    ladder = transferring("one")
    with pytest.raises(NotFoundError):
        ladder.call.clear("leg-callee", ladder.now)
    ladder.hang_up("desk")  # its BYE crosses ours
    ladder.offer("desk", with_direction("sendonly"))
    assert ladder.take() == ["to desk: 481 to the re-INVITE"]
    assert ladder.call.phase is Phase.TRANSFERRING


def test_the_caller_transfers_a_stranger() -> None:
    ladder = Ladder()
    ladder.talk(callee=STRANGER)
    ladder.transfer("caller", "new")
    assert ladder.take()[:2] == ["to caller: BYE, cause 16", "caller is +380671110003"]
    ladder.progress("new")
    ladder.answer("new")
    ladder.hang_up("new")
    assert ladder.ended.released_by == "caller"
    assert ladder.told("caller") == "alerting established finished, then alerting established finished"
    assert ladder.states[-1].call_direction == "incoming"
    assert ladder.record_of("mriia").endswith("answered by Петро")


def test_early_media_replaces_the_ringback_until_it_ends() -> None:
    ladder = transferring("one", "two")
    ladder.progress("one", 183, b"early")
    assert ladder.take() == ["media: answer from callee", "media: play none to caller"]
    ladder.progress("one", 183, b"early")
    ladder.progress("two", 183, b"other")
    assert ladder.take() == []
    ladder.reject("one", 486)
    assert ladder.take() == ["media: play ringback to caller"]
    ladder.answer("two", b"")
    assert ladder.take()[:3] == ["media: answer from callee", "timer ring: 10 s", "timer ring: stop"]


def test_early_media_that_is_unusable_is_done_without() -> None:
    ladder = transferring("one")
    ladder.media = "manual"
    ladder.progress("one", 183, b"early")
    ladder.take()
    ladder.media_fails("not acceptable: video")
    assert ladder.take() == []
    ladder.progress("one", 183, b"early two")
    ladder.answer("one")
    ladder.media_replies()  # to the early answer, which nobody needs any more
    ladder.media_replies()
    phases = [ladder.call.phase]
    ladder.media_replies(b"")
    assert [*phases, ladder.call.phase] == [Phase.TRANSFERRING, Phase.TALKING]


def test_early_media_that_fails_when_it_is_over() -> None:
    ladder = transferring("one")
    ladder.media = "manual"
    ladder.progress("one", 183, b"early")
    ladder.answer("one")
    ladder.take()
    ladder.media_fails()
    assert ladder.take() == []


# when nobody answers there


@pytest.mark.parametrize(("status", "cause"), [(486, 17), (404, 1), (408, 102)])
def test_whoever_transferred_is_called_again(status: int, cause: int) -> None:
    ladder = transferring("one")
    ladder.progress("one")
    ladder.reject("one", status)
    assert ladder.take() == CALLED_AGAIN
    assert [state.cause for state in ladder.states if state.state_owner == PETRO.number] == [None, cause]
    ladder.answer("again")
    assert ladder.take() == [
        "media: answer from callee",
        "timer ring: 10 s",
        "timer ring: stop",
        "media: play none to caller",
    ]
    (record,) = ladder.records
    assert record.answered_number == TARAS.number
    ladder.transfer("callee", "three")  # and may try somewhere else
    ladder.answer("three")
    ladder.hang_up("caller")
    assert ladder.record_of("mriia").endswith("answered by Петро")


def test_the_best_refusal_of_several_counts() -> None:
    ladder = transferring("one", "two", recall=())
    ladder.reject("one", 408)
    ladder.reject("two", 486, q850(34))
    assert (ladder.ended.cause, ladder.ended.sip_status, ladder.ended.released_by) == (34, 200, "called")


def test_a_decline_stops_the_others() -> None:
    ladder = transferring("one", "two")
    ladder.reject("one", 603)
    assert ladder.take() == ["to two: CANCEL, cause 21", *CALLED_AGAIN]


def test_no_answer_in_time_there_and_here() -> None:
    ladder = transferring("one")
    ladder.timer("ring")
    assert ladder.take() == ["to one: CANCEL, cause 19", *CALLED_AGAIN]
    ladder.timer("ring")
    assert ladder.take() == [
        "to again: CANCEL, cause 19",
        "to caller: BYE, cause 19",
        "media: release",
        "timer ring: stop",
        "timer settle: 40 s",
    ]
    assert (ladder.ended.cause, ladder.ended.released_by) == (19, "network")


def test_a_timer_that_is_late_changes_nothing() -> None:
    ladder = transferring("one")
    ladder.answer("one")
    ladder.take()
    ladder.timer("ring")
    assert ladder.take() == []


def test_the_destination_hangs_up_while_it_rings() -> None:
    ladder = transferring("one")
    ladder.hang_up("one")
    assert ladder.take() == CALLED_AGAIN


def test_without_a_device_there_the_one_who_transferred_is_called_at_once() -> None:
    assert transferring().call.phase is Phase.TRANSFERRING
    ladder = transferring(recall=())
    assert (ladder.ended.cause, ladder.ended.released_by) == (20, "network")


def test_the_destination_rejects_through_the_api() -> None:
    ladder = transferring("one")
    ladder.progress("one")
    ladder.clear("callee")
    assert ladder.take() == ["to one: CANCEL, cause 21", *CALLED_AGAIN]
    last = ladder.states[-1]
    assert (last.state_owner, last.cause, last.released_by) == (PETRO.number, 21, "api")
    ladder.clear("callee")  # and the one who is called again as well
    assert (ladder.ended.cause, ladder.ended.released_by) == (21, "api")


def test_rejected_through_the_api_while_it_connects() -> None:
    ladder = transferring("one")
    ladder.media = "manual"
    ladder.answer("one")
    ladder.take()
    ladder.clear("callee")
    assert ladder.take() == ["to one: BYE, cause 21", *CALLED_AGAIN[:-1]]
    ladder.media_replies()  # for the phone that is gone
    assert ladder.call.phase is Phase.TRANSFERRING
    ladder.media_replies()
    assert ladder.take() == ["to again: INVITE"]


def test_a_failure_for_a_phone_that_is_gone_is_nothing() -> None:
    ladder = transferring("one")
    ladder.media = "manual"
    ladder.answer("one")
    ladder.clear("callee")
    ladder.media_fails()
    assert ladder.call.phase is Phase.TRANSFERRING


def test_the_side_that_stayed_clears() -> None:
    ladder = transferring("one")
    ladder.clear("caller")
    assert ladder.take()[:2] == ["to caller: BYE, cause 16", "to one: CANCEL, cause 16"]
    assert (ladder.ended.cause, ladder.ended.released_by) == (16, "api")


def test_a_clear_after_the_transfer_ends_the_call() -> None:
    ladder = transferring("one")
    ladder.answer("one")
    ladder.clear("callee")
    assert (ladder.ended.cause, ladder.ended.released_by) == (16, "api")


def test_the_side_that_stayed_hangs_up_and_the_destination_hears_of_a_caller_who_gave_up() -> None:
    ladder = transferring("one")
    ladder.progress("one")
    ladder.hang_up("caller")
    assert (ladder.ended.cause, ladder.ended.released_by) == (16, "caller")
    assert [(state.state_owner, state.cause) for state in ladder.states[-2:]] == [
        (OLENA.number, 16),
        (PETRO.number, 31),
    ]


# media


def test_media_cannot_offer() -> None:
    ladder = talking()
    ladder.media = "manual"
    token = ladder.transfer("callee", "one")
    ladder.media_fails()
    assert ladder.commands == {token: "media_failed"}
    assert (ladder.ended.cause, ladder.ended.sip_status) == (41, 200)


def test_media_cannot_offer_to_the_one_who_is_called_again() -> None:
    ladder = transferring("trunk", to=STRANGER)
    ladder.media = "manual"
    ladder.reject("trunk", 486)
    ladder.media_fails()
    assert set(ladder.commands.values()) == {"finished"}
    assert (ladder.ended.cause, ladder.ended.sip_status) == (41, 200)


def test_media_cannot_connect_and_the_one_who_transferred_is_called_again() -> None:
    ladder = transferring("one")
    ladder.media = "manual"
    ladder.answer("one")
    ladder.take()
    ladder.media_fails("not acceptable: no codec in common")
    assert ladder.take()[:2] == ["to one: BYE, cause 65", "callee is +380671110002"]


def test_an_offer_for_a_transfer_that_failed_before_is_dropped() -> None:
    ladder = talking()
    ladder.media = "manual"
    ladder.transfer("callee", "one")
    ladder.clear("callee")
    ladder.take()
    ladder.media_replies()
    assert ladder.take() == []
    ladder.media_replies()
    assert ladder.take() == ["to again: INVITE", "command: finished"]


def test_the_call_ends_before_the_destination_is_called() -> None:
    ladder = talking()
    ladder.media = "manual"
    token = ladder.transfer("callee", "one")
    ladder.hang_up("caller")
    assert ladder.commands == {token: "wrong_state"}


def test_media_of_the_destination_is_not_missed_before_it_answers() -> None:
    ladder = transferring("one")
    ladder.media_times_out("callee")
    assert ladder.call.phase is Phase.TRANSFERRING
    ladder.media_times_out("caller")
    assert (ladder.ended.cause, ladder.ended.sip_status) == (41, 200)


# with hold


def test_a_call_on_hold_is_transferred() -> None:
    ladder = talking()
    ladder.hold("callee")
    ladder.accept_offer("desk", INACTIVE)
    ladder.accept_offer("caller", with_direction("recvonly"))
    ladder.take()
    ladder.transfer("callee", "new")
    lines = ladder.take()
    assert "media: play ringback to caller" in lines
    assert {"media: sendrecv to caller", "to caller: re-INVITE", "to new: INVITE"} <= set(lines)
    ladder.accept_offer("caller")
    ladder.answer("new")
    assert ladder.take()[-1] == "media: play none to caller"


def test_a_side_that_holds_through_the_api_is_transferred_and_holds_on() -> None:
    ladder = talking()
    ladder.hold("caller")
    ladder.accept_offer("caller", INACTIVE)
    ladder.accept_offer("desk", with_direction("recvonly"))
    ladder.take()
    ladder.transfer("callee", "new")
    ladder.answer("new")
    assert ladder.take()[-3:] == ["media: play music to callee", "media: sendonly to callee", "to new: re-INVITE"]


def test_the_side_that_stayed_may_hold_while_it_rings() -> None:
    ladder = transferring("new")
    ladder.hold("caller")
    ladder.accept_offer("caller", INACTIVE)
    lines = ladder.take()
    assert "command: held" in lines
    assert not [line for line in lines if "to callee: " in line or "re-INVITE" in line.partition("caller")[0]]
    ladder.answer("new")
    assert "to new: re-INVITE" in ladder.take()


def test_a_phone_that_leaves_with_an_open_offer_gets_its_answer() -> None:
    ladder = talking()
    ladder.media = "manual"
    ladder.offer("desk", with_direction("sendonly"))
    ladder.transfer("callee", "new")
    assert ladder.take()[1:3] == ["to desk: 487 to the re-INVITE", "to desk: BYE, cause 16"]
    ladder.media_replies()
    assert ladder.take() == []
    ladder.media_replies()
    assert "to new: INVITE" in ladder.take()


def test_an_offer_that_media_refuses_when_its_phone_has_left() -> None:
    ladder = talking()
    ladder.media = "manual"
    ladder.offer("desk", with_direction("sendonly"))
    ladder.transfer("callee", "new")
    ladder.take()
    ladder.media_fails()
    assert ladder.take() == []


@pytest.mark.parametrize("written", [True, False])
def test_an_offer_of_ours_to_a_phone_that_has_left_is_dropped(*, written: bool) -> None:
    ladder = talking()
    ladder.hold("caller")
    ladder.media = "manual"
    ladder.accept_offer("caller", INACTIVE)
    ladder.media_replies()  # the desk is to be told, but media is slow
    ladder.transfer("callee", "new")
    ladder.take()
    if written:
        ladder.media_replies()
    else:
        ladder.media_fails()
    assert ladder.take() == []


# refused


def test_wrong_states() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    for phase in ("ringing", "connecting"):
        assert ladder.call.phase == phase
        with pytest.raises(WrongStateError):
            ladder.transfer("callee", "new")
        ladder.media = "manual"
        ladder.answer("desk")
    ladder.media_replies()
    token = ladder.hold("callee")
    with pytest.raises(WrongStateError, match="Another command"):
        ladder.transfer("callee", "new")
    ladder.timer(f"command:{token}")
    ladder.media = "auto"
    ladder.transfer("caller", "new")
    with pytest.raises(WrongStateError, match="being transferred"):
        ladder.transfer("callee", "other")


# records and recordings


def test_an_enterprise_that_joins_gets_a_record_of_its_leg() -> None:
    ladder = transferring("new", to=COMPETITOR)
    ladder.progress("new")
    assert (ladder.records[1].ended_at, ladder.records[1].cause, ladder.records[1].sip_status) == (None, None, None)
    ladder.answer("new", after=4)
    ladder.hang_up("caller")
    ours, theirs = ladder.records
    assert (ours.enterprise_id, ours.answered_number) == ("mriia", COMPETITOR.number)
    assert (theirs.enterprise_id, theirs.calling_number, theirs.called_number) == (
        "sokil",
        OLENA.number,
        COMPETITOR.number,
    )
    assert (theirs.direction, theirs.cause, theirs.sip_status, theirs.convergent) == ("incoming", 16, 200, True)


def test_an_enterprise_that_joined_in_vain_has_a_record_of_that() -> None:
    ladder = transferring("new", to=COMPETITOR)
    ladder.progress("new")
    ladder.reject("new", 486)
    _, open_still = ladder.records
    assert (open_still.cause, open_still.sip_status, open_still.answered_at) == (17, 486, None)
    ladder.answer("again")
    ladder.transfer("callee", "once more", to=COMPETITOR)
    ladder.answer("once more")
    ladder.hang_up("caller")
    assert len(ladder.records) == 2
    assert ladder.records[1].cause == 17


@pytest.mark.parametrize("how", ["transferred", "forwarded"])
def test_what_rings_at_an_enterprise_that_joins_is_picked_up_there(how: str) -> None:
    """Its record is still one: who was called, and who answered."""
    colleague = Party("+380672220003", "sokil", owner=True)
    if how == "transferred":
        ladder = transferring("new", to=COMPETITOR)
    else:
        ladder = Ladder()
        ladder.then("new", hops=(COMPETITOR,))
        ladder.invite("desk")
        ladder.reject("desk", 486)
    ladder.progress("new")
    ladder.pick_up("callee", "colleague", colleague, after=4)
    ladder.hang_up("caller", after=10)
    _, theirs = ladder.records
    assert (theirs.called_number, theirs.answered_number) == (COMPETITOR.number, colleague.number)
    assert (theirs.cause, theirs.sip_status) == (16, 200)
    assert ladder.record_of("sokil") == "incoming, rang 4 s, talked 10 s, answered by +380672220003"


def test_the_recording_of_who_is_called_begins_with_the_answer() -> None:
    ladder = transferring("new", to=replace(COMPETITOR, record=True))
    ladder.answer("new")
    assert ladder.take()[-1] == "media: record"
    ladder.hang_up("caller")
    assert [record.record_id is None for record in ladder.records] == [True, False]


def test_a_recording_goes_on_across_a_transfer() -> None:
    ladder = Ladder()
    ladder.talk(callee=replace(TARAS, record=True))
    ladder.transfer("callee", "new", to=replace(PETRO, record=True))
    ladder.take()
    ladder.answer("new")
    assert ladder.take()[-1] == "media: tell callee of the recording", "who has come knows nothing of it yet"
    assert ladder.fact_names.count("RecordingStarted") == 1
    ladder.hang_up("new")
    assert {state.record_id is None for state in ladder.states if state.state_type == "finished"} == {False}


def test_who_comes_is_told_nothing_of_a_recording_that_was_stopped() -> None:
    ladder = talking()
    ladder.record("callee", "record_start")
    ladder.record("callee", "record_stop")
    ladder.transfer("callee", "new")
    ladder.answer("new")
    assert not [line for line in ladder.take() if line.startswith("media: tell")]


# when a phone puts two of its calls together


def test_a_side_is_handed_over_to_another_call() -> None:
    ladder = talking()
    ladder.offer("desk", INACTIVE)
    ladder.media = "manual"
    ladder.offer("desk", INACTIVE)
    ladder.take()
    ladder.hand_over("callee", "caller")
    assert ladder.take() == ["to caller: BYE, cause 16", "media: release"]
    assert (ladder.ended.cause, ladder.ended.sip_status, ladder.ended.released_by) == (16, 200, "caller")
    assert ladder.call.finished
    assert ladder.told("callee") == "alerting established held finished"
    ladder.hang_up("desk")  # no concern of this call any more
    assert ladder.take() == []


def test_only_a_call_that_is_established_is_handed_over() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    with pytest.raises(WrongStateError):
        ladder.hand_over("callee", "caller")
    with pytest.raises(WrongStateError):
        transferring("one").hand_over("caller", "called")


def test_whose_leg_a_phone_is() -> None:
    ladder = Ladder()
    ladder.invite("desk", "mobile")
    branches = ladder.branch_ids
    assert [ladder.call.leg_of(branches[name]) for name in ("caller", "desk")] == ["leg-caller", "leg-callee"]
    assert ladder.call.leg_of("unknown") is None
    ladder.answer("desk")
    assert ladder.call.leg_of(branches["mobile"]) is None
    assert ladder.call.leg_of(branches["desk"]) == "leg-callee"
    ladder.transfer("callee", "one")
    assert ladder.call.leg_of(branches["desk"]) is None
    assert ladder.call.leg_of(branches["one"]) == ladder.leg_ids["callee"]


def test_who_wanted_the_transfer_and_who_the_end() -> None:
    ladder = talking()
    destination, recall = Destination(PETRO, ["one"]), Destination(TARAS, [])
    ladder.call.transfer("leg-callee", destination, recall, ladder.now, by="called")
    ladder._carry_out()
    assert ladder.states[-1].released_by == "called"
    early = Ladder()
    early.invite("desk")
    early.call.clear("leg-caller", early.now, by="caller")
    early._carry_out()
    assert (early.ended.cause, early.ended.released_by) == (31, "caller")
