"""How calls come by their ports: by those that the relay has bound ahead, else they wait until theirs are bound."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from kobza.media.command_writer import CommandWriter
from kobza.media.messages import Open, Opened, OpenFailed, Reserve, Reserved, Take
from kobza.media.negotiation import CallMedia
from kobza.media.plane import MediaError, Side
from kobza.media.port_stock import PortStock
from kobza.media.ports import NoFreePorts, PortPool
from kobza.values import NO_ENTRIES

log = logging.getLogger(__name__)

BIND_ATTEMPTS: Final = 100
"""Another program may have a whole row of the range."""

Then = Callable[[MediaError | None], None]


class PlaneCall:
    """A call as the plane keeps it. What is empty of most calls is shared by them: it is replaced, never changed."""

    __slots__ = ("call_id", "held", "media", "opening", "told", "waiting")

    def __init__(self, call_id: str, media: CallMedia) -> None:
        self.call_id = call_id
        self.media = media
        self.told = 0
        """Of what the relay was told of it last, see `EmbeddedPlane`; 0: nothing."""
        self.held: tuple[int, ...] = ()
        """The even ports that it holds."""
        self.opening: Mapping[Side, int] = NO_ENTRIES
        """Those of them that are not bound yet."""
        self.waiting: tuple[tuple[frozenset[Side], Then], ...] = ()
        """What goes on once the ports of so many sides are open."""

    @property
    def has_ports(self) -> bool:
        """Whether it has a port, or will."""
        return bool(self.opening) or bool(self.media.caller.port or self.media.callee.port)

    def go_on(self) -> None:
        """Go on with what has all the ports it needs."""
        ready = [then for sides, then in self.waiting if self._has_all(sides)]
        self.waiting = tuple([(sides, then) for sides, then in self.waiting if not self._has_all(sides)])
        for then in ready:
            then(None)

    def _has_all(self, sides: Iterable[Side]) -> bool:
        return all(self.media.side(side).port for side in sides)

    def bound(self, sides: Iterable[Side]) -> None:
        """Note that ports of sides are bound, or never will be."""
        if self.opening:
            gone = set(sides)
            self.opening = {side: port for side, port in self.opening.items() if side not in gone} or NO_ENTRIES

    def fail(self, error: MediaError) -> None:
        """Tell those that wait for ports that there will be none."""
        waiting, self.waiting = self.waiting, ()
        for _, then in waiting:
            then(error)


class PortBroker:
    """Gives calls their ports out of the range `ports`, bound to `host`.

    `forget` is called for a call that gets no port and had none: nothing is to be released for it. Who waits for ports
    of such a call is told afterwards.
    """

    def __init__(self, host: str, ports: range, forget: Callable[[PlaneCall], None]) -> None:
        self.attempts = BIND_ATTEMPTS
        """Port pairs tried for one side before a call is refused."""
        self._host = host
        self._forget = forget
        self._pool = PortPool(ports)
        self._stock = PortStock(self._pool)
        self._commands: CommandWriter | None = None
        self._requests: dict[int, tuple[PlaneCall, dict[Side, int], int]] = {}
        self._last_request = 0

    @property
    def used(self) -> int:
        """Port pairs that calls hold."""
        return self._pool.used - len(self._stock)

    @property
    def total(self) -> int:
        """Port pairs that there are."""
        return self._pool.size

    def begin(self, commands: CommandWriter) -> None:
        """Take on a relay that has bound nothing yet."""
        self._commands = commands
        self._refill()

    def lost(self, calls: Sequence[PlaneCall]) -> None:
        """Take back everything: the relay is gone, and these were the calls."""
        self._commands = None
        self._requests.clear()
        now = asyncio.get_running_loop().time()
        for call in calls:
            self._give_back(call, now)
        self._stock.lost(now)

    def need(self, call: PlaneCall, sides: frozenset[Side], then: Then) -> None:
        """Give sides of a call their ports, those that have none; `then` is called once they are open, mostly at once.

        With a MediaError when there are none.
        """
        call.waiting = (*call.waiting, (sides, then))
        missing = [side for side in sides if not call.media.side(side).port and side not in call.opening]
        if missing:
            bound = self._stock.take(len(missing))
            rest = missing[len(bound) :]
            if not rest or self._request(call, rest, attempt=1):
                self._take(call, dict(zip(missing, bound, strict=False)))
            else:
                self._stock.put_back(bound)
            self._refill()
        call.go_on()

    def release(self, call: PlaneCall) -> None:
        """Take back the ports of a call that has ended. The relay closes them long before they have rested."""
        self._give_back(call, asyncio.get_running_loop().time())

    def opened(self, report: Opened) -> None:
        """Take the relay's word that ports are bound."""
        call, ports, _ = self._requests.pop(report.request)
        for side, port in ports.items():
            if port in call.held:
                call.media.side(side).port = port
        call.bound(ports)
        call.go_on()

    def open_failed(self, report: OpenFailed) -> None:
        """Try others in the place of ports that cannot be bound."""
        call, ports, attempt = self._requests.pop(report.request)
        about = {"call_id": call.call_id}
        log.warning("port %d or the one above cannot be bound: %s", report.port, report.reason, extra=about)
        if not call.held:  # it was released meanwhile, and they with it
            return
        now = asyncio.get_running_loop().time()
        call.held = tuple([port for port in call.held if port not in ports.values()])
        for port in ports.values():
            if port == report.port:
                self._pool.set_aside(port, now)
            else:
                self._pool.give_back(port, now)
        call.bound(ports)
        call.told = 0  # the relay had no such call to configure
        if attempt < self.attempts:
            self._request(call, list(ports), attempt + 1)
        else:
            self._refuse(call, "no port could be bound")

    def reserved(self, report: Reserved) -> None:
        """Take ports that the relay has bound for calls to come."""
        self._stock.arrived(report.bound, report.refused, asyncio.get_running_loop().time())

    def _request(self, call: PlaneCall, sides: list[Side], attempt: int) -> bool:
        """Have ports of the pool bound; return False, and fail who waits for them, when there are none."""
        now = asyncio.get_running_loop().time()
        ports: dict[Side, int] = {}
        try:
            for side in sides:
                ports[side] = self._pool.take(now)
        except NoFreePorts:
            for port in ports.values():
                self._pool.give_back(port, now)
            held = f"calls hold {self.used} pairs of {self.total}"
            self._refuse(call, f"no free ports: {held}, the others rest for some seconds after theirs")
            return False
        call.opening = {**call.opening, **ports}
        call.held += tuple(ports.values())
        self._last_request += 1
        self._requests[self._last_request] = (call, ports, attempt)
        if self._commands is not None:
            self._commands.send(Open(self._last_request, call.call_id, self._host, ports))
        return True

    def _take(self, call: PlaneCall, ports: dict[Side, int]) -> None:
        """Give sides ports that the relay has bound already."""
        if not ports:
            return
        call.held += tuple(ports.values())
        for side, port in ports.items():
            call.media.side(side).port = port
        if self._commands is not None:
            self._commands.send_with_the_next(Take(call.call_id, ports))

    def _refill(self) -> None:
        """Have the relay bind ports for the next calls."""
        ports = self._stock.refill(asyncio.get_running_loop().time())
        if ports and self._commands is not None:
            self._commands.send_with_the_next(Reserve(self._host, ports))

    def _refuse(self, call: PlaneCall, why: str) -> None:
        if not call.has_ports:
            self._forget(call)
        call.fail(MediaError(why))

    def _give_back(self, call: PlaneCall, now: float) -> None:
        for port in call.held:
            self._pool.give_back(port, now)
        call.held = ()
        call.opening = NO_ENTRIES
