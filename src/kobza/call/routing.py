"""Where a call goes: a pure function of the directory, the dialled text, the caller and the moment."""

from typing import Final

from kobza.call.causes import CALL_REJECTED, INVALID_NUMBER, SUBSCRIBER_ABSENT, UNALLOCATED, cause_text
from kobza.call.directory import Directory, Package, Subscriber
from kobza.call.errors import NumberError
from kobza.call.forwarding import Occasion, TimeOfDay
from kobza.call.group import RingingGroup, group_key
from kobza.call.hours import Callers, WorkingHours
from kobza.call.numbers import normalize
from kobza.call.trunk import Trunk
from kobza.values import Leaf, Value

ANONYMOUS: Final = "anonymous"
"""Stands in the place of the number of a caller who hides it (RFC 3323, section 4.1.1.3)."""

SEVERAL: Final = "0000"
"""Stands in the place of a number where there is no phone, but a seat in a mix of several voices: nobody's number."""


class Party(Leaf, frozen=True):
    """One side of a call as the call's facts know it: a subscriber of an enterprise, or somebody outside."""

    number: str
    """E.164 or a short code; ANONYMOUS for somebody outside who hides it."""
    enterprise_id: str | None = None
    """None: outside."""
    owner: bool = False
    """Has the package "API FMC": gets call states, obeys commands."""
    convergent: bool = False
    """Has the package "Convergent": the call is in the basic call information."""
    record: bool = False
    """Has the package of call recording."""
    display_name: str = ""
    shown_as: str | None = None
    """What other enterprises may learn as its number, when that is not `number`: another one, or "anonymous"."""

    def is_same(self, other: "Party") -> bool:
        """Tell whether this is the same number of ours as another one."""
        return self.enterprise_id is not None and (self.number, self.enterprise_id) == (
            other.number,
            other.enterprise_id,
        )

    def seen_by(self, enterprise_id: str | None) -> str:
        """Return the number as an enterprise may know it: its own people by their numbers, others as they are shown."""
        return self.number if self.shown_as is None or self.enterprise_id == enterprise_id else self.shown_as


class ToSubscriber(Value, frozen=True):
    """The call goes to the devices of a number of our own."""

    subscriber: Subscriber
    party: Party


class ToGroup(Value, frozen=True):
    """The call is for a ringing group."""

    group: RingingGroup
    party: Party


class Diverted(Value, frozen=True):
    """The call does not come to the phones of a number or a group: it goes on to another number."""

    party: Party
    """Whose calls go on."""
    payer: Party
    """At whose expense."""
    number: str
    """Where to: E.164 or a short code."""
    occasion: Occasion | TimeOfDay
    private: bool = False
    """Whether the number whose calls go on is hidden from those whom it calls."""


class ToTrunk(Value, frozen=True):
    """The call goes out by the first of some trunks that can take it; `dial` is E.164, or a short code."""

    trunks: tuple[Trunk, ...]
    dial: str
    party: Party


class Refused(Value, frozen=True):
    """The call goes nowhere: the SIP status and the cause that the caller gets."""

    status: int
    cause: int
    text: str
    again_at: float | None = None
    """When it is worth calling again (s), if that is known."""


Route = ToSubscriber | ToGroup | Diverted | ToTrunk | Refused


class Identity(Leaf, frozen=True):
    """What the called side may learn about a calling number."""

    number: str
    display_name: str
    restricted: bool
    """True: the number is known to the network only (RFC 3323, 3325)."""

    @property
    def public_number(self) -> str:
        """The number as the called side may write it down."""
        return ANONYMOUS if self.restricted else self.number


def party_of(subscriber: Subscriber, shown: Identity | None = None) -> Party:
    """Return a subscriber as a side of a call; `shown` is what a calling one is seen as (None: as it is)."""
    packages = subscriber.packages
    return Party(
        number=subscriber.number,
        enterprise_id=subscriber.enterprise_id,
        owner=Package.API_FMC in packages,
        convergent=Package.CONVERGENT in packages,
        record=Package.CALL_RECORDING in packages,
        display_name=subscriber.name,
        shown_as=None if shown is None or shown.public_number == subscriber.number else shown.public_number,
    )


def party_of_group(group: RingingGroup, directory: Directory) -> Party:
    """Return a ringing group as the called side, until one of its people answers: nobody's phone, so no owner.

    Its calls are in the basic call information when those of one of its people are.
    """
    people = (directory.subscribers.get(member) for member in group.members)
    convergent = any(each is not None and Package.CONVERGENT in each.packages for each in people)
    return Party(group.number, group.enterprise_id, convergent=convergent, display_name=group.name)


def payer_of_group(group: RingingGroup) -> Party:
    """Return at whose expense a group's calls go on: its own number's, or, of a short code, its first member's."""
    number = group.number if group.number.startswith("+") else next(iter(group.members), group.number)
    return Party(number, group.enterprise_id)


def route(
    directory: Directory,
    dialled: str,
    *,
    caller: Party,
    now: float,
    origin: Party | None = None,
    gone_on: bool = False,
) -> Route:
    """Decide where a call goes.

    A number of our own goes to its devices, whoever calls. Before that three things are asked, in this order. Outside
    its working hours it goes to where it is sent then, or nowhere (480, cause 20). When its calls are always forwarded,
    it goes on to another number, DND or not: its phones stay silent either way. With DND on it goes nowhere (480, cause
    21). Any other number goes out by the trunks whose prefixes match, the longest first, but only for a caller of ours:
    from trunk to trunk nothing goes, or strangers would call the world at our expense.

    `caller` is whose call it is by now, `origin` who began it (None: the same), `gone_on` whether it has come here from
    another number: then the working hours of the enterprise have been asked already, and only the own ones count.
    """
    try:
        number = normalize(dialled)
    except NumberError as error:
        return Refused(484, INVALID_NUMBER, error.detail)
    subscriber = directory.subscribers.get(number)
    if subscriber is not None:
        party, private = party_of(subscriber), subscriber.restricted_at(now)
        hours = _closed(directory, subscriber, origin or caller, now, gone_on=gone_on)
        if hours is not None:
            return _outside_hours(hours, party, party, origin or caller, now, private=private)
        if subscriber.forwarding.always is not None:
            return Diverted(party, party, subscriber.forwarding.always, Occasion.ALWAYS, private)
        if subscriber.dnd_at(now):
            return Refused(480, CALL_REJECTED, "The number is not to be disturbed.")
        return ToSubscriber(subscriber, party)
    group = directory.groups.get(group_key(number, caller.enterprise_id))
    if group is not None:
        party = party_of_group(group, directory)
        hours = _closed(directory, group, origin or caller, now, gone_on=gone_on)
        if hours is not None:
            return _outside_hours(hours, party, payer_of_group(group), origin or caller, now)
        return ToGroup(group, party)
    trunks = directory.trunks_for(number) if caller.enterprise_id is not None else ()
    if not trunks:
        return Refused(404, UNALLOCATED, cause_text(UNALLOCATED))
    return ToTrunk(trunks, number, Party(number))


def is_closed(directory: Directory, subscriber: Subscriber, origin: Party, now: float) -> bool:
    """Tell whether a call of somebody comes to a number outside working hours of the number's own."""
    return _closed(directory, subscriber, origin, now, gone_on=True) is not None


def _closed(
    directory: Directory, called: Subscriber | RingingGroup, origin: Party, now: float, *, gone_on: bool
) -> WorkingHours | None:
    """Return the working hours outside which a call comes to somebody of ours; None: it may come."""
    if not directory.hours:
        return None
    hours = directory.hours_of(called.number, called.enterprise_id)
    if hours is not None and gone_on and hours.as_company and not hours.overridden_at(now):
        return None
    if hours is None and not gone_on:
        hours = directory.hours.get(called.enterprise_id)
    if hours is None or (hours.callers is Callers.OUTSIDE and origin.enterprise_id == called.enterprise_id):
        return None
    return None if hours.open_at(now) else hours


def _outside_hours(
    hours: WorkingHours, party: Party, payer: Party, origin: Party, now: float, *, private: bool = False
) -> Route:
    """Return where a call goes outside the working hours; never back to who makes it, nor to who is closed."""
    if hours.closed_to is not None and hours.closed_to not in (party.number, origin.number):
        return Diverted(party, payer, hours.closed_to, TimeOfDay.CLOSED, private)
    text = "It is outside the working hours of the number."
    return Refused(480, SUBSCRIBER_ABSENT, text, hours.state_at(now).until)


def identity_of(subscriber: Subscriber, now: float) -> Identity:
    """Return what those whom a subscriber calls may learn about it at a moment (in seconds).

    Its name goes with its own number only: another one is shown so that the person behind it is not.
    """
    other = subscriber.presentation_at(now)
    return Identity(
        number=other or subscriber.number,
        display_name=subscriber.name if other in (None, subscriber.number) else "",
        restricted=subscriber.restricted_at(now),
    )
