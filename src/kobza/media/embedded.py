"""The embedded media plane: SDP work here, in the PBX's process; packets in the relay's."""

import asyncio
import base64
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from kobza.media import priority
from kobza.media.browser_end import BrowserAccess
from kobza.media.call_quality import judged
from kobza.media.embedded_calls import EmbeddedCalls
from kobza.media.exchange import ExchangingPlane
from kobza.media.messages import (
    Certified,
    Digits,
    DigitsDone,
    Keyed,
    Mix,
    NotHeard,
    Opened,
    OpenFailed,
    Pause,
    Qualities,
    Record,
    RecordingStopped,
    Report,
    Reserved,
    StopRecord,
    Tell,
    TimedOut,
    Traffic,
)
from kobza.media.observed import InstanceNow
from kobza.media.packet_loop import PacketLoopName, is_compiled
from kobza.media.plane import (
    CallHeard,
    DigitPressed,
    Done,
    MediaError,
    MediaEvent,
    MediaPlaneLost,
    MediaTimedOut,
    RecordingClosed,
    RecordingNotice,
    Seat,
    Side,
    SideNotHeard,
)
from kobza.media.port_broker import PlaneCall
from kobza.media.port_pair import BOTH_FAMILIES
from kobza.media.priority import PriorityName
from kobza.media.relay_link import RelayLink
from kobza.media.seats import heard_beyond
from kobza.sdp.sdes import SUITES
from kobza.values import NO_ENTRIES

log = logging.getLogger(__name__)

RESTART_DELAYS: Final = (0.0, 0.2, 1.0, 5.0)
"""Seconds before each attempt to start the relay again; the last one repeats."""
STEADY_AFTER: Final = 10.0
"""Seconds that a relay must have lived for its restart not to wait."""

SIDES: Final = tuple(Side)
"""Going through an enumeration takes longer than through what is in it."""


class EmbeddedPlane(ExchangingPlane[PlaneCall]):
    """Starts the relay as a child and steers it; starts it again when it dies.

    `host` is the address that phones are told; ports are bound to `bind`, or (None) to the same. With `host6`
    phones on IPv6 are told that one, and ports are bound to every address of the machine, in both families. `ports`
    is the range, `timeout` the seconds after which silence of a side is MediaTimedOut, `one_way_after` those after
    which it is SideNotHeard. `speed` is how many seconds of the server's clock pass in one of the wall: recordings
    are as long as that clock says, and silence is measured by it. `inherited` are file descriptors that the relay
    holds for its life: locks, say. `browser_hosts` are the addresses at which browsers reach it, the best first;
    none: browsers' media is refused. `packet_loop` is what moves packets in the relay, `process_priority` its place
    among all that run.
    """

    def __init__(
        self,
        *,
        host: str,
        host6: str | None = None,
        bind: str | None = None,
        ports: range,
        timeout: float,
        one_way_after: float = 10.0,
        on_event: Callable[[MediaEvent], None] = lambda _: None,
        speed: float = 1.0,
        inherited: tuple[int, ...] = (),
        browser_hosts: tuple[str, ...] = (),
        packet_loop: PacketLoopName = "auto",
        process_priority: PriorityName = "normal",
    ) -> None:
        self.on_event = on_event
        self._browser_hosts = browser_hosts
        self._packet_loop, self._priority = packet_loop, process_priority
        self._inherited = inherited
        self._timeout, self._one_way_after = timeout, one_way_after
        self._speed = speed
        self._carried = EmbeddedCalls(host, host6, BOTH_FAMILIES if host6 else bind or host, ports)
        self._calls = self._carried.by_id
        self._last_digits = 0
        self._recordings: dict[str, tuple[str, Path]] = {}
        """Record id to call id and spool of the recordings whose RecordingClosed has not come."""
        self._digits: dict[int, tuple[str, Done]] = {}
        """By request: the call, and who waits for its digits to be out."""
        self._mixed: dict[str, set[str]] = {}
        """By mix: the calls in it."""
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
        if self._packet_loop == "compiled" and not is_compiled():
            raise MediaError("there is no compiled packet loop; `make compile` builds it")
        priority.check(self._priority)
        link = RelayLink(self._reported, self._lost, self._inherited)
        await link.start(
            self._timeout,
            self._speed,
            one_way_after=self._one_way_after,
            browsers=bool(self._browser_hosts),
            packet_loop=self._packet_loop,
        )
        if link.pid is not None:
            priority.give(link.pid, self._priority)
        self._link = link
        self._started_at = asyncio.get_running_loop().time()
        self._carried.begin(link.commands)

    async def stop(self) -> None:
        """End all calls, let the relay complete its recordings, stop it."""
        if self._restart is not None:
            self._restart.cancel()
            await asyncio.gather(self._restart, return_exceptions=True)
            self._restart = None
        await self._reap()
        for call_id in list(self._calls):
            self.release(call_id)
        self._carried.lost()
        link, self._link = self._link, None
        if link is not None:
            await link.stop()
        self._give_up_recordings()

    @property
    def relay_pid(self) -> int | None:
        """The relay's process id, None while there is none."""
        return self._link.pid if self._link is not None else None

    @property
    def relay_pids(self) -> Mapping[str, int]:
        """See ObservedPlane."""
        return {} if self.relay_pid is None else {"": self.relay_pid}

    @property
    def calls(self) -> int:
        """Calls that there are."""
        return len(self._calls)

    def knows(self, call_id: str) -> bool:
        """Whether there is such a call."""
        return call_id in self._calls

    @property
    def ports_used(self) -> int:
        """Port pairs that calls hold."""
        return self._carried.ports.used

    @property
    def ports_total(self) -> int:
        """Port pairs that there are."""
        return self._carried.ports.total

    @property
    def recordings(self) -> int:
        """Recordings that are being written."""
        return len(self._recordings)

    @property
    def is_ready(self) -> bool:
        """Whether the relay is there and keeps up with what it is told, so that calls may begin."""
        return self._link is not None and not self._link.commands.congested

    @property
    def trouble(self) -> str:
        """Why calls cannot begin; "" while they can."""
        return "" if self.is_ready else "the media process is away or does not keep up"

    @property
    def instances(self) -> tuple[InstanceNow, ...]:
        """None: the relay carries calls itself."""
        return ()

    # the interface

    def offer(
        self,
        call_id: str,
        *,
        source: Side | None,
        target: Side,
        sdp: bytes | None,
        by_info: bool = False,
        done: Done,
    ) -> None:
        """See MediaPlane."""
        self._carried.offer(call_id, source, target, sdp, by_info, done)

    def answer(self, call_id: str, *, source: Side, sdp: bytes, by_info: bool = False, done: Done) -> None:
        """See MediaPlane."""
        self._carried.answer(call_id, source, sdp, by_info, done)

    def receive(self, call_id: str, *, source: Side, sdp: bytes, done: Done) -> None:
        """Take a copy of what the phone of a side sends elsewhere, for recordings; give the answer to its offer.

        A call of which one side is received must have the other one received too.
        """
        self._carried.receive(call_id, source, sdp, done)

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
        self._last_digits += 1
        self._digits[self._last_digits] = (call_id, done)
        self._link.commands.send(Digits(self._last_digits, call_id, target, payload_type, digits))

    can_mix = True
    reads_digits = True

    def narrow(self, call_id: str, *, target: Side, done: Done) -> None:
        """See MediaPlane."""
        self._do(call_id, done, lambda media: media.narrow(target))

    def sit(self, call_id: str, *, side: Side, sdp: bytes, done: Done) -> None:
        """See MediaPlane."""
        self._do(call_id, done, lambda media: media.sit(side, sdp))

    def mix(self, mix_id: str, seats: Sequence[Seat], noticing: Sequence[tuple[str, Side]] = ()) -> None:
        """See MediaPlane."""
        hearing = heard_beyond(seats, noticing)
        for call_id in {seat.call_id for seat in seats} | self._mixed.pop(mix_id, set()):
            call = self._calls.get(call_id)
            if call is not None:
                heard = {side: hearing[call_id, side] for side in SIDES if (call_id, side) in hearing}
                call.media.hears_mix = heard or NO_ENTRIES
                self._changed(call)
        if seats:
            self._mixed[mix_id] = {seat.call_id for seat in seats}
        if self._link is not None:
            self._link.commands.send(Mix(mix_id, tuple(seats), tuple(noticing)))

    def record(
        self, call_id: str, *, record_id: str, spool: Path, owner: str = "", notice: RecordingNotice | None = None
    ) -> None:
        """See MediaPlane."""
        if self._link is None or call_id not in self._calls:
            about = {"call_id": call_id, "record_id": record_id}
            log.error("recording %s cannot begin: there is no such call", record_id, extra=about)
            self.on_event(RecordingClosed(call_id, record_id, spool))
            return
        self._recordings[record_id] = (call_id, spool)
        self._link.commands.send(Record(call_id, record_id, str(spool), owner, time.monotonic(), notice))

    def announce(self, call_id: str, *, record_id: str, target: Side, sound: str) -> None:
        """See MediaPlane."""
        if self._link is not None and record_id in self._recordings:
            self._link.commands.send(Tell(call_id, record_id, target, sound))

    def pause_recording(self, call_id: str, *, record_id: str, on: bool) -> None:
        """See MediaPlane."""
        if self._link is not None:
            self._link.commands.send(Pause(call_id, record_id, on, time.monotonic()))

    def stop_recording(self, call_id: str, *, record_id: str) -> None:
        """See MediaPlane."""
        if self._link is not None:
            self._link.commands.send(StopRecord(call_id, record_id, time.monotonic()))

    def release(self, call_id: str, *, asked: bool = False) -> None:
        """See MediaPlane."""
        recorded = bool(self._recordings) and any(of == call_id for of, _ in self._recordings.values())
        self._carried.release(call_id, asked, time.monotonic() if recorded else None)
        if self._digits:
            self._fail_digits([number for number, (of, _) in self._digits.items() if of == call_id])

    def _fail_digits(self, requests: list[int]) -> None:
        for number in requests:
            self._digits.pop(number)[1](MediaError("the call was released"))

    # what they have in common

    def _changed(self, call: PlaneCall, *, soon: bool = True) -> None:
        self._carried.changed(call, soon=soon)

    # what the relay says

    def _reported(self, report: Report) -> None:
        match report:
            case Opened():
                self._carried.ports.opened(report)
            case OpenFailed():
                self._carried.ports.open_failed(report)
            case Reserved():
                self._carried.ports.reserved(report)
            case TimedOut():
                if report.call_id in self._calls:
                    self.on_event(MediaTimedOut(report.call_id, report.side))
            case NotHeard():
                if report.call_id in self._calls:
                    self.on_event(SideNotHeard(report.call_id, report.side, report.seconds))
            case Keyed():
                if report.call_id in self._calls:
                    self.on_event(DigitPressed(report.call_id, report.side, report.digit))
            case Qualities():
                for quality in report.calls:
                    self.on_event(CallHeard(quality.call_id, judged(quality)))
            case Traffic():
                self.traffic = report
            case Certified():
                self._certified(report)
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

    def _certified(self, report: Certified) -> None:
        """Learn how the relay shows itself to browsers: each one that starts has a certificate of its own."""
        if report.fingerprint:
            self._carried.browsers = BrowserAccess(self._browser_hosts, report.fingerprint, _new_names, _new_key)
        else:
            self._carried.browsers = None
            log.warning("calls of browsers and of phones with SRTP are refused: %s", report.reason)

    # its death

    def _lost(self) -> None:
        """The relay died: end what it carried, start another one."""
        log.error("the relay died with %d calls", len(self._calls))
        self.deaths += 1
        self._dead, self._link = self._link, None
        calls = self._carried.lost()
        now = asyncio.get_running_loop().time()
        self._failures = 0 if now - self._started_at > STEADY_AFTER else self._failures + 1
        self._restart = asyncio.create_task(self._start_again())
        for call in calls:
            call.fail(MediaError("the relay died"))
        self._fail_digits(list(self._digits))
        self.on_event(MediaPlaneLost(tuple([call.call_id for call in calls])))

    async def _reap(self) -> None:
        if self._dead is not None:
            await self._dead.reap()
            self._dead = None

    async def _start_again(self) -> None:
        await self._reap()
        self._give_up_recordings()  # it may have written until now
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


def _new_names() -> tuple[str, str]:
    """Return a name and a password for ICE: of 24 and 128 bits at least (RFC 8445, section 5.3), as hex digits."""
    return secrets.token_hex(4), secrets.token_hex(16)


def _new_key(suite: str) -> str:
    """Return a random key with its salt for a suite of SRTP, in base64 (RFC 4568, section 6.1)."""
    return base64.b64encode(secrets.token_bytes(SUITES[suite])).decode()
