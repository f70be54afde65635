"""The directory: an immutable snapshot of subscribers, trunks, endpoints and enterprises, as routing reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


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
class Trunk:
    """A line to the outside: an address from which calls come in without digest and to which others' numbers go."""

    trunk_id: str
    name: str
    host: str
    port: int
    prefix: str | None = None
    """First digits of the numbers that go out here, in any spelling (`044`, `38044`, `+38044`); None: all of them."""
    transport: Literal["UDP", "TCP"] = "UDP"
    trusted: bool = True
    """Whether the other end belongs to the trust domain of RFC 3325: it is told in P-Asserted-Identity who calls."""

    def match(self, number: str) -> int:
        """Return how many characters of a normalized number the prefix covers, or -1 when it does not match."""
        if not self.prefix:
            return 0
        for prefix in _spellings(self.prefix):
            if number.startswith(prefix):
                return len(prefix)
        return -1


def _spellings(prefix: str) -> tuple[str, ...]:
    """Return what a normalized number may start with when its dialled form starts with the prefix."""
    if prefix.startswith("+"):
        return (prefix,)
    if prefix.startswith("00"):
        return ("+" + prefix[2:],)
    if prefix.startswith("0"):
        return ("+380" + prefix[1:],)
    return ("+" + prefix, prefix)  # an international number without its plus sign, or a short code


@dataclass(frozen=True, slots=True)
class Directory:
    """All that routing needs to know, at one moment; a change makes a new snapshot with a higher version."""

    subscribers: Mapping[str, Subscriber] = field(default_factory=dict)
    """By E.164 number."""
    trunks: tuple[Trunk, ...] = ()
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    """By enterprise id."""
    enterprises: Mapping[str, Enterprise] = field(default_factory=dict)
    """By enterprise id."""
    version: int = 0

    def trunk_for(self, number: str) -> Trunk | None:
        """Return the trunk with the longest prefix that the number has; among equals the first one added."""
        best: Trunk | None = None
        longest = -1
        for trunk in self.trunks:
            matched = trunk.match(number)
            if matched > longest:
                best, longest = trunk, matched
        return best
