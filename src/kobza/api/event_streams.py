"""The live streams of call states that are open in this process: who is woken when, and how many there may be.

A stream reads the store behind its own cursor, a page at a time, and only when its client has taken the page before. So
nothing queues up for a reader that is slow, and calls never wait for one: all they do is set a flag.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from kobza.api.problems import ApiError
from kobza.store.entries import StateStored

STREAMS: Final = 500
"""Streams of one process, unless the configuration says otherwise: each costs some 60 KiB while its client is slow."""
STREAMS_PER_ENTERPRISE: Final = 20
HEARTBEAT: Final = 15.0
"""Seconds between comments: less than proxies and clients wait for a byte. Then the token is looked at, too."""
LOOK_EVERY: Final = 5.0
"""Seconds after which the store is looked into unasked: another process may have written."""
PAUSE: Final = 0.05
"""Least time between two looks of a stream: under load states come in groups, and a look costs the same for many."""
READS_AT_ONCE: Final = 2
"""Threads that read for streams, however many there are: the others are for requests."""
RETRY_AFTER: Final = "5"


class EventStreams:
    """The open streams of one process. All methods belong into the event loop's thread."""

    def __init__(
        self,
        *,
        most: int = STREAMS,
        most_of_enterprise: int = STREAMS_PER_ENTERPRISE,
        heartbeat: float = HEARTBEAT,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self.heartbeat: Final = heartbeat
        self.look_every: Final = look_every
        self.reading: Final = asyncio.Semaphore(READS_AT_ONCE)
        self._most = most
        self._most_of_enterprise = most_of_enterprise
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._count = 0
        self._stopping = False

    @property
    def count(self) -> int:
        """Streams that are open."""
        return self._count

    @property
    def stopping(self) -> bool:
        """Whether streams are to end."""
        return self._stopping

    def stored(self, states: Iterable[StateStored]) -> None:
        """Wake the streams of those whose states the journal has committed."""
        if self._waiting:
            for enterprise_id in {entry.state.enterprise_id for entry in states}:
                self.wake(enterprise_id)

    def stop(self) -> None:
        """End all streams, and refuse new ones: the server stops."""
        self._stopping = True
        for enterprise_id in self._waiting:
            self.wake(enterprise_id)

    @contextmanager
    def opened(self, enterprise_id: str) -> Iterator[asyncio.Event]:
        """Count a stream while it is open; gives the flag that is set when there is something for it.

        Raises ApiError: 429 too_many_streams with the enterprise's all in use, 503 with the process's.
        """
        if self._stopping:
            raise _unavailable("The server is stopping.")
        if self._count >= self._most:
            raise _unavailable(f"The server has {self._most} streams of events open, as many as it may.")
        own = self._waiting.setdefault(enterprise_id, set())
        if len(own) >= self._most_of_enterprise:
            raise ApiError(
                "too_many_streams",
                f"The enterprise has {len(own)} streams of events open, as many as it may; close one, or ask by pages.",
                headers={"retry-after": RETRY_AFTER},
            )
        flag = asyncio.Event()
        own.add(flag)
        self._count += 1
        try:
            yield flag
        finally:
            self._count -= 1
            own.discard(flag)
            if not own and self._waiting.get(enterprise_id) is own:
                del self._waiting[enterprise_id]

    def wake(self, enterprise_id: str) -> None:
        """Let the streams of an enterprise look anew: something that they show has changed."""
        for flag in self._waiting.get(enterprise_id, ()):
            flag.set()


def _unavailable(detail: str) -> ApiError:
    return ApiError("unavailable", detail, headers={"retry-after": RETRY_AFTER})
