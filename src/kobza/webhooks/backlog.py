"""What the dispatcher reads from the store, in threads of its own, so that the loop never waits for the disk."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from kobza.call.directory import Endpoint
from kobza.store import deliveries, endpoints, meta
from kobza.store.heads import due_heads, first_pending, owes_more_than
from kobza.store.store import Store
from kobza.webhooks.queue import Delivery

THREADS: Final = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """What the store had at one moment for an enterprise."""

    endpoint: Endpoint | None
    failing_since: float | None
    """Seconds since the Unix epoch: since when no attempt was taken; None: the last one was."""
    complete: bool
    """Whether these are all pending deliveries; else they are those that may go now, oldest first."""
    deliveries: list[Delivery]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new in the store; None where nothing is."""

    version: int
    """Of the directory."""
    endpoints: Mapping[str, Endpoint] | None = None
    """All of them, by enterprise."""
    erasures: int = 0
    """How many erasures there were ever, when anything is new."""


class Backlog:
    """Reads for the dispatcher. Each raises what the store raises."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(THREADS, "webhook-store")
        self._asking = ThreadPoolExecutor(1, "webhook-legs")  # a question of a moment waits for no page

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._asking.shutdown(wait=True, cancel_futures=True)

    async def enterprises(self) -> list[str]:
        """Return the enterprises that have an active endpoint."""

        def read() -> list[str]:
            with self._store.read() as connection:
                return [endpoint.enterprise_id for endpoint in endpoints.load(connection) if endpoint.active]

        return await self._run(read)

    async def erasures(self) -> int:
        """Return how many erasures there were ever."""

        def read() -> int:
            with self._store.read() as connection:
                return meta.erasures(connection)

        return await self._run(read)

    async def heads(self, questions: Sequence[Delivery]) -> list[int | None]:
        """Return for the leg of each of some deliveries which sequence is its first one that is pending."""
        legs = [(question.call_id, question.call_control_id) for question in questions]

        def read() -> list[int | None]:
            with self._store.read() as connection:
                return [first_pending(connection, *leg) for leg in legs]

        return await asyncio.get_running_loop().run_in_executor(self._asking, read)

    async def page(self, enterprise_id: str, now_ms: int, room: int) -> Page:
        """Return all that is pending if that is not more than `room`, else up to `room` deliveries that may go now."""

        def read() -> Page:
            with self._store.read() as connection:
                endpoint = endpoints.get(connection, enterprise_id)
                status = endpoints.status(connection, enterprise_id)
                if endpoint is None or status is None or not endpoint.active:
                    return Page(endpoint, None, complete=False, deliveries=[])
                failing_since = None if status.failing_since is None else status.failing_since / 1000
                complete = not owes_more_than(connection, enterprise_id, room)
                if complete:
                    rows = deliveries.pending(connection, enterprise_id, limit=room)
                else:
                    rows = due_heads(connection, enterprise_id, now_ms, limit=room)
                return Page(endpoint, failing_since, complete, [_delivery(row) for row in rows])

        return await self._run(read)

    async def changes_since(self, version: int | None) -> Changes:
        """Return what is new since a version of the directory."""

        def read() -> Changes:
            current = self._store.directory_version()
            if current == version:
                return Changes(current)
            with self._store.read() as connection:
                found = {endpoint.enterprise_id: endpoint for endpoint in endpoints.load(connection)}
                return Changes(current, found, meta.erasures(connection))

        return await self._run(read)

    async def replays(self) -> int:
        """Return how many replays there were ever, by whatever process."""

        def read() -> int:
            with self._store.read() as connection:
                return meta.replays(connection)

        return await self._run(read)

    async def note_failing(self, since: Mapping[str, float | None]) -> None:
        """Store since when endpoints fail, by enterprise, in seconds."""

        def write() -> None:
            with self._store.write() as connection:
                for enterprise_id, at in since.items():
                    endpoints.note_failing(connection, enterprise_id, None if at is None else int(at * 1000))

        await self._run(write)

    async def switch_off(self, enterprise_id: str, reason: str, now_ms: int) -> None:
        """Switch an endpoint off in the store."""

        def write() -> None:
            with self._store.write() as connection:
                endpoints.deactivate(connection, enterprise_id, reason, now_ms)

        await self._run(write)

    async def _run(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)


def _delivery(row: deliveries.Delivery) -> Delivery:
    return Delivery(
        event_id=row.event_id,
        enterprise_id=row.enterprise_id,
        call_id=row.call_id,
        call_control_id=row.call_control_id,
        sequence=row.sequence,
        body=row.payload,
        attempts=row.attempts,
        attempts_before=row.attempts_before,
        due_at=row.due_at / 1000,
        occurred_at=row.occurred_at / 1000,
    )
