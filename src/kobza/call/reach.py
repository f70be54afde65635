"""The way of one call through the office: from the number that was dialled to whom it rings, and on to others."""

from collections.abc import Sequence
from typing import Final, Protocol

from kobza.call.actions import Target
from kobza.call.causes import EXCHANGE_ROUTING_ERROR, TEMPORARY_FAILURE
from kobza.call.directory import Directory, Subscriber
from kobza.call.forwarding import Diversion, occasion_of
from kobza.call.leg import Rejection
from kobza.call.routing import Diverted, Party, Refused, ToSubscriber, ToTrunk, party_of, route
from kobza.call.step import Step
from kobza.call.trunk import Trunk

MAX_DIVERSIONS: Final = 5
"""How often a call may go on to another number: more is a mistake, and each may cost a call by a trunk."""

LOOP: Final = Refused(482, EXCHANGE_ROUTING_ERROR, "The call is forwarded in a circle, or too often.")


class Surroundings(Protocol):
    """What the way of a call asks of the exchange."""

    @property
    def directory(self) -> Directory:
        """The newest one."""
        ...

    def devices_of(self, subscriber: Subscriber, now: float) -> Sequence[Target]:
        """Return where the phones of a number are."""
        ...

    def targets_by(
        self, trunks: Sequence[Trunk], dial: str, diversions: Sequence[Diversion], payer: str
    ) -> Sequence[Target]:
        """Return the way to a number outside; `payer` is whose call that is, "" for the caller's."""
        ...


class Reach:
    """Where one call goes. Ask `first` once, then `after` each failure."""

    __slots__ = ("_caller", "_dialled", "_diversions", "_payer", "_subscriber", "_surroundings")

    def __init__(self, surroundings: Surroundings, dialled: str, caller: Party) -> None:
        self._surroundings = surroundings
        self._dialled = dialled
        self._caller = caller
        self._payer = caller
        self._subscriber: Subscriber | None = None
        """Whose phones ring."""
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
        subscriber = self._subscriber
        occasion = None if subscriber is None else occasion_of(rejection.status, rejection.cause)
        if subscriber is None or occasion is None:
            return None
        number = subscriber.forwarding.target(occasion)
        if number is None:
            return None
        return self._divert(Diverted(subscriber, number, occasion), [], now)

    def _find(self, dialled: str, hops: list[Party], now: float) -> Step | Refused:
        """Follow a number to whom it rings; `hops` are those that the call has come to since the last step."""
        surroundings = self._surroundings
        found = route(surroundings.directory, dialled, caller=self._payer, now=now)
        match found:
            case ToSubscriber(subscriber, party):
                self._subscriber = subscriber
                self._note(hops, party)
                return Step(surroundings.devices_of(subscriber, now), hops, subscriber.forwarding.seconds)
            case ToTrunk(trunks, dial, party):
                self._subscriber = None
                self._note(hops, party)
                payer = self._payer.number if self._diversions else ""
                targets = surroundings.targets_by(trunks, dial, self._diversions, payer)
                if not targets:
                    names = " and ".join(each.name for each in trunks)
                    return Refused(503, TEMPORARY_FAILURE, f"the address of trunk {names} is unknown")
                return Step(targets, hops)
            case Diverted():
                self._note(hops, party_of(found.subscriber))
                return self._divert(found, hops, now)
            case _:
                return found

    def _note(self, hops: list[Party], party: Party) -> None:
        if self._diversions:
            hops.append(party)

    def _divert(self, diverted: Diverted, hops: list[Party], now: float) -> Step | Refused:
        """Go on from a number to another one, at its enterprise's expense; not in a circle, nor forever."""
        subscriber = diverted.subscriber
        gone = {subscriber.number, self._caller.number, *(diversion.number for diversion in self._diversions)}
        if diverted.number in gone or len(self._diversions) == MAX_DIVERSIONS:
            return LOOP
        made = Diversion(subscriber.number, diverted.occasion, subscriber.restricted_at(now))
        self._diversions = (*self._diversions, made)
        self._payer = party_of(subscriber)
        return self._find(diverted.number, hops, now)
