"""What the relay tells those who talk of their recordings: an announcement at the beginning, a beep now and then.

The recordings hear it too, apart from the voices: so they show what each side was told, and lose nothing of what it
said meanwhile.
"""

import logging
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from functools import partial
from typing import Final

from kobza.media import sound_files, tones
from kobza.media.overlay import Sound
from kobza.media.plane import RecordingNotice, Side
from kobza.media.recorder import Spool
from kobza.media.relay_call import RelayCall
from kobza.media.relay_side import RelaySide
from kobza.rtp.g711 import Law

log = logging.getLogger(__name__)

BEGIN_AFTER: Final = 0.5
"""Seconds from the answer to the announcement: a receiver has to reach an ear."""
TALK: Final = frozenset({"relay", "mix"})
"""What a phone hears in which beeps are due: whoever waits with music talks to nobody."""


class Notices:
    """All that is told now or later. `tick()` is called when packets are to be sent; `speed` is that of the clock."""

    def __init__(self, loop: AbstractEventLoop, tick: Callable[[], None], speed: float = 1.0) -> None:
        self._loop = loop
        self._tick = tick
        self._speed = speed
        self._timers: dict[tuple[str, str], dict[str, TimerHandle]] = {}
        """By call and recording: the announcement, and the next beep."""
        self._sounding: dict[RelaySide, None] = {}
        self._sounds = 0

    def __bool__(self) -> bool:
        """Whether anything sounds, and so something is to be done every 20 ms."""
        return bool(self._sounding)

    def began(self, call: RelayCall, spool: Spool, notice: RecordingNotice) -> None:
        """Tell of a recording that begins."""
        if notice.sides:
            self._announce_soon(call, spool, notice.sides, notice.sound)
        if notice.beep_every:
            self._beep_later(call, spool, notice.beep_every)

    def newcomer(self, call: RelayCall, spool: Spool, side: Side, sound: str) -> None:
        """Tell somebody of a recording who has come into its call."""
        spool.to_tell(side)
        self._announce_soon(call, spool, (side,), sound)

    def ended(self, call_id: str, record_id: str) -> None:
        """Tell no more of a recording; what sounds now sounds to its end."""
        for timer in self._timers.pop((call_id, record_id), {}).values():
            timer.cancel()

    def released(self, call: RelayCall) -> None:
        """Forget a call."""
        if self._timers:
            for key in [key for key in self._timers if key[0] == call.call_id]:
                self.ended(*key)
        if self._sounding:
            for side in call.open_sides():
                self._sounding.pop(side, None)

    def turn(self) -> None:
        """Let 20 ms of what sounds be heard where nothing passes that carries it."""
        for side in list(self._sounding):
            if not side.outgoing.send_overlay():
                del self._sounding[side]

    # what is told

    def _announce_soon(self, call: RelayCall, spool: Spool, sides: tuple[Side, ...], sound: str) -> None:
        self._set(call, spool, "announcement", BEGIN_AFTER, partial(self._announce, call, spool, sides, sound))

    def _announce(self, call: RelayCall, spool: Spool, sides: tuple[Side, ...], sound: str) -> None:
        octets = b"".join(sound_files.payloads(sound, Law.A))  # why there is none is in the log
        for side in sides if octets else ():
            self._lay(call, side, octets, partial(self._announced, spool, side), lowers=True)

    @staticmethod
    def _announced(spool: Spool, side: Side, heard: bool) -> None:
        if heard:
            spool.told(side)
        else:
            about = {"call_id": spool.call_id, "record_id": spool.record_id}
            log.warning(
                "the %s is not told of the recording: its phone takes neither G.711 nor G.722",
                side,
                extra=about,
            )

    def _beep_later(self, call: RelayCall, spool: Spool, every: float) -> None:
        self._set(call, spool, "beep", every, partial(self._beep, call, spool, every))

    def _set(self, call: RelayCall, spool: Spool, what: str, seconds: float, then: Callable[[], None]) -> None:
        timers = self._timers.setdefault((call.call_id, spool.record_id), {})
        before = timers.get(what)
        if before is not None:
            before.cancel()
        timers[what] = self._loop.call_later(seconds / self._speed, then)

    def _beep(self, call: RelayCall, spool: Spool, every: float) -> None:
        self._beep_later(call, spool, every)
        if spool not in call.recording:  # it is paused
            return
        for side, relay_side in call.sides.items():
            if relay_side.profile.source in TALK and relay_side not in self._sounding:
                self._lay(call, side, tones.beep(), _nothing)

    def _lay(
        self, call: RelayCall, side: Side, octets: bytes, ended: Callable[[bool], None], *, lowers: bool = False
    ) -> None:
        relay_side = call.sides.get(side)
        if relay_side is None or relay_side.profile.taped or relay_side.profile.seated:
            return  # there is no phone here that could hear it
        self._sounds += 1
        relay_side.lay(Sound(octets, partial(_heard, call, side, self._sounds), ended, lowers))
        self._sounding[relay_side] = None
        self._tick()


def _heard(call: RelayCall, side: Side, number: int, place: int, octets: bytes) -> None:
    """Let the recordings that run hear what a side hears."""
    for spool in call.recording:
        spool.laid(side, number, place, octets)


def _nothing(_heard: bool) -> None:
    """Take the end of a beep: the next one comes in any case."""
