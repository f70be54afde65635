"""The plane itself: SDP work here, packets in one of several rtpengines, recordings through the relay's process."""

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from kobza.media.call_quality import judged
from kobza.media.embedded import EmbeddedPlane
from kobza.media.embedded_calls import new_session_id
from kobza.media.exchange import ExchangingPlane
from kobza.media.messages import CallQuality, SideQuality
from kobza.media.negotiation import CallMedia
from kobza.media.plane import (
    CallHeard,
    Done,
    MediaError,
    MediaEvent,
    MediaPlaneLost,
    MediaTimedOut,
    RecordingClosed,
    RecordingNotice,
    Side,
)
from kobza.media.rtpengine import words
from kobza.media.rtpengine.carried import Carried, is_gone
from kobza.media.rtpengine.copies import Copies
from kobza.media.rtpengine.instance import Instance
from kobza.media.rtpengine.ng import NgError
from kobza.media.rtpengine.observed import Observed
from kobza.media.rtpengine.tunes import make_usual

log = logging.getLogger(__name__)

SWEEP_AT_MOST: Final = 15.0
"""Seconds between two looks at how the calls of an instance fare; less when silence is to be noticed sooner."""
SWEEP_AT_LEAST: Final = 0.1
STOP_PATIENCE: Final = 5.0
"""Seconds for the last calls to be ended at the instances."""
DIGIT_SECONDS: Final = 2 * words.DIGIT_MS / 1000
"""Of a digit with the gap behind it."""
VOICE_WITHIN: Final = 0.1
"""Seconds in which a phone that talks has sent something."""
PAUSE_SECONDS: Final = 0.5
"""Of a comma."""


class RtpenginePlane(Observed, ExchangingPlane[Carried]):
    """Carries calls on rtpengines, each on the one that has the fewest of ours.

    `instances` are hosts and ports; `owner` begins the ids of our calls there, which are ended at the start when a run
    before has left them. `timeout` is as in EmbeddedPlane. `recorder` takes the packets of recorded calls and writes
    the spools; it is started and stopped with the plane.
    """

    def __init__(
        self,
        *,
        instances: Sequence[tuple[str, int]],
        owner: str,
        timeout: float,
        recorder: EmbeddedPlane,
        on_event: Callable[[MediaEvent], None] = lambda _: None,
        speed: float = 1.0,
    ) -> None:
        self.on_event = on_event
        self._instances = [Instance(host, port, owner) for host, port in instances]
        super().__init__(self._instances, recorder)
        self._timeout = timeout / speed
        recorder.on_event = self._recorder_said
        self._copies = Copies(recorder, lambda event: self.on_event(event))
        self._calls: dict[str, Carried] = {}
        self._sessions = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweepers: list[asyncio.Task[None]] = []
        for instance in self._instances:
            instance.lost = self._instance_lost

    # life

    async def start(self) -> None:
        """Look for the instances; raise MediaError when none is there, or the recorder cannot be started."""
        await asyncio.gather(*(instance.start() for instance in self._instances))
        if not self.is_ready:
            trouble = self.trouble
            await self._stop_instances()
            raise MediaError(f"{trouble}; start one there, name others (rtpengine), or set media_plane to embedded")
        try:
            await self._recorder.start()
        except MediaError:
            await self._stop_instances()
            raise
        await asyncio.to_thread(make_usual)
        for instance in self._instances:
            sweeper = asyncio.create_task(self._sweep(instance), name=f"sweep of rtpengine {instance.name}")
            sweeper.add_done_callback(self._done)
            self._sweepers.append(sweeper)

    async def stop(self) -> None:
        """End all calls, close all recordings and stop."""
        for sweeper in self._sweepers:
            sweeper.cancel()
        await asyncio.gather(*self._sweepers, return_exceptions=True)
        for call_id in list(self._calls):
            self.release(call_id)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_PATIENCE)
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._recorder.stop()
        await self._stop_instances()

    async def _stop_instances(self) -> None:
        await asyncio.gather(*(instance.stop() for instance in self._instances))

    # the interface

    def offer(
        self,
        call_id: str,
        *,
        source: Side | None,
        target: Side,
        sdp: bytes | None,
        by_info: bool = False,  # noqa: ARG002  rtpengine does not tell us of events
        done: Done,
    ) -> None:
        """See MediaPlane."""
        call = self._calls.get(call_id)
        if call is None:
            instance = self._choose(frozenset())
            if instance is None:
                done(MediaError("no rtpengine answers"))
                return
            call = self._new_call(call_id, instance)
        try:
            call.media.check_offer(source, sdp)
        except MediaError as error:
            if call_id not in self._calls:
                call.instance.keys.discard(call.key)
            done(error)
            return
        then = partial(self._do, call_id, done, lambda media: media.offer(source, target, sdp))
        if call.settled is not None:
            then()
            return
        call.waiting.append((then, done))
        if call_id not in self._calls:
            self._calls[call_id] = call
            self._spawn(self._place(call))

    def digits(self, call_id: str, *, target: Side, digits: str, done: Done) -> None:
        """See MediaPlane. rtpengine sends them only while the other side talks to it."""
        call = self._calls.get(call_id)
        if call is None:
            done(MediaError("no such call"))
            return
        try:
            call.media.event_type(target)
        except MediaError as error:
            done(error)
            return
        self._spawn(self._dial(call, target, digits, done))

    def record(
        self, call_id: str, *, record_id: str, spool: Path, owner: str = "", notice: RecordingNotice | None = None
    ) -> None:
        """See MediaPlane. Nobody is told of it: what rtpengine plays is in no copy, so it could not be shown later."""
        call = self._calls.get(call_id)
        if call is None:
            about = {"call_id": call_id, "record_id": record_id}
            log.error("recording %s cannot begin: there is no such call", record_id, extra=about)
            self.on_event(RecordingClosed(call_id, record_id, spool))
            return
        self._copies.record(call, record_id, spool, owner, notice)
        self._changed(call)

    def announce(self, call_id: str, *, record_id: str, target: Side, sound: str) -> None:
        """See MediaPlane. Nobody hears it here, which the recording says."""
        self._recorder.announce(call_id, record_id=record_id, target=target, sound=sound)

    def pause_recording(self, call_id: str, *, record_id: str, on: bool) -> None:
        """See MediaPlane."""
        self._copies.pause(call_id, record_id, on=on)

    def stop_recording(self, call_id: str, *, record_id: str) -> None:
        """See MediaPlane."""
        self._copies.stop(call_id, record_id)

    def release(self, call_id: str, *, asked: bool = False) -> None:
        """See MediaPlane."""
        call = self._calls.pop(call_id, None)
        if call is not None:
            self._end(call, MediaError("the call was released"))
            self._spawn(self._take_leave(call, asked=asked))

    # what they have in common

    def _new_call(self, call_id: str, instance: Instance) -> Carried:
        self._sessions += 1
        media = CallMedia("", new_session_id(self._sessions))
        # A phone that calls with SRTP is answered so; with one that is called rtpengine would change its key at will.
        media.caller.protection.expect_key()
        return Carried(call_id, media, instance, instance.new_key(), self._copies)

    def _choose(self, tried: frozenset[Instance]) -> Instance | None:
        """Return the instance for a call: of those that answer the one that carries the fewest."""
        there = [instance for instance in self._instances if instance.is_up and instance not in tried]
        return min(there, key=lambda instance: len(instance.keys), default=None)

    async def _place(self, call: Carried) -> None:
        """Bring a call into being on its instance, or on another one when that does not take it."""
        tried: frozenset[Instance] = frozenset()
        while True:
            try:
                await call.place()
                break
            except NgError as error:
                about = {"call_id": call.call_id}
                log.warning("rtpengine at %s takes no call: %s", call.instance.name, error.reason, extra=about)
                self._spawn(call.instance.forget(call.key))
                if call.ended:
                    return
                tried |= {call.instance}
                instance = self._choose(tried)
                if instance is None:
                    self._calls.pop(call.call_id, None)
                    self._end(call, MediaError(f"no rtpengine takes the call: {error.reason}"))
                    return
                call.instance, call.key = instance, instance.new_key()
        if call.ended:
            await call.instance.forget(call.key)
            return
        waiting, call.waiting = call.waiting, []
        for then, _ in waiting:
            then()

    def _changed(self, call: Carried, *, soon: bool = True) -> None:  # noqa: ARG002 - each command goes by itself
        """Have a call made what it shall be, unless that is under way: then it goes on."""
        if call.work is None and call.settled is not None and call.wanted != call.settled:
            call.work = self._spawn(self._work(call))

    async def _work(self, call: Carried) -> None:
        try:
            await call.settle()
        except NgError as error:
            if not call.ended:
                self._lost(call, error)
        finally:
            call.work = None

    def _lost(self, call: Carried, error: NgError) -> None:
        """End a call that its instance no longer has, or does not obey for."""
        about = {"call_id": call.call_id}
        log.error("rtpengine at %s fails a call: %s", call.instance.name, error.reason, extra=about)
        if self._calls.pop(call.call_id, None) is None:
            return
        self._end(call, MediaError(f"rtpengine failed: {error.reason}"))
        self._spawn(call.instance.forget(call.key))
        self.on_event(MediaPlaneLost((call.call_id,)))

    def _end(self, call: Carried, error: MediaError) -> None:
        """Tell all who wait for something of a call that has ended."""
        call.ended = True
        waiting, call.waiting = call.waiting, []
        for _, done in waiting:
            done(error)
        self._copies.end(call.call_id)
        call.over.set()

    async def _take_leave(self, call: Carried, *, asked: bool) -> None:
        """End a released call on its instance, and tell how it fared; `asked`: before it ends, and in any case."""
        if call.settled is None:  # whoever is placing it ends it there too
            return
        try:
            sides = words.sides_in(await call.instance.ask(words.query(call.key)))
        except NgError as error:
            log.warning("how a call fared is not known: %s", error.reason, extra={"call_id": call.call_id})
            sides = {}
        if not asked:
            await call.instance.forget(call.key)
        caller, callee = (sides[side].quality if sides else SideQuality() for side in Side)
        quality = CallQuality(call.call_id, caller, callee)
        if asked or quality.tells:
            self.on_event(CallHeard(call.call_id, judged(quality)))
        if asked:
            await call.instance.forget(call.key)

    async def _dial(self, call: Carried, target: Side, digits: str, done: Done) -> None:
        """Send digits, after those that are on their way."""
        async with call.dialling:
            try:
                call.injects = True
                self._changed(call)
                if call.work is not None:
                    await asyncio.wait((call.work,))
                await self._hear_voice(call, target.other)
                for part in re.findall(",|[^,]+", digits):
                    await self._dial_part(call, target, part)
            except MediaError as error:
                done(error)
            except NgError as error:
                done(MediaError(f"rtpengine sends no digits: {error.reason}"))
            else:
                done(b"")

    @staticmethod
    async def _hear_voice(call: Carried, side: Side) -> None:
        """Raise MediaError unless the phone of a side talks: digits go out among its packets."""
        before = words.sides_in(await call.instance.ask(words.query(call.key)))
        await asyncio.sleep(VOICE_WITHIN)
        after = words.sides_in(await call.instance.ask(words.query(call.key)))
        if after[side].quality.received == before[side].quality.received:
            raise MediaError("not acceptable: rtpengine sends digits only while the other phone sends its voice")

    async def _dial_part(self, call: Carried, target: Side, part: str) -> None:
        """Send digits without a pause between them, or make a pause; return when they are out."""
        if call.ended:
            raise MediaError("the call was released")
        if part == ",":
            seconds = PAUSE_SECONDS
        else:
            call.media.event_type(target)
            if call.hears(target) != "relay":
                raise MediaError("not acceptable: rtpengine sends digits only to who hears the other side, no tone")
            for digit in part:
                await call.instance.ask(words.play_digit(call.key, target, digit))
            seconds = len(part) * DIGIT_SECONDS
        with suppress(TimeoutError):
            await asyncio.wait_for(call.over.wait(), seconds)
        if call.ended:
            raise MediaError("the call was released")

    # what the instances and the recorder say

    async def _sweep(self, instance: Instance) -> None:
        """Look again and again how the calls of an instance fare."""
        interval = max(SWEEP_AT_LEAST, min(SWEEP_AT_MOST, self._timeout / 4))
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(interval)
            for call in [call for call in self._calls.values() if call.instance is instance]:
                if not instance.is_up:
                    break
                if call.ended or call.settled is None:
                    continue
                try:
                    sides = words.sides_in(await instance.ask(words.query(call.key)))
                except NgError as error:
                    if is_gone(error) and not call.ended:
                        self._lost(call, error)
                    continue
                silent = call.watch(sides, loop.time(), self._timeout)
                if silent is not None and not call.ended:
                    self.on_event(MediaTimedOut(call.call_id, silent))

    def _instance_lost(self, instance: Instance) -> None:
        """End the calls of an instance that is gone."""
        lost = [call for call in self._calls.values() if call.instance is instance and call.settled is not None]
        for call in lost:
            del self._calls[call.call_id]
            instance.keys.discard(call.key)
            self._end(call, MediaError(f"rtpengine at {instance.name} is gone"))
        self.on_event(MediaPlaneLost(tuple(call.call_id for call in lost)))

    def _recorder_said(self, event: MediaEvent) -> None:
        """Take what the recorder tells. Calls go on without it."""
        match event:
            case RecordingClosed():
                self._copies.closed(event)
                call = self._calls.get(event.call_id)
                if call is not None:
                    self._changed(call)
            case MediaPlaneLost():
                log.error("the recorder died: %d calls are recorded no further", len(event.call_ids))
            case _:
                pass  # silence and quality of a copy are those of the call, of which the instance tells

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work on calls failed", exc_info=error)
