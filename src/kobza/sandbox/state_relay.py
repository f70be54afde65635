"""Stands between the server and the receiver of call states, on real sockets: makes faults, remembers what passed."""

import asyncio
import contextlib
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from aiohttp import web

from kobza.call.durations import rfc3339, to_ms
from kobza.net.clock import Clock
from kobza.sandbox.faults import Fault, Faults, Kind
from kobza.webhooks.client import TARGET_HEADER

ATTEMPTS: Final = 100
"""Attempts of one state that are remembered; further ones (replays) are made and not told."""
KEPT: Final = 2000
"""States remembered; the oldest is forgotten for a new one."""
MAX_BODY: Final = 256 * 1024
MAX_ANSWER: Final = 64 * 1024
RECEIVER_SECONDS: Final = 60.0
"""Longest that a receiver is waited for; the server itself gives up earlier."""
SILENT_SECONDS: Final = 300.0
"""Longest that a time-out lasts when the server does not give up."""
LOOK: Final = 0.05
OWN: Final = frozenset({"host", "content-length", "connection", "transfer-encoding", TARGET_HEADER.lower()})
"""Headers that belong to one connection, or are between the server and us."""
KEPT_HEADERS: Final = frozenset({"content-type", "retry-after", "location"})
"""Headers of the receiver's answer that mean something to the server."""
BUILT_IN: Final = "/receiver"
"""The receiver of those who have set none: it takes everything."""


@dataclass(slots=True)
class _Attempt:
    at: float
    fault: Fault | None
    forwarded: int = 0
    """How many times the receiver was sent it."""
    status: int | None = None
    """What the receiver answered last."""
    error: str | None = None
    """Why it did not answer."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "at": rfc3339(to_ms(self.at)),
            "fault": None if self.fault is None else self.fault.kind.value,
            "forwarded": self.forwarded,
            "status": self.status,
            "error": self.error,
        }


@dataclass(slots=True)
class _Passed:
    state: dict[str, Any]
    url: str
    attempts: list[_Attempt] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        names = ("event_id", "call_id", "call_control_id", "sequence", "state_type", "state_owner", "phone_number")
        received = sum(attempt.forwarded for attempt in self.attempts if attempt.error is None)
        return {
            **{name: self.state.get(name) for name in names},
            "occurred_at": self.state.get("occurred_at"),
            "url": self.url,
            "received": received,
            "attempts": [attempt.as_dict() for attempt in self.attempts],
        }


class StateRelay:
    """A small HTTP server in the receiver's place, and a client of the receiver. Belongs into the loop's thread."""

    def __init__(self, faults: Faults, clock: Clock) -> None:
        self._faults = faults
        self._clock = clock
        self._passed: OrderedDict[str, _Passed] = OrderedDict()
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None
        self._stopping = asyncio.Event()
        self.url = ""
        """Where the server posts in the receiver's place; known after `start`."""

    @property
    def built_in(self) -> str:
        """The URL of the receiver that takes everything."""
        return self.url + BUILT_IN

    async def start(self) -> None:
        """Listen on loopback. Raises OSError."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._client = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=RECEIVER_SECONDS), auto_decompress=False, trust_env=False
        )

    def let_go(self) -> None:
        """Answer what hangs, and let nothing hang any more: the server stops and would wait for it."""
        self._stopping.set()

    async def stop(self) -> None:
        """Answer what hangs, and close."""
        self.let_go()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()

    def clear(self) -> None:
        """Forget what has passed."""
        self._passed.clear()

    def listed(self, call_id: str | None = None) -> list[dict[str, Any]]:
        """Return the states that passed, of a call or of all, in the order of their first attempt."""
        found = self._passed.values()
        return [one.as_dict() for one in found if call_id is None or one.state.get("call_id") == call_id]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        url = request.headers.get(TARGET_HEADER, "")
        attempt, fault = self._note(body, url)
        if fault is not None and fault.kind is Kind.DELAY:
            await asyncio.sleep(fault.seconds / self._clock.speed)
        if fault is None or fault.kind in (Kind.DELAY, Kind.DUPLICATE):
            answer = await self._forward(request, url, body, attempt)
            if fault is not None and fault.kind is Kind.DUPLICATE:
                answer = await self._forward(request, url, body, attempt)
            return answer
        if fault.delivered:
            await self._forward(request, url, body, attempt)
        if fault.kind is Kind.ERROR:
            return web.Response(status=fault.status, text="a fault that the sandbox was asked for")
        if fault.kind is Kind.TIMEOUT:
            await self._keep_silent(request)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    def _note(self, body: bytes, url: str) -> tuple[_Attempt, Fault | None]:
        """Remember an attempt, and take the fault it meets. What is no state (a test of the endpoint) meets none."""
        state: Any = None
        with contextlib.suppress(ValueError):
            state = json.loads(body)
        if not isinstance(state, dict) or not isinstance(state.get("event_id"), str):
            return _Attempt(self._clock.now(), None), None
        fault = self._faults.take(state)
        passed = self._passed.get(state["event_id"])
        if passed is None:
            passed = self._passed[state["event_id"]] = _Passed(state, url)
            while len(self._passed) > KEPT:
                self._passed.popitem(last=False)
        attempt = _Attempt(self._clock.now(), fault)
        if len(passed.attempts) < ATTEMPTS:
            passed.attempts.append(attempt)
        return attempt, fault

    async def _forward(self, request: web.Request, url: str, body: bytes, attempt: _Attempt) -> web.Response:
        """Send it to the receiver and hand on what that answers."""
        attempt.forwarded += 1
        if url.startswith(self.built_in):
            attempt.status = 200
            return web.Response(status=200)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in OWN}
        client = self._client
        assert client is not None  # noqa: S101 - it was started
        try:
            async with client.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                attempt.status = answer.status
                text = await answer.content.read(MAX_ANSWER)
                kept = {name: value for name, value in answer.headers.items() if name.lower() in KEPT_HEADERS}
                return web.Response(status=answer.status, body=text, headers=kept)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            attempt.status, attempt.error = None, str(error) or type(error).__name__
            return web.Response(status=502, text=f"the sandbox got no answer from the receiver: {attempt.error}")

    async def _keep_silent(self, request: web.Request) -> None:
        """Wait until the server gives up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENT_SECONDS):
                while request.transport is not None and not request.transport.is_closing():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), LOOK)
                        return
