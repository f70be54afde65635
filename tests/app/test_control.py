"""The control socket: who may ask, what is refused, and that nobody keeps it busy."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import DecodeError

from kobza.app.control import messages as said
from kobza.app.control.client import NoServer, ServerRefused, ask
from kobza.app.control.place import reachable
from kobza.app.control.server import ControlSocket
from kobza.capture.message import Seen
from kobza.capture.recent import RecentMessages
from kobza.pbx.call_dialogs import CallDialogs
from kobza.pbx.sip_ladder import SipLadders
from kobza.pbx.sip_watch import MAX_TAPS, SipWatch
from kobza.sip.flow import Flow, Transport
from tests.support.waiting import until

FLOW = Flow(Transport.TCP, ("192.0.2.1", 5060), ("192.0.2.7", 40_000), 3)
MESSAGE = b'BYE sip:a SIP/2.0\r\nCall-ID: one\r\nAuthorization: Digest response="0123"\r\n\r\n'


class Watched(SipWatch):
    """A watch whose messages are what a test says."""

    def __init__(self) -> None:
        self.endpoint: Any = SimpleNamespace(watch=None)
        dialogs = CallDialogs()
        ladders = SipLadders(lambda _entries, _states: None, dialogs, None)
        super().__init__(self.endpoint, ladders, dialogs, RecentMessages(0), {}.get)  # type: ignore[arg-type]

    def see(self, count: int = 1) -> None:
        for _ in range(count):
            self.endpoint.watch(MESSAGE, FLOW, False, 1.5)


@pytest.fixture
def watch() -> Watched:
    return Watched()


@pytest.fixture
async def data(tmp_path: Path, watch: Watched) -> AsyncIterator[Path]:
    """A data directory with a name too long for an address of a socket, and a server in it."""
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    with reachable(directory / said.SOCKET_NAME) as address, socket.socket(socket.AF_UNIX) as died:
        died.bind(address)  # a server before left its file
    serving = ControlSocket(directory, watch)
    await serving.start()
    yield directory
    await serving.stop()
    assert list(directory.iterdir()) == []


def question(**changes: Any) -> said.AskCapture:
    values: dict[str, Any] = {"number": None, "call_id": None, "seconds": 60.0, "messages": 100, "size": 10_000}
    return said.AskCapture(**{**values, **changes})


async def answers(data: Path, asked: said.Question) -> list[said.Answer]:
    return await asyncio.to_thread(lambda: list(ask(data, asked, longest=60.0)))


async def taps(watch: Watched, count: int) -> None:
    await until(lambda: len(watch._taps) == count, f"{count} taps")


async def test_a_capture_ends_at_its_bounds_and_nothing_is_left_of_it(data: Path, watch: Watched) -> None:
    assert stat.S_IMODE((data / said.SOCKET_NAME).stat().st_mode) == 0o600
    for asked, passed, because in (
        (question(messages=3), 3, "messages"),
        (question(size=2 * len(MESSAGE), secrets=True), 2, "size"),
        (question(seconds=1.0), 4, "seconds"),
    ):
        running = asyncio.create_task(answers(data, asked))
        await taps(watch, 1)
        watch.see(4)
        first, *messages, last = await running
        assert (first, len(messages)) == (said.Started(), passed)
        assert last == said.Done(0, because)
        shown = MESSAGE if asked.secrets else MESSAGE.replace(b"0123", b"xxxx")
        assert {each.seen for each in messages if isinstance(each, said.Message)} == {
            Seen(1.5, False, Flow(*FLOW[:3]), shown)
        }
        await taps(watch, 0)
        assert watch.endpoint.watch == watch._ladders.note


async def test_who_leaves_or_reads_nothing_costs_nothing(data: Path, watch: Watched) -> None:
    with reachable(data / said.SOCKET_NAME) as address:
        reader, writer = await asyncio.open_unix_connection(address)
    writer.write(said.framed(question()))
    assert await reader.readexactly(4)  # the length of `Started`
    await taps(watch, 1)
    writer.close()
    await taps(watch, 0)
    with reachable(data / said.SOCKET_NAME) as address:
        reader, writer = await asyncio.open_unix_connection(address)
    writer.write(said.framed(said.AskCall("call"))[:3])
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


async def test_what_cannot_be_is_refused(data: Path, watch: Watched, tmp_path: Path) -> None:
    with pytest.raises(ServerRefused, match="call x is not on"):
        await answers(data, question(call_id="x"))
    running = [asyncio.create_task(answers(data, question())) for _ in range(MAX_TAPS)]
    await taps(watch, MAX_TAPS)
    with pytest.raises(ServerRefused, match="captures and exports run already"):
        await answers(data, question())
    watch.see(100)
    assert {type((await each)[-1]) for each in running} == {said.Done}
    with pytest.raises(NoServer, match="no server runs with the data directory"):
        await answers(tmp_path, said.AskCall("call"))
    assert await answers(data, said.AskCall("call")) == [said.Done()]


async def test_a_server_that_stops_says_so(tmp_path: Path, watch: Watched) -> None:
    serving = ControlSocket(tmp_path, watch)
    await serving.start()
    running = asyncio.create_task(answers(tmp_path, question()))
    await taps(watch, 1)
    await serving.stop()
    assert (await running)[-1] == said.Done(0, "stopping")


async def test_a_directory_that_takes_no_socket_is_no_reason_not_to_serve(
    tmp_path: Path, watch: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr(os, "chmod", refuse)
    serving = ControlSocket(tmp_path, watch)
    await serving.start()
    assert "commands cannot ask this server" in caplog.text
    await serving.stop()


@given(st.binary(max_size=200))
def test_whatever_comes_over_it_is_a_question_or_an_error(body: bytes) -> None:
    for read in (said.question_in, said.answer_in):
        try:
            read(body)
        except DecodeError:
            continue
