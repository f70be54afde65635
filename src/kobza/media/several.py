"""Several relay processes as one media plane: what one core cannot carry is shared out, call by call.

Each process has ports, calls and a life of its own. A new call goes to the one that has the fewest and is ready; when
one dies, its calls alone are lost, and it is started again while the others carry on. Calls that share a mix are
carried together, since voices are mixed in one process.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

from kobza.media.embedded import EmbeddedPlane
from kobza.media.messages import Traffic
from kobza.media.observed import InstanceNow
from kobza.media.plane import (
    CANNOT_MIX,
    DirectionName,
    Done,
    MediaError,
    MediaEvent,
    MediaPlane,
    MediaPlaneLost,
    OfferForm,
    RecordingNotice,
    Seat,
    Side,
    SideSounds,
    ToneName,
)

LEAST_PAIRS: Final = 2
"""Of ports that a process needs: those of one call."""


def shares(ports: range, count: int) -> list[range]:
    """Split a range into as many of nearly the same size, each from an even port on; raise ValueError for too few."""
    first = ports.start + ports.start % 2
    pairs = (ports.stop - first) // 2
    if pairs < LEAST_PAIRS * count:
        raise ValueError(f"{pairs} pairs of ports are too few for {count} processes")
    edges = [first + 2 * (pairs * index // count) for index in range(count + 1)]
    return [range(start, stop) for start, stop in pairwise(edges)]


class SeveralPlanes(MediaPlane):
    """Shares calls out to planes, each with a process of its own; takes over what they tell."""

    can_mix = True
    reads_digits = True

    def __init__(self, planes: Sequence[EmbeddedPlane]) -> None:
        """`planes` are not started, and have no ports in common."""
        self.on_event: Callable[[MediaEvent], None] = lambda _: None
        self._planes = tuple(planes)
        self._calls: dict[str, EmbeddedPlane] = {}
        """By call: who carries it, or will."""
        self._mixes: dict[str, EmbeddedPlane] = {}
        for plane in self._planes:
            plane.on_event = partial(self._told, plane)

    # life

    async def start(self) -> None:
        """Start all processes; raise MediaError, with none running, when one does not come up."""
        outcomes = await asyncio.gather(*(plane.start() for plane in self._planes), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self.stop()
                raise outcome

    async def stop(self) -> None:
        """See MediaPlane."""
        await asyncio.gather(*(plane.stop() for plane in self._planes))

    def _told(self, plane: EmbeddedPlane, event: MediaEvent) -> None:
        """Pass on what a plane tells; forget the calls that it lost."""
        if isinstance(event, MediaPlaneLost):
            self._calls = {call_id: of for call_id, of in self._calls.items() if of is not plane}
            self._mixes = {mix_id: of for mix_id, of in self._mixes.items() if of is not plane}
        self.on_event(event)

    # who carries what

    def _of(self, call_id: str) -> EmbeddedPlane:
        """Return who carries a call; anyone says of an unknown one that there is none."""
        return self._calls.get(call_id, self._planes[0])

    def _least_loaded(self) -> EmbeddedPlane:
        return min(self._planes, key=lambda plane: (not plane.is_ready, plane.calls))

    def beside(self, call_id: str, other: str) -> None:
        """See MediaPlane."""
        if other in self._calls:
            self._calls.setdefault(call_id, self._calls[other])

    # the interface

    def offer(
        self,
        call_id: str,
        *,
        source: Side | None,
        target: Side,
        sdp: bytes | None,
        by_info: bool = False,
        done: Done,
    ) -> None:
        """See MediaPlane."""
        plane = self._calls.get(call_id)
        if plane is None:
            plane = self._calls[call_id] = self._least_loaded()

        def offered(reply: bytes | MediaError) -> None:
            if isinstance(reply, MediaError) and not plane.knows(call_id):
                self._calls.pop(call_id, None)
            done(reply)

        plane.offer(call_id, source=source, target=target, sdp=sdp, by_info=by_info, done=offered)

    def offer_in(self, form: OfferForm, call_id: str, *, target: Side, ipv6: bool = False) -> bytes:
        """See MediaPlane."""
        return self._of(call_id).offer_in(form, call_id, target=target, ipv6=ipv6)

    def answer(self, call_id: str, *, source: Side, sdp: bytes, by_info: bool = False, done: Done) -> None:
        """See MediaPlane."""
        self._of(call_id).answer(call_id, source=source, sdp=sdp, by_info=by_info, done=done)

    def reoffer(self, call_id: str, *, source: Side, sdp: bytes, done: Done) -> None:
        """See MediaPlane."""
        self._of(call_id).reoffer(call_id, source=source, sdp=sdp, done=done)

    def direct(self, call_id: str, *, target: Side, direction: DirectionName, done: Done) -> None:
        """See MediaPlane."""
        self._of(call_id).direct(call_id, target=target, direction=direction, done=done)

    def align(self, call_id: str, *, target: Side, done: Done) -> None:
        """See MediaPlane."""
        self._of(call_id).align(call_id, target=target, done=done)

    def reanswer(self, call_id: str, *, source: Side, sdp: bytes, done: Done) -> None:
        """See MediaPlane."""
        self._of(call_id).reanswer(call_id, source=source, sdp=sdp, done=done)

    def play(self, call_id: str, *, target: Side, what: ToneName) -> None:
        """See MediaPlane."""
        self._of(call_id).play(call_id, target=target, what=what)

    def dress(self, call_id: str, *, target: Side, sounds: SideSounds) -> None:
        """See MediaPlane."""
        self._of(call_id).dress(call_id, target=target, sounds=sounds)

    def mute(self, call_id: str, *, source: Side, on: bool) -> None:
        """See MediaPlane."""
        self._of(call_id).mute(call_id, source=source, on=on)

    def digits(self, call_id: str, *, target: Side, digits: str, done: Done) -> None:
        """See MediaPlane."""
        self._of(call_id).digits(call_id, target=target, digits=digits, done=done)

    def leave(self, call_id: str, *, side: Side) -> None:
        """See MediaPlane."""
        self._of(call_id).leave(call_id, side=side)

    def narrow(self, call_id: str, *, target: Side, done: Done) -> None:
        """See MediaPlane."""
        self._of(call_id).narrow(call_id, target=target, done=done)

    def sit(self, call_id: str, *, side: Side, sdp: bytes, done: Done) -> None:
        """See MediaPlane."""
        self._of(call_id).sit(call_id, side=side, sdp=sdp, done=done)

    def mix(self, mix_id: str, seats: Sequence[Seat], noticing: Sequence[tuple[str, Side]] = ()) -> None:
        """See MediaPlane. Raises MediaError for calls that were not brought together by `beside`."""
        there = {self._calls[seat.call_id] for seat in seats if seat.call_id in self._calls}
        if len(there) > 1:
            raise MediaError(CANNOT_MIX)
        plane = there.pop() if there else self._mixes.get(mix_id, self._planes[0])
        if seats:
            self._mixes[mix_id] = plane
        else:
            self._mixes.pop(mix_id, None)
        plane.mix(mix_id, seats, noticing)

    def record(
        self, call_id: str, *, record_id: str, spool: Path, owner: str = "", notice: RecordingNotice | None = None
    ) -> None:
        """See MediaPlane."""
        self._of(call_id).record(call_id, record_id=record_id, spool=spool, owner=owner, notice=notice)

    def announce(self, call_id: str, *, record_id: str, target: Side, sound: str) -> None:
        """See MediaPlane."""
        self._of(call_id).announce(call_id, record_id=record_id, target=target, sound=sound)

    def pause_recording(self, call_id: str, *, record_id: str, on: bool) -> None:
        """See MediaPlane."""
        self._of(call_id).pause_recording(call_id, record_id=record_id, on=on)

    def stop_recording(self, call_id: str, *, record_id: str) -> None:
        """See MediaPlane."""
        self._of(call_id).stop_recording(call_id, record_id=record_id)

    def release(self, call_id: str, *, asked: bool = False) -> None:
        """See MediaPlane."""
        plane = self._calls.pop(call_id, None)
        if plane is not None:
            plane.release(call_id, asked=asked)

    # what is seen of it (ObservedPlane)

    @property
    def is_ready(self) -> bool:
        """Whether calls may begin: on one of them at least."""
        return any(plane.is_ready for plane in self._planes)

    @property
    def trouble(self) -> str:
        """See ObservedPlane."""
        return "" if self.is_ready else "all media processes are away or do not keep up"

    @property
    def instances(self) -> Sequence[InstanceNow]:
        """The processes."""
        return [
            InstanceNow(f"process {index}", plane.is_ready, plane.calls) for index, plane in enumerate(self._planes, 1)
        ]

    @property
    def deaths(self) -> int:
        """See ObservedPlane."""
        return sum(plane.deaths for plane in self._planes)

    @property
    def ports_used(self) -> int:
        """See ObservedPlane."""
        return sum(plane.ports_used for plane in self._planes)

    @property
    def ports_total(self) -> int:
        """See ObservedPlane."""
        return sum(plane.ports_total for plane in self._planes)

    @property
    def recordings(self) -> int:
        """See ObservedPlane."""
        return sum(plane.recordings for plane in self._planes)

    @property
    def traffic(self) -> Traffic:
        """See ObservedPlane."""
        return Traffic.sum_of([plane.traffic for plane in self._planes])

    @property
    def relay_pids(self) -> Mapping[str, int]:
        """See ObservedPlane."""
        pids = {str(index): plane.relay_pid for index, plane in enumerate(self._planes, 1)}
        return {name: pid for name, pid in pids.items() if pid is not None}
