"""The relay's process: `python -m kobza.media.relay SOCKET TIMEOUT SPEED PACKET_LOOP ONE_WAY_AFTER [browsers]`.

It is started by the PBX, takes commands over the unix socket and moves packets. It ends when that socket closes, so it
never outlives the PBX, and completes the spools of its recordings before.
"""

import asyncio
import gc
import logging
import resource
import signal
import sys
from collections import deque
from pathlib import Path
from typing import Final, cast

import uvloop

from kobza.media import tones
from kobza.media.browsers import Browsers
from kobza.media.frames import Frames, MalformedStream, encode
from kobza.media.messages import (
    CallQuality,
    Command,
    Configure,
    Digits,
    DigitsDone,
    Keyed,
    Logged,
    Measure,
    Mix,
    NotHeard,
    Open,
    Pause,
    Ping,
    Pong,
    Qualities,
    Record,
    RecordingStopped,
    Release,
    Report,
    Reserve,
    StopRecord,
    Take,
    Tell,
    TimedOut,
    decode_command,
)
from kobza.media.one_way import OneWay
from kobza.media.packet_loop import PacketLoop, PacketLoopName, PythonLoop, packet_loop
from kobza.media.plane import Side
from kobza.media.reception import Totals
from kobza.media.recorder import Spool, SpoolWriter
from kobza.media.relay_call import RelayCall, tone_of
from kobza.media.relay_calls import RelayCalls
from kobza.media.relay_context import RelayContext
from kobza.media.relay_log import PassedOn
from kobza.media.relay_mix import Mixes
from kobza.media.relay_notices import Notices
from kobza.media.relay_side import RelaySide
from kobza.rtp.g711 import Law

log = logging.getLogger("kobza.media.relay")

MAX_REPORTS: Final = 4 * 1024 * 1024
"""Bytes of reports that may wait for the PBX: some 50,000 calls' worth. A PBX that reads none of them is gone."""
TONE_INTERVAL: Final = 0.02
"""Seconds between two packets of a tone."""
TONE_CATCH_UP: Final = 5
"""Packets of a tone that are sent late, at once, after the process was stopped for a moment; more are left out."""
SPOOL_PATIENCE: Final = 10.0
"""Seconds for the last spools to reach the disk at the end."""

SWEPT_AT_ONCE: Final = 8
"""Calls that are looked at before packets are let through again: less than half a millisecond."""
MAX_QUALITIES: Final = 10_000
"""Released calls whose quality waits to be asked for, two seconds mostly; beyond, that of the oldest is lost."""
QUALITIES_AT_ONCE: Final = 200
"""Calls in one message: some 20 KB."""
LAST_REPORTS: Final = 0.05
"""Seconds for the last reports to leave; a PBX that was killed reads none."""


class Relay(asyncio.Protocol):
    """Carries out commands. It is the protocol of the unix socket: one relay has one PBX."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeout: float,
        speed: float = 1.0,
        browsers: Browsers | None = None,
        packets: PacketLoop | None = None,
        one_way_after: float = 10.0,
    ) -> None:
        """`timeout` and `one_way_after` are in seconds of the PBX's clock, of which `speed` pass in one of the wall."""
        self._loop = loop
        self._browsers = browsers
        self._timeout = timeout / speed
        self._speed = speed
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._playing: dict[RelaySide, tuple[bytes, ...]] = {}
        self._dialling: dict[RelaySide, None] = {}
        self._mixes = Mixes(loop)
        self._notices = Notices(loop, self._tick, speed)
        self._tone_timer: asyncio.TimerHandle | None = None
        self._tone_due = 0.0
        self._writer = SpoolWriter(loop, self._spool_closed, speed)
        self._sweep_interval = max(min(1.0, timeout / 4) / speed, TONE_INTERVAL)
        self._totals = Totals()
        self._context = RelayContext(
            loop,
            packets or PythonLoop(loop),
            self._writer,
            self._totals,
            browsers,
            OneWay(one_way_after / speed),
            self._keyed,
        )
        self._calls = RelayCalls(self._context)
        self._qualities: deque[CallQuality] = deque(maxlen=MAX_QUALITIES)
        self._sweep_due = loop.time() + self._sweep_interval
        self._sweeper = loop.call_at(self._sweep_due, self._sweep)
        self._unswept: list[RelayCall] = []
        self.ended = loop.create_future()

    # the unix socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say that the relay is ready, and before how browsers know it."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=MAX_REPORTS)
        if self._browsers is not None:
            self._report(self._browsers.certified)
        self._report(Pong(0))

    def data_received(self, data: bytes) -> None:
        """Carry out the commands in what came."""
        try:
            for body in self._frames.feed(data):
                self._obey(decode_command(body))
        except MalformedStream:
            log.exception("the PBX sends what is no command")
            self.end()

    def eof_received(self) -> bool:
        """The PBX wants no more; it still reads the last reports."""
        self.end()
        return True

    def pause_writing(self) -> None:
        """The PBX reads no reports."""
        log.error("the PBX reads nothing: ending")
        self.end()

    def connection_lost(self, _error: Exception | None) -> None:
        """The PBX is gone."""
        self.end()

    def end(self) -> None:
        """Close all calls and let `main` return."""
        if not self.ended.done():
            self.ended.set_result(None)

    async def stop(self) -> None:
        """Close everything, spools included, and let the last reports leave."""
        self._sweeper.cancel()
        self._playing.clear()
        self._dialling.clear()
        for call_id in list(self._calls.by_id):
            self._release(call_id)
        self._tell_qualities()
        self._calls.close()
        self._writer.stop(SPOOL_PATIENCE)
        # What the writer's thread told the loop is carried out now.
        await asyncio.sleep(0)
        if self._transport is not None:
            self._transport.close()
        await asyncio.sleep(LAST_REPORTS)

    def _report(self, report: Report) -> bool:
        """Tell the PBX; return whether it is there."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(encode(report))
        return True

    def log(self, line: Logged) -> bool:
        """Have the PBX log a line; return whether it is there."""
        return self._report(line)

    # commands

    def _obey(self, command: Command) -> None:
        match command:
            case Configure():  # in the order in which they come most
                call = self._calls.configure(command)
                if call is not None:
                    self._choose_tones(call)
            case Release():
                self._release(command.call_id, command.at, asked=command.asked)
            case Take():
                self._calls.take(command)
            case Reserve():
                self._report(self._calls.reserve(command))
            case Open():
                self._report(self._calls.open(command))
            case Record():
                call = self._calls.by_id.get(command.call_id)
                if call is not None:
                    self._record(call, command)
                else:
                    self._report(RecordingStopped(command.call_id, command.record_id, command.spool, "no such call"))
            case Tell():
                call = self._calls.by_id.get(command.call_id)
                spool = None if call is None else call.recording_of(command.record_id)
                if call is not None and spool is not None:
                    self._notices.newcomer(call, spool, command.side, command.sound)
            case Pause():
                call = self._calls.by_id.get(command.call_id)
                if call is not None:
                    call.pause(command.record_id, on=command.on, at=command.at)
            case StopRecord():
                call = self._calls.by_id.get(command.call_id)
                if call is not None:
                    self._notices.ended(command.call_id, command.record_id)
                    call.stop_recording(command.record_id, command.at)
            case Digits():
                self._dial(command)
            case Mix():
                self._mixes.arrange(command, self._calls.by_id)
                self._tick()
            case Ping():
                self._report(Pong(command.number))
            case Measure():
                self._tell_qualities()
                self._report(self._totals.report())

    def _keyed(self, call_id: str, side: Side, digit: str) -> None:
        self._report(Keyed(call_id, side, digit))

    def _release(self, call_id: str, at: float | None = None, *, asked: bool = False) -> None:
        call = self._calls.by_id.pop(call_id, None)
        if call is not None:
            if self._playing or self._dialling:
                for side in call.open_sides():
                    self._playing.pop(side, None)
                    self._dialling.pop(side, None)
            self._notices.released(call)
            if self._mixes:
                self._mixes.released(call_id)
            quality = call.release(at)
            if asked:
                self._report(Qualities([quality]))
            elif quality.tells:
                self._qualities.append(quality)

    def _tell_qualities(self) -> None:
        """Tell how the calls fared that were released: in company, so that none wakes the PBX for it."""
        told = list(self._qualities)
        self._qualities.clear()
        for first in range(0, len(told), QUALITIES_AT_ONCE):
            self._report(Qualities(told[first : first + QUALITIES_AT_ONCE]))

    def _spool_closed(self, spool: Spool) -> None:
        self._report(RecordingStopped(spool.call_id, spool.record_id, str(spool.path), spool.failure))

    def _record(self, call: RelayCall, command: Record) -> None:
        spool = call.record(Path(command.spool), command.record_id, command.owner, command.at, command.notice)
        if command.notice is not None:
            self._notices.began(call, spool, command.notice)

    # life

    def _sweep(self) -> None:
        now = self._loop.time()
        self._totals.lag.observe(max(0.0, now - self._sweep_due))
        self._sweep_due = now + self._sweep_interval
        self._sweeper = self._loop.call_at(self._sweep_due, self._sweep)
        if not self._unswept:  # else there are more calls than this machine can look at in time
            self._unswept = list(self._calls.by_id.values())
            self._sweep_some()

    def _sweep_some(self) -> None:
        """Look at some calls. Packets of all others would wait for the last of many, so they come first."""
        now = self._loop.time()
        some = self._unswept[-SWEPT_AT_ONCE:]
        del self._unswept[-SWEPT_AT_ONCE:]
        if self._unswept:
            self._loop.call_soon(self._sweep_some)
        for call in some:
            if call.call_id not in self._calls.by_id:
                continue
            silent = call.sweep(now, self._timeout)
            if silent is not None:
                self._report(TimedOut(call.call_id, silent))
            for side, seconds in call.not_heard(now):
                self._report(NotHeard(call.call_id, side, seconds * self._speed))

    # tones

    def _choose_tones(self, call: RelayCall) -> None:
        if self._playing:
            for side in call.open_sides():
                self._playing.pop(side, None)
        playing = call.playing()
        if playing:
            for side in playing:
                self._playing[side] = tone_of(side.profile, side.tone_law)
            self._tick()

    def _dial(self, command: Digits) -> None:
        """Begin to send digits to a side, or let them wait behind those that it is being sent."""
        call = self._calls.by_id.get(command.call_id)
        side = None if call is None else call.sides.get(command.side)
        if side is None:
            self._report(DigitsDone(command.request, sent=False))
            return
        side.outgoing.dial(command.request, command.payload_type, command.digits)
        self._dialling[side] = None
        self._tick()

    @property
    def _is_sending(self) -> bool:
        """Whether anything is to be sent every 20 ms."""
        return bool(self._playing or self._dialling or self._mixes or self._notices)

    def _tick(self) -> None:
        """Begin to send at the pace of packets, unless that is being done."""
        if self._is_sending and self._tone_timer is None:
            self._tone_due = self._loop.time()
            self._play()

    def _play(self) -> None:
        """Send each side that hears a tone or digits its next packet.

        Every 20 ms by the clock, however late the timer is.
        """
        self._tone_timer = None
        if not self._is_sending:
            return
        now = self._loop.time()
        missed = int((now - self._tone_due) / TONE_INTERVAL)
        if missed > TONE_CATCH_UP:
            self._tone_due += (missed - TONE_CATCH_UP) * TONE_INTERVAL
        while self._tone_due <= now:
            self._tone_due += TONE_INTERVAL
            for side in list(self._dialling):
                for request, sent in side.outgoing.send_digit():
                    self._report(DigitsDone(request, sent))
                if not side.outgoing.is_dialling:
                    del self._dialling[side]
            for side, payloads in self._playing.items():
                side.outgoing.send_tone(payloads)
            self._mixes.turn()
            self._notices.turn()
        self._tone_timer = self._loop.call_at(self._tone_due, self._play)


def allow_many_files() -> None:
    """Raise the soft limit of open files to the hard one: a call takes four, and the soft one is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def main(
    path: str,
    silence: float,
    speed: float,
    packet_loop_name: PacketLoopName,
    one_way_after: float,
    *,
    browsers: bool,
) -> None:
    """Serve the PBX that listens on a unix socket until it closes it.

    `silence` and `one_way_after` in seconds, see MediaTimedOut and SideNotHeard.
    """
    for law in Law:
        tones.ringback(law)
        tones.music(law)
    known = Browsers() if browsers else None
    # What exists now stays: the collector need not look at it again in the middle of calls.
    gc.freeze()
    loop = asyncio.get_running_loop()
    packets = packet_loop(loop, packet_loop_name)
    try:
        _, relay = await loop.create_unix_connection(
            lambda: Relay(loop, silence, speed, known, packets, one_way_after), path
        )
    except (ConnectionRefusedError, FileNotFoundError):
        log.info("the PBX is gone before the relay was ready")
        return
    root = logging.getLogger()
    root.handlers = [PassedOn(loop, relay.log, handler) for handler in root.handlers]
    log.info("packets are moved by the %s loop", packets.name)
    loop.add_signal_handler(signal.SIGTERM, relay.end)
    await relay.ended
    await relay.stop()


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    # Ctrl-C goes to the whole foreground group; the PBX decides when the relay ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    allow_many_files()
    uvloop.run(
        main(
            sys.argv[1],
            float(sys.argv[2]),
            float(sys.argv[3]),
            cast(PacketLoopName, sys.argv[4]),
            float(sys.argv[5]),
            browsers="browsers" in sys.argv[6:],
        )
    )
