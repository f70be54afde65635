"""What all calls of a relay share."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from dataclasses import dataclass, field

from kobza.media.browsers import Browsers
from kobza.media.one_way import OneWay
from kobza.media.packet_loop import PacketLoop
from kobza.media.plane import Side
from kobza.media.reception import Totals
from kobza.media.recorder import SpoolWriter


def _unwanted(_call_id: str, _side: Side, _digit: str) -> None:
    """Take a digit that nobody asked for."""


@dataclass(frozen=True, slots=True)
class RelayContext:
    """One for each relay: so what a call keeps is its own state."""

    loop: AbstractEventLoop
    packets: PacketLoop
    writer: SpoolWriter
    totals: Totals = field(default_factory=Totals)
    """Where it is added up what is moved."""
    browsers: Browsers | None = None
    """None: calls are carried as they come, nothing can be protected."""
    one_way: OneWay = field(default_factory=OneWay)
    keyed: Callable[[str, Side, str], None] = _unwanted
    """Takes the digits of a side of a call that are told instead of passed."""
