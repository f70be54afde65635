"""Asterisk 22 as the peer that calls are measured against: run from a Debian root that `make bench-peers` has made."""

import asyncio
import os
import socket
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bench.rows import Unavailable
from kobza.sip.flow import Address

ROOT = Path("build/asterisk")
"""A root folder of Debian with Asterisk in it; Debian 12 itself has none."""
HOST = "127.0.0.1"
CONFIGURATION = Path(__file__).parent / "asterisk"
FOLDERS = ("spool", "run", "log")
SECONDS_TO_START = 30.0


def version() -> str:
    """Say which Asterisk is there, in words; raises Unavailable when none is or this user may not run it."""
    if not (ROOT / "usr/sbin/asterisk").exists():
        raise Unavailable("Asterisk is missing: `make bench-peers` installs it, as root")
    if os.geteuid() != 0:
        raise Unavailable("Asterisk runs in a root folder of its own, which takes root")
    said = subprocess.run(["chroot", ROOT, "asterisk", "-V"], check=True, capture_output=True, text=True)
    return " ".join(said.stdout.split()[:2]).partition("+")[0]


@asynccontextmanager
async def asterisk(sip_port: int, phone_port: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, Address]]:
    """Run Asterisk, which sends every call to a phone on `phone_port`; give its process and where it speaks SIP."""
    values = {"SIP": str(sip_port), "PHONE": str(phone_port)}
    async with running(CONFIGURATION, "kobza-bench", sip_port, values) as process:
        yield process, (HOST, sip_port)


@asynccontextmanager
async def running(
    configuration: Path, name: str, sip_port: int, values: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run Asterisk with a folder of configuration, in which `@NAME@` and the keys of `values` are written over.

    `name` is that of its folders in the root, so that several may run. Raises Unavailable.
    """
    version()
    configure(configuration, name, values)
    process = await asyncio.create_subprocess_exec(
        *("chroot", str(ROOT), "asterisk", "-f", "-C", f"/etc/{name}/asterisk.conf"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await answers_options((HOST, sip_port), process)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def configure(configuration: Path, name: str, values: Mapping[str, str]) -> None:
    """Write the configuration and what Asterisk expects of its surroundings into the root folder."""
    modules = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/asterisk/modules"
    target = ROOT / "etc" / name
    target.mkdir(exist_ok=True)
    for source in configuration.iterdir():
        text = source.read_text()
        for key, value in {**values, "NAME": name, "MODULES": modules}.items():
            text = text.replace(f"@{key}@", value)
        (target / source.name).write_text(text)
    for folder in FOLDERS:
        (ROOT / "var" / folder / name).mkdir(parents=True, exist_ok=True)
    # Without these names each call waits for DNS.
    (ROOT / "etc/hosts").write_text(f"{HOST} localhost {socket.gethostname()} a.root-servers.net A.ROOT-SERVERS.NET\n")


async def answers_options(server: Address, process: asyncio.subprocess.Process) -> None:
    """Wait until a SIP server answers OPTIONS."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        sock.setblocking(False)
        port = sock.getsockname()[1]
        request = (
            f"OPTIONS sip:{server[0]}:{server[1]} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{port};branch=z9hG4bKready\r\n"
            f"From: <sip:bench@{HOST}>;tag=1\r\nTo: <sip:{HOST}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\n"
            "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SECONDS_TO_START):
            while process.returncode is None:
                await loop.sock_sendto(sock, request, server)
                try:
                    async with asyncio.timeout(0.5):
                        await loop.sock_recv(sock, 4096)
                except (TimeoutError, ConnectionRefusedError):
                    await asyncio.sleep(0.2)
                else:
                    await asyncio.sleep(1.0)
                    return
    raise SystemExit(f"Asterisk ended with {process.returncode}")
