"""A call in the relay: its sides together, the watch over their life, its recording."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, Protocol

from kobza.media import sound_files, tones
from kobza.media.media_profile import MediaProfile
from kobza.media.messages import CallQuality, SideFlow
from kobza.media.plane import RecordingNotice, Side
from kobza.media.port_pair import PortPair
from kobza.media.recorder import Spool, Spools, Tap
from kobza.media.relay_context import RelayContext
from kobza.media.relay_side import NOTHING_CAME, RelaySide
from kobza.media.ringback import USUAL
from kobza.media.rtp_port import Ear
from kobza.rtp.g711 import Law

_CALLER, _CALLEE = Side
"""By names of their own, see `kobza.sip.flow.UDP`."""
NONE: Final[frozenset[str]] = frozenset()
"""One for all calls: each empty set is an object of its own."""
TONES: Final = frozenset({"ringback", "music"})


def tone_of(profile: MediaProfile, law: Law) -> tuple[bytes, ...]:
    """Return the packets of the tone that a side hears. Music whose file cannot be read is our own."""
    if profile.source == "ringback":
        return tones.ringback(law, profile.sound or USUAL)
    return (sound_files.payloads(profile.sound, law) if profile.sound else ()) or tones.music(law)


class CallEar(Ear, Tap, Protocol):
    """Hears for a mix all that the two sides of a call say."""


class RelayCall:
    """One call. `open` before anything else."""

    __slots__ = (
        "_armed_at",
        "_callee",
        "_caller",
        "_context",
        "_ear",
        "_paused",
        "_recordings",
        "_timed_out",
        "call_id",
    )

    def __init__(self, context: RelayContext, call_id: str) -> None:
        self._context = context
        self.call_id = call_id
        self._caller: RelaySide | None = None
        self._callee: RelaySide | None = None
        self._recordings: dict[str, Spool] | None = None
        """By record id: those that are open. None: there never was any."""
        self._paused = NONE
        """Those of them that are paused."""
        self._ear: CallEar | None = None
        self._armed_at: float | None = None
        self._timed_out = False

    @property
    def sides(self) -> Mapping[Side, RelaySide]:
        """Those that are open."""
        sides = {}
        if self._caller is not None:
            sides[_CALLER] = self._caller
        if self._callee is not None:
            sides[_CALLEE] = self._callee
        return sides

    def open_sides(self) -> list[RelaySide]:
        """Return those that are open, where nobody asks which they are."""
        return [side for side in (self._caller, self._callee) if side is not None]

    def open(self, side: Side, pair: PortPair) -> None:
        """Give a side its ports."""
        opened = RelaySide(self._context, self.call_id, side, pair)
        if side is _CALLER:
            replaced, self._caller, other = self._caller, opened, self._callee
        else:
            replaced, self._callee, other = self._callee, opened, self._caller
        if replaced is not None:
            replaced.close()
        opened.record(self._tap())
        opened.overhear(self._ear)
        if other is not None:
            opened.meet(other)

    def configure(self, caller: SideFlow, callee: SideFlow) -> None:
        """Take what happens to each side."""
        if self._caller is not None:
            self._caller.configure(caller)
        if self._callee is not None:
            self._callee.configure(callee)

    def record(
        self,
        path: Path,
        record_id: str,
        owner: str = "",
        at: float | None = None,
        notice: RecordingNotice | None = None,
    ) -> Spool:
        """Begin and return a recording, beside those that run. One of the same id is closed first.

        `at`, here and below, is the moment of the monotonic clock at which the PBX wanted it, None: now. So a recording
        is as long as the talk, however late the relay hears of its ends.
        """
        self.stop_recording(record_id, at)
        spool = self._context.writer.open(path, self.call_id, record_id, owner, at, notice)
        if self._recordings is None:
            self._recordings = {}
        self._recordings[record_id] = spool
        self._choose_tap()
        return spool

    def pause(self, record_id: str, *, on: bool, at: float | None = None) -> None:
        """Let a recording run on in silence, or record again."""
        spool = self.recording_of(record_id)
        if spool is not None and (record_id in self._paused) is not on:
            spool.pause(on=on, at=at)
            self._paused = self._paused | {record_id} if on else self._paused - {record_id}
            self._choose_tap()

    def stop_recording(self, record_id: str, at: float | None = None) -> None:
        """End a recording, if it is there."""
        spool = None if self._recordings is None else self._recordings.pop(record_id, None)
        if spool is not None:
            self._paused = self._paused - {record_id} or NONE
            self._choose_tap()
            self._context.writer.close(spool, at)

    @property
    def recording(self) -> Collection[Spool]:
        """The recordings that run and are not paused."""
        recordings = self._recordings
        return [recordings[each] for each in recordings if each not in self._paused] if recordings else ()

    def recording_of(self, record_id: str) -> Spool | None:
        """Return a recording that is open, paused or not."""
        return None if self._recordings is None else self._recordings.get(record_id)

    def listen(self, ear: "CallEar | None") -> None:
        """Let a mix hear both sides, or (None) no longer."""
        self._ear = ear
        for side in self.open_sides():
            side.overhear(ear)
        self._choose_tap()

    def _tap(self) -> Tap | None:
        """Return what takes the packets of both sides: nothing, the one recording, or all that run and a mix."""
        taps: tuple[Tap, ...] = (*self.recording, *(() if self._ear is None else (self._ear,)))
        return Spools(taps) if len(taps) > 1 else next(iter(taps), None)

    def _choose_tap(self) -> None:
        tap = self._tap()
        for side in self.open_sides():
            side.record(tap)

    def sweep(self, now: float, timeout: float) -> Side | None:
        """Return a side that should send and has been silent for `timeout` seconds; once a call.

        The watch begins with the first packet from either side: a call whose phones never send is not ended, as some
        calls are meant to be silent (a test, a fax yet to come), and dead networks mostly die later.
        """
        sides = self.sides
        came = [side.sweep(now) for side in sides.values()]
        if self._timed_out or not any(came):
            return None
        if self._armed_at is None:
            self._armed_at = now
        for side, relay_side in sides.items():
            if not relay_side.profile.watched:
                continue
            watched_since = now if relay_side.watched_since is None else relay_side.watched_since
            if now - max(relay_side.alive_at, self._armed_at, watched_since) >= timeout:
                self._timed_out = True
                return side
        return None

    def not_heard(self, now: float) -> list[tuple[Side, float]]:
        """Return what is to be told of sides that are not heard, see `OneWay.look`. After `sweep`."""
        return [] if self._armed_at is None else self._context.one_way.look(self.sides, self._armed_at, now)

    def playing(self) -> list[RelaySide]:
        """Return the sides that hear a tone."""
        return [side for side in self.open_sides() if side.profile.source in TONES]

    def release(self, at: float | None = None) -> CallQuality:
        """Close everything; `at` is when its recordings end. Return how the packets fared."""
        for record_id in list(self._recordings or ()):
            self.stop_recording(record_id, at)
        caller, self._caller = self._caller, None
        callee, self._callee = self._callee, None
        for each in (caller, callee):
            if each is not None:
                each.close()
        return CallQuality(
            self.call_id,
            NOTHING_CAME if caller is None else caller.quality,
            NOTHING_CAME if callee is None else callee.quality,
        )
