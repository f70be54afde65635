"""Ringing groups: a number or short code of an enterprise that rings several of its people."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_MEMBERS: Final = 32
"""Of one group: each may ring on several devices, and all of them at once."""
MIN_SECONDS: Final = 5
MAX_SECONDS: Final = 120
"""Bounds of the time for which a member rings: one ring, and longer than any caller waits."""
DEFAULT_SECONDS: Final = 20


class Strategy(StrEnum):
    """Who of a group rings when."""

    ALL = "all"
    """All at once."""
    IN_TURN = "in_turn"
    """One after the other, as they are listed."""
    LONGEST_IDLE = "longest_idle"
    """One after the other, who has had no call for the longest time first."""


@dataclass(frozen=True, slots=True)
class RingingGroup:
    """A group. Numbers are E.164 or short codes."""

    number: str
    """Called by its people; if it is E.164, by everybody."""
    enterprise_id: str
    name: str = ""
    strategy: Strategy = Strategy.ALL
    members: tuple[str, ...] = ()
    """Numbers of the enterprise, in their order."""
    seconds: int = DEFAULT_SECONDS
    """How long each member rings; all at once: how long all do."""
    then: str | None = None
    """Where calls go that nobody answers; None: nowhere."""


def group_key(number: str, enterprise_id: str | None) -> str:
    """Return under which key of the directory a group is: short codes are those of their enterprise only."""
    return number if number.startswith("+") else f"{enterprise_id}/{number}"
