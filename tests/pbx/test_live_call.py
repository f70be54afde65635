"""A live call as others see it: whose legs they are, also after a transfer."""

from typing import cast

import pytest

from kobza.call.actions import SideName
from kobza.call.b2bua import Call
from kobza.call.routing import Party
from kobza.call.states import OwnerStates
from kobza.call.step import Step
from kobza.pbx.books import BookKeeper, CallBooks
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.journal import Journal
from kobza.pbx.live_call import LiveCall
from tests.pbx.office import ANNA, BOHDAN, NOW, OUTSIDE, VERA

ANNA_PARTY, BOHDAN_PARTY, VERA_PARTY = (Party(number, "ent-1", owner=True) for number in (ANNA, BOHDAN, VERA))
STRANGER = Party(OUTSIDE)


def live_call(caller: Party, callee: Party) -> LiveCall:
    call = Call.incoming(
        "call",
        caller=caller,
        callee=callee,
        dialled=callee.number,
        branch_id="in",
        sdp=b"",
        first=Step(["phone"]),
        origin="phone",
        caller_leg_id="leg-1",
        callee_leg_id="leg-2",
        new_id=lambda: "id",
        now=NOW,
    )
    # nothing is written here
    keeper = BookKeeper(cast(Journal, None), cast(DirectoryView, None), lambda _: None, lambda: "id")
    books = CallBooks(keeper, OwnerStates(keeper.new_id))
    return LiveCall(call, books, caller=caller, callee=callee, caller_leg_id="leg-1", callee_leg_id="leg-2", shown={})


@pytest.mark.parametrize(
    ("side", "kept", "directions"),
    [
        ("callee", ANNA_PARTY, ["local", "local"]),
        ("callee", STRANGER, ["incoming"]),
        ("caller", STRANGER, ["incoming"]),
    ],
)
def test_who_is_called_by_a_transfer_is_called(side: SideName, kept: Party, directions: list[str]) -> None:
    """Whichever side it comes to: the one who transferred may have been the caller."""
    live = live_call(kept, BOHDAN_PARTY) if side == "callee" else live_call(BOHDAN_PARTY, kept)
    leg_id = "leg-2" if side == "callee" else "leg-1"
    live.replace(side, leg_id, VERA_PARTY)
    assert [leg.direction for leg in live.legs_of("ent-1")] == directions
    assert {own.number for _, own, _ in live.parties()} == {kept.number, VERA}


def test_whose_number_a_carrier_is_told() -> None:
    live = live_call(ANNA_PARTY, BOHDAN_PARTY)
    assert (live.asserted_by("callee"), live.asserted_by("caller")) == (ANNA, BOHDAN)
    live.asserted = VERA  # who transferred a stranger answers for the call
    assert (live.asserted_by("callee"), live.asserted_by("caller")) == (VERA, VERA)
