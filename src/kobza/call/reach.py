"""The way of one call through the office: from the number that was dialled to whom it rings, and on to others."""

from collections.abc import Sequence
from typing import Final, Protocol

from kobza.call.actions import Target
from kobza.call.causes import EXCHANGE_ROUTING_ERROR, TEMPORARY_FAILURE, USER_BUSY
from kobza.call.directory import Directory, Subscriber
from kobza.call.forwarding import Diversion, Occasion, TimeOfDay, occasion_of
from kobza.call.group import RingingGroup, Strategy
from kobza.call.leg import NOBODY_THERE, Rejection
from kobza.call.routing import (
    Diverted,
    Party,
    Refused,
    ToGroup,
    ToSubscriber,
    ToTrunk,
    is_closed,
    party_of,
    payer_of_group,
    route,
)
from kobza.call.step import Destination, Step
from kobza.call.trunk import Trunk

MAX_DIVERSIONS: Final = 5
"""How often a call may go on to another number: more is a mistake, and each may cost a call by a trunk."""

EVERYBODY_BUSY: Final = Rejection(486, USER_BUSY)
"""Who of a ringing group could be rung is in a call."""

OCCUPIED: Final = Rejection(486, USER_BUSY)
"""A number has as many calls as it may have, or one and no call waiting."""

LOOP: Final = Refused(482, EXCHANGE_ROUTING_ERROR, "The call is forwarded in a circle, or too often.")


class Surroundings(Protocol):
    """What the way of a call asks of the exchange."""

    @property
    def directory(self) -> Directory:
        """The newest one."""
        ...

    def phones_of(self, subscriber: Subscriber, now: float) -> Sequence[Target]:
        """Return where the phones of a number are, the mobile phone beside them included."""
        ...

    def devices_of(self, subscriber: Subscriber, now: float) -> Sequence[Target]:
        """Return where they are without that one."""
        ...

    def is_busy(self, number: str) -> bool:
        """Tell whether a number is in a call, or alerting."""
        ...

    def calls_of(self, number: str) -> int:
        """Return how many calls a number has, alerting or not."""
        ...

    def idle_since(self, number: str) -> float:
        """Return when the last call of a number was over (s); minus infinity: it had none."""
        ...

    def targets_by(
        self, trunks: Sequence[Trunk], dial: str, diversions: Sequence[Diversion], payer: str
    ) -> Sequence[Target]:
        """Return the way to a number outside; `payer` is whose call that is, "" for the caller's."""
        ...


class Reach:
    """Where one call goes. Ask `first` once, then `after` each failure."""

    __slots__ = (
        "_before",
        "_caller",
        "_dialled",
        "_diversions",
        "_group",
        "_payer",
        "_subscriber",
        "_surroundings",
        "_waiting",
    )

    def __init__(self, surroundings: Surroundings, dialled: str, caller: Party, before: Sequence[str] = ()) -> None:
        """`before` are the numbers that sent the call on before it came here; "" where it is not known which."""
        self._before = before
        self._surroundings = surroundings
        self._dialled = dialled
        self._caller = caller
        self._payer = caller
        self._subscriber: Subscriber | None = None
        """Whose phones ring; None: a group's, or somebody's outside."""
        self._group: RingingGroup | None = None
        self._waiting: list[str] = []
        """Of the group, those whose turn is to come."""
        self._diversions: tuple[Diversion, ...] = ()

    @property
    def diversions(self) -> Sequence[Diversion]:
        """The numbers from which the call went on, the first one first."""
        return self._diversions

    def first(self, now: float) -> Step | Refused:
        """Return who is called first, or why nobody is."""
        return self._find(self._dialled, [], now)

    def after(self, rejection: Rejection, now: float) -> Step | Refused | None:
        """Return who is called after a failure; None: nobody, the caller is told of it."""
        if self._group is not None:
            return self._after_member(self._group, rejection, now)
        subscriber = self._subscriber
        occasion = None if subscriber is None else occasion_of(rejection.status, rejection.cause)
        if subscriber is None or occasion is None:
            return None
        number = subscriber.forwarding.target(occasion)
        if number is None:
            return None
        self._gone_from(subscriber.number, occasion, party_of(subscriber), private=subscriber.restricted_at(now))
        return self._onward(number, [], now)

    def _find(self, dialled: str, hops: list[Party], now: float) -> Step | Refused:
        """Follow a number to whom it rings; `hops` are those that the call has come to since the last step."""
        surroundings = self._surroundings
        gone_on = bool(self._diversions)
        found = route(
            surroundings.directory, dialled, caller=self._payer, now=now, origin=self._caller, gone_on=gone_on
        )
        match found:
            case ToSubscriber(subscriber, party):
                self._subscriber = subscriber
                self._note(hops, party)
                if not subscriber.takes_call(surroundings.calls_of(subscriber.number)):
                    return Step((), hops, empty=OCCUPIED)
                return Step(self._phones(subscriber, now), hops, subscriber.forwarding.seconds)
            case ToGroup(group, party):
                self._subscriber, self._group = None, group
                self._note(hops, party)
                return self._ring(group, hops, now)
            case ToTrunk(trunks, dial, party):
                self._subscriber = None
                self._note(hops, party)
                paying = self._payer.number if self._diversions else ""
                targets = surroundings.targets_by(trunks, dial, self._diversions, paying)
                if not targets:
                    names = " and ".join(each.name for each in trunks)
                    return Refused(503, TEMPORARY_FAILURE, f"the address of trunk {names} is unknown")
                return Step(targets, hops)
            case Diverted(party, payer, number, occasion, private):
                self._note(hops, party)
                self._gone_from(party.number, occasion, payer, private=private)
                return self._onward(number, hops, now)
            case _:
                return found

    def _phones(self, subscriber: Subscriber, now: float) -> Sequence[Target]:
        """Return what rings for a number; not the mobile phone that has just sent the call here, or it would again."""
        surroundings = self._surroundings
        if subscriber.mobile is not None and subscriber.mobile in self._before:
            return surroundings.devices_of(subscriber, now)
        return surroundings.phones_of(subscriber, now)

    def _note(self, hops: list[Party], party: Party) -> None:
        if self._diversions:
            hops.append(party)

    def _gone_from(self, number: str, occasion: Occasion | TimeOfDay, payer: Party, *, private: bool = False) -> None:
        """Note that the call goes on from a number, from here on at the expense of whoever that is."""
        self._diversions = (*self._diversions, Diversion(number, occasion, private))
        self._payer = payer

    def _onward(self, number: str, hops: list[Party], now: float) -> Step | Refused:
        """Go on to another number; not in a circle, nor forever.

        Circles that lead over the outside are found by what the network tells of them: a number of ours that sent the
        call on has done so before.
        """
        gone = {self._caller.number, *(diversion.number for diversion in self._diversions)}
        again = any(diversion.number in self._before for diversion in self._diversions)
        if number in gone or again or len(self._diversions) + len(self._before) > MAX_DIVERSIONS:
            return LOOP
        return self._find(number, hops, now)

    # ringing groups

    def _ring(self, group: RingingGroup, hops: list[Party], now: float) -> Step:
        """Return who of a group rings first: all, or the first one; who is in a call already is not disturbed."""
        free = [each for each in self._people(group, now) if not self._surroundings.is_busy(each.number)]
        if group.strategy is Strategy.ALL:
            members = [member for each in free if (member := self._member(each, now)).targets]
            return Step((), hops, group.seconds, members, self._why_nobody(group, now))
        if group.strategy is Strategy.LONGEST_IDLE:
            free.sort(key=lambda each: self._surroundings.idle_since(each.number))
        self._waiting = [each.number for each in free]
        return self._next_member(group, hops, now) or Step((), hops, empty=self._why_nobody(group, now))

    def _after_member(self, group: RingingGroup, rejection: Rejection, now: float) -> Step | Refused | None:
        """Return whose turn it is in a group, or where its calls go that nobody answers."""
        step = self._next_member(group, [], now)
        if step is not None:
            return step
        self._group = None
        if group.then is None:
            return None
        occasion = Occasion.BUSY if rejection.cause == USER_BUSY else Occasion.NO_ANSWER
        self._gone_from(group.number, occasion, payer_of_group(group))
        return self._onward(group.then, [], now)

    def _next_member(self, group: RingingGroup, hops: list[Party], now: float) -> Step | None:
        """Return the next one in turn who can be rung by now."""
        people = {each.number: each for each in self._people(group, now)}
        while self._waiting:
            number = self._waiting.pop(0)
            if number in people and not self._surroundings.is_busy(number):
                member = self._member(people[number], now)
                if member.targets:
                    return Step((), hops, group.seconds, [member])
        return None

    def _people(self, group: RingingGroup, now: float) -> list[Subscriber]:
        """Return the members of a group that may be rung: not with Do Not Disturb on, nor who calls.

        Nor who is outside working hours of their own; those of the enterprise have been asked for the group.
        """
        directory = self._surroundings.directory
        known = (directory.subscribers.get(number) for number in group.members)
        return [
            each
            for each in known
            if each is not None
            and not each.dnd_at(now)
            and each.number != self._caller.number
            and not is_closed(directory, each, self._caller, now)
        ]

    def _member(self, subscriber: Subscriber, now: float) -> Destination:
        return Destination(party_of(subscriber), self._phones(subscriber, now))

    def _why_nobody(self, group: RingingGroup, now: float) -> Rejection:
        busy = any(self._surroundings.is_busy(each.number) for each in self._people(group, now))
        return EVERYBODY_BUSY if busy else NOBODY_THERE
