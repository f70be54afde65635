"""The phases of a call and which may follow which, as data; `docs/calls.md` shows them as a diagram."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Phase(StrEnum):
    """How far a call has come. The first three are of click2dial calls only."""

    ORIGINATOR_PREPARING = "originator preparing"
    """The media plane writes the offer to the originator."""
    ORIGINATOR_RINGING = "originator ringing"
    """The originator's devices ring."""
    ORIGINATOR_CONNECTING = "originator connecting"
    """One of them answered; the media plane reads its answer."""
    PREPARING = "preparing"
    """The media plane writes the offer to the called side."""
    RINGING = "ringing"
    """The called side's devices are dialled."""
    CONNECTING = "connecting"
    """One of them answered; the media plane writes the answer to the caller."""
    TALKING = "talking"
    TRANSFERRING = "transferring"
    """One side has left, the other one hears ringback while another number is called in its place."""
    ENDED = "ended"


TRANSITIONS: Final[Mapping[Phase, frozenset[Phase]]] = MappingProxyType(
    {
        Phase.ORIGINATOR_PREPARING: frozenset({Phase.ORIGINATOR_RINGING, Phase.ENDED}),
        Phase.ORIGINATOR_RINGING: frozenset({Phase.ORIGINATOR_CONNECTING, Phase.ENDED}),
        Phase.ORIGINATOR_CONNECTING: frozenset({Phase.PREPARING, Phase.ENDED}),
        Phase.PREPARING: frozenset({Phase.RINGING, Phase.ENDED}),
        Phase.RINGING: frozenset({Phase.CONNECTING, Phase.ENDED}),
        Phase.CONNECTING: frozenset({Phase.TALKING, Phase.ENDED}),
        Phase.TALKING: frozenset({Phase.TRANSFERRING, Phase.ENDED}),
        Phase.TRANSFERRING: frozenset({Phase.TALKING, Phase.ENDED}),
        Phase.ENDED: frozenset(),
    }
)
