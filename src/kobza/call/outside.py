"""What a number may spend outside: how many calls and minutes, and where to. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final, Literal, NamedTuple

Limit = Literal["calls_minute", "calls_hour", "calls_day", "at_once", "minutes_day", "destination"]
"""What keeps a call from going out."""
LIMITS: Final[tuple[Limit, ...]] = (
    *("calls_minute", "calls_hour", "calls_day", "at_once", "minutes_day", "destination"),
)
COUNTED: Final = ("calls_minute", "calls_hour", "calls_day", "at_once", "minutes_day")
"""Fields of `OutsideLimits` that are numbers."""
WORDS: Final[dict[Limit, str]] = {
    "calls_minute": "calls outside in a minute",
    "calls_hour": "calls outside in an hour",
    "calls_day": "calls outside in a day",
    "at_once": "calls outside at once",
    "minutes_day": "minutes outside in a day",
    "destination": "this destination is not allowed",
}

MOST: Final = 1_000_000
"""The greatest number that a limit may be."""
MAX_PREFIXES: Final = 200
_PREFIX: Final = re.compile(r"\+?[0-9]{0,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class OutsideLimits:
    """What was said for a number, for an enterprise as a whole, or by the settings. None: nothing; 0: no limit.

    A short code (112) is never limited.
    """

    calls_minute: int | None = None
    calls_hour: int | None = None
    calls_day: int | None = None
    """Calls that are begun; a day is one of Kyiv."""
    at_once: int | None = None
    minutes_day: int | None = None
    """Of talk; the call that passes it goes on to its end."""
    denied: tuple[str, ...] = ()
    """Prefixes (`prefix_of`) of numbers that are not called."""
    allowed: tuple[str, ...] = ()
    """Those that are, where a longer one is denied or a shorter one allowed the longest decides."""

    def over(self, other: "OutsideLimits") -> "OutsideLimits":
        """Return what holds where this was said above something else: its numbers, and the prefixes of both."""
        merged = {name: getattr(other, name) if (own := getattr(self, name)) is None else own for name in COUNTED}
        denied = tuple(each for each in other.denied if each not in self.allowed)
        allowed = tuple(each for each in other.allowed if each not in self.denied)
        return OutsideLimits(**merged, denied=(*self.denied, *denied), allowed=(*self.allowed, *allowed))

    def allows(self, number: str) -> bool:
        """Tell whether a number (E.164) may be called: the longest prefix decides, without one it may."""
        return _longest(self.allowed, number) >= _longest(self.denied, number)

    @property
    def says_nothing(self) -> bool:
        """Whether it is as if it was not there."""
        return all(getattr(self, field.name) in (None, ()) for field in fields(self))


class Spent(NamedTuple):
    """What a number, or all of an enterprise together, have spent in the minute, hour and day that it is."""

    calls_minute: int = 0
    calls_hour: int = 0
    calls_day: int = 0
    at_once: int = 0
    minutes_day: int = 0
    """Begun ones."""


class Allowance(NamedTuple):
    """What may be spent, and what is."""

    limits: OutsideLimits
    """In force: what was said, above what else holds."""
    usual: OutsideLimits
    """What would be if nothing was said."""
    spent: Spent


def too_wide(limits: OutsideLimits, before: OutsideLimits, usual: OutsideLimits) -> str | None:
    """Return the field by which somebody who may only make limits narrower opens more than holds; None: no such.

    A count may be as much as what was said `before`, or as what holds without (`usual`), whichever is more. Prefixes
    may be denied or no longer; none may be allowed that were not before.
    """
    for name in COUNTED:
        value, said, without = (getattr(each, name) for each in (limits, before, usual))
        unlimited = said == 0 or not without
        if value is not None and not unlimited and not 0 < value <= max(said or 0, without):
            return name
    return None if set(limits.allowed) <= set(before.allowed) else "allowed"


def prefix_of(text: str) -> str:
    """Return a prefix in its one form: `+380900` for 0900, `+` for all. Raises ValueError that says what is right."""
    digits = re.sub(r"[\s()-]", "", text)
    if not digits or _PREFIX.fullmatch(digits) is None:
        raise ValueError(f"{text!r} is no prefix of numbers such as +380, 0900 or + for all")
    if digits.startswith("+"):
        return digits
    if digits.startswith("00"):
        return "+" + digits[2:]
    return "+38" + digits if digits.startswith("0") else "+" + digits


def _longest(prefixes: Iterable[str], number: str) -> int:
    return max((len(each) for each in prefixes if number.startswith(each)), default=0)
