"""A real Kobza API on a real socket, and the two clients of it driven in the same way."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kobza.client import AsyncKobza, Kobza, Retries
from tests.api.world import World
from tests.client.serving import Recorder, account_of, served
from tests.support.postgres import PostgresServer

QUICK = Retries(most=4, first_wait=0.005, longest_wait=1.0)


class Both:
    """The same call on the blocking or the asynchronous client, so that each test runs on both.

    `both.calls(…)` returns the items as a list, any other method its result.
    """

    def __init__(self, kind: str, url: str, token: str, integrator_id: str | None, **options: Any) -> None:
        self.kind = kind
        self._arguments = (url, token, integrator_id)
        self._options: dict[str, Any] = {"retries": QUICK, "timeout": 10.0} | options

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            return self.do(lambda client: getattr(client, name)(*arguments, **options))

        return call

    def leg(self, call_control_id: str, method: str, *arguments: Any) -> Any:
        """Call a method of a leg."""
        return self.do(lambda client: getattr(client.call(call_control_id), method)(*arguments))

    def do(self, what: Callable[[Any], Any]) -> Any:
        """Do something with an open client."""
        if self.kind == "blocking":
            with Kobza(*self._arguments, **self._options) as client:
                result = what(client)
                return list(result) if hasattr(result, "__next__") else result

        async def run() -> Any:
            async with AsyncKobza(*self._arguments, **self._options) as client:
                result = what(client)
                return [item async for item in result] if hasattr(result, "__anext__") else await result

        return asyncio.run(run())


@pytest.fixture(params=["blocking", "asyncio"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which client."""
    return str(request.param)


@pytest.fixture
def world(tmp_path: Path, place_server: PostgresServer | None) -> Iterator[World]:
    """Two enterprises with their numbers."""
    made = World(tmp_path, server=place_server)
    yield made
    made.close()


@pytest.fixture
def recorder(world: World) -> Recorder:
    """What the client asked of the API."""
    return Recorder(world.app)


@pytest.fixture
def url(recorder: Recorder) -> Iterator[str]:
    """Where the API is."""
    with served(recorder) as base:
        yield base


@pytest.fixture
def kobza(kind: str, url: str, world: World) -> Both:
    """The client of the world's enterprise; its clock is the world's."""
    return Both(kind, url, *account_of(world), now=lambda: datetime.fromtimestamp(world.at, UTC))
