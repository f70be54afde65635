"""The collector of SIP messages: real packets over UDP and TCP, what becomes of them when it is away."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from kobza.app.lifetime import Lifetime
from kobza.app.watchers import start_watchers
from kobza.config.settings import Settings
from kobza.config.values import Collector
from kobza.pbx import hep_export
from kobza.sip.flow import Flow
from tests.app.test_control import FLOW, MESSAGE, Watched
from tests.capture.hep_packets import HepPacket, packets_in
from tests.support.ports import free_port
from tests.support.waiting import until

SHOWN = MESSAGE.replace(b"0123", b"xxxx")


@asynccontextmanager
async def exporting(data: Path, server: str, **more: Any) -> AsyncIterator[Watched]:
    watch = Watched()
    lifetime = Lifetime()
    settings = Settings(data=data, hep_server=Collector.parse(server), **more)
    await start_watchers(settings, watch, lifetime)
    try:
        yield watch
    finally:
        await lifetime.stop()
    assert watch._taps == []


async def test_each_message_goes_to_the_collector_without_its_secrets(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.setblocking(False)
        loop = asyncio.get_running_loop()
        server = f"udp:localhost:{collector.getsockname()[1]}"
        async with exporting(tmp_path, server, hep_id=2026, hep_password=SecretStr("key")) as watch:
            await until(lambda: watch._taps, "the export")
            first_leg: Any = SimpleNamespace(role="uas", sip_call_id="zero")
            second_leg: Any = SimpleNamespace(role="uac", sip_call_id="one")
            for dialog in (first_leg, second_leg):
                watch._dialogs.join("call", dialog, None)
            watch.see(2)
            got = [await loop.sock_recv(collector, 65_535) for _ in range(2)]
        source, target = FLOW.remote, FLOW.local
        assert packets_in(b"".join(got)) == [
            HepPacket(2, 6, source, target, 1.5, 1, 2026, b"key", b"zero", SHOWN) for _ in range(2)
        ]
        assert (watch.exported.sent, watch.exported.dropped) == (2, 0)


async def test_a_collector_that_comes_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hep_export, "RETRY_DELAYS", (0.02,))
    received = bytearray()
    lines: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(writer)
        while data := await reader.read(65_536):
            received.extend(data)
        writer.close()

    port = free_port()
    async with exporting(tmp_path, f"tcp:127.0.0.1:{port}") as watch:
        await until(lambda: watch._taps, "the export")
        watch.see(3)  # nobody is there: they wait
        async with await asyncio.start_server(accept, "127.0.0.1", port):
            await until(lambda: len(packets_in(whole(received))) == 3, "what waited")
            lines[0].close()
            await until(lambda: len(lines) == 2, "another connection")
            watch.see()
            await until(lambda: len(packets_in(whole(received))) == 4, "what came then")
            monkeypatch.setattr(hep_export, "MAX_UNSENT", -1)
            watch.see(5)
            await until(lambda: watch.exported.dropped == 5, "what found no room")
    assert watch.exported.sent == 4


async def test_a_collector_without_a_listener_costs_packets_alone(tmp_path: Path) -> None:
    async with exporting(tmp_path, f"udp:127.0.0.1:{free_port()}") as watch:
        await until(lambda: watch._taps, "the export")
        for _ in range(200):
            watch.see()
            await asyncio.sleep(0.01)
            if watch.exported.dropped:
                break
        assert watch.exported.dropped


async def test_a_fault_ends_no_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hep_export, "RETRY_DELAYS", (0.02,))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.setblocking(False)
        async with exporting(tmp_path, f"udp:127.0.0.1:{collector.getsockname()[1]}") as watch:
            await until(lambda: watch._taps, "the export")
            watch.endpoint.watch(MESSAGE, Flow(FLOW.transport, ("no address", 1), FLOW.remote), True, 1.0)
            await until(lambda: "SIP messages were not sent" in caplog.text, "the fault in the log")
            watch.see()
            assert packets_in(await asyncio.get_running_loop().sock_recv(collector, 65_535))


def whole(received: bytearray) -> bytes:
    """Return the packets that are there from their beginning to their end."""
    end = 0
    while end + 6 <= len(received):
        length = int.from_bytes(received[end + 4 : end + 6])
        if end + length > len(received):
            break
        end += length
    return bytes(received[:end])
