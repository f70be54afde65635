"""The way of a call through the office: forwarding, followed from number to number."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from kobza.call.actions import Target
from kobza.call.directory import Directory, Package, Subscriber
from kobza.call.forwarding import (
    NO_ANSWER_SECONDS,
    NO_FORWARDING,
    Diversion,
    Forwarding,
    Occasion,
    occasion_of,
)
from kobza.call.leg import NOBODY_THERE, Rejection
from kobza.call.reach import LOOP, MAX_DIVERSIONS, Reach
from kobza.call.routing import Party, Refused, party_of
from kobza.call.step import Step
from kobza.call.trunk import Trunk

NOW = 1_790_000_000.0
OLENA, TARAS, PETRO, SOKIL, OUTSIDE = (
    *("+380671110001", "+380671110002", "+380671110003", "+380672220002", "+380445550000"),
)
CALLER = Party("+380445559999")
BUSY, NO_ANSWER, DECLINED = Rejection(486, 17), Rejection(480, 19), Rejection(603, 21)


class Office:
    """What `Reach` asks: the phones of each number are called like it, the way outside is written out."""

    def __init__(self) -> None:
        self.subscribers = {
            number: Subscriber(number, "sokil" if number == SOKIL else "mriia", packages=frozenset(Package))
            for number in (OLENA, TARAS, PETRO, SOKIL)
        }
        self.trunks: tuple[Trunk, ...] = (Trunk("t", "carrier", "192.0.2.1", 5060),)
        self.unregistered: set[str] = set()
        self.lost = False

    @property
    def directory(self) -> Directory:
        return Directory(self.subscribers, self.trunks)

    def forward(self, number: str, **where: str | int) -> None:
        forwarding = replace(self.subscribers[number].forwarding, **where)  # type: ignore[arg-type] # its own fields
        self.subscribers[number] = replace(self.subscribers[number], forwarding=forwarding)

    def devices_of(self, subscriber: Subscriber, now: float) -> Sequence[Target]:
        assert now == NOW
        return [] if subscriber.number in self.unregistered else [f"phone of {subscriber.number}"]

    def targets_by(
        self, trunks: Sequence[Trunk], dial: str, diversions: Sequence[Diversion], payer: str
    ) -> Sequence[Target]:
        return [] if self.lost else [(trunks[0].name, dial, tuple(diversions), payer)]

    def reach(self, dialled: str, caller: Party = CALLER) -> Reach:
        return Reach(self, dialled, caller)

    def party(self, number: str) -> Party:
        return party_of(self.subscribers[number])


@pytest.fixture
def office() -> Office:
    return Office()


def test_a_number_rings_for_as_long_as_everybody(office: Office) -> None:
    reach = office.reach("067 111 00 01")
    assert reach.first(NOW) == Step([f"phone of {OLENA}"], [], None)
    assert reach.after(BUSY, NOW) is None
    assert reach.diversions == ()


def test_always_means_that_no_phone_is_asked(office: Office) -> None:
    office.forward(OLENA, always=TARAS)
    office.subscribers[OLENA] = replace(office.subscribers[OLENA], dnd=True)  # its phones stay silent either way
    reach = office.reach(OLENA)
    assert reach.first(NOW) == Step([f"phone of {TARAS}"], [office.party(TARAS)])
    assert reach.diversions == (Diversion(OLENA, Occasion.ALWAYS),)
    assert reach.after(BUSY, NOW) is None  # it is the forwarding of Taras that counts by now


def test_do_not_disturb_wins_over_what_would_need_a_phone(office: Office) -> None:
    office.forward(OLENA, busy=TARAS, no_answer=TARAS, unreachable=TARAS)
    office.subscribers[OLENA] = replace(office.subscribers[OLENA], dnd=True)
    found = office.reach(OLENA).first(NOW)
    assert isinstance(found, Refused)
    assert (found.status, found.cause) == (480, 21)


@pytest.mark.parametrize(
    ("failure", "occasion"),
    [
        (BUSY, Occasion.BUSY),
        (Rejection(600, 17), Occasion.BUSY),
        (Rejection(480, 18), Occasion.NO_ANSWER),
        (NO_ANSWER, Occasion.NO_ANSWER),
        (NOBODY_THERE, Occasion.UNREACHABLE),
        (Rejection(408, 102), Occasion.UNREACHABLE),
        (Rejection(503, 41), Occasion.UNREACHABLE),
        (DECLINED, None),
        (Rejection(488, 65), None),
        (Rejection(404, 1), None),
        (Rejection(606, 65), None),
    ],
)
def test_each_failure_is_one_occasion_or_none(office: Office, failure: Rejection, occasion: Occasion | None) -> None:
    assert occasion_of(failure.status, failure.cause) is occasion
    others = {each.value: PETRO for each in Occasion if each not in (occasion, Occasion.ALWAYS)}
    office.forward(OLENA, **others)
    reach = office.reach(OLENA)
    reach.first(NOW)
    assert reach.after(failure, NOW) is None
    if occasion is not None:
        office.forward(OLENA, **{occasion.value: TARAS})
        reach = office.reach(OLENA)
        reach.first(NOW)
        assert reach.after(failure, NOW) == Step([f"phone of {TARAS}"], [office.party(TARAS)])
        assert reach.diversions == (Diversion(OLENA, occasion),)


@pytest.mark.parametrize(("after", "seconds"), [(None, NO_ANSWER_SECONDS), (35, 35)])
def test_it_rings_shorter_when_somebody_else_is_to_answer(office: Office, after: int | None, seconds: int) -> None:
    office.forward(OLENA, no_answer=TARAS, **({} if after is None else {"no_answer_after": after}))
    found = office.reach(OLENA).first(NOW)
    assert isinstance(found, Step)
    assert found.seconds == seconds
    assert office.subscribers[OLENA].forwarding.is_on
    assert not NO_FORWARDING.is_on


def test_a_stranger_reaches_the_outside_at_the_expense_of_who_forwards(office: Office) -> None:
    office.forward(OLENA, always=TARAS)
    office.forward(TARAS, unreachable=OUTSIDE)
    office.subscribers[TARAS] = replace(office.subscribers[TARAS], clip_restricted=True)
    office.unregistered.add(TARAS)
    reach = office.reach(OLENA)
    assert reach.first(NOW) == Step([], [office.party(TARAS)])
    gone = (Diversion(OLENA, Occasion.ALWAYS), Diversion(TARAS, Occasion.UNREACHABLE, private=True))
    assert reach.after(NOBODY_THERE, NOW) == Step([("carrier", OUTSIDE, gone, TARAS)], [Party(OUTSIDE)])
    assert reach.after(BUSY, NOW) is None  # nobody forwards what is outside


def test_the_outside_as_dialled_is_the_callers_own_call(office: Office) -> None:
    assert office.reach(OUTSIDE, office.party(OLENA)).first(NOW) == Step([("carrier", OUTSIDE, (), "")], [])
    refused = office.reach(OUTSIDE).first(NOW)
    assert isinstance(refused, Refused)
    assert refused.status == 404


def test_without_a_way_outside(office: Office) -> None:
    office.lost = True
    office.forward(OLENA, always=OUTSIDE)
    found = office.reach(OLENA).first(NOW)
    assert found == Refused(503, 41, "the address of trunk carrier is unknown")
    office.trunks = ()
    found = office.reach(OLENA).first(NOW)
    assert isinstance(found, Refused)
    assert (found.status, found.cause) == (404, 1)


def test_a_circle_ends(office: Office) -> None:
    office.forward(OLENA, always=TARAS)
    office.forward(TARAS, always=OLENA)
    assert office.reach(OLENA).first(NOW) is LOOP
    assert (LOOP.status, LOOP.cause) == (482, 25)
    office.forward(PETRO, always=CALLER.number)  # who would ring while calling
    assert office.reach(PETRO).first(NOW) is LOOP


def test_a_circle_of_busy_numbers_ends(office: Office) -> None:
    office.forward(OLENA, busy=TARAS)
    office.forward(TARAS, busy=OLENA)
    reach = office.reach(OLENA)
    assert isinstance(reach.first(NOW), Step)
    assert isinstance(reach.after(BUSY, NOW), Step)
    assert reach.after(BUSY, NOW) is LOOP


def test_a_chain_ends_too(office: Office) -> None:
    chain = [f"+38067333000{number}" for number in range(MAX_DIVERSIONS + 2)]
    for number, following in pairwise(chain):
        office.subscribers[number] = Subscriber(number, "mriia", forwarding=Forwarding(always=following))
    office.subscribers[chain[-1]] = Subscriber(chain[-1], "mriia")
    assert office.reach(chain[0]).first(NOW) is LOOP
    found = office.reach(chain[1]).first(NOW)
    assert isinstance(found, Step)
    assert [party.number for party in found.hops] == chain[2:]
