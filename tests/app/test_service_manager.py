"""What a service manager hears, on a socket like its own."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobza.app.service_manager import ServiceManager
from tests.support.waiting import PATIENCE


@pytest.fixture(params=["file", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address as the variable has it."""
    return str(tmp_path / "notify") if request.param == "file" else f"@kobza-test-{tmp_path.name}-{id(request)}"


@pytest.fixture
def manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + address[1:] if address.startswith("@") else address)
        listening.setblocking(False)
        yield listening


async def heard(manager: socket.socket) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return await asyncio.get_running_loop().sock_recv(manager, 100)


async def test_it_hears_that_the_server_is_ready_alive_and_stopping(address: str, manager: socket.socket) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000"})
    told.ready()
    assert await heard(manager) == b"READY=1"
    assert [await heard(manager) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    told.stopping()
    last = b"WATCHDOG=1"
    while last == b"WATCHDOG=1":
        last = await heard(manager)
    assert last == b"STOPPING=1"
    await asyncio.sleep(0.03)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


async def test_without_a_watchdog_it_hears_no_beat(address: str, manager: socket.socket) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": address})
    told.ready()
    told.stopping()
    assert [await heard(manager) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]


async def test_one_that_is_gone_harms_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert "cannot be told READY=1" in caplog.text


async def test_without_one_nothing_is_said() -> None:
    told = ServiceManager({})
    told.ready()
    told.stopping()
