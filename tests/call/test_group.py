"""Ringing groups on the called side, as ladders: each member is a leg of its own until one answers."""

import pytest

from kobza.call.errors import NotFoundError
from tests.call.ladder import COMPETITOR, GROUP, OLENA, PETRO, STRANGER, TARAS, Ladder


def rings(*, early: bool = False, owners: bool = True) -> Ladder:
    ladder = Ladder()
    first = ladder.ring_group((TARAS, "desk"), (PETRO, "new"), seconds=15)
    ladder.invite(callee=GROUP, first=first, caller=OLENA if owners else STRANGER)
    if early:
        ladder.progress("desk", 183, b"early")
    ladder.take()
    return ladder


def test_all_at_once_and_the_losers_are_told_that_another_one_has_answered() -> None:
    ladder = Ladder()
    ladder.invite(callee=GROUP, first=ladder.ring_group((TARAS, "desk"), (PETRO, "new"), seconds=15))
    assert ladder.take() == [
        "timer ring: 15 s",
        "media: offer from caller to callee",
        f"{TARAS.number} is called",
        "to desk: INVITE",
        f"{PETRO.number} is called",
        "to new: INVITE",
    ]
    assert [view.number for view in ladder.call.legs.values()] == [
        *(OLENA.number, GROUP.number, TARAS.number, PETRO.number),
    ]
    desk, new = ladder.branch_ids["desk"], ladder.branch_ids["new"]
    assert [ladder.call.branches_of(leg_id) for leg_id in ladder.call.legs] == [["in"], [], [desk], [new]]
    ladder.progress("desk")
    ladder.progress("new")
    assert ladder.take() == ["to caller: 180"]
    ladder.answer("new")
    assert [ladder.call.branches_of(leg_id) for leg_id in ladder.call.legs] == [["in"], [new]]
    assert ladder.take() == [
        "to desk: CANCEL, cause 26, answered elsewhere",
        f"{TARAS.number} is called no longer",
        f"callee is {PETRO.number}",
        "media: answer from callee",
        "timer ring: stop",
        "to caller: 200",
    ]
    ladder.answer("desk", after=0)  # its 200 crossed our CANCEL
    assert ladder.take() == ["to desk: BYE, cause 26"]
    assert [view.number for view in ladder.call.legs.values()] == [OLENA.number, PETRO.number]
    lost = [state for state in ladder.states if state.state_owner == TARAS.number]
    assert [(state.state_type, state.cause, state.call_duration) for state in lost] == [
        ("alerting", None, None),
        ("finished", 26, 0),
    ]
    assert lost[-1].released_by == "called"
    assert lost[-1].phone_number == OLENA.number
    ladder.hang_up("new")
    assert ladder.call.finished
    (record,) = ladder.records
    assert (record.called_number, record.answered_number, record.convergent) == (GROUP.number, PETRO.number, True)
    assert len({state.call_control_id for state in ladder.states}) == 3


def test_a_member_that_refuses_for_all_its_devices_leaves_the_others_ringing() -> None:
    ladder = rings()
    ladder.reject("desk", 603)
    assert ladder.take() == [f"{TARAS.number} is called no longer"]
    ladder.reject("new", 486)
    assert ladder.take()[0] == f"{PETRO.number} is called no longer"
    assert (ladder.ended.sip_status, ladder.ended.cause, ladder.ended.released_by) == (603, 21, "called")


def test_a_member_rejects_through_the_api_and_its_leg_is_no_more() -> None:
    ladder = rings()
    leg_id = ladder.leg_ids[TARAS.number]
    ladder.clear(TARAS.number)
    assert ladder.take() == ["to desk: CANCEL, cause 21", f"{TARAS.number} is called no longer"]
    with pytest.raises(NotFoundError):
        ladder.call.clear(leg_id, ladder.now)
    ladder.reject("desk", 487)
    ladder.clear(PETRO.number)
    ladder.reject("new", 487)
    assert (ladder.ended.sip_status, ladder.ended.cause, ladder.ended.released_by) == (603, 21, "api")


def test_early_media_of_a_member_that_leaves_gives_way() -> None:
    ladder = rings(early=True)
    ladder.reject("desk", 486)
    ladder.progress("new", 183, b"early too")
    assert "to caller: 183 with SDP" in ladder.take()
    ladder.answer("new")
    ladder.hang_up("caller")
    assert ladder.call.finished


def test_click2dial_to_a_group_hears_ringback_again() -> None:
    ladder = Ladder()
    group = ladder.ring_group((TARAS, "desk"), (PETRO, "new"))
    ladder.originate(["mine"], group, callee=GROUP)
    ladder.answer("mine")
    ladder.progress("desk", 183, b"early")
    assert ladder.take()[-1] == "media: play none to caller"
    ladder.reject("desk", 486)
    assert ladder.take() == [f"{TARAS.number} is called no longer", "media: play ringback to caller"]
    ladder.answer("new")
    ladder.hang_up("mine")
    assert ladder.call.finished


def test_a_group_of_another_enterprise_has_one_row_of_it() -> None:
    ladder = Ladder()
    theirs = GROUP.__class__("+380672229900", "sokil")
    ladder.steps.append(ladder.ring_group((COMPETITOR, "theirs")))
    ladder.then(hops=[theirs])
    ladder.steps.reverse()
    ladder.invite("desk")
    ladder.reject("desk", 486)
    ladder.progress("theirs")
    ladder.answer("theirs")
    ladder.hang_up("caller")
    own, other = ladder.records
    assert own.answered_number == other.answered_number == COMPETITOR.number
    assert (other.called_number, other.ringing_at, other.answered_at) == (
        *(theirs.number, own.ringing_at, own.answered_at),
    )
