"""Where a call goes: a pure function of the directory, the dialled text, the caller and the moment."""

from dataclasses import dataclass

from msgspec import Struct

from kobza.call.causes import CALL_REJECTED, INVALID_NUMBER, UNALLOCATED, cause_text
from kobza.call.directory import Directory, Package, Subscriber, Trunk
from kobza.call.errors import NumberError
from kobza.call.numbers import normalize


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a call as the call's facts know it: a subscriber of an enterprise, or somebody outside."""

    number: str
    """E.164 or a short code; for somebody outside who hides it, whatever stands for that ("" or "anonymous")."""
    enterprise_id: str | None = None
    """None: outside."""
    owner: bool = False
    """Has the package "API FMC": gets call states, obeys commands."""
    convergent: bool = False
    """Has the package "Convergent": the call is in the basic call information."""
    record: bool = False
    """Has the package of call recording."""
    display_name: str = ""


class ToSubscriber(Struct, frozen=True):
    """The call goes to the devices of a number of our own."""

    subscriber: Subscriber
    party: Party


class ToTrunk(Struct, frozen=True):
    """The call goes out; `dial` is the user part of the Request-URI: E.164 with its plus sign, or a short code."""

    trunk: Trunk
    dial: str
    party: Party


class Refused(Struct, frozen=True):
    """The call goes nowhere: the SIP status and the cause that the caller gets."""

    status: int
    cause: int
    text: str


Route = ToSubscriber | ToTrunk | Refused


@dataclass(frozen=True, slots=True)
class Identity:
    """What the called side may learn about a calling number."""

    number: str
    display_name: str
    restricted: bool
    """True: the number is known to the network only (RFC 3323, 3325)."""


def party_of(subscriber: Subscriber) -> Party:
    """Return a subscriber as a side of a call."""
    packages = subscriber.packages
    return Party(
        number=subscriber.number,
        enterprise_id=subscriber.enterprise_id,
        owner=Package.API_FMC in packages,
        convergent=Package.CONVERGENT in packages,
        record=Package.CALL_RECORDING in packages,
        display_name=subscriber.name,
    )


def route(directory: Directory, dialled: str, *, caller: Party, now: float) -> Route:
    """Decide where a call goes.

    A number of our own goes to its devices, whoever calls (with DND on, nowhere: 480, cause 21). Any other number goes
    out by the trunk with the longest matching prefix, but only for a caller of ours: from trunk to trunk nothing goes,
    or strangers would call the world at our expense.
    """
    try:
        number = normalize(dialled)
    except NumberError as error:
        return Refused(484, INVALID_NUMBER, error.detail)
    subscriber = directory.subscribers.get(number)
    if subscriber is not None:
        if subscriber.dnd_at(now):
            return Refused(480, CALL_REJECTED, "The number is not to be disturbed.")
        return ToSubscriber(subscriber, party_of(subscriber))
    trunk = directory.trunk_for(number) if caller.enterprise_id is not None else None
    if trunk is None:
        return Refused(404, UNALLOCATED, cause_text(UNALLOCATED))
    return ToTrunk(trunk, number, Party(number))


def identity_of(subscriber: Subscriber, now: float) -> Identity:
    """Return what those whom a subscriber calls may learn about it at a moment (in seconds)."""
    return Identity(
        number=subscriber.presentation_at(now) or subscriber.number,
        display_name=subscriber.name,
        restricted=subscriber.restricted_at(now),
    )
