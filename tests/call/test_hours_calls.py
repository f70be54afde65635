"""Working hours among all else that decides where a call goes: the tables of docs/calls.md, row by row."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from kobza.call.forwarding import Diversion, TimeOfDay
from kobza.call.group import RingingGroup
from kobza.call.hours import Callers, Override, WorkingHours
from kobza.call.routing import Party, Refused, Route, ToSubscriber, is_closed, route
from kobza.call.step import Step
from tests.call.test_docs import rows
from tests.call.test_reach import BUSY, CALLER, NOW, OLENA, OUTSIDE, PETRO, SOKIL, TARAS, Office
from tests.support.hours import working

NAMES = {OLENA: "the number", TARAS: "Taras", PETRO: "Petro"}
GROUP = RingingGroup("+380443334455", "mriia", members=(TARAS, PETRO))
SHUT = working("closed", "2027-01-04 09:00-18:00")
OPENING = datetime(2027, 1, 4, 9, tzinfo=ZoneInfo("Europe/Kyiv")).timestamp()


def hours(words: str) -> WorkingHours | None:
    """Working hours as the tables name them."""
    state, _, to = words.partition(", to ")
    found = {"none": None, "open": working("always"), "closed": SHUT, "closed for all": SHUT}[state]
    if state == "closed for all":
        return replace(SHUT, callers=Callers.ALL)
    where = {"": None, "Petro": PETRO, "the outside": OUTSIDE, "the group": GROUP.number}[to]
    return found if where is None or found is None else replace(found, closed_to=where)


def beside(office: Office, words: str) -> None:
    """Set what a row names beside the hours."""
    quiet = {"Do Not Disturb": OLENA, "Petro: Do Not Disturb": PETRO}.get(words)
    if quiet is not None:
        office.subscribers[quiet] = replace(office.subscribers[quiet], dnd=True)
    if words in ("always to Taras", "always to Taras, who is closed"):
        office.forward(OLENA, always=TARAS)
    elif words.startswith("busy to Taras"):
        office.forward(OLENA, busy=TARAS)
    elif words == "Petro: always to Taras":
        office.forward(PETRO, always=TARAS)
    elif words == "Petro: busy to Taras, busy":
        office.forward(PETRO, busy=TARAS)
    for name, number in (("Petro is closed", PETRO), ("Taras, who is closed", TARAS)):
        if name in words:
            office.hours[number] = SHUT


def outcome(office: Office, number: str, caller: Party, *, busy: bool) -> str:
    """What becomes of a call, in the words of the tables."""
    reach = office.reach(number, caller)
    found: Step | Refused | None = reach.first(NOW)
    if busy:
        found = reach.after(BUSY, NOW)
        if not isinstance(found, Step):
            return "486, cause 17"  # the caller is told what the phone said
    if isinstance(found, Refused):
        if found.cause == 20:
            assert found.again_at == OPENING
        return f"{found.status}, cause {found.cause}"
    assert isinstance(found, Step)
    ringing = [target for each in found.members for target in each.targets] or list(found.targets)
    people = [NAMES[str(target).removeprefix("phone of ")] for target in ringing if isinstance(target, str)]
    if people:
        return f"{' and '.join(people)} {'ring' if len(people) > 1 else 'rings'}"
    ((_, dial, _, payer),) = (target for target in ringing if isinstance(target, tuple))
    assert dial == OUTSIDE
    return f"the outside, at the expense of {'the group' if payer == GROUP.number else NAMES[payer]}"


ROWS = [each for each in rows("Working hours") if each[0] != "---" and each[0] != "own hours"]
GROUPS_FROM = next(index for index, each in enumerate(rows("Working hours")) if each[0] == "own hours")


@pytest.mark.parametrize(
    ("number", "cells"),
    [(GROUP.number if index >= GROUPS_FROM else OLENA, each) for index, each in enumerate(ROWS)],
    ids=lambda value: value if isinstance(value, str) else ", ".join(value[:4]),
)
def test_a_call_goes_as_the_table_says(number: str, cells: list[str]) -> None:
    own, company, call, also, expected = cells
    office = Office()
    office.groups = {GROUP.number: GROUP}
    given = {number: hours(own), "mriia": hours(company)}
    office.hours = {key: value for key, value in given.items() if value is not None}
    beside(office, also)
    colleague = office.party(TARAS if number == OLENA else OLENA)
    callers = {"from outside": CALLER, "from a colleague": colleague, "from the outside itself": Party(OUTSIDE)}
    assert outcome(office, number, callers[call], busy=also.endswith("busy")) == expected


def test_both_tables_are_played() -> None:
    assert (GROUPS_FROM, len(ROWS)) == (27, 33)


def test_the_way_outside_tells_why(office: Office) -> None:
    office.hours = {"mriia": replace(SHUT, closed_to=OUTSIDE)}
    office.subscribers[OLENA] = replace(office.subscribers[OLENA], clip_restricted=True)
    gone = (Diversion(OLENA, TimeOfDay.CLOSED, private=True),)
    assert office.reach(OLENA).first(NOW) == Step([("carrier", OUTSIDE, gone, OLENA)], [Party(OUTSIDE)])


def test_a_call_from_outside_stays_one_from_outside(office: Office) -> None:
    """What a colleague's number forwards is not a colleague's call."""
    office.hours = {TARAS: SHUT}
    office.forward(OLENA, always=TARAS)
    found = office.reach(OLENA).first(NOW)
    assert isinstance(found, Refused)
    assert office.reach(OLENA, office.party(PETRO)).first(NOW) == Step([f"phone of {TARAS}"], [office.party(TARAS)])


def test_another_enterprise_is_outside(office: Office) -> None:
    office.hours = {"mriia": SHUT, "sokil": working("always")}
    assert isinstance(office.reach(OLENA, office.party(SOKIL)).first(NOW), Refused)
    assert isinstance(office.reach(SOKIL, office.party(OLENA)).first(NOW), Step)


def test_two_that_are_closed_do_not_send_calls_in_a_circle(office: Office) -> None:
    office.hours = {OLENA: replace(SHUT, closed_to=TARAS), TARAS: replace(SHUT, closed_to=OLENA)}
    found = office.reach(OLENA).first(NOW)
    assert isinstance(found, Refused)
    assert (found.status, found.cause) == (482, 25)
    office.hours[OLENA] = replace(SHUT, closed_to=OLENA)
    found = office.reach(OLENA).first(NOW)
    assert isinstance(found, Refused)
    assert (found.status, found.cause) == (480, 20)


def test_short_codes_of_groups_are_looked_up_in_their_enterprise(office: Office) -> None:
    office.groups = {"mriia/200": replace(GROUP, number="200")}
    office.hours = {"mriia/200": replace(SHUT, callers=Callers.ALL)}
    found = office.reach("200", office.party(OLENA)).first(NOW)
    assert isinstance(found, Refused)
    assert (found.status, found.cause) == (480, 20)


def test_the_moment_decides(office: Office) -> None:
    office.hours = {"mriia": SHUT}

    def asked(now: float) -> Route:
        return route(office.directory, OLENA, caller=CALLER, now=now)

    assert isinstance(asked(OPENING - 0.001), Refused)
    assert isinstance(asked(OPENING), ToSubscriber)


def test_a_number_whose_hours_are_those_of_the_company_is_open_to_a_call_that_was_sent_on(office: Office) -> None:
    """The company was asked where the call began; what somebody switched by hand for the number counts all the same."""
    office.hours = {"mriia": SHUT, TARAS: replace(SHUT, as_company=True)}
    assert not is_closed(office.directory, office.subscribers[TARAS], CALLER, NOW)
    office.hours[TARAS] = replace(office.hours[TARAS], override=Override(open=False, until=int(NOW * 1000) + 1))
    assert is_closed(office.directory, office.subscribers[TARAS], CALLER, NOW)


@pytest.fixture
def office() -> Office:
    return Office()
