"""The directory: an immutable snapshot of subscribers, trunks, endpoints and enterprises, as routing reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from kobza.call.forwarding import NO_FORWARDING, Forwarding
from kobza.call.group import RingingGroup, group_key
from kobza.call.hours import DEFAULT_ZONE, WorkingHours
from kobza.call.outside import OutsideLimits
from kobza.call.recording_notices import RecordingNotices

if TYPE_CHECKING:  # the command line has the packages from here, and shall not load all of what knows numbers
    from kobza.call.trunk import Trunk


MOST_CALLS = 99
"""Bound of the number of calls that a number may have at a time."""


class Package(StrEnum):
    """A service plan on a number."""

    CONVERGENT = "convergent"
    """The number's calls are in the basic call information (contract, section 2)."""
    API_FMC = "api_fmc"
    """The number is an owner: its calls have call states and obey commands (contract, sections 3 and 4)."""
    CALL_RECORDING = "call_recording"
    """The number's calls are recorded."""


@dataclass(frozen=True, slots=True)
class Enterprise:
    """The tenant."""

    enterprise_id: str
    name: str
    integrator_id: str
    zone: str = DEFAULT_ZONE
    """The time zone of its working hours, by its name in the tz database."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an enterprise wants its call states posted."""

    enterprise_id: str
    url: str
    token: str = field(repr=False)
    secret: str | None = field(repr=False, default=None)
    extended: bool = False
    """Whether the endpoint also wants the states `held`, `resumed` and `record_ready`."""
    active: bool = True
    """False after it answered 410 or took nothing for too long, until it is switched on or set again."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A number of an enterprise, with its digest credentials, packages and settings. Moments are Unix milliseconds."""

    number: str
    enterprise_id: str
    name: str = ""
    department: str = ""
    packages: frozenset[Package] = frozenset()
    ha1_md5: str = field(repr=False, default="")
    ha1_sha256: str = field(repr=False, default="")
    dnd: bool = False
    dnd_until: int | None = None
    """When DND switches itself off; None: when somebody does."""
    presentation_number: str | None = None
    """The number shown to those whom this number calls; None: its own."""
    clip_restricted: bool = False
    """Whether the number is hidden from those whom it calls (RFC 3323)."""
    clip_until: int | None = None
    """When the two settings above revert by themselves."""
    forwarding: Forwarding = NO_FORWARDING
    mobile: str | None = None
    """A number outside that rings beside the devices: the same person's other phone."""
    call_waiting: bool = True
    """Whether its phones ring for another call while it has one."""
    max_calls: int | None = None
    """How many calls it may have at a time, made and taken together; None: any number."""

    def takes_call(self, calls: int) -> bool:
        """Tell whether its phones may ring for a call while it has so many."""
        return self.makes_call(calls) and (self.call_waiting or calls == 0)

    def makes_call(self, calls: int) -> bool:
        """Tell whether it may call while it has so many calls."""
        return self.max_calls is None or calls < self.max_calls

    def dnd_at(self, now: float) -> bool:
        """Tell whether the number is not to be disturbed at a moment (in seconds)."""
        return self.dnd and _in_force(self.dnd_until, now)

    def restricted_at(self, now: float) -> bool:
        """Tell whether the number is hidden from those whom it calls at a moment (in seconds)."""
        return self.clip_restricted and _in_force(self.clip_until, now)

    def presentation_at(self, now: float) -> str | None:
        """Return the number to present instead of the own one at a moment (in seconds), or None."""
        return self.presentation_number if _in_force(self.clip_until, now) else None


def _in_force(until_ms: int | None, now: float) -> bool:
    return until_ms is None or now * 1000 < until_ms


@dataclass(frozen=True, slots=True)
class Directory:
    """All that routing needs to know, at one moment; a change makes a new snapshot with a higher version."""

    subscribers: Mapping[str, Subscriber] = field(default_factory=dict)
    """By E.164 number."""
    trunks: "tuple[Trunk, ...]" = ()
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    """By enterprise id."""
    enterprises: Mapping[str, Enterprise] = field(default_factory=dict)
    """By enterprise id."""
    groups: Mapping[str, RingingGroup] = field(default_factory=dict)
    """By `group_key`."""
    hours: Mapping[str, WorkingHours] = field(default_factory=dict)
    """Working hours: of enterprises by their ids, of numbers and groups that have their own by `group_key`."""
    outside: Mapping[tuple[str, str], OutsideLimits] = field(default_factory=dict)
    """What may be spent outside, by enterprise id and number; "" is all numbers of the enterprise together."""
    music: Mapping[str, str] = field(default_factory=dict)
    """By enterprise id: which music its phones hold others with, by its hash; those without their own are left out."""
    ringback: Mapping[str, str] = field(default_factory=dict)
    """By enterprise id: the country of its ringback, where one was set."""
    recording_notices: Mapping[str, RecordingNotices] = field(default_factory=dict)
    """By enterprise id: what those are told whom it records; those that tell nobody are left out."""
    version: int = 0

    def hours_of(self, number: str, enterprise_id: str) -> WorkingHours | None:
        """Return the working hours that a number or a group has of its own, None: none."""
        return self.hours.get(group_key(number, enterprise_id))

    def trunks_for(self, number: str) -> "tuple[Trunk, ...]":
        """Return the trunks that take a number, in the order in which they are to be tried.

        The longest matching prefix comes first, then the smallest priority, then the one that was added first.
        """
        found = [(-matched, trunk.priority, trunk) for trunk in self.trunks if (matched := trunk.match(number)) >= 0]
        if len(found) > 1:
            found.sort(key=lambda each: each[:2])
        return tuple(trunk for _, _, trunk in found)
