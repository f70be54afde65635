"""The way of a call through the office: forwarding, followed from number to number."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from msgspec import structs

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
from kobza.call.group import RingingGroup, Strategy, group_key
from kobza.call.hours import WorkingHours
from kobza.call.leg import NOBODY_THERE, Rejection
from kobza.call.reach import EVERYBODY_BUSY, LOOP, MAX_DIVERSIONS, Reach
from kobza.call.routing import Party, Refused, party_of
from kobza.call.step import Destination, Step
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
        self.groups: dict[str, RingingGroup] = {}
        self.hours: dict[str, WorkingHours] = {}
        self.busy: set[str] = set()
        self.calls: dict[str, int] = {}
        self.idle: dict[str, float] = {}

    @property
    def directory(self) -> Directory:
        return Directory(self.subscribers, self.trunks, groups=self.groups, hours=self.hours)

    def forward(self, number: str, **where: str | int) -> None:
        forwarding = replace(self.subscribers[number].forwarding, **where)  # type: ignore[arg-type] # its own fields
        self.subscribers[number] = replace(self.subscribers[number], forwarding=forwarding)

    def is_busy(self, number: str) -> bool:
        return number in self.busy

    def calls_of(self, number: str) -> int:
        return self.calls.get(number, int(number in self.busy))

    def idle_since(self, number: str) -> float:
        return self.idle.get(number, -math.inf)

    def phones_of(self, subscriber: Subscriber, now: float) -> Sequence[Target]:
        assert now == NOW
        mobile = [] if subscriber.mobile is None else [f"mobile {subscriber.mobile}"]
        return [*self.devices_of(subscriber, now), *mobile]

    def devices_of(self, subscriber: Subscriber, now: float) -> Sequence[Target]:
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


def test_a_circle_that_leads_over_the_outside_ends(office: Office) -> None:
    """Olena's calls go to a mobile phone, whose calls its network sends to Olena."""
    office.forward(OLENA, always=OUTSIDE)
    assert isinstance(office.reach(OLENA).first(NOW), Step)
    again = Reach(office, OLENA, CALLER, before=[OUTSIDE, OLENA])
    assert again.first(NOW) == LOOP
    office = Office()
    office.forward(OLENA, no_answer=OUTSIDE)
    again = Reach(office, OLENA, CALLER, before=[OUTSIDE, OLENA])
    assert isinstance(again.first(NOW), Step)  # its own phones may ring once more
    assert again.after(NO_ANSWER, NOW) == LOOP


def test_a_mobile_phone_that_sends_its_calls_to_the_desk_does_not_ring_for_them(office: Office) -> None:
    office.subscribers[OLENA] = replace(office.subscribers[OLENA], mobile=OUTSIDE)
    desk, mobile = f"phone of {OLENA}", f"mobile {OUTSIDE}"
    assert office.reach(OLENA).first(NOW) == Step([desk, mobile], [], None)
    assert Reach(office, OLENA, CALLER, before=[OUTSIDE]).first(NOW) == Step([desk], [], None)
    group(office)
    found = Reach(office, "200", Party(PETRO, "mriia"), before=[OUTSIDE]).first(NOW)
    assert isinstance(found, Step)
    assert found.members == members(office, OLENA, TARAS)


@pytest.mark.parametrize(("before", "goes_on"), [(4, True), (5, False)])
def test_diversions_of_others_count(office: Office, before: int, goes_on: bool) -> None:
    office.forward(OLENA, always=TARAS)
    found = Reach(office, OLENA, CALLER, before=[""] * before).first(NOW)
    assert isinstance(found, Step) is goes_on


# ringing groups


SALES = RingingGroup("200", "mriia", "Sales", Strategy.ALL, (OLENA, TARAS, PETRO), 15)
GROUP = Party("200", "mriia", convergent=True, display_name="Sales")


def group(office: Office, **changes: Any) -> RingingGroup:
    made = replace(SALES, **changes)
    office.groups[group_key(made.number, made.enterprise_id)] = made
    return made


def members(office: Office, *numbers: str) -> list[Destination]:
    return [Destination(office.party(number), [f"phone of {number}"]) for number in numbers]


def test_a_group_rings_those_who_can_be_rung_but_not_who_calls(office: Office) -> None:
    group(office)
    assert office.reach("200", Party("+380671119999", "mriia")).first(NOW) == Step(
        (), [], 15, members(office, OLENA, TARAS, PETRO)
    )
    assert office.reach("200", office.party(OLENA)).first(NOW) == Step((), [], 15, members(office, TARAS, PETRO))
    office.subscribers[TARAS] = replace(office.subscribers[TARAS], dnd=True)
    office.forward(PETRO, always=OUTSIDE)  # counts for Petro's own calls only
    del office.subscribers[OLENA]
    assert office.reach("200", Party(SOKIL, "mriia")).first(NOW) == Step((), [], 15, members(office, PETRO))


def test_a_short_code_is_one_of_its_enterprise(office: Office) -> None:
    group(office)
    for stranger in (CALLER, office.party(SOKIL)):
        found = office.reach("200", stranger).first(NOW)
        assert not isinstance(found, Step) or not found.members
    group(office, number="+380443334455")
    found = office.reach("0443334455").first(NOW)
    assert isinstance(found, Step)
    assert len(found.members) == 3


@pytest.mark.parametrize("strategy", list(Strategy))
def test_nobody_of_a_group_can_be_rung(office: Office, strategy: Strategy) -> None:
    group(office, strategy=strategy)
    office.unregistered |= {OLENA, TARAS, PETRO}
    caller = Party(SOKIL, "mriia")
    found = office.reach("200", caller).first(NOW)
    assert isinstance(found, Step)
    assert (found.targets, found.members, found.empty) == ((), found.members[:0], NOBODY_THERE)
    office.busy.add(TARAS)
    reach = office.reach("200", caller)
    found = reach.first(NOW)
    assert isinstance(found, Step)
    assert (found.empty, reach.after(found.empty, NOW)) == (EVERYBODY_BUSY, None)


def test_one_after_the_other(office: Office) -> None:
    group(office, strategy=Strategy.IN_TURN, then=OUTSIDE)
    reach = office.reach("200", Party(SOKIL, "mriia"))
    assert reach.first(NOW) == Step((), [], 15, members(office, OLENA))
    office.busy.add(TARAS)  # by now
    assert reach.after(DECLINED, NOW) == Step((), [], 15, members(office, PETRO))
    gone = (Diversion("200", Occasion.NO_ANSWER),)
    assert reach.after(NO_ANSWER, NOW) == Step([("carrier", OUTSIDE, gone, OLENA)], [Party(OUTSIDE)])
    assert reach.after(NO_ANSWER, NOW) is None


def test_one_after_the_other_over_who_is_gone_by_now(office: Office) -> None:
    group(office, strategy=Strategy.IN_TURN)
    reach = office.reach("200", Party(SOKIL, "mriia"))
    reach.first(NOW)
    del office.subscribers[TARAS]
    office.unregistered.add(PETRO)
    assert reach.after(NO_ANSWER, NOW) is None


def test_who_had_no_call_for_the_longest_time(office: Office) -> None:
    group(office, strategy=Strategy.LONGEST_IDLE)
    office.idle = {OLENA: NOW - 60, PETRO: NOW - 600}
    reach = office.reach("200", Party(SOKIL, "mriia"))
    assert reach.first(NOW) == Step((), [], 15, members(office, TARAS))
    assert reach.after(NO_ANSWER, NOW) == Step((), [], 15, members(office, PETRO))
    assert reach.after(BUSY, NOW) == Step((), [], 15, members(office, OLENA))


def test_forwarded_to_a_group_and_on_to_a_colleague_at_the_groups_expense(office: Office) -> None:
    group(office, number="+380443334455", then=SOKIL)
    office.forward(OLENA, busy="+380443334455")
    reach = office.reach(OLENA)
    reach.first(NOW)
    ours = structs.replace(GROUP, number="+380443334455")
    assert reach.after(BUSY, NOW) == Step((), [ours], 15, members(office, OLENA, TARAS, PETRO))
    office.forward(SOKIL, always=OUTSIDE)
    gone = (
        *(Diversion(OLENA, Occasion.BUSY), Diversion("+380443334455", Occasion.BUSY)),
        Diversion(SOKIL, Occasion.ALWAYS),
    )
    expected = Step([("carrier", OUTSIDE, gone, SOKIL)], [office.party(SOKIL), Party(OUTSIDE)])
    assert reach.after(EVERYBODY_BUSY, NOW) == expected


def test_a_group_without_members_goes_on_at_its_own_expense(office: Office) -> None:
    group(office, members=(), then=OUTSIDE)
    reach = office.reach("200", Party(SOKIL, "mriia"))
    reach.first(NOW)
    gone = (Diversion("200", Occasion.NO_ANSWER),)
    assert reach.after(NOBODY_THERE, NOW) == Step([("carrier", OUTSIDE, gone, "200")], [Party(OUTSIDE)])
