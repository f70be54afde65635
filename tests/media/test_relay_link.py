"""A relay's process that misbehaves, and a relay whose PBX does."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from kobza.media import relay_link
from kobza.media.frames import Frames, encode
from kobza.media.messages import Logged, Ping, Pong, Release, decode_report
from kobza.media.plane import MediaError
from kobza.media.relay_link import RelayLink
from tests.support.waiting import PATIENCE

FAKE = """#!{python}
import socket, sys, time
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[3])
{body}
"""
READY = f"peer.sendall({encode(Pong(0))!r})\n"


class Watch:
    """A link to a process that is not a relay."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self.link = RelayLink(lambda _: None, self.lost.set)

    async def until_lost(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.lost.wait()
        await self.link.reap()


def pretend(body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another program be started in the relay's place."""
    program = tmp_path / "relay"
    program.write_text(FAKE.format(python=sys.executable, body=body))
    program.chmod(0o700)
    monkeypatch.setattr("kobza.media.relay_link.sys.executable", str(program))


@pytest.mark.parametrize(
    "said",
    ["b'hello, world'", "b'\\xff' * 8", "b'\\0\\0\\0\\1\\xc1'", repr(encode(Release("a command")))],
    ids=["text", "too long", "no message", "a command"],
)
async def test_one_that_talks_nonsense_is_ended(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(READY + f"time.sleep(0.1); peer.sendall({said}); time.sleep(60)", tmp_path, monkeypatch)
    watch = Watch()
    await watch.link.start(60.0)
    await watch.until_lost()


async def test_one_that_ends_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(READY, tmp_path, monkeypatch)
    watch = Watch()
    await watch.link.start(60.0)
    await watch.until_lost()
    watch.link.commands.send(Ping(1))  # to nobody
    assert watch.lost.is_set()


async def test_one_that_never_is_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_link, "START_TIMEOUT", 0.5)
    pretend("time.sleep(60)", tmp_path, monkeypatch)
    watch = Watch()
    with pytest.raises(MediaError, match="did not start"):
        await watch.link.start(60.0)
    assert watch.link.commands.congested or watch.link.pid is not None
    assert not watch.lost.is_set()  # nobody relied on it


async def test_one_that_reads_nothing_begins_no_calls_and_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(READY + "time.sleep(60)", tmp_path, monkeypatch)
    watch = Watch()
    watch.link.commands.high, watch.link.commands.most = 10_000, 1_000_000
    congested = [watch.link.commands.congested]
    await watch.link.start(60.0)
    congested.append(watch.link.commands.congested)
    assert congested == [True, False]
    seen_congested = False
    async with asyncio.timeout(PATIENCE):
        while not watch.lost.is_set():
            for _ in range(100):
                watch.link.commands.send(Release("x" * 1000))
            seen_congested |= watch.link.commands.congested
            await asyncio.sleep(0)
    assert seen_congested
    await watch.link.reap()


async def test_one_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_link, "STOP_TIMEOUT", 0.3)
    pretend(READY + "time.sleep(60)", tmp_path, monkeypatch)
    watch = Watch()
    await watch.link.start(60.0)
    assert watch.link.pid is not None
    await watch.link.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(watch.link.pid, 0)
    assert not watch.lost.is_set()


async def relay_told(*pieces: bytes) -> tuple[list[object], int]:
    """Start a real relay, tell it something; return what it reports and its exit code."""
    reports: list[object] = []
    frames = Frames()
    ready = asyncio.Event()
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
        while data := await reader.read(4096):
            reports.extend(decode_report(body) for body in frames.feed(data))
            ready.set()
        writer.close()
        done.set()

    path = Path("/tmp") / f"kobza-test-{id(reports)}"
    server = await asyncio.start_unix_server(serve, path)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "kobza.media.relay", str(path), "60", "1", "auto", "10"),
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE):
            code = await process.wait()
            await done.wait()
    finally:
        server.close()
        path.unlink(missing_ok=True)
    return reports, code


@pytest.mark.parametrize(
    "nonsense",
    [b"\xff" * 8, b"\x00\x00\x00\x01\xc1", encode(Pong(1))],
    ids=["too long", "no message", "a report"],
)
async def test_a_pbx_that_talks_nonsense_is_left(nonsense: bytes) -> None:
    reports, code = await relay_told(encode(Ping(5)), nonsense)
    assert [report for report in reports if not isinstance(report, Logged)] == [Pong(0), Pong(5)]
    assert code == 0
