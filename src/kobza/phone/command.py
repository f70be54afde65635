"""`kobza phone`: a softphone on a terminal. One line for each thing that happens, or one JSON object with `--json`."""

import asyncio
import json
import re
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from kobza.phone.call import CallFailed, PhoneCall
from kobza.phone.events import PhoneEvent, What
from kobza.phone.phone import SoftPhone
from kobza.phone.registration import RegistrationFailed
from kobza.phone.sound import Sound
from kobza.sip.flow import Address, Transport

DEFAULT_PORT = 5060
_SERVER = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\]]+))(?::([0-9]{1,5}))?", re.ASCII)
TRANSPORTS = {"udp": Transport.UDP, "tcp": Transport.TCP}
FAILED = 1
USAGE = 2
MAX_RING = 180.0
"""Seconds a call that was dialled may ring before the phone gives up; a server ends it earlier."""


@dataclass(slots=True)
class _Run:
    """One run of the command: what was asked, and whether somebody wants it to end."""

    as_json: bool
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def show(self, event: PhoneEvent) -> None:
        if self.as_json:
            line = json.dumps(event.as_dict(), ensure_ascii=False)
        else:
            clock = datetime.fromtimestamp(event.at).astimezone()
            line = f"{clock:%H:%M:%S}.{clock.microsecond // 1000:03d}  {event}"
        with suppress(BrokenPipeError):  # whoever read has gone; the calls go on until we are told to stop
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def run(
    *,
    number: str,
    password: str,
    server: str,
    transport: str = "udp",
    answer_after: float | None = None,
    reject: int | None = None,
    dial: str | None = None,
    play: str | None = None,
    record: Path | str | None = None,
    duration: float | None = None,
    as_json: bool = False,
) -> int:
    """Run a softphone until Ctrl-C or SIGTERM, with `dial` until that call ends. Returns the exit status.

    0: all went as asked; 1: the server refused or does not answer, or the dialled call was never established; 2: what
    was asked makes no sense. `server` is HOST[:PORT]; `duration` is seconds of talk until the phone hangs up.
    """
    try:
        remote = parse_server(server)
        way = TRANSPORTS[transport.lower()]
        sound = Sound.parse(play) if play is not None else None
    except KeyError:
        return _complain(f"--transport is udp or tcp, not {transport!r}", USAGE)
    except ValueError as error:  # a SoundError is one too
        return _complain(str(error), USAGE)
    if record is not None and (Path(record).is_dir() or not Path(record).parent.is_dir()):
        return _complain(f"--record {record}: there is no folder for it, or it is one", USAGE)
    this_run = _Run(as_json)
    phone = _Wanted(number, password, remote, way, sound, answer_after, reject, dial, record, duration)
    try:
        return asyncio.run(_operate(phone, this_run))
    except KeyboardInterrupt:
        return 0


def parse_server(text: str) -> Address:
    """Read HOST, HOST:PORT or [IPv6]:PORT. Raises `ValueError`."""
    found = _SERVER.fullmatch(text)
    if found is None or not 0 < (port := int(found[3] or DEFAULT_PORT)) < 65536:
        raise ValueError(f"--server is HOST:PORT, not {text!r}")
    return found[1] or found[2], port


@dataclass(frozen=True, slots=True)
class _Wanted:
    number: str
    password: str
    server: Address
    transport: Transport
    sound: Sound | None
    answer_after: float | None
    reject: int | None
    dial: str | None
    record: Path | str | None
    duration: float | None


async def _operate(wanted: _Wanted, this_run: _Run) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, this_run.stop.set)
    try:
        return await _attempt(wanted, this_run)
    except RegistrationFailed as error:
        return _complain(_why(wanted, error), FAILED)
    except OSError as error:
        return _complain(f"{wanted.server[0]}:{wanted.server[1]}: {error.strerror or error}", FAILED)


async def _attempt(wanted: _Wanted, this_run: _Run) -> int:
    phone = SoftPhone(
        wanted.number,
        wanted.server,
        password=wanted.password,
        transport=wanted.transport,
        sound=wanted.sound,
        answer_after=wanted.answer_after,
        reject=wanted.reject,
        record=Path(wanted.record) if wanted.record is not None else None,
        duration=wanted.duration,
        on_event=lambda event: None if event.what is What.REGISTRATION_FAILED else this_run.show(event),
    )
    stopped = asyncio.create_task(_until(this_run.stop))
    entering = asyncio.create_task(_enter(phone))
    try:
        await asyncio.wait([stopped, entering], return_when=asyncio.FIRST_COMPLETED)
        if not entering.done():
            return 0
        entering.result()
        if wanted.dial is None:
            await stopped
            return 0
        return await _dial(phone, wanted.dial, stopped)
    finally:
        stopped.cancel()
        if not entering.done():
            entering.cancel()
            with suppress(asyncio.CancelledError):
                await entering
        await phone.close()


async def _until(event: asyncio.Event) -> None:
    await event.wait()


async def _enter(phone: SoftPhone) -> None:
    await phone.__aenter__()


async def _dial(phone: SoftPhone, number: str, stopped: "asyncio.Task[None]") -> int:
    """Call and wait for the end of the call or of the command."""
    call = phone.dial(number)
    ended = asyncio.create_task(_end_of(call))
    await asyncio.wait([stopped, ended], return_when=asyncio.FIRST_COMPLETED)
    if not ended.done():
        ended.cancel()
        return 0
    return 0 if call.answered_at is not None else FAILED


async def _end_of(call: PhoneCall) -> None:
    try:
        await call.established(MAX_RING)
    except (CallFailed, TimeoutError):
        call.hang_up()
        return
    await call.ended(float("inf"))


def _why(wanted: _Wanted, error: RegistrationFailed) -> str:
    server = f"{wanted.server[0]}:{wanted.server[1]}"
    if error.status in (401, 403, 407):
        return f"{server} refuses {wanted.number}: wrong number or password ({error})"
    return f"{server} does not register {wanted.number}: {error}"


def _complain(what: str, status: int) -> int:
    sys.stderr.write(f"kobza phone: {what}\n")
    return status
