"""`kobza sandbox`: builds the server, its phones and its paths; runs until it is told to stop."""

import asyncio
import json
import signal
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from kobza.app import logs
from kobza.app.demo_office import PEOPLE, Office, open_office, put_line
from kobza.app.server import Server
from kobza.app.server_error import ServerError
from kobza.config.settings import LOOPBACK, Settings, store_place
from kobza.media.plane import MediaError
from kobza.net.clock import AcceleratedClock
from kobza.phone.registration import RegistrationFailed
from kobza.sandbox.faults import Faults
from kobza.sandbox.office import LiveOffice
from kobza.sandbox.phones import SandboxPhones
from kobza.sandbox.ready import ready_made
from kobza.sandbox.routes import SandboxApi
from kobza.sandbox.runs import Runs
from kobza.sandbox.state_relay import StateRelay
from kobza.sip.flow import Address, host_text
from kobza.store import Store, StoreError, endpoints
from kobza.store.ids import new_id
from kobza.webhooks.endpoint import check_secret, check_token, check_url

MAX_SPEED: Final = 60.0
"""At more a second of the clock is shorter than a busy machine is late, and no duration would be true."""
WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the call states go at the start; the API may change it."""

    url: str
    token: str
    secret: str | None = None

    def check(self) -> None:
        """Raise ValueError unless states can be posted there."""
        check_url(self.url)
        check_token(self.token)
        if self.secret is not None:
            check_secret(self.secret)


def sandbox(
    settings: Settings,
    *,
    keep: bool,
    speed: float,
    count: int,
    webhook: Webhook | None,
    as_json: bool,
    duration: float | None,
) -> int | None:
    """Run until Ctrl-C, SIGTERM or the end of `duration` (seconds of the wall); return the exit status.

    The enterprise has `count` numbers. Without `keep` the data directory is one of its own that is removed at the end.
    """
    logs.configure(settings.log_level, settings.log_format)
    try:
        with tempfile.TemporaryDirectory(prefix="kobza-sandbox-") as directory:
            if not keep:
                settings = settings.model_copy(update={"data": Path(directory), "store": None})
            running = Sandbox(settings, speed=speed, count=count, webhook=webhook)
            return uvloop.run(_run(running, as_json=as_json, duration=duration))
    except (StoreError, ServerError, MediaError, RegistrationFailed, OSError) as error:
        print(f"kobza: {error}", file=sys.stderr)  # noqa: T201 - what the command says
        return 1


class Sandbox:
    """The server with phones inside, and the paths that steer them."""

    def __init__(self, settings: Settings, *, speed: float, count: int, webhook: Webhook | None) -> None:
        # All states go by way of our own server on loopback, wherever they go from there.
        allowed = (*settings.webhook_allow, *LOOPBACK)
        self._settings = settings.model_copy(update={"webhook_allow": allowed})
        self._count = count
        self._webhook = webhook
        self._clock = AcceleratedClock(speed)
        self._stack = AsyncExitStack()
        self.server: Server | None = None
        self.ready: dict[str, Any] = {}
        """What the ready line says, after `start`."""

    async def start(self) -> None:
        """Start all of it. Raises StoreError, ServerError, MediaError, RegistrationFailed, OSError."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop all of it, the phones first."""
        await self._stack.aclose()

    async def _start(self) -> None:
        settings = self._settings
        office = await asyncio.to_thread(open_office, settings.data, store_place(settings), people(self._count))
        store = await asyncio.to_thread(Store.open, store_place(settings))
        self._stack.push_async_callback(asyncio.to_thread, store.close)
        faults = Faults()
        relay = StateRelay(faults, self._clock)
        self._stack.push_async_callback(relay.stop)
        await relay.start()
        webhook = self._webhook or Webhook(relay.built_in, "sandbox")
        await asyncio.to_thread(_set_endpoint, store, office.enterprise_id, webhook)
        token = None if settings.http.is_loopback else office.fmc_token
        api = SandboxApi(self._clock, ready_made(), faults, relay, token=token)
        server = self.server = Server(settings, clock=self._clock, routes=api.routes(), webhooks_via=relay.url)
        await server.start()
        self._stack.push_async_callback(server.stop)
        self._stack.callback(relay.let_go)
        transport, host, port = server.sip_addresses[0]
        address: Address = (WILDCARDS.get(host, host), port)
        phones = SandboxPhones(office.desks, address, transport, self._clock)
        self._stack.push_async_callback(phones.close)
        await phones.open()
        await asyncio.to_thread(put_line, store, *phones.outside.address)
        api.own = phones.numbers
        api.about = self.ready = _ready(office, server.http_url, address)
        live = LiveOffice(store, server.commands, office.enterprise_id, self._clock)
        # Whatever is set makes the server look into the directory: the line must be seen before anybody calls.
        await server.commands.set_dnd(office.enterprise_id, phones.numbers[0], False, None)
        runs = api.runs = Runs(
            phones,
            live,
            self._clock,
            ring_timeout=settings.ring_timeout,
            media_timeout=settings.media_timeout,
            faults=faults,
            new_id=new_id,
        )
        self._stack.push_async_callback(runs.clear)


async def _run(running: Sandbox, *, as_json: bool, duration: float | None) -> int:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_stop.set)
    await running.start()
    try:
        assert running.server is not None  # noqa: S101 - it was started
        print(json.dumps(running.ready) if as_json else _for_people(running.ready), flush=True)  # noqa: T201 - what the command says
        failed = asyncio.create_task(running.server.failed(), name="server")
        stopping = asyncio.create_task(told_to_stop.wait(), name="stop")
        done, _ = await asyncio.wait((failed, stopping), timeout=duration, return_when=asyncio.FIRST_COMPLETED)
        for task in (failed, stopping):
            task.cancel()
        if failed in done:
            print(f"kobza: the sandbox's server died: {failed.result()!r}", file=sys.stderr)  # noqa: T201
            return 1
        return 0
    finally:
        await running.stop()


def people(count: int) -> list[tuple[str, str, str]]:
    """Return number, name and department of so many people: the demo's first, then others like them."""
    first = int(PEOPLE[0][0])
    more = ((f"0{first + place}", f"Colleague {place + 1}", "Sandbox") for place in range(len(PEOPLE), count))
    return [*PEOPLE, *more][:count]


def _set_endpoint(store: Store, enterprise_id: str, webhook: Webhook) -> None:
    with store.write() as conn:
        endpoints.set(conn, enterprise_id, webhook.url, webhook.token, webhook.secret)


def _ready(office: Office, http: str, sip: Address) -> dict[str, Any]:
    return {
        "http": http,
        "sip": f"{host_text(sip[0])}:{sip[1]}",
        "enterprise_id": office.enterprise_id,
        "fmc_token": office.fmc_token,
        "integrator_id": office.integrator_id,
        "numbers": [
            {"number": desk.number, "name": desk.name, "sip_password": desk.sip_password} for desk in office.desks
        ],
    }


def _for_people(ready: dict[str, Any]) -> str:
    numbers = "\n".join(f"  {one['number']}  {one['name']}" for one in ready["numbers"])
    url = f"{ready['http']}/sandbox/scenarios"
    return f"""
The sandbox is running. Ctrl-C stops it.

  API            {ready["http"]}/api/fmc   (manual: {ready["http"]}/manual/openapi.html)
  FMC token      {ready["fmc_token"]}
  Integrator id  {ready["integrator_id"]}

{numbers}

Try in another terminal:
  curl -s {url}
  curl -s {url} -d 'scenario: busy'
"""
