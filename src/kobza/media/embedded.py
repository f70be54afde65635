"""The embedded media plane: SDP work here, in the PBX's process; packets in the relay's."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kobza.media.messages import (
    Configure,
    Digits,
    DigitsDone,
    Open,
    Opened,
    OpenFailed,
    Pause,
    Record,
    RecordingStopped,
    Release,
    Report,
    Reserve,
    Reserved,
    SideFlow,
    StopRecord,
    Take,
    TimedOut,
    Traffic,
)
from kobza.media.negotiation import CallMedia
from kobza.media.plane import (
    DirectionName,
    Done,
    MediaError,
    MediaEvent,
    MediaPlane,
    MediaPlaneLost,
    MediaTimedOut,
    RecordingClosed,
    Side,
    ToneName,
)
from kobza.media.port_stock import PortStock
from kobza.media.ports import NoFreePorts, PortPool
from kobza.media.relay_link import RelayLink
from kobza.sdp.audio import Direction

log = logging.getLogger(__name__)

BIND_ATTEMPTS: Final = 10
"""Port pairs tried for one side before a call is refused: others may use ports of the range."""
RESTART_DELAYS: Final = (0.0, 0.2, 1.0, 5.0)
"""Seconds before each attempt to start the relay again; the last one repeats."""
STEADY_AFTER: Final = 10.0
"""Seconds that a relay must have lived for its restart not to wait."""

SIDES: Final = tuple(Side)
"""Going through an enumeration takes longer than through what is in it."""

Opening = Callable[[MediaError | None], None]


class _Call:
    """A call as the client keeps it. `waiting`: what goes on once the ports are open."""

    __slots__ = ("flows", "media", "opening", "recording", "waiting")

    def __init__(self, media: CallMedia) -> None:
        self.media = media
        self.opening: dict[Side, int] = {}
        self.waiting: list[tuple[frozenset[Side], Opening]] = []
        self.recording: tuple[str, Path] | None = None
        self.flows: dict[Side, SideFlow] = {}


class EmbeddedPlane(MediaPlane):
    """Starts the relay as a child and steers it; starts it again when it dies.

    `host` is the address that phones are told and ports are bound to, `ports` the range, `timeout` the seconds after
    which silence of a side is MediaTimedOut. `speed` is how many seconds of the server's clock pass in one of the wall:
    recordings are as long as that clock says, and silence is measured by it.
    """

    def __init__(
        self,
        *,
        host: str,
        ports: range,
        timeout: float,
        on_event: Callable[[MediaEvent], None] = lambda _: None,
        speed: float = 1.0,
    ) -> None:
        self.on_event = on_event
        self._host = host
        self._timeout = timeout
        self._speed = speed
        self._pool = PortPool(ports)
        self._stock = PortStock(self._pool)
        self._calls: dict[str, _Call] = {}
        self._requests: dict[int, tuple[str, dict[Side, int], int]] = {}
        self._last_request = 0
        self._recordings: dict[str, tuple[str, Path]] = {}
        """Record id to call id and spool of the recordings whose RecordingClosed has not come."""
        self._ports: dict[str, set[int]] = {}
        """The even ports that a call holds."""
        self._digits: dict[int, tuple[str, Done]] = {}
        """By request: the call, and who waits for its digits to be out."""
        self._sessions = 0
        self._link: RelayLink | None = None
        self._dead: RelayLink | None = None
        self._started_at = 0.0
        self._failures = 0
        self.deaths = 0
        """How often the relay died and was started again."""
        self.traffic = Traffic()
        """What the relay has moved, as it said last: some two seconds ago."""
        self._restart: asyncio.Task[None] | None = None

    # life

    async def start(self) -> None:
        """Start the relay; raise MediaError when it does not come up."""
        link = RelayLink(self._reported, self._lost)
        await link.start(self._timeout, self._speed)
        self._link = link
        self._started_at = asyncio.get_running_loop().time()
        self._refill()

    async def stop(self) -> None:
        """End all calls, let the relay complete its recordings, stop it."""
        if self._restart is not None:
            self._restart.cancel()
            await asyncio.gather(self._restart, return_exceptions=True)
            self._restart = None
        await self._reap()
        for call_id in list(self._calls):
            self.release(call_id)
        link, self._link = self._link, None
        if link is not None:
            await link.stop()
        self._give_up_recordings()

    @property
    def relay_pid(self) -> int | None:
        """The relay's process id, None while there is none."""
        return self._link.pid if self._link is not None else None

    @property
    def ports_used(self) -> int:
        """Port pairs that calls hold."""
        return self._pool.used - len(self._stock)

    @property
    def ports_total(self) -> int:
        """Port pairs that there are."""
        return self._pool.size

    @property
    def recordings(self) -> int:
        """Recordings that are being written."""
        return len(self._recordings)

    @property
    def is_ready(self) -> bool:
        """Whether the relay is there and keeps up with what it is told, so that calls may begin."""
        return self._link is not None and not self._link.congested

    # the interface

    def offer(self, call_id: str, *, source: Side | None, target: Side, sdp: bytes | None, done: Done) -> None:
        """See MediaPlane."""
        if self._link is None or self._link.congested:
            done(MediaError("the relay is not ready"))
            return
        call = self._calls.get(call_id)
        if call is None:
            self._sessions += 1
            call = _Call(CallMedia(self._host, _session_id(self._sessions)))
        try:
            call.media.check_offer(source, sdp)
        except MediaError as error:
            done(error)
            return
        self._calls[call_id] = call
        sides = frozenset({target} if source is None else {source, target})

        def opened(error: MediaError | None) -> None:
            if error is not None:
                done(error)
            else:
                # The other phone has not heard of it yet: packets cannot come before its answer is on the way.
                self._do(call_id, done, lambda media: media.offer(source, target, sdp), soon=False)

        call.waiting.append((sides, opened))
        self._open_ports(call_id, call)
        if call.opening:  # then both commands go in one write, and mostly nothing has changed when the ports are open
            self._configure(call_id, call)

    def answer(self, call_id: str, *, source: Side, sdp: bytes, done: Done) -> None:
        """See MediaPlane."""
        self._do(call_id, done, lambda media: media.answer(source, sdp))

    def reoffer(self, call_id: str, *, source: Side, sdp: bytes, done: Done) -> None:
        """See MediaPlane."""
        self._do(call_id, done, lambda media: media.reoffer(source, sdp))

    def direct(self, call_id: str, *, target: Side, direction: DirectionName, done: Done) -> None:
        """See MediaPlane."""
        self._do(call_id, done, lambda media: media.direct(target, Direction(direction)))

    def reanswer(self, call_id: str, *, source: Side, sdp: bytes) -> None:
        """See MediaPlane."""
        call = self._calls.get(call_id)
        if call is not None:
            try:
                call.media.reanswer(source, sdp)
            except MediaError as error:
                about = {"call_id": call_id}
                log.warning("the answer of the %s is unusable: %s", source, error.reason, extra=about)
            self._configure(call_id, call)

    def play(self, call_id: str, *, target: Side, what: ToneName) -> None:
        """See MediaPlane."""
        call = self._calls.get(call_id)
        if call is not None:
            call.media.sides[target].plays = what
            self._configure(call_id, call)

    def mute(self, call_id: str, *, source: Side, on: bool) -> None:
        """See MediaPlane."""
        call = self._calls.get(call_id)
        if call is not None:
            call.media.sides[source].muted = on
            self._configure(call_id, call)

    def digits(self, call_id: str, *, target: Side, digits: str, done: Done) -> None:
        """See MediaPlane."""
        call = self._calls.get(call_id)
        if call is None or self._link is None:
            done(MediaError("no such call"))
            return
        try:
            payload_type = call.media.event_type(target)
        except MediaError as error:
            done(error)
            return
        self._last_request += 1
        self._digits[self._last_request] = (call_id, done)
        self._link.send(Digits(self._last_request, call_id, target, payload_type, digits))

    def leave(self, call_id: str, *, side: Side) -> None:
        """See MediaPlane."""
        call = self._calls.get(call_id)
        if call is not None:
            call.media.leave(side)
            self._configure(call_id, call)

    def record(self, call_id: str, *, record_id: str, spool: Path) -> None:
        """See MediaPlane."""
        if self._link is None or call_id not in self._calls:
            about = {"call_id": call_id, "record_id": record_id}
            log.error("recording %s cannot begin: there is no such call", record_id, extra=about)
            self.on_event(RecordingClosed(call_id, record_id, spool))
            return
        self._recordings[record_id] = (call_id, spool)
        self._link.send(Record(call_id, record_id, str(spool)))

    def pause_recording(self, call_id: str, *, record_id: str, on: bool) -> None:
        """See MediaPlane."""
        if self._link is not None:
            self._link.send(Pause(call_id, record_id, on))

    def stop_recording(self, call_id: str, *, record_id: str) -> None:
        """See MediaPlane."""
        if self._link is not None:
            self._link.send(StopRecord(call_id, record_id))

    def release(self, call_id: str) -> None:
        """See MediaPlane."""
        call = self._calls.pop(call_id, None)
        if call is None:
            return
        if self._link is not None:
            # A recording ends with its call; for the rest a moment later is as good.
            recorded = any(of == call_id for of, _ in self._recordings.values())
            send = self._link.send if recorded else self._link.send_with_the_next
            send(Release(call_id))
        now = asyncio.get_running_loop().time()
        for port in self._ports.pop(call_id, ()):  # the relay closes them long before they have rested
            self._pool.give_back(port, now)
        if call.waiting:
            self._fail_waiting(call, MediaError("the call was released"))
        if self._digits:
            self._fail_digits([number for number, (of, _) in self._digits.items() if of == call_id])

    def _fail_digits(self, requests: list[int]) -> None:
        for number in requests:
            self._digits.pop(number)[1](MediaError("the call was released"))

    # what they have in common

    def _do(self, call_id: str, done: Done, what: Callable[[CallMedia], bytes], *, soon: bool = True) -> None:
        """Do SDP work of a call, tell the relay what changed (`soon` False: in company), give the result."""
        call = self._calls.get(call_id)
        if call is None:
            done(MediaError("no such call"))
            return
        try:
            result = what(call.media)
        except MediaError as error:
            done(error)
            return
        self._configure(call_id, call, soon=soon)
        done(result)

    def _configure(self, call_id: str, call: _Call, *, soon: bool = True) -> None:
        flows = {side: call.media.flow(side) for side in SIDES}
        if flows != call.flows and self._link is not None:
            call.flows = flows
            send = self._link.send if soon else self._link.send_with_the_next
            send(Configure(call_id, flows[Side.CALLER], flows[Side.CALLEE]))

    # ports

    def _open_ports(self, call_id: str, call: _Call) -> None:
        """Open what is needed and neither open nor being opened; go on with what has all it needs."""
        needed = frozenset[Side]().union(*(sides for sides, _ in call.waiting))
        missing = [side for side in needed if not call.media.sides[side].port and side not in call.opening]
        if missing:
            bound = self._stock.take(len(missing))
            rest = missing[len(bound) :]
            if not rest or self._request(call_id, call, rest, attempt=1):
                self._take(call_id, call, dict(zip(missing, bound, strict=False)))
            else:
                self._stock.put_back(bound)
            self._refill()
        self._go_on(call)

    def _take(self, call_id: str, call: _Call, ports: dict[Side, int]) -> None:
        """Give sides ports that the relay has bound already."""
        if not ports:
            return
        self._ports.setdefault(call_id, set()).update(ports.values())
        for side, port in ports.items():
            call.media.sides[side].port = port
        if self._link is not None:
            self._link.send_with_the_next(Take(call_id, ports))

    def _refill(self) -> None:
        """Have the relay bind ports for the next calls."""
        ports = self._stock.refill(asyncio.get_running_loop().time())
        if ports and self._link is not None:
            self._link.send_with_the_next(Reserve(self._host, ports))

    def _request(self, call_id: str, call: _Call, sides: list[Side], attempt: int) -> bool:
        """Have ports of the pool bound; return False, and fail who waits for them, when there are none."""
        now = asyncio.get_running_loop().time()
        ports: dict[Side, int] = {}
        try:
            for side in sides:
                ports[side] = self._pool.take(now)
        except NoFreePorts:
            for port in ports.values():
                self._pool.give_back(port, now)
            self._forget_if_new(call_id, call)
            self._fail_waiting(call, MediaError("no free ports"))
            return False
        call.opening.update(ports)
        self._last_request += 1
        self._requests[self._last_request] = (call_id, ports, attempt)
        self._ports.setdefault(call_id, set()).update(ports.values())
        if self._link is not None:
            self._link.send(Open(self._last_request, call_id, self._host, ports))
        return True

    def _go_on(self, call: _Call) -> None:
        open_sides = {side for side, media in call.media.sides.items() if media.port}
        ready = [then for sides, then in call.waiting if sides <= open_sides]
        call.waiting = [(sides, then) for sides, then in call.waiting if not sides <= open_sides]
        for then in ready:
            then(None)

    def _fail_waiting(self, call: _Call, error: MediaError) -> None:
        waiting, call.waiting = call.waiting, []
        for _, then in waiting:
            then(error)

    def _forget_if_new(self, call_id: str, call: _Call) -> None:
        """Forget a call that never got a port: nothing is to be released for it."""
        if not call.opening and not any(side.port for side in call.media.sides.values()):
            self._calls.pop(call_id, None)

    # what the relay says

    def _reported(self, report: Report) -> None:
        match report:
            case Opened():
                self._opened(report)
            case OpenFailed():
                self._open_failed(report)
            case Reserved():
                self._stock.arrived(report.bound, report.refused, asyncio.get_running_loop().time())
            case TimedOut():
                if report.call_id in self._calls:
                    self.on_event(MediaTimedOut(report.call_id, report.side))
            case Traffic():
                self.traffic = report
            case DigitsDone():
                waiting = self._digits.pop(report.request, None)
                if waiting is not None:
                    gone = MediaError("not acceptable: the phone on the other side takes no more DTMF events")
                    waiting[1](b"" if report.sent else gone)
            case RecordingStopped():
                if report.reason:
                    about = {"call_id": report.call_id, "record_id": report.record_id}
                    log.error("recording %s stopped early: %s", report.record_id, report.reason, extra=about)
                if self._recordings.pop(report.record_id, None) is not None:
                    self.on_event(RecordingClosed(report.call_id, report.record_id, Path(report.spool)))

    def _opened(self, report: Opened) -> None:
        call_id, ports, _ = self._requests.pop(report.request)
        call = self._calls.get(call_id)
        if call is not None:
            for side, port in ports.items():
                call.media.sides[side].port = port
                call.opening.pop(side, None)
            self._go_on(call)

    def _open_failed(self, report: OpenFailed) -> None:
        call_id, ports, attempt = self._requests.pop(report.request)
        about = {"call_id": call_id}
        log.warning("port %d or the one above cannot be bound: %s", report.port, report.reason, extra=about)
        now = asyncio.get_running_loop().time()
        held = self._ports.get(call_id, set())
        for port in ports.values():
            held.discard(port)
            if port == report.port:
                self._pool.set_aside(port, now)
            else:
                self._pool.give_back(port, now)
        if not held:
            self._ports.pop(call_id, None)
        call = self._calls.get(call_id)
        if call is None:
            return
        for side in ports:
            call.opening.pop(side, None)
        call.flows = {}  # the relay had no such call to configure
        if attempt < BIND_ATTEMPTS:
            self._request(call_id, call, list(ports), attempt + 1)
        else:
            self._forget_if_new(call_id, call)
            self._fail_waiting(call, MediaError("no port could be bound"))

    # its death

    def _lost(self) -> None:
        """The relay died: end what it carried, start another one."""
        log.error("the relay died with %d calls", len(self._calls))
        self.deaths += 1
        self._dead, self._link = self._link, None
        calls, self._calls = self._calls, {}
        self._requests.clear()
        now = asyncio.get_running_loop().time()
        for ports in self._ports.values():
            for port in ports:
                self._pool.give_back(port, now)
        self._ports.clear()
        self._stock.lost(now)
        self._failures = 0 if now - self._started_at > STEADY_AFTER else self._failures + 1
        self._restart = asyncio.create_task(self._start_again())
        for call in calls.values():
            self._fail_waiting(call, MediaError("the relay died"))
        self._fail_digits(list(self._digits))
        self.on_event(MediaPlaneLost(tuple(calls)))
        self._give_up_recordings()

    async def _reap(self) -> None:
        if self._dead is not None:
            await self._dead.reap()
            self._dead = None

    async def _start_again(self) -> None:
        await self._reap()
        while True:
            await asyncio.sleep(RESTART_DELAYS[min(self._failures, len(RESTART_DELAYS) - 1)])
            try:
                await self.start()
            except MediaError as error:
                self._failures += 1
                log.error("the relay cannot be started again: %s", error.reason)  # noqa: TRY400  expected, and told
            else:
                log.info("the relay runs again")
                return

    def _give_up_recordings(self) -> None:
        """Say of the recordings that a dead relay left that nothing more comes: what is there can be encoded."""
        recordings, self._recordings = self._recordings, {}
        for record_id, (call_id, spool) in recordings.items():
            self.on_event(RecordingClosed(call_id, record_id, spool))


def _session_id(count: int) -> int:
    """Return a session id for the origin lines of a call (RFC 8866, section 5.2): unique within this process.

    Dialogs do not outlive the process, so nobody can mistake it for one of another run.
    """
    return 1_000_000 + count
