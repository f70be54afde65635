"""Time that passes as soon as there is nothing to do, and a network in it: an hour of calls takes seconds.

The loop is asyncio's own. Where it would sleep until its next timer, its clock is set to that moment; only what really
takes time, another thread, is waited for. So everything that is built on the loop runs in virtual time unchanged.
"""

import asyncio
import selectors
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from itertools import count
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

from kobza.net.udp import UdpSocket
from kobza.sip.flow import Address
from tests.support.impairment import Fate, Impairment

START: Final = 1_790_000_000.0
"""Seconds since the epoch at which virtual time begins."""
LOOK: Final = 0.05
"""Seconds of the wall between two looks whether a thread is done, should it not wake the loop."""
T = TypeVar("T")
Result = TypeVar("Result")
Ts = TypeVarTuple("Ts")


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time jumps. `real` counts what is done elsewhere: while it is not 0, time stands."""

    def __init__(self) -> None:
        self.virtual = 0.0
        self.real = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return virtual seconds since the beginning."""
        return self.virtual

    def now(self) -> float:
        """Return the same as the clock of a server: seconds since the epoch."""
        return START + self.virtual

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> "asyncio.Future[T]":
        """Let a thread work while time stands."""
        self.real += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: "asyncio.Future[Any]") -> None:
        self.real -= 1


class _Selector(selectors.DefaultSelector):
    """Looks at the sockets without waiting; passes time in the place of that."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; without anything, be where the wait ends."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self._loop.real or timeout is None:
            return super().select(LOOK)
        self._loop.virtual += timeout
        return ready


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, Result]]) -> Result:
    """Run something in virtual time."""
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(loop))


class Network:
    """Carries datagrams between sockets of this process; may lose, repeat, delay and reorder them."""

    def __init__(self, loop: VirtualLoop, impairment: Impairment, seed: object) -> None:
        self._loop = loop
        self._sockets: dict[Address, VirtualSocket] = {}
        self._ports = count(40_000)
        self.fate = Fate(impairment, seed)
        self.copies: Counter[bytes] = Counter()
        """How often each datagram was sent: a message that is sent again is the same to the byte."""
        self.cut: set[str] = set()
        """Hosts that nothing comes from or goes to."""

    def socket(
        self,
        bind: Address,
        *,
        received: Callable[[UdpSocket, bytes, Address], None],
        drained: Callable[[], None],
        failed: Callable[[UdpSocket, Address, OSError], None],
        outside: str | None = None,
    ) -> "VirtualSocket":
        """Make a socket; takes what `UdpSocket` takes."""
        assert outside is None, "here everybody has the address by which all reach it"
        address = bind if bind[1] else (bind[0], next(self._ports))
        made = VirtualSocket(self, address, received, drained)
        self._sockets[address] = made
        return made

    def send(self, source: Address, target: Address, data: bytes) -> None:
        """Let a datagram go."""
        if not {source[0], target[0]} & self.cut:
            self.copies[data] += 1
        for seconds in self.fate.next():
            self._loop.call_later(seconds, self._arrive, source, target, data)

    def closed(self, address: Address) -> None:
        """Forget a socket."""
        self._sockets.pop(address, None)

    def _arrive(self, source: Address, target: Address, data: bytes) -> None:
        there = self._sockets.get(target)
        if there is not None and not {source[0], target[0]} & self.cut:
            there.arrive(data, source)


class VirtualSocket(UdpSocket):
    """A UDP socket in a virtual network, with the methods that an endpoint uses."""

    def __init__(
        self,
        network: Network,
        address: Address,
        received: Callable[[UdpSocket, bytes, Address], None],
        drained: Callable[[], None],
    ) -> None:
        self._network = network
        self._received = received
        self._drained = drained
        self.address = address
        self.is_wildcard, self.has_one_address = False, True
        self.dropped = 0
        self._open = True

    def local_for(self, remote: Address) -> Address:
        """Return its address."""
        return self.address

    def reaches(self, remote_host: str) -> bool:
        """Tell that it reaches everybody."""
        return True

    def send(self, data: bytes, remote: Address) -> None:
        """Send one datagram."""
        if self._open:
            self._network.send(self.address, remote, data)

    def arrive(self, data: bytes, source: Address) -> None:
        """Take one datagram."""
        if self._open:
            self._received(self, data, source)
            self._drained()

    def close(self) -> None:
        """Take and send no more."""
        self._open = False
        self._network.closed(self.address)
