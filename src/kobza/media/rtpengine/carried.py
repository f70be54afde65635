"""A call on one rtpengine: what it shall be there, what it is, and the steps from one to the other.

What is wanted follows from the descriptions of both phones (`CallMedia`) and is compared with what was told last, so
that it does not matter in which order things changed, nor how often while a command was under way.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from kobza.media.media_profile import SourceName
from kobza.media.negotiation import CallMedia
from kobza.media.plane import Done, Side
from kobza.media.rtpengine import words
from kobza.media.rtpengine.instance import Instance
from kobza.media.rtpengine.ng import NgError, NoReply, Refused
from kobza.media.rtpengine.tunes import tune

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call shall be at rtpengine; with its defaults what it is after `Carried.place`."""

    descriptions: tuple[bytes, bytes]
    """Of the caller and of the callee."""
    hears: tuple[SourceName, SourceName] = ("relay", "relay")
    muted: tuple[bool, bool] = (False, False)
    inject: bool = False
    """Digits may be sent into its streams."""
    copied: bool = False
    """Both streams go to the recorder too."""


@dataclass
class Watch:
    """What was seen of a side's packets."""

    arrived: int = 0
    alive_at: float = 0.0
    watched_since: float | None = None


class Copying(Protocol):
    """Who records calls."""

    def wanted(self, call_id: str) -> bool:
        """Whether a call is to be copied."""
        ...

    async def copy(self, call: "Carried") -> None:
        """Have its streams copied to the recorder; raise NgError."""
        ...

    async def end_copy(self, call: "Carried") -> None:
        """Have them copied no longer; raise NgError."""
        ...


@dataclass(eq=False)
class Carried:
    """One call. `media` is what its phones and we said to each other."""

    call_id: str
    media: CallMedia
    instance: Instance
    key: str
    """Its id there."""
    copies: Copying
    settled: Wanted | None = None
    """What it is there; None: it is not there yet."""
    ended: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has ended."""
    work: "asyncio.Task[None] | None" = None
    """What brings it to what is wanted, while something is to be done."""
    waiting: list[tuple[Callable[[], None], Done]] = field(default_factory=list)
    """What goes on once it is there, and who is to be told when it never is."""
    injects: bool = False
    """Digits were sent in it."""
    dialling: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while digits are sent: others wait behind them."""
    tag: str = ""
    """Of the recorder's subscription."""
    sides: dict[Side, Watch] = field(default_factory=lambda: {side: Watch() for side in Side})
    armed_at: float | None = None
    timed_out: bool = False

    @property
    def wanted(self) -> Wanted:
        """What it shall be."""
        caller, callee = self.media.caller, self.media.callee
        return Wanted(
            descriptions=(words.describe(caller, callee), words.describe(callee, caller)),
            hears=(self.media.flow(Side.CALLER).profile.source, self.media.flow(Side.CALLEE).profile.source),
            muted=(caller.muted, callee.muted),
            inject=self.injects,
            copied=self.copies.wanted(self.call_id),
        )

    def hears(self, side: Side) -> SourceName:
        """Return what a side hears by now."""
        return "none" if self.settled is None else self.settled.hears[_INDEX[side]]

    async def place(self) -> None:
        """Bring it into being there, with ports toward both phones; raise NgError."""
        wanted = self.wanted
        await self._describe(wanted)
        self.settled = Wanted(wanted.descriptions, inject=wanted.inject)

    async def settle(self) -> None:
        """Make it what is wanted; raise NgError."""
        while not self.ended and self.settled is not None and (wanted := self.wanted) != self.settled:
            was = self.settled
            if (wanted.descriptions, wanted.inject) != (was.descriptions, was.inject):
                await self._describe(wanted)
            for side in Side:
                await self._let_hear(side, wanted, was)
            if wanted.copied != was.copied:
                await (self.copies.copy(self) if wanted.copied else self.copies.end_copy(self))
            self.settled = wanted

    async def _describe(self, wanted: Wanted) -> None:
        """Tell of both phones, and learn where their packets are taken."""
        caller, callee = wanted.descriptions
        toward_callee = words.place_in(await self.instance.ask(words.offer(self.key, caller, inject=wanted.inject)))
        answered = await self.instance.ask(words.answer(self.key, callee, inject=wanted.inject))
        toward_caller = words.place_in(answered)
        if self.settled is None:
            self.media.caller.place(*toward_caller)
            self.media.caller.protection.settle_key(words.key_in(answered))
            self.media.callee.place(*toward_callee)

    async def _let_hear(self, side: Side, wanted: Wanted, was: Wanted) -> None:
        """Let a side hear what it shall hear."""
        index, other = _INDEX[side], _INDEX[side.other]
        new, old = wanted.hears[index], was.hears[index]
        if new != old:
            if old in ("music", "ringback"):
                await self.tell(words.about("stop media", self.key, side))
            if (new == "relay") != (old == "relay"):
                verb = "unblock media" if new == "relay" else "block media"
                await self.tell(words.about(verb, self.key, side.other))
            if new == "music" or new == "ringback":
                # Made once, which takes longer than the loop should be kept for.
                blob = await asyncio.to_thread(tune, new, self.media.side(side).sounds)
                await self.tell(words.play(self.key, side, blob))
        if wanted.muted[other] != was.muted[other]:
            verb = "silence media" if wanted.muted[other] else "unsilence media"
            await self.tell(words.about(verb, self.key, side.other))

    async def tell(self, command: words.Command) -> None:
        """Have something done without which the call can go on when it is refused; raise NgError."""
        try:
            await self.instance.ask(command)
        except Refused as error:
            if error.unknown_call:
                raise
            what = (self.instance.name, command["command"], error.reason)
            log.warning("rtpengine at %s refuses %r: %s", *what, extra={"call_id": self.call_id})

    def watch(self, reply: Mapping[Side, words.SideNow], now: float, timeout: float) -> Side | None:
        """Take what has come of each side; return one that should send and is silent for `timeout` s, once a call.

        As in the relay, the watch begins with the first packet from either side.
        """
        for side, seen in self.sides.items():
            if reply[side].arrived != seen.arrived:
                seen.arrived, seen.alive_at = reply[side].arrived, now
            if not self.media.side(side).watched:
                seen.watched_since = None
            elif seen.watched_since is None:
                seen.watched_since = now
        if self.timed_out or not any(seen.arrived for seen in self.sides.values()):
            return None
        if self.armed_at is None:
            self.armed_at = now
        for side, seen in self.sides.items():
            if seen.watched_since is None:
                continue
            if now - max(seen.alive_at, self.armed_at, seen.watched_since) >= timeout:
                self.timed_out = True
                return side
        return None


def is_gone(error: NgError) -> bool:
    """Tell whether an error means that the call is no longer there."""
    return isinstance(error, NoReply) or (isinstance(error, Refused) and error.unknown_call)


_INDEX: Final = {side: index for index, side in enumerate(Side)}
