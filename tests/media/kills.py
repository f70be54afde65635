"""Proof that no call leaves anything behind: calls are begun and killed in every state, and then all is counted.

    make kills                         # 10,000 calls, some two minutes
    make kills ARGS="--calls 500 --seed 7"

A call is ended when it has been offered, while its ports are being bound, after early media, in the middle of talk,
recordings, music, digits and hold, after a phone has left and another one has come; twice, and with another of its
name right behind. Afterwards there must be as many sockets in the relay as it keeps bound for calls to come, as many
files and tasks here as before, no port in use, and memory back to where it was, in both processes.
"""

import argparse
import asyncio
import gc
import random
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kobza.media.plane import MediaError, Side
from kobza.rtp.packet import RtpPacket
from tests.media.planes import RunningPlane, running_plane
from tests.support.ports import free_range

HOST = "127.0.0.1"
AT_ONCE = 20
"""Calls beside each other."""
WARM_UP = 100
"""Calls before memory is measured: caches fill, and allocators take what they keep."""
PATIENCE = 60.0


@dataclass(frozen=True)
class Left:
    """What there is at a moment. Memory in KiB."""

    ports: int
    relay_sockets: int
    stock: int
    """Pairs of ports that are kept bound for calls to come."""
    own_files: int
    tasks: int
    own_memory: int
    relay_memory: int

    @property
    def leaked(self) -> bool:
        """Something of a call is still there: a port, or a socket in the relay that none to come will use."""
        return bool(self.ports) or self.relay_sockets != 2 * self.stock


def sockets_of(pid: int) -> int:
    """Return how many UDP sockets a process has."""
    bound = {line.split()[9] for line in Path("/proc/net/udp").read_text().splitlines()[1:]}
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            count += entry.readlink().name.removeprefix("socket:[").removesuffix("]") in bound
    return count


def memory_of(pid: int | str) -> int:
    """Return the memory that a process has in use, in KiB."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])


def left(running: RunningPlane) -> Left:
    """Count."""
    gc.collect()
    pid = running.plane.relay_pid
    assert pid is not None
    return Left(
        ports=running.plane.ports_used,
        relay_sockets=sockets_of(pid),
        stock=len(running.plane._carried.ports._stock),
        own_files=len(list(Path("/proc/self/fd").iterdir())),
        tasks=len(asyncio.all_tasks()),
        own_memory=memory_of("self"),
        relay_memory=memory_of(pid),
    )


class Killer:
    """Begins calls and kills them. One socket plays all phones: nobody listens."""

    def __init__(self, running: RunningPlane, phone: socket.socket, folder: Path, seed: int) -> None:
        self._running = running
        self._phone = phone
        self._folder = folder
        self._chance = random.Random(seed)
        self._count = 0
        self.refused = 0
        """Offers that were made when all ports rested; the call was tried again."""

    async def kill(self, calls: int) -> None:
        """Begin and kill so many calls."""
        names = iter([f"call-{self._count + number}" for number in range(calls)])
        self._count += calls
        await asyncio.gather(*(self._kill_each(names) for _ in range(AT_ONCE)))

    async def _kill_each(self, names: Iterator[str]) -> None:
        for name in names:
            while True:
                try:
                    await self._one(name)
                    self._running.events.clear()  # what tests look at is no leak
                    break
                except MediaError as error:
                    if "port" not in error.reason:
                        raise
                    self.refused += 1
                    await asyncio.sleep(0.2)

    def _sdp(self, direction: str = "sendrecv") -> bytes:
        port = self._phone.getsockname()[1]
        lines = ["v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0", f"m=audio {port} RTP/AVP 8 101"]
        return "\r\n".join([*lines, "a=rtpmap:101 telephone-event/8000", f"a={direction}", ""]).encode()

    def _speak(self, sdp: bytes, ssrc: int) -> None:
        port = int(sdp.split(b"m=audio ")[1].split()[0])
        for number in range(3):
            packet = RtpPacket(8, number, 160 * number, ssrc, b"\xd5" * 160).to_bytes()
            with suppress(OSError):
                self._phone.sendto(packet, (HOST, port))

    async def _one(self, name: str) -> None:
        plane, chance = self._running.plane, self._chance
        if chance.random() < 0.1:  # nobody waits for the ports
            plane.offer(name, source=Side.CALLER, target=Side.CALLEE, sdp=self._sdp(), done=lambda _: None)
            plane.release(name)
            return
        to_callee = await self._running.offer(Side.CALLER, Side.CALLEE, self._sdp(), name)
        try:
            if chance.random() < 0.2:
                self._speak(to_callee, 2)  # early media
                return
            plane.play(name, target=Side.CALLER, what="ringback")
            to_caller = await self._running.answer(Side.CALLEE, self._sdp(), name)
            if chance.random() < 0.2:
                return
            plane.play(name, target=Side.CALLER, what="none")
            for number in range(chance.choice((0, 0, 1, 2))):
                record_id = f"{name}-{number}"
                plane.record(name, record_id=record_id, spool=self._folder / record_id)
            self._speak(to_caller, 1)
            self._speak(to_callee, 2)
            await asyncio.sleep(0)
            await chance.choice((self._holds, self._dials, self._changes_phones, self._talks))(name)
        finally:
            plane.release(name, asked=chance.random() < 0.3)
            if chance.random() < 0.1:
                plane.release(name)

    async def _talks(self, name: str) -> None:
        await asyncio.sleep(self._chance.choice((0.0, 0.02)))

    async def _holds(self, name: str) -> None:
        await self._running.reoffer(Side.CALLER, self._sdp("sendonly"), name)
        await self._talks(name)

    async def _dials(self, name: str) -> None:
        self._running.plane.digits(name, target=Side.CALLEE, digits="1,#", done=lambda _: None)
        await self._talks(name)

    async def _changes_phones(self, name: str) -> None:
        self._running.plane.leave(name, side=Side.CALLEE)
        offer = await self._running.offer(Side.CALLER, Side.CALLEE, None, name)
        if self._chance.random() < 0.5:
            await self._running.answer(Side.CALLEE, self._sdp(), name)
            self._speak(offer, 3)


async def settled(running: RunningPlane) -> Left:
    """Wait until nothing of any call is left; return what there is, whether or not that came."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    while True:
        await running.settle()
        now = left(running)
        if not now.leaked or loop.time() > until:
            return now
        await asyncio.sleep(0.1)


@contextmanager
def phone() -> Iterator[socket.socket]:
    """Open a socket that plays phones."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as opened:
        opened.bind((HOST, 0))
        yield opened


async def kill_calls(calls: int, seed: int, folder: Path, ports: int) -> tuple[Left, Left]:
    """Kill some calls, count, kill `calls` more, and count again."""
    async with running_plane(ports=free_range(ports)) as running:
        with phone() as opened:
            killer = Killer(running, opened, folder, seed)
            await killer.kill(min(WARM_UP, calls))
            before = await settled(running)
            await killer.kill(calls)
            after = await settled(running)
    return before, after


def main() -> int:
    """Run the long form; return the exit status: 1 when something is left."""
    parser = argparse.ArgumentParser(prog="make kills", description="Begin and kill calls, then count what is left.")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--ports", type=int, default=4_000, help="of media; a pair rests 5 s after its call")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kobza-kills-") as folder:
        before, after = asyncio.run(kill_calls(options.calls, options.seed, Path(folder), options.ports))
    print(f"seed {options.seed}\nbefore {before}\nafter {options.calls} calls {after}")
    wrong = complaints(before, after)
    print("\n".join(wrong) or "nothing is left")
    return bool(wrong)


def complaints(before: Left, after: Left) -> list[str]:
    """Say what was left behind."""
    wrong = []
    if after.leaked:
        wrong.append(f"{after.ports} ports, {after.relay_sockets - 2 * after.stock} sockets in the relay are left")
    if after.own_files > before.own_files:
        wrong.append(f"{after.own_files - before.own_files} files are left here")
    if after.tasks > before.tasks:
        wrong.append(f"{after.tasks - before.tasks} tasks are left here")
    for name, grown in (
        ("here", after.own_memory - before.own_memory),
        ("in the relay", after.relay_memory - before.relay_memory),
    ):
        if grown > MEMORY:
            wrong.append(f"{grown} KiB more memory {name}")
    return wrong


MEMORY = 4096
"""KiB by which memory may grow: allocators keep what was in use at the worst moment. 10,000 calls that each left
one object of 500 bytes would be more."""

if __name__ == "__main__":
    sys.exit(main())
