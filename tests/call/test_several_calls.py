"""Call waiting and calls at a time among all else that decides where a call goes: the table of docs/calls.md."""

from dataclasses import replace

import pytest

from kobza.call.forwarding import Diversion, Occasion
from kobza.call.group import RingingGroup, Strategy
from kobza.call.leg import Rejection
from kobza.call.reach import OCCUPIED
from kobza.call.routing import Refused
from kobza.call.step import Step
from tests.call.test_docs import rows
from tests.call.test_hours_calls import SHUT
from tests.call.test_reach import CALLER, NO_ANSWER, NOW, OLENA, PETRO, TARAS, Office

GROUP = RingingGroup("+380443334455", "mriia", members=(OLENA, PETRO))
ROWS = rows("Several calls at a time")[:-1]
STRATEGIES = {"all at once": Strategy.ALL, "in turn": Strategy.IN_TURN, "longest idle": Strategy.LONGEST_IDLE}


def outcome(office: Office, number: str) -> tuple[str, tuple[Diversion, ...]]:
    """Follow a call as far as it goes by itself: to whom it rings first, or what the caller is told."""
    reach = office.reach(number, CALLER)
    found: Step | Refused | None = reach.first(NOW)
    told = OCCUPIED
    while isinstance(found, Step) and not found.targets and not found.members:
        told = found.empty
        found = reach.after(told, NOW)
    if not isinstance(found, Step):
        refused: Refused | Rejection = found or told
        return f"{refused.status}, cause {refused.cause}", ()
    ringing = [target for each in found.members for target in each.targets] or list(found.targets)
    (name,) = ({OLENA: "the number", TARAS: "Taras", PETRO: "Petro"}[str(each)[9:]] for each in ringing)
    return (f"the group rings {name}" if found.members else f"{name} rings"), tuple(reach.diversions)


def second_call(words: str, **settings: object) -> tuple[str, tuple[Diversion, ...]]:
    """What becomes of a second call to a number with these settings, and with what a row names beside them."""
    office, number = Office(), OLENA
    office.calls, office.busy = {OLENA: 1}, {OLENA}
    office.subscribers[OLENA] = replace(office.subscribers[OLENA], **settings)  # type: ignore[arg-type] # its own fields
    for occasion in Occasion:
        if f"forwarding {occasion.value.replace('_', ' ')}" in words.replace("when ", "").replace("on ", ""):
            office.forward(OLENA, **{occasion.value: TARAS})
    if words == "Do Not Disturb":
        office.subscribers[OLENA] = replace(office.subscribers[OLENA], dnd=True)
    if words.startswith("hides itself"):
        office.subscribers[OLENA] = replace(office.subscribers[OLENA], clip_restricted=True)
    if words == "outside working hours":
        office.hours = {OLENA: SHUT}
    if words.startswith("it is a member"):
        strategy = STRATEGIES[words.partition(", ")[2]]
        number, office.groups = GROUP.number, {GROUP.number: replace(GROUP, strategy=strategy)}
    return outcome(office, number)


@pytest.mark.parametrize("cells", ROWS, ids=lambda cells: cells[0])
def test_a_second_call_goes_as_the_table_says(cells: list[str]) -> None:
    beside, waiting, full = cells
    assert second_call(beside)[0] == waiting
    for settings in ({"call_waiting": False}, {"max_calls": 1}):
        said, diversions = second_call(beside, **settings)
        assert said == full.partition(";")[0]
        if "private" in full:
            assert diversions == (Diversion(OLENA, Occasion.BUSY, private=True),)


def test_the_table_has_its_rows() -> None:
    assert len(ROWS) == 10
    assert rows("Several calls at a time")[-1][0] == "it makes the second call"


@pytest.mark.parametrize(
    ("waiting", "most", "calls", "takes", "makes"),
    [
        (True, None, 0, True, True),
        (True, None, 50, True, True),
        (False, None, 0, True, True),
        (False, None, 1, False, True),  # who talks may ask somebody else
        (True, 2, 1, True, True),
        (True, 2, 2, False, False),
        (False, 2, 1, False, True),
        (False, 1, 0, True, True),
        (True, 1, 1, False, False),
    ],
)
def test_what_a_number_takes_and_makes(waiting: bool, most: int | None, calls: int, takes: bool, makes: bool) -> None:
    olena = replace(Office().subscribers[OLENA], call_waiting=waiting, max_calls=most)
    assert (olena.takes_call(calls), olena.makes_call(calls)) == (takes, makes)


def test_to_whom_a_call_goes_on_is_asked_too() -> None:
    office = Office()
    office.forward(OLENA, no_answer=TARAS)
    office.subscribers[TARAS] = replace(office.subscribers[TARAS], call_waiting=False)
    office.forward(TARAS, busy=PETRO)
    office.calls = {TARAS: 1}
    reach = office.reach(OLENA)
    reach.first(NOW)
    assert reach.after(NO_ANSWER, NOW) == Step((), [office.party(TARAS)], empty=OCCUPIED)
    found = reach.after(OCCUPIED, NOW)
    assert isinstance(found, Step)
    assert found.targets == [f"phone of {PETRO}"]
