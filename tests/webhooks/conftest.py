"""A store, a journal and a dispatcher as the PBX puts them together, and a way to let states happen."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text

from kobza.call.states import OwnerState, StateType
from kobza.config.settings import LOOPBACK
from kobza.pbx.journal import Journal
from kobza.store import Store, endpoints, enterprises
from kobza.store.endpoints import EndpointStatus
from kobza.store.entries import StateStored
from kobza.store.place import Place
from kobza.webhooks import circuit
from kobza.webhooks.dispatcher import Dispatcher
from kobza.webhooks.payload import body
from tests.support.sink import WebhookSink
from tests.support.stores import empty_store
from tests.support.waiting import PATIENCE

STATES = (StateType.ALERTING, StateType.ESTABLISHED, StateType.FINISHED)


def soon(attempts: int, _jitter: float, _retry_after: float | None) -> float | None:
    """A schedule for tests: the steps of the contract, a thousand times faster."""
    return 0.05 if attempts < 9 else None


@dataclass
class Pbx:
    """The part of the PBX that stores states and tells the dispatcher."""

    store: Store
    failures: list[object] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=lambda: {"wait": soon})
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def enterprise(self, url: str | None, secret: str | None = None) -> str:
        """Add an enterprise with an endpoint; return its id."""
        with self.store.write() as connection:
            added = enterprises.add(connection, "E", f"admin{next(self._numbers)}", "x", 0)
        if url is not None:
            self.set_endpoint(added.enterprise_id, url, secret)
        return added.enterprise_id

    def set_endpoint(self, enterprise_id: str, url: str, secret: str | None = None) -> None:
        with self.store.write() as connection:
            endpoints.set(connection, enterprise_id, url, "remote-token", secret)

    def is_active(self, enterprise_id: str) -> bool:
        with self.store.read() as connection:
            endpoint = endpoints.get(connection, enterprise_id)
        return endpoint is not None and endpoint.active

    def status(self, enterprise_id: str) -> EndpointStatus:
        with self.store.read() as connection:
            status = endpoints.status(connection, enterprise_id)
        assert status is not None
        return status

    def state(self, enterprise_id: str, leg: str, sequence: int, *, owed: bool = True) -> StateStored:
        """Return the state with a number of a leg."""
        state = OwnerState(
            event_id=f"{leg}-{sequence}",
            call_id=f"call of {leg}",
            call_control_id=leg,
            sequence=sequence,
            state_type=STATES[min(sequence, 3) - 1],
            enterprise_id=enterprise_id,
            state_owner="+380671234567",
            phone_number="+380671234568",
            call_direction="incoming",
            at=time.time(),
        )
        return StateStored(state, owed, body(state))

    def journal(self) -> Journal:
        return Journal(self.store.place, now=time.time, on_failure=self.failures.append)

    def dispatcher(self, journal: Any, **options: Any) -> Dispatcher:
        everything: dict[str, Any] = {"allow_private": LOOPBACK, "now": time.time} | self.options | options
        return Dispatcher(self.store, journal, **everything)

    def rows(self, columns: str = "event_id, status, attempts") -> list[tuple[Any, ...]]:
        """Return the deliveries in the order of their events."""
        with self.store.read() as connection:
            found = connection.exec_driver_sql(
                f"SELECT {columns} FROM deliveries JOIN events USING (cursor) ORDER BY cursor"
            )
            return [tuple(row) for row in found]

    def attempts(self, event_id: str) -> list[tuple[Any, ...]]:
        """Return the attempts of one delivery: number, status code, error."""
        with self.store.read() as connection:
            query = text(
                "SELECT attempt, status_code, error FROM attempts JOIN events USING (cursor) "
                "WHERE event_id = :event_id ORDER BY attempt"
            )
            return [tuple(row) for row in connection.execute(query, {"event_id": event_id})]


@pytest.fixture(autouse=True)
def quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probe dead endpoints as much faster as the schedule is."""
    monkeypatch.setattr(circuit, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(circuit, "LAST_PAUSE", 0.1)


@pytest.fixture
async def pbx(place: Place) -> AsyncIterator[Pbx]:
    store = empty_store(place)
    yield Pbx(store)
    store.close()


@pytest.fixture
async def sink() -> AsyncIterator[WebhookSink]:
    async with WebhookSink() as running:
        yield running


@pytest.fixture
async def journal(pbx: Pbx) -> AsyncIterator[Journal]:
    running = pbx.journal()
    running.start()
    yield running
    await running.stop()
    # A busy machine holds a lock for too long now and then: that commit is tried again, and nothing is lost.
    assert [each for each in pbx.failures if getattr(each, "rejected", None) != ()] == []


@pytest.fixture
async def dispatcher(pbx: Pbx, journal: Journal) -> AsyncIterator[Dispatcher]:
    running = pbx.dispatcher(journal)
    await running.start()
    yield running
    await running.stop()


async def store(journal: Journal, entries: Sequence[StateStored], tell: Dispatcher | None) -> None:
    """Commit states and, as the PBX does, tell the dispatcher afterwards."""
    stored = asyncio.Event()

    def then() -> None:
        if tell is not None:
            tell.owed(entries)
        stored.set()

    journal.append(entries, then)
    await stored.wait()


async def until(condition: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
    """Wait until something is so."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, f"waited {within} s for {what}"
        await asyncio.sleep(0.01)
