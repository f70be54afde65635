"""Clients that read slowly, stall or go away, against `kobza serve` over real sockets: nothing is held up or left."""

import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from kobza.api.times import wall_of
from kobza.store import Store, driver
from kobza.store.fill import fill
from tests.interop.server import Server, Site
from tests.support.postgres import PostgresServer

CALLS = 12_000
"""7 MB as XML with all fields: more than two sockets hold."""
MANY = 50
SMALL = 4096


@pytest.fixture(scope="module")
def unserved(tmp_path_factory: pytest.TempPathFactory, database: PostgresServer | None) -> Site:
    """A site to copy: PostgreSQL copies only what nobody uses."""
    made = Site(tmp_path_factory.mktemp("slow") / "kobza", database)
    made.create([])
    store = Store.open(made.place)
    fill(store, made.enterprise["enterprise_id"], CALLS, 6)
    store.close()
    return made


@pytest.fixture(scope="module")
def site(unserved: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return unserved.copy(tmp_path_factory.mktemp("served") / "kobza")


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    started = site.start()
    yield started
    started.stop()


def target(site: Site) -> str:
    now = time.time()
    interval = f"from={wall_of(now - 6.9 * 86_400).isoformat()}&to={wall_of(now - 60).isoformat()}"
    switches = "names=on&departments=on&ownership=on&direction=on"
    return f"/api/cdr/v1/callstat.xml?token={site.enterprise['fmc_token']}&{interval}&{switches}"


def ask(site: Site, path: str) -> socket.socket:
    """Send a request over a socket that takes little, and read the beginning of the answer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    client.settimeout(30)
    host, _, port = site.http.rpartition(":")
    client.connect((host, int(port)))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: kobza\r\n\r\n".encode())
    begin = client.recv(1000)
    assert begin.startswith(b"HTTP/1.1 200 "), begin
    return client


def whole(site: Site, path: str) -> bytes:
    answer = httpx.get(f"http://{site.http}{path}", timeout=120)
    assert answer.status_code == 200
    return answer.content


def exporter(server: Server) -> int:
    """Return the process id of the export process."""
    (found,) = [
        pid for pid in server.children() if b"kobza.api.exports.process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return found


def sockets(*pids: int) -> int:
    """Return how many sockets processes have open."""
    count = 0
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                count += str(entry.readlink()).startswith("socket:")
    return count


def memory_kib(*pids: int) -> int:
    lines = (line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def options(site: Site) -> bytes:
    """Ask as a phone would whether the PBX lives."""
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.settimeout(10)
    asking.connect(site.sip)
    own = "{}:{}".format(*asking.getsockname())
    lines = (
        f"OPTIONS sip:{site.sip[0]} SIP/2.0",
        f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{os.urandom(6).hex()}",
        f"From: <sip:x@{own}>;tag=1",
        f"To: <sip:{site.sip[0]}>",
        f"Call-ID: {os.urandom(6).hex()}",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 70",
        "Content-Length: 0",
    )
    with asking:
        asking.send("\r\n".join((*lines, "", "")).encode())
        return asking.recv(4096)


def test_fifty_that_stall_cost_little_and_hold_up_nobody(site: Site, server: Server) -> None:
    path = target(site)
    expected = whole(site, path)
    assert expected.count(b"<call>") > CALLS * 0.9
    both = server.process.pid, exporter(server)
    sockets_before, memory_before = sockets(*both), memory_kib(*both)
    clients = [ask(site, path) for _ in range(MANY)]
    assert sockets(*both) >= sockets_before + 3 * MANY - 2
    # Others are served: an export, the API, a phone. And no read is held open, which would let the WAL grow.
    assert whole(site, path) == expected
    assert server.get("/v1/phonestatus") == {"phones": []}
    assert options(site).startswith(b"SIP/2.0 200")
    if isinstance(site.place, Path):
        connection = driver.connect(site.place)
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.close()
        assert busy == 0
    grown = memory_kib(*both) - memory_before
    # Each answer has 7 MB. A client that stalls was seen to take 0.8 to 1.0 MB, with PostgreSQL 1.9 MB.
    room = 1280 if isinstance(site.place, Path) else 3 * 1024
    assert grown < MANY * room, f"{grown} KiB for {MANY} clients"
    # One of them was only slow: its answer comes whole.
    slow = clients.pop()
    rest = b""
    while not rest.endswith(b"0\r\n\r\n"):
        rest += slow.recv(1 << 20)
    assert expected.rstrip().endswith(b"</calls>")
    assert b"</calls>" in rest[-100:]
    for client in (slow, *clients):
        client.close()
    until(lambda: sockets(*both) <= sockets_before, "sockets are left open")
    assert exporter(server) == both[1]
    server.assert_no_errors()


@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
def test_who_goes_away_midway_leaves_nothing(site: Site, server: Server, reset: bool) -> None:
    path = target(site)
    whole(site, path)
    both = server.process.pid, exporter(server)
    before = sockets(*both)
    for number in range(MANY):
        client = ask(site, path)
        client.recv(1 + number * 1000)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    until(lambda: sockets(*both) <= before, "sockets are left open")
    assert exporter(server) == both[1]
    server.assert_no_errors()


def test_fifty_at_once_get_each_the_whole(site: Site, server: Server) -> None:
    path = target(site).replace("callstat.xml", "callstat.csv")
    expected = whole(site, path)
    with ThreadPoolExecutor(MANY) as threads:
        answers = list(threads.map(lambda _: whole(site, path), range(MANY)))
    assert all(answer == expected for answer in answers)


def test_an_export_process_that_is_killed_is_replaced(unserved: Site, tmp_path: Path) -> None:
    own = unserved.copy(tmp_path / "kobza")
    server = own.start()
    try:
        client = ask(own, target(own))
        first = exporter(server)
        os.kill(first, signal.SIGKILL)
        rest = b""
        while part := client.recv(1 << 20):
            rest += part
        assert not rest.endswith(b"0\r\n\r\n")  # the client sees that something is missing
        client.close()
        # For a moment exports are refused: the process may have died of its start.
        until(lambda: httpx.get(f"http://{own.http}{target(own)}", timeout=120).status_code == 200, "no other starts")
        assert whole(own, target(own)).count(b"<call>") > CALLS * 0.9
        assert exporter(server) != first
        server.api.close()
    finally:
        server.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_server(unserved: Site, tmp_path: Path, how: signal.Signals) -> None:
    own = unserved.copy(tmp_path / "kobza")
    server = own.start()
    clients = [ask(own, target(own)) for _ in range(10)]
    children = server.children()
    assert exporter(server) in children
    server.process.send_signal(how)
    assert server.process.wait(20) == (0 if how is signal.SIGTERM else -how)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "a process outlives the server")
    for client in clients:
        client.close()
    server.kill()
