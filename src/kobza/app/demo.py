"""`kobza demo`: the whole of Kobza on one machine, with an office whose phones call each other."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import uvloop

from kobza.app import logs
from kobza.app.demo_office import LOGIN, Office, open_office, put_line
from kobza.app.demo_phones import DemoPhones
from kobza.app.server import Server
from kobza.app.server_error import ServerError
from kobza.call.numbers import national
from kobza.config.settings import Settings, store_place
from kobza.media.plane import MediaError
from kobza.phone.registration import RegistrationFailed
from kobza.sip.flow import Address, Transport, host_text
from kobza.store import Store, StoreError, events

LOOK_INTERVAL: Final = 0.3
"""Seconds between two looks for new call states."""
EVENTS_AT_ONCE: Final = 200
WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to
"""Where the demo's phones find a server that listens everywhere."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How the demo's phones reach the server."""

    transport: Transport
    address: Address

    def __str__(self) -> str:
        return f"{host_text(self.address[0])}:{self.address[1]}"


def demo(settings: Settings, *, as_json: bool, duration: float | None) -> int | None:
    """Run until Ctrl-C, SIGTERM or the end of `duration` (seconds); return the exit status.

    With `as_json` standard output gets one line when all is ready; otherwise the addresses, what to try, and each call
    state as it comes.
    """
    # For people the call states are what is to be seen, and every HTTP request of theirs would come in between.
    level = settings.log_level if as_json or settings.log_level != "info" else "warning"
    logs.configure(level, settings.log_format)
    try:
        return uvloop.run(_demo(settings, as_json=as_json, duration=duration))
    except (StoreError, ServerError, MediaError, RegistrationFailed, OSError) as error:
        print(f"kobza: {error}", file=sys.stderr)  # noqa: T201 - what the command says
        return 1


async def _demo(settings: Settings, *, as_json: bool, duration: float | None) -> int:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_stop.set)
    office = await asyncio.to_thread(open_office, settings.data, store_place(settings))
    store = await asyncio.to_thread(Store.open, store_place(settings))
    server = Server(settings)
    try:
        await server.start()
        transport, host, port = server.sip_addresses[0]
        way = _Way(transport, (WILDCARDS.get(host, host), port))
        phones = DemoPhones(office.desks, way.address, transport)
        try:
            await phones.open()
            await asyncio.to_thread(put_line, store, *phones.outside.address)
            cursor = await asyncio.to_thread(_last_cursor, store, office.enterprise_id)
            _say(_as_json(office, server.http_url, way) if as_json else _as_text(office, server.http_url, way))
            parts: list[asyncio.Task[Any]] = [
                asyncio.create_task(phones.call_each_other(), name="calls"),
                asyncio.create_task(server.failed(), name="server"),
                asyncio.create_task(_until(told_to_stop, duration), name="stop"),
            ]
            if not as_json:
                parts.append(asyncio.create_task(_show_states(store, office.enterprise_id, cursor), name="states"))
            return await _first_of(parts)
        finally:
            await phones.close()
    finally:
        await server.stop()
        store.close()


async def _first_of(parts: Sequence["asyncio.Task[Any]"]) -> int:
    """Wait for the first part to end, stop the others; return 0 if it was the wish to stop."""
    done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    for part in parts:
        part.cancel()
    await asyncio.gather(*parts, return_exceptions=True)
    for part in done:
        if part.get_name() == "stop":
            return 0
        why = part.exception() or part.result()
        print(f"kobza: the demo's {part.get_name()} ended: {why!r}", file=sys.stderr)  # noqa: T201 - what the command says
    return 1


async def _until(told_to_stop: asyncio.Event, duration: float | None) -> None:
    try:
        async with asyncio.timeout(duration):
            await told_to_stop.wait()
    except TimeoutError:
        return


async def _show_states(store: Store, enterprise_id: str, cursor: int) -> None:
    """Print each call state once it is stored."""

    def read(after: int) -> list[events.Event]:
        with store.read() as conn:
            return events.after(conn, enterprise_id, after, EVENTS_AT_ONCE)

    while True:
        for event in await asyncio.to_thread(read, cursor):
            cursor = event.cursor
            _say(_state_line(event))
        await asyncio.sleep(LOOK_INTERVAL)


def _last_cursor(store: Store, enterprise_id: str) -> int:
    with store.read() as conn:
        return events.last_cursor(conn, enterprise_id)


def _state_line(event: events.Event) -> str:
    at = f"{datetime.fromtimestamp(event.occurred_at / 1000).astimezone():%H:%M:%S}"
    owner, other = national(event.state_owner), national(event.phone_number)
    payload = json.loads(event.payload)
    end = ""
    if event.state_type == "finished":
        end = f"  {payload['cause_text']} ({payload['cause']}), talked {payload['call_duration']} s"
    return f"{at}  {event.state_type:<12} {owner} {_ARROWS[event.call_direction]} {other:<14}{end}"


_ARROWS: Final = {"incoming": "<-", "outgoing": "->", "local": "--"}


def _as_json(office: Office, http: str, way: _Way) -> str:
    return json.dumps(
        {
            "http": http,
            "sip": str(way),
            "enterprise_id": office.enterprise_id,
            "fmc_token": office.fmc_token,
            "integrator_id": office.integrator_id,
            "numbers": [
                {"number": desk.number, "name": desk.name, "sip_password": desk.sip_password} for desk in office.desks
            ],
        }
    )


def _as_text(office: Office, http: str, way: _Way) -> str:
    desks = "\n".join(
        f"  {desk.number}  {desk.name:<16} {desk.department:<8} SIP password {desk.sip_password}"
        for desk in office.desks
    )
    tries = "\n".join(f"  # {what}\n  {command}" for what, command in _curls(office, http))
    return f"""
Kobza is running. Ctrl-C stops it.

  Portal         {http}/   (login {LOGIN}, password {office.portal_password})
  API            {http}/api/fmc   (manual: {http}/manual/openapi.html)
  SIP            {way}
  FMC token      {office.fmc_token}
  Integrator id  {office.integrator_id}

{desks}

Try in another terminal:
{tries}

Call states as they come:
"""


def _curls(office: Office, http: str) -> list[tuple[str, str]]:
    """Return five things to try, each with its command."""
    api = f"{http}/api/fmc/v1"
    who = f"integrator_id={office.integrator_id}"
    curl = f"curl -s -H 'Authorization: Bearer {office.fmc_token}'"
    today = f"{time.strftime('%Y-%m-%d')}T00:00:00"
    history = f"{curl} '{api}/callhistory?{who}&from={today}'"
    caller, called = office.desks[3].number, office.desks[0].number

    def post(function: str, body: str) -> str:
        return f"{curl} -H 'Content-Type: application/json' '{api}/{function}?{who}' -d {body}"

    control: Callable[[str], str] = lambda action: post(  # noqa: E731 - two lines that differ in a word
        "callcontrol", f'"{{\\"call_control_id\\": \\"$CALL\\", \\"action\\": \\"{action}\\"}}"'
    )
    make = post("originate", f"""'{{"originator": "{caller}", "destination": "{called}"}}'""")
    newest = f'RECORD=$({history} | grep -o \'"record_id": *"[^"]*"\' | tail -1 | cut -d \'"\' -f 4)'
    fetch = f'{curl} -o call.mp3 "{api}/callrecord?{who}&record_id=$RECORD"'
    return [
        ("the calls of today", history),
        ("click2dial", f'CALL=$({make} | sed \'s/.*"call_control_id":"\\([^"]*\\)".*/\\1/\'); echo $CALL'),
        ("hold, once both talk", control("hold")),
        ("hang up", control("clear")),
        ("the newest recording", f"{newest}; {fetch}"),
    ]


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what the command says
