"""How far an INVITE usage is (RFC 3261 12 to 15)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class InviteState(StrEnum):
    """How far a usage is."""

    TRYING = "trying"
    """The INVITE was sent or received."""
    EARLY = "early"
    """A 101 to 199 was sent or received."""
    CANCELLING = "cancelling"
    """We take our INVITE back; its final response is awaited."""
    ACCEPTED = "accepted"
    """A 2xx was sent and its ACK is awaited; or received, and the owner owes the ACK with its answer."""
    CONFIRMED = "confirmed"
    CLOSING = "closing"
    """Our BYE is on its way, or waits for the ACK that must come before it."""
    ENDED = "ended"


UNANSWERED: Final = frozenset({InviteState.TRYING, InviteState.EARLY, InviteState.CANCELLING})
STANDING: Final = frozenset({InviteState.ACCEPTED, InviteState.CONFIRMED})
OVER: Final = frozenset({InviteState.CLOSING, InviteState.ENDED})
