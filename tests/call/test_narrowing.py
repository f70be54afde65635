"""Phones are asked for G.711 before voices are mixed, and the call outlives a refusal."""

import pytest

from kobza.call.errors import WrongStateError
from tests.call.ladder import Ladder


def test_phones_that_send_it_are_not_asked() -> None:
    ladder = Ladder()
    ladder.talk()
    token = ladder.narrow("callee")
    assert ladder.take() == ["media: G.711 to caller", "media: G.711 to callee", "command: established"]
    assert ladder.commands == {token: "established"}


def test_one_phone_is_asked_after_the_other() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.codecs_differ = True
    token = ladder.narrow("caller")
    assert ladder.take() == ["media: G.711 to caller", "to caller: re-INVITE"]
    ladder.accept_offer("caller")
    compared = ["media: G.711 to caller", "media: G.711 to callee"]
    assert ladder.take() == ["media: new answer from caller", *compared, "command: established"]
    assert ladder.commands == {token: "established"}


def test_a_phone_that_refuses_ends_the_command_and_the_first_one_goes_back() -> None:
    ladder = Ladder()
    ladder.talk()
    token = ladder.narrow("caller")  # the caller's sends it
    ladder.codecs_differ = True
    ladder.take()
    again = ladder.narrow("caller")
    ladder.refuse_offer("caller", 488)
    lines = ladder.take()
    assert lines[:3] == ["media: G.711 to caller", "to caller: re-INVITE", "command: refused_by_phone"]
    assert lines[3] == "media: codec of the other side to caller", "it is asked for what the other one sends"
    assert ladder.commands == {token: "established", again: "refused_by_phone"}
    ladder.hang_up("caller")
    assert ladder.ended.cause == 16


def test_a_call_that_rings_cannot_be_mixed() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    with pytest.raises(WrongStateError):
        ladder.narrow("caller")
