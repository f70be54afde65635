import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest

from kobza.net.endpoint import SipEndpoint
from kobza.sip.ua import UserAgent
from tests.net.agent import ScriptedAgent
from tests.support.name_server import NameServer

OPTIONS = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:b@b>\r\nCall-ID: %d@test\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 4\r\n\r\nbody"
)


def options(number: int) -> bytes:
    """A whole request of 4 body bytes; its Call-ID is `<number>@test`."""
    return OPTIONS % (number, number)


class Driven:
    """An endpoint with its scripted agent and the events it delivered."""

    def __init__(self, outside: str | None = None) -> None:
        self.agent = ScriptedAgent()
        self.events: list[Any] = []
        self.on_events: Callable[[list[Any]], None] = lambda _events: None
        self.endpoint = SipEndpoint(cast(UserAgent, self.agent), now=time.time, on_events=self._take, outside=outside)

    def _take(self, events: list[Any]) -> None:
        self.events += events
        self.on_events(events)


@pytest.fixture
async def driven() -> AsyncIterator[Driven]:
    driven = Driven()
    yield driven
    await driven.endpoint.close()


@pytest.fixture
def names() -> Iterator[NameServer]:
    """A name server of the test's own."""
    with NameServer() as server:
        yield server
