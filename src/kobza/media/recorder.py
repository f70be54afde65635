"""The writing half of a recording: packets go into memory at once, and from there to the disk in a thread.

The loop that moves packets never waits for the disk. When the disk fails or is too slow the recording stops, with a
reason, and the call goes on.
"""

import logging
import os
import queue
import threading
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from kobza.media.plane import RecordingNotice, Side
from kobza.media.spool import (
    END,
    LAID,
    LAID_HEAD,
    PAUSED,
    RECORD,
    RESUMED,
    TICKS,
    TO_TELL,
    TOLD,
    SpoolHeader,
    mark_record,
)
from kobza.media.voice_codecs import A

log = logging.getLogger(__name__)

FLUSH_INTERVAL: Final = 0.5
"""Seconds between two hand-overs to the disk: a crash loses at most this, and the disk is asked twice a second."""
MAX_PENDING: Final = 2 * 1024 * 1024
"""Bytes of one recording that may wait for the disk, about two minutes; then it is too slow and the recording stops."""


class Spool:
    """One recording. `packet` is called by the relay for each packet that is to be heard later."""

    __slots__ = ("_pending", "buffer", "call_id", "failure", "file", "path", "record_id", "started", "ticks")

    def __init__(
        self,
        path: Path,
        call_id: str,
        record_id: str,
        owner: str = "",
        *,
        started: float | None = None,
        speed: float = 1.0,
        notice: RecordingNotice | None = None,
    ) -> None:
        """`owner` and `notice` are for the header. `started` is when it began by the monotonic clock, None: now.

        `speed` is how many seconds of the recording pass in one of the wall: 1 but in an accelerated sandbox.
        """
        self.path = path
        self.call_id = call_id
        self.record_id = record_id
        now = time.monotonic()
        self.started = now if started is None else min(started, now)
        header = SpoolHeader(
            record_id,
            call_id,
            time.time_ns() // 1_000_000,
            owner=owner,
            announced=() if notice is None else notice.sides,
            laid=notice is not None,
        )
        self.buffer = bytearray(header.to_bytes())
        """What came and was not taken; the compiled loop appends to it as `packet` does."""
        self._pending = 0
        self.ticks = TICKS * speed
        """In a second."""
        self.failure = ""
        """Why the recording stopped early."""
        self.file: int | None = None
        """The file descriptor; only the writer's thread touches it."""

    def packet(self, kind: int, codec: int, data: bytes) -> None:
        """Append a packet of a side (KINDS) with its payload in a codec."""
        self.buffer += RECORD.pack(kind, codec, len(data), int((time.monotonic() - self.started) * self.ticks))
        self.buffer += data

    def laid(self, side: Side, sound: int, place: int, octets: bytes) -> None:
        """Append a part of a sound that a side hears over the other one: A-law, from a place in it."""
        head = LAID_HEAD.pack(sound, place)
        self.buffer += RECORD.pack(LAID[side], A, len(head) + len(octets), self._now())
        self.buffer += head + octets

    def to_tell(self, side: Side) -> None:
        """Append that a side which has come into the call is to hear the announcement."""
        self._mark(TO_TELL[side], None)

    def told(self, side: Side) -> None:
        """Append that a side has heard the announcement to its end."""
        self._mark(TOLD[side], None)

    def _now(self) -> int:
        return int((time.monotonic() - self.started) * self.ticks)

    def pause(self, *, on: bool, at: float | None = None) -> None:
        """Append that nothing is recorded from a moment of the monotonic clock on, or (`on` False) that it is again."""
        self._mark(PAUSED if on else RESUMED, at)

    def end(self, at: float | None = None) -> None:
        """Append the record that ends the spool, at a moment of the monotonic clock; None: now."""
        self._mark(END, at)

    def _mark(self, kind: int, at: float | None) -> None:
        moment = time.monotonic() if at is None else at
        self.buffer += mark_record(kind, max(0, int((moment - self.started) * self.ticks)))

    def take(self) -> bytes:
        """Return what came since the last time, for the disk. Nothing after a failure."""
        if self._pending + len(self.buffer) > MAX_PENDING:
            self.fail(f"the disk is too slow: {self._pending} bytes wait for it")
        data = b"" if self.failure else bytes(self.buffer)
        self.buffer.clear()
        self._pending += len(data)
        return data

    def written(self, count: int) -> None:
        """Hear that bytes reached the file, or never will."""
        self._pending -= count

    def fail(self, reason: str) -> None:
        """Stop recording; what is on the disk stays."""
        if not self.failure:
            self.failure = reason
            about = {"call_id": self.call_id, "record_id": self.record_id}
            log.error("recording %s stopped: %s", self.record_id, reason, extra=about)


class Tap(Protocol):
    """Takes the packets that the sides of a call hear of each other."""

    def packet(self, kind: int, codec: int, data: bytes) -> None:
        """Take a packet of a side (KINDS) with its payload in a codec (`kobza.media.voice_codecs`)."""
        ...


class Spools:
    """Several who take the packets of a call: one recording for each enterprise that asked for it, and a mix."""

    __slots__ = ("_spools",)

    def __init__(self, spools: tuple[Tap, ...]) -> None:
        self._spools = spools

    def packet(self, kind: int, codec: int, data: bytes) -> None:
        """Give a packet to each."""
        for spool in self._spools:
            spool.packet(kind, codec, data)


class _Job(NamedTuple):
    spool: Spool
    data: bytes
    last: bool


class SpoolWriter:
    """Owns the thread that writes all spools. `closed(spool)` is called in the loop when one is complete on disk.

    The queue between loop and thread is bounded through the spools: each has at most MAX_PENDING bytes in it.
    """

    def __init__(self, loop: AbstractEventLoop, closed: Callable[[Spool], None], speed: float = 1.0) -> None:
        self._loop = loop
        self._closed = closed
        self._speed = speed
        self._open: dict[Spool, None] = {}
        self._jobs: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._thread.start()
        self._timer = loop.call_later(FLUSH_INTERVAL, self._flush)

    def open(
        self,
        path: Path,
        call_id: str,
        record_id: str,
        owner: str = "",
        started: float | None = None,
        notice: RecordingNotice | None = None,
    ) -> Spool:
        """Begin a recording into a new file. That the file cannot be made shows later, as its failure."""
        spool = Spool(path, call_id, record_id, owner, started=started, speed=self._speed, notice=notice)
        self._open[spool] = None
        self._jobs.put([_Job(spool, spool.take(), last=False)])
        return spool

    def close(self, spool: Spool, at: float | None = None) -> None:
        """End a recording, at a moment of the monotonic clock (None: now); `closed` follows."""
        if spool in self._open:
            del self._open[spool]
            spool.end(at)
            self._jobs.put([_Job(spool, spool.take(), last=True)])

    def stop(self, timeout: float) -> None:
        """Close all recordings and wait until they are on disk, at most `timeout` seconds."""
        self._timer.cancel()
        for spool in list(self._open):
            self.close(spool)
        self._jobs.put(None)
        self._thread.join(timeout)

    def _flush(self) -> None:
        """Hand what came to the thread: one batch for all spools, so that it wakes the loop once."""
        self._timer = self._loop.call_later(FLUSH_INTERVAL, self._flush)
        batch = [_Job(spool, data, last=False) for spool in self._open if (data := spool.take())]
        if batch:
            self._jobs.put(batch)

    def _run(self) -> None:
        """Write what is queued: the body of the thread."""
        while (batch := self._jobs.get()) is not None:
            outcomes = [(job, _attempt(job)) for job in batch]
            try:
                self._loop.call_soon_threadsafe(self._done, outcomes)
            except RuntimeError:
                # The loop is closed: the process ends, and there is nobody left to tell.
                log.debug("the loop is gone")

    def _done(self, outcomes: list[tuple[_Job, str]]) -> None:
        """Take what became of a batch; in the loop."""
        for (spool, data, last), failure in outcomes:
            spool.written(len(data))
            if failure:
                spool.fail(failure)
            if last:
                self._closed(spool)


def _attempt(job: _Job) -> str:
    """Write a job; return "" or what went wrong. In the writer's thread."""
    try:
        _write(*job)
    except OSError as error:
        return f"the disk failed: {error.strerror or error}"
    return ""


def _write(spool: Spool, data: bytes, last: bool) -> None:
    """Append to a spool's file, made when first needed."""
    try:
        if spool.file is None and data:
            spool.path.parent.mkdir(parents=True, exist_ok=True)
            spool.file = os.open(spool.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        while data and spool.file is not None:
            data = data[os.write(spool.file, data) :]
        if last and spool.file is not None:
            os.fdatasync(spool.file)
    finally:
        if last and spool.file is not None:
            os.close(spool.file)
            spool.file = None
