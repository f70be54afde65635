"""Fixtures of the interop tests: one served Kobza and one webhook sink for all, phones for each."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.outcome import Ledger
from tests.interop.server import Server, Site
from tests.interop.sipp import Line, Sipp
from tests.support import authority
from tests.support.name_server import NameServer
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.sink import WebhookSink
from tests.support.waiting import PATIENCE

NUMBERS = ("0671110001", "0671110002", "0671110003", "0671110004")
RECORDED = NUMBERS[:2]
"""The numbers whose calls are recorded."""


RING_TIMEOUT = 5
"""Seconds; the least that the setting allows."""
MEDIA_TIMEOUT = 5
SESSION_MIN_SE = 2
"""Far below what the RFC allows, so that a session can end within a test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.interop)


class SinkThread:
    """A webhook sink with a loop of its own: it outlives the tests, and answers while one blocks."""

    def __init__(self, sink: WebhookSink | None = None) -> None:
        self.sink = sink or WebhookSink(port=free_port())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="webhook-sink")

    @property
    def url(self) -> str:
        """What to set as the webhook's URL."""
        return self.sink.url

    def start(self) -> None:
        """Start listening."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.sink.__aenter__(), self._loop).result(10)

    def stop(self) -> None:
        """Stop listening and end the thread."""
        asyncio.run_coroutine_threadsafe(self.sink.__aexit__(None, None, None), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def of_call(self, call_id: str) -> "list[dict[str, object]]":
        """Return the states of one call so far, in the order of their arrival."""
        return [state for state in self.sink.states if state is not None and state["call_id"] == call_id]

    async def finished(self, call_id: str, owners: int, within: float = PATIENCE) -> "list[dict[str, object]]":
        """Wait until each of the owners of a call had its `finished`; return all states of the call."""

        def ended() -> int:
            return sum(state["state_type"] == "finished" for state in self.of_call(call_id))

        waiting = self.sink.wait_until(lambda _: ended() >= owners, within, f"the end of {call_id} for {owners} owners")
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(waiting, self._loop))
        return self.of_call(call_id)


@pytest.fixture(scope="session")
def sink() -> Iterator[SinkThread]:
    """The integrator's receiver of call states."""
    thread = SinkThread()
    thread.start()
    yield thread
    thread.stop()


@pytest.fixture(scope="session")
def new_site(tmp_path_factory: pytest.TempPathFactory, database: PostgresServer | None, sink: SinkThread) -> Site:
    """A store made by the commands, to be copied."""
    site = Site(tmp_path_factory.mktemp("new") / "kobza", database)
    site.create(NUMBERS, webhook=sink.url, recorded=RECORDED)
    return site


@pytest.fixture(scope="session")
def names() -> Iterator[NameServer]:
    """The name server that the served Kobza asks."""
    with NameServer() as server:
        yield server


@pytest.fixture(scope="session")
def kobza_server(tmp_path_factory: pytest.TempPathFactory, new_site: Site, names: NameServer) -> Iterator[Server]:
    """A served Kobza; its end must be clean and its log free of errors."""
    settings = {"KOBZA_RING_TIMEOUT": str(RING_TIMEOUT), "KOBZA_MEDIA_TIMEOUT": str(MEDIA_TIMEOUT)}
    settings["KOBZA_ONE_WAY_AFTER"] = "2"
    settings["KOBZA_SESSION_MIN_SE"] = str(SESSION_MIN_SE)
    certificate, key = authority.files(tmp_path_factory.mktemp("certificate"))
    settings |= {"KOBZA_SIP_CERTIFICATE": str(certificate), "KOBZA_SIP_KEY": str(key)}
    settings["KOBZA_SRTP_OFFER"] = "true"
    settings["KOBZA_DNS_SERVERS"] = f"{names.address[0]}:{names.address[1]}"
    settings["KOBZA_SIP_AUTHORITIES"] = str(authority.authority_file(certificate.parent))
    server = new_site.copy(tmp_path_factory.mktemp("served") / "kobza", **settings).start()
    yield server
    server.stop()


@pytest.fixture
def sipp(tmp_path: Path, kobza_server: Server) -> Sipp:
    """Scripts of sipp against the served Kobza."""
    return Sipp(tmp_path, kobza_server.site.sip)


@pytest.fixture
def ledger(kobza_server: Server, sink: SinkThread) -> Ledger:
    """Finds the calls of this test."""
    return Ledger(kobza_server, sink)


@pytest.fixture
def lines(kobza_server: Server) -> list[Line]:
    """The enterprise's numbers with their passwords, in the order of NUMBERS."""
    return [kobza_server.site.lines[number] for number in NUMBERS]


@pytest.fixture
def extended_states(kobza_server: Server, sink: SinkThread) -> Iterator[None]:
    """The integrator asks for extended states, for the calls of one test."""
    endpoint = {"url": sink.url, "token": "remote-token"}
    kobza_server.put("/v1/webhook", {**endpoint, "extended": True})
    reread(kobza_server)
    yield
    kobza_server.put("/v1/webhook", endpoint)
    reread(kobza_server)


def reread(server: Server) -> None:
    """Have the server read its directory anew; what was changed in the store before holds when this returns."""
    server.put("/v1/dnd", {"number": NUMBERS[3], "dnd": "off"})
