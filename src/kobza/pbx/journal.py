"""The journal: everything that calls make known is on the disk before anyone hears of it (transactional outbox).

The loop hands entries over; one thread writes them, one commit in 5 ms at most: what arrives meanwhile is one group.
After the commit the loop goes on with what was waiting for it. A commit that fails is tried again until it succeeds, in
the same order.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from msgspec import Struct

from kobza.beat import next_beat
from kobza.measures import Histogram
from kobza.pbx.doorbell import Doorbell
from kobza.store.journal import BindingStored, CdrOpened, Entry, JournalWriter, passes_by_itself
from kobza.store.place import Place

GROUP_WINDOW = 0.005
"""Seconds from the beginning of one commit to that of the next, at least: a commit costs an fsync and some 0.3 ms of
CPU, however little is in it. What comes after a pause is written at once."""

BATCH_LIMIT = 2000
"""Entries in one commit (a group is never split): some 40 ms of work. So a backlog is not one huge commit."""

LIMIT = 20_000
"""Entries that may wait before new calls and registrations are refused: several seconds of a full load."""

RESERVE = 200_000
"""Entries beyond `LIMIT` kept for calls that are already running: 20 for each of 10,000 calls. About 200 MB."""

HEARTBEAT_INTERVAL = 2.0
"""Seconds between signs of life: how exactly the end of a call is known after a crash."""

FIRST_BACKOFF, LAST_BACKOFF = 0.05, 2.0
"""Seconds to wait before a failed commit is tried again: doubled from the first to the last."""

DRAIN_TIMEOUT = 10.0
"""Seconds for which `stop` waits for what is left."""

COMMIT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Seconds of a commit, as they are counted: an fsync of a good disk takes one to five milliseconds."""

Then = Callable[[], None]
T = TypeVar("T")


class JournalFull(Exception):
    """Too much waits to be written: refuse the call (503). Nothing of the entries was taken."""


class JournalStopped(Exception):
    """The journal takes nothing (any more): it was not started, it was stopped, or its thread died."""


@dataclass(frozen=True, slots=True)
class JournalFailure:
    """A commit failed, or entries were refused for good."""

    error: BaseException
    waiting: int
    """Entries that wait, those of the commit included."""
    failures: int
    """How many times in a row; 1 is the first."""
    rejected: tuple[Entry, ...] = ()
    """Entries that the store will never take: they are dropped, and what waited for them is not called."""


class _Group(Struct):
    """What one `append` handed over: written together, in one commit."""

    entries: Sequence[Entry]
    then: Then | None
    size: int
    """What it counts in the queue's bound."""
    since: float
    """When it was handed over, by the monotonic clock."""


class JournalCounts:
    """What a journal has done, for metrics. The writer's thread counts, any thread reads."""

    __slots__ = ("commit_seconds", "entries", "failures", "rejected")

    def __init__(self) -> None:
        self.commit_seconds = Histogram(COMMIT_BOUNDS)
        """Of the commits that succeeded, those without entries (signs of life) included."""
        self.entries = 0
        """Entries that are stored."""
        self.failures = 0
        """Commits that failed; each was tried again, or its groups one by one."""
        self.rejected = 0
        """Entries that the store will never take."""


class Journal:
    """Hands entries to the writer's thread and tells when they are stored.

    `on_failure` and `then` are called in the loop's thread. `now` gives the moment, in seconds, that is stored as a
    sign of life. Read what `kobza.store.recovery` needs of the life before, before `start`.
    """

    def __init__(
        self,
        place: Place,
        *,
        now: Callable[[], float],
        on_failure: Callable[[JournalFailure], None],
        limit: int = LIMIT,
        reserve: int = RESERVE,
    ) -> None:
        self._writer = JournalWriter(place)
        self._now = now
        self._on_failure = on_failure
        self._limit = limit
        self._reserve = reserve
        self._groups: deque[_Group] = deque()
        self._waiting = 0
        self._failures = 0
        self._next_sign = 0.0
        self._due = inf
        """When what waits is to be written at the latest, by the monotonic clock; infinite when nothing waits."""
        self._began_at = 0.0
        self._lock = threading.Lock()
        """Around what waits, and what the two threads tell each other."""
        self._bell = Doorbell()
        """Wakes the writer's thread."""
        self._stopping = True
        self._giving_up = False
        self._writing_since: float | None = None
        self._stored_at: float | None = None
        self.counts = JournalCounts()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread: int | None = None

    @property
    def waiting(self) -> int:
        """Entries that are not yet stored."""
        return self._waiting

    @property
    def failing(self) -> bool:
        """Whether the last commit failed and is being tried again."""
        return self._failures > 0

    @property
    def running(self) -> bool:
        """Whether it takes entries and there is a thread that writes them."""
        return not self._stopping and self._thread is not None and self._thread.is_alive()

    @property
    def full(self) -> bool:
        """Whether so much waits that new calls and registrations are refused."""
        return self._waiting >= self._limit

    @property
    def oldest_age(self) -> float:
        """Seconds for which the oldest entry waits that is not stored; 0 when all are."""
        with self._lock:
            since = self._groups[0].since if self._groups else None
            if self._writing_since is not None:
                since = self._writing_since
        return 0.0 if since is None else max(0.0, time.monotonic() - since)

    @property
    def stored_ago(self) -> float | None:
        """Seconds since the last commit (a sign of life comes every `HEARTBEAT_INTERVAL`) or the start; None before."""
        return None if self._stored_at is None else time.monotonic() - self._stored_at

    def claim(self) -> None:
        """Make sure, before `start`, that no other server works with the store; blocks. Raises StoreError."""
        self._writer.claim()

    def start(self) -> None:
        """Start the writer. Must be called in the running loop to which the callbacks shall come."""
        if self._thread is not None:
            raise RuntimeError("the journal is running")
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._stopping = self._giving_up = False
        # What an earlier stop could not write was reported as lost by then.
        self._groups.clear()
        self._waiting = self._failures = 0
        self._due = inf
        self._stored_at = self._began_at = time.monotonic()
        self._next_sign = self._stored_at  # at once: who looks at the store sees that somebody writes
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    async def stop(self, timeout: float = DRAIN_TIMEOUT) -> int:  # noqa: ASYNC109 - the drain's, not the caller's
        """Take nothing more, write what waits, and return how many entries could not be written in time (0, mostly)."""
        thread = self._thread
        if thread is None:
            self._writer.close()
            return 0
        with self._lock:
            self._stopping = True
        self._bell.ring()
        await asyncio.to_thread(thread.join, timeout)
        if thread.is_alive():
            self._giving_up = True
            self._bell.ring()
            await asyncio.to_thread(thread.join)
        self._thread = None
        await asyncio.sleep(0)  # lets the callbacks of the last commit run
        return self._waiting

    def append(self, entries: Sequence[Entry], then: Then | None = None, *, patience: float = 0.0) -> None:
        """Hand over entries that belong together, from any thread; `then` is called in the loop once they are stored.

        With no entries, `then` is called after all that was handed over before. What `then` raises goes to the loop's
        exception handler. `patience` is how many seconds the entries may wait for others with which they are written.

        Raises:
            JournalFull: `LIMIT` entries wait and these begin a call or a registration; or the reserve is used up too,
                which only a disk that takes nothing for minutes can do: end calls.
            JournalStopped: there is nobody to write them.

        """
        size = len(entries) or 1
        with self._lock:
            if self._stopping:
                raise JournalStopped("the journal is not running")
            waiting = self._waiting + size
            if waiting > self._limit and (waiting > self._limit + self._reserve or _begins_something(entries)):
                raise JournalFull(f"{self._waiting} entries wait to be written")
            now = time.monotonic()
            self._groups.append(_Group(entries, then, size, now))
            self._waiting = waiting
            due = now + patience
            sooner = due < self._due
            if sooner:
                self._due = due
        if sooner:
            self._have_written(due, patience)

    def _have_written(self, due: float, patience: float) -> None:
        """See that the writer looks when something is due, in `patience` seconds.

        Not by waking it now, where that can be had: it would wait for the interpreter's lock, which this thread holds,
        or go back to sleep for less time.
        """
        loop = self._running_loop()
        if threading.get_ident() != self._loop_thread or loop.is_closed():
            self._bell.ring()
        elif patience > 0:
            loop.call_at(next_beat(loop.time() + patience), self._ring, due)
        else:
            loop.call_soon(self._ring, due)

    def _ring(self, due: float) -> None:
        """Wake the writer for what is due then; not when that is written, or something else is due before it."""
        if self._due == due:
            self._bell.ring()

    def _run(self) -> None:
        """Be the writer's thread."""
        try:
            while self._wait_for_work():
                rest = self._began_at + GROUP_WINDOW - time.monotonic()
                if rest > 0 and self._groups and not self._stopping:
                    time.sleep(rest)
                self._began_at = time.monotonic()
                if not self._write(self._take()):
                    break
        except BaseException as error:  # noqa: BLE001 - somebody must see the thread die
            self._tell(error)
        finally:
            with self._lock:
                self._stopping = True
            self._writer.close()

    def _wait_for_work(self) -> bool:
        """Wait for entries or until a sign of life is due; return False when all is written and the journal stops."""
        while not self._stopping and (wait := min(self._due, self._next_sign) - time.monotonic()) > 0:
            self._bell.wait(wait)
        with self._lock:
            return bool(self._groups) or not self._stopping

    def _take(self) -> list[_Group]:
        """Take the next groups off the queue, up to `BATCH_LIMIT` entries."""
        with self._lock:
            self._writing_since = self._groups[0].since if self._groups else None
            if self._waiting <= BATCH_LIMIT:
                groups = list(self._groups)
                self._groups.clear()
                self._due = inf
                return groups
            groups, count = [], 0
            while self._groups and count < BATCH_LIMIT:
                group = self._groups.popleft()
                groups.append(group)
                count += group.size
            return groups

    def _write(self, groups: list[_Group]) -> bool:
        """Write groups, again and again until they are stored; return False when that was given up."""
        while True:
            try:
                self._commit(groups)
            except Exception as error:  # noqa: BLE001 - whatever it is, the entries must not be lost
                self.counts.failures += 1
                if not passes_by_itself(error):
                    return self._write_apart(groups, error)
                if not self._back_off(error):
                    return False
            else:
                return True

    def _write_apart(self, groups: list[_Group], error: BaseException) -> bool:
        """Write each group by itself, so that one that the store refuses harms no other; drop that one, and tell."""
        if len(groups) == 1:
            with self._lock:
                self._waiting -= groups[0].size
            self.counts.rejected += len(groups[0].entries)
            self._tell(error, tuple(groups[0].entries))
            return True
        return all([self._write([group]) for group in groups])  # noqa: C419 - the others are to be tried anyway

    def _commit(self, groups: list[_Group]) -> None:
        entries = [entry for group in groups for entry in group.entries]
        began = time.monotonic()
        if began < self._next_sign:
            self._writer.write(entries)
        else:
            self._writer.write(entries, alive_at=self._now())
            self._next_sign = time.monotonic() + HEARTBEAT_INTERVAL
        self._stored_at = time.monotonic()
        self.counts.commit_seconds.observe(self._stored_at - began)
        self.counts.entries += len(entries)
        with self._lock:
            self._waiting -= sum(group.size for group in groups)
            self._writing_since = None
        self._failures = 0
        waiting_for_it = [group.then for group in groups if group.then is not None]
        if waiting_for_it:
            self._in_loop(self._call, waiting_for_it)

    def _back_off(self, error: BaseException) -> bool:
        """Wait before the next try; return False when the journal is to stop without having written everything."""
        self._failures += 1
        self._tell(error)
        until = time.monotonic() + min(LAST_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures - 1, 16))
        while not self._giving_up and (wait := until - time.monotonic()) > 0:
            self._bell.wait(wait)
        return not self._giving_up

    def _tell(self, error: BaseException, rejected: tuple[Entry, ...] = ()) -> None:
        failure = JournalFailure(error, self._waiting, max(1, self._failures), rejected)
        self._in_loop(self._on_failure, failure)

    def _in_loop(self, function: Callable[[T], None], argument: T) -> None:
        """Call a function in the loop's thread; not at all when the loop is closed, because then nobody waits."""
        with contextlib.suppress(RuntimeError):
            self._running_loop().call_soon_threadsafe(function, argument)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the journal was never started")
        return self._loop

    def _call(self, thens: Sequence[Then]) -> None:
        """Call what waited for a commit; one that fails must not keep the others from hearing of it."""
        for then in thens:
            try:
                then()
            except Exception as error:  # noqa: BLE001
                context = {"message": "what waited for the journal failed", "exception": error}
                self._running_loop().call_exception_handler(context)


def _begins_something(entries: Sequence[Entry]) -> bool:
    return any(isinstance(entry, CdrOpened | BindingStored) for entry in entries)
