"""A call in the relay: its sides together, the watch over their life, its recording."""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final, Protocol

from kobza.media import sound_files, tones
from kobza.media.browsers import SecureSockets
from kobza.media.media_profile import MediaProfile
from kobza.media.messages import CallQuality, SideFlow, SideQuality
from kobza.media.one_way import OneWay
from kobza.media.packet_loop import PacketLoop
from kobza.media.plane import RecordingNotice, Side
from kobza.media.port_pair import PortPair
from kobza.media.reception import Totals
from kobza.media.recorder import Spool, Spools, SpoolWriter, Tap
from kobza.media.relay_side import RelaySide
from kobza.media.ringback import USUAL
from kobza.media.rtp_port import Ear
from kobza.rtp.g711 import Law

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
        "_active",
        "_armed_at",
        "_ear",
        "_keyed",
        "_loop",
        "_one_way",
        "_packet_loop",
        "_recordings",
        "_secure_sockets",
        "_timed_out",
        "_totals",
        "_watched_since",
        "_writer",
        "call_id",
        "sides",
    )

    def __init__(
        self,
        loop: AbstractEventLoop,
        call_id: str,
        writer: SpoolWriter,
        totals: Totals | None = None,
        secure_sockets: SecureSockets | None = None,
        packet_loop: PacketLoop | None = None,
        *,
        one_way_after: float = 10.0,
        keyed: Callable[[str, Side, str], None] = lambda _call_id, _side, _digit: None,
    ) -> None:
        """`one_way_after` is in seconds, see `not_heard`. `keyed` takes digits that are told instead of passed."""
        self._keyed = keyed
        self._loop = loop
        self._packet_loop = packet_loop
        self._one_way = OneWay(one_way_after)
        self._secure_sockets = secure_sockets
        self._totals = totals or Totals()
        self._writer = writer
        self.call_id = call_id
        self.sides: dict[Side, RelaySide] = {}
        self._recordings: dict[str, Spool] = {}
        """By record id: those that are open."""
        self._active: dict[str, Spool] = {}
        """Those of them that are not paused."""
        self._ear: CallEar | None = None
        self._armed_at: float | None = None
        self._watched_since: dict[Side, float] = {}
        self._timed_out = False

    def open(self, side: Side, pair: PortPair) -> None:
        """Give a side its ports."""
        opened = RelaySide(
            self._loop, side, pair, self._totals, self._secure_sockets, self._packet_loop, self._tell_key
        )
        replaced = self.sides.pop(side, None)
        if replaced is not None:
            replaced.close()
        self.sides[side] = opened
        opened.record(self._tap())
        opened.overhear(self._ear)
        other = self.sides.get(side.other)
        if other is not None:
            opened.meet(other)

    def _tell_key(self, side: Side, digit: str) -> None:
        self._keyed(self.call_id, side, digit)

    def configure(self, flows: dict[Side, SideFlow]) -> None:
        """Take what happens to each side."""
        now = self._loop.time()
        for side, relay_side in self.sides.items():
            flow = flows[side]
            if flow.profile.watched and not relay_side.flow.profile.watched:
                self._watched_since[side] = now
            relay_side.configure(flow)

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
        spool = self._writer.open(path, self.call_id, record_id, owner, at, notice)
        self._recordings[record_id] = self._active[record_id] = spool
        self._choose_tap()
        return spool

    def pause(self, record_id: str, *, on: bool, at: float | None = None) -> None:
        """Let a recording run on in silence, or record again."""
        spool = self._recordings.get(record_id)
        if spool is not None and (record_id in self._active) is on:
            spool.pause(on=on, at=at)
            if on:
                self._active.pop(record_id, None)
            else:
                self._active[record_id] = spool
            self._choose_tap()

    def stop_recording(self, record_id: str, at: float | None = None) -> None:
        """End a recording, if it is there."""
        spool = self._recordings.pop(record_id, None)
        if spool is not None:
            self._active.pop(record_id, None)
            self._choose_tap()
            self._writer.close(spool, at)

    @property
    def recording(self) -> Collection[Spool]:
        """The recordings that run and are not paused."""
        return self._active.values()

    def recording_of(self, record_id: str) -> Spool | None:
        """Return a recording that is open, paused or not."""
        return self._recordings.get(record_id)

    def listen(self, ear: "CallEar | None") -> None:
        """Let a mix hear both sides, or (None) no longer."""
        self._ear = ear
        for side in self.sides.values():
            side.overhear(ear)
        self._choose_tap()

    def _tap(self) -> Tap | None:
        """Return what takes the packets of both sides: nothing, the one recording, or all that run and a mix."""
        taps: tuple[Tap, ...] = (*self._active.values(), *(() if self._ear is None else (self._ear,)))
        return Spools(taps) if len(taps) > 1 else next(iter(taps), None)

    def _choose_tap(self) -> None:
        tap = self._tap()
        for side in self.sides.values():
            side.record(tap)

    def sweep(self, now: float, timeout: float) -> Side | None:
        """Return a side that should send and has been silent for `timeout` seconds; once a call.

        The watch begins with the first packet from either side: a call whose phones never send is not ended, as some
        calls are meant to be silent (a test, a fax yet to come), and dead networks mostly die later.
        """
        came = [side.sweep(now) for side in self.sides.values()]
        if self._timed_out or not any(came):
            return None
        if self._armed_at is None:
            self._armed_at = now
        for side, relay_side in self.sides.items():
            since = max(relay_side.alive_at, self._armed_at, self._watched_since.get(side, now))
            if relay_side.flow.profile.watched and now - since >= timeout:
                self._timed_out = True
                return side
        return None

    def not_heard(self, now: float) -> list[tuple[Side, float]]:
        """Return what is to be told of sides that are not heard, see `OneWay.look`. After `sweep`."""
        if self._armed_at is None:
            return []
        since = {side: max(watched, self._armed_at) for side, watched in self._watched_since.items()}
        return self._one_way.look(self.sides, since, now)

    def playing(self) -> list[RelaySide]:
        """Return the sides that hear a tone."""
        return [side for side in self.sides.values() if side.flow.profile.source in TONES]

    def release(self, at: float | None = None) -> CallQuality:
        """Close everything; `at` is when its recordings end. Return how the packets fared."""
        for record_id in list(self._recordings):
            self.stop_recording(record_id, at)
        for each in self.sides.values():
            each.close()
        caller, callee = (
            SideQuality() if each is None else each.quality for each in map(self.sides.get, (Side.CALLER, Side.CALLEE))
        )
        self.sides.clear()
        return CallQuality(self.call_id, caller, callee)
