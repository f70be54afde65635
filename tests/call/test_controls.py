"""Mute, DTMF and recording on demand, as ladders."""

from typing import Any

import pytest

from kobza.call.controls import MAX_DIGITS_WAITING
from kobza.call.errors import WrongStateError
from tests.call.ladder import COMPETITOR, STRANGER, Ladder, with_direction


def talking(**more: Any) -> Ladder:
    ladder = Ladder()
    ladder.talk(**more)
    return ladder


# mute


def test_mute_and_unmute() -> None:
    ladder = talking()
    ladder.mute("caller")
    assert ladder.take() == ["media: mute caller"]
    assert [view.muted for view in ladder.call.legs.values()] == [True, False]
    with pytest.raises(WrongStateError, match="muted already"):
        ladder.mute("caller")
    ladder.hold("caller")
    ladder.accept_offer("caller", with_direction("inactive"))
    assert ladder.call.legs["leg-caller"].muted
    ladder.mute("caller", on=False)
    assert ladder.take()[-1] == "media: unmute caller"
    with pytest.raises(WrongStateError, match="not muted"):
        ladder.mute("caller", on=False)


# digits


def test_digits_go_to_the_other_side() -> None:
    ladder = talking()
    token = ladder.digits("caller", "12#")
    assert ladder.take() == ["media: 12# to callee", "command: established"]
    assert ladder.commands == {token: "established"}
    ladder.digits("callee", "3")
    assert ladder.take()[0] == "media: 3 to caller"


def test_digits_that_wait_are_bounded() -> None:
    ladder = talking()
    ladder.media = "manual"
    for _ in range(2):
        ladder.digits("caller", "1" * (MAX_DIGITS_WAITING // 2))
    with pytest.raises(WrongStateError, match=f"{MAX_DIGITS_WAITING} digits"):
        ladder.digits("caller", "2")
    ladder.digits("callee", "2")
    ladder.media_replies()
    ladder.digits("caller", "2")


@pytest.mark.parametrize(
    ("reason", "code"), [("not acceptable: the phone takes no events", "wrong_state"), ("relay gone", "media_failed")]
)
def test_digits_that_cannot_be_sent(reason: str, code: str) -> None:
    ladder = talking()
    ladder.media = "manual"
    token = ladder.digits("caller", "1" * MAX_DIGITS_WAITING)
    ladder.media_fails(reason)
    assert ladder.commands == {token: code}
    ladder.digits("caller", "1" * MAX_DIGITS_WAITING)


@pytest.mark.parametrize("sent", [True, False])
def test_the_call_ends_while_digits_are_sent(*, sent: bool) -> None:
    ladder = talking()
    ladder.media = "manual"
    token = ladder.digits("caller", "1")
    (request_id,) = ladder.asked
    ladder.hang_up("desk")
    assert ladder.commands == {token: "wrong_state"}
    ladder.take()
    if sent:
        ladder.call.media_replied(request_id, b"", ladder.now)
    else:
        ladder.call.media_failed(request_id, "released", ladder.now)
    assert ladder.call.take_actions() == []


def test_no_digits_while_the_other_side_is_being_called() -> None:
    ladder = talking()
    ladder.transfer("callee", "new")
    with pytest.raises(WrongStateError, match="nobody to hear"):
        ladder.digits("caller", "1")


def test_not_before_the_answer() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    for command in (
        lambda: ladder.mute("caller"),
        lambda: ladder.digits("caller", "1"),
        lambda: ladder.record("caller", "record_start"),
    ):
        with pytest.raises(WrongStateError, match="not established"):
            command()


# recording


def test_a_recording_on_demand() -> None:
    ladder = talking()
    assert ladder.call.recording_of("leg-caller") is None
    ladder.record("caller", "record_start")
    assert ladder.take() == ["media: record"]
    found = ladder.call.recording_of("leg-caller")
    assert found is not None
    record_id, state = found
    assert state == "on"
    assert ladder.call.recording_of("leg-callee") == (record_id, "on")  # it is the enterprise's
    assert ladder.call.recording_of("no leg of this call") is None
    ladder.record("callee", "record_pause")
    assert ladder.take() == ["media: pause recording"]
    assert ladder.call.recording_of("leg-caller") == (record_id, "paused")
    ladder.record("caller", "record_resume")
    assert ladder.take() == ["media: resume recording"]
    ladder.record("caller", "record_stop")
    assert ladder.take() == ["media: stop recording"]
    assert ladder.call.recording_of("leg-caller") == (record_id, "stopped")
    ladder.hang_up("caller")
    (record,) = ladder.records
    assert record.record_id == record_id
    assert {state.record_id for state in ladder.states if state.state_type == "finished"} == {record_id}


def test_wrong_orders_are_refused_in_words() -> None:
    ladder = talking()
    for what in ("record_pause", "record_resume", "record_stop"):
        with pytest.raises(WrongStateError, match="not being recorded"):
            ladder.record("caller", what)
    ladder.record("caller", "record_start")
    with pytest.raises(WrongStateError, match="recorded already; the recording is on"):
        ladder.record("caller", "record_start")
    with pytest.raises(WrongStateError, match="not paused"):
        ladder.record("caller", "record_resume")
    ladder.record("caller", "record_pause")
    with pytest.raises(WrongStateError, match="paused already"):
        ladder.record("caller", "record_pause")
    with pytest.raises(WrongStateError, match="recorded already; the recording is paused"):
        ladder.record("caller", "record_start")
    ladder.record("caller", "record_stop")
    for what in ("record_start", "record_pause", "record_resume", "record_stop"):
        with pytest.raises(WrongStateError, match="it was stopped"):
            ladder.record("caller", what)  # type: ignore[arg-type]


def test_two_enterprises_record_each_for_itself() -> None:
    ladder = talking(callee=COMPETITOR)
    ladder.record("caller", "record_start")
    ladder.record("callee", "record_start")
    ladder.record("callee", "record_pause")
    ours, theirs = ladder.call.recording_of("leg-caller"), ladder.call.recording_of("leg-callee")
    assert ours is not None
    assert theirs is not None
    assert ours[0] != theirs[0]
    assert (ours[1], theirs[1]) == ("on", "paused")
    ladder.hang_up("caller")
    assert [record.record_id for record in ladder.records] == [ours[0], theirs[0]]


def test_a_strangers_leg_has_no_recording() -> None:
    ladder = talking(callee=STRANGER)
    with pytest.raises(WrongStateError, match="nobody's"):
        ladder.record("callee", "record_start")
    ladder.record("caller", "record_start")
    assert ladder.call.recording_of("leg-callee") is None
