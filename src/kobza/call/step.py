"""Whom a call rings next: what the way of a call to its answer is told by whoever knows the numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kobza.call.actions import Target
from kobza.call.leg import NOBODY_THERE, Rejection
from kobza.call.routing import Party, Refused


@dataclass(frozen=True, slots=True)
class Destination:
    """Who is called, and where that is reached now."""

    party: Party
    targets: Sequence[Target]


@dataclass(frozen=True, slots=True)
class Step:
    """What rings at a time."""

    targets: Sequence[Target]
    """The devices of the called side, or the way to it by trunks; none: nobody is there, unless it has members."""
    hops: Sequence[Party] = ()
    """Who is the called side now, one after the other, when the call went on from the one before."""
    seconds: float | None = None
    """How long they ring; None: as long as everybody's."""
    members: Sequence[Destination] = ()
    """Of a ringing group: each rings as a leg of its own, and the one that answers becomes the called side."""
    empty: Rejection = NOBODY_THERE
    """Why nobody rings, if nobody does."""


Onward = Callable[[Rejection, float], Step | Refused | None]
"""Says (at a moment) who is called when those of the last step have failed; None: nobody, the call fails."""

FindTargets = Callable[[float], Step | Refused]
"""Says (at a moment) where the called side is reached, or why it is not."""
