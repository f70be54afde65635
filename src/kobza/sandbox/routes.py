"""The sandbox's HTTP paths. They are there in a sandbox only: `kobza serve` does not know them."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kobza.api.problems import ApiError
from kobza.api.query import Query, limited_body
from kobza.call.durations import rfc3339, to_ms
from kobza.net.clock import Clock
from kobza.sandbox.faults import Faults
from kobza.sandbox.reading import read_fault, read_scenario
from kobza.sandbox.ready import ReadyMade
from kobza.sandbox.runs import AT_ONCE, KEPT, Runs
from kobza.sandbox.state_relay import StateRelay

MAX_WAIT: Final = 300
"""Seconds of the wall that one request may wait for the end of a run."""
LOOPBACK_NAMES: Final = ("localhost", "::1")
Endpoint = Callable[[Request], Awaitable[Response]]


class SandboxApi:
    """The paths under `/sandbox`. `runs` is there once the server has started; until then 503."""

    def __init__(self, clock: Clock, ready: ReadyMade, faults: Faults, relay: StateRelay, *, token: str | None) -> None:
        """`token` must come with each request as a Bearer token; None: the sandbox is on loopback and needs none."""
        self._clock = clock
        self._ready = ready
        self._faults = faults
        self._relay = relay
        self._token = token
        self.runs: Runs | None = None
        self.own: tuple[str, ...] = ()
        """The numbers of the enterprise, E.164."""
        self.about: dict[str, Any] = {}
        """What `GET /sandbox` tells: the ready line."""

    def routes(self) -> list[BaseRoute]:
        """Return the paths."""
        paths: list[tuple[str, str, Endpoint]] = [
            ("GET", "/sandbox", self.describe),
            ("GET", "/sandbox/scenarios", self.overview),
            ("POST", "/sandbox/scenarios", self.begin),
            ("GET", "/sandbox/scenarios/{id}", self.show),
            ("DELETE", "/sandbox/scenarios/{id}", self.cancel),
            ("GET", "/sandbox/faults", self.list_faults),
            ("POST", "/sandbox/faults", self.add_fault),
            ("DELETE", "/sandbox/faults", self.clear_faults),
            ("GET", "/sandbox/states", self.list_states),
            ("POST", "/sandbox/reset", self.reset),
        ]
        return [Route(path, self._guarded(endpoint), methods=[method]) for method, path, endpoint in paths]

    async def describe(self, _request: Request) -> Response:
        """What the ready line said, and the sandbox's time."""
        now = rfc3339(to_ms(self._clock.now()))
        return _answer({**self.about, "now": now, "speed": self._clock.speed})

    async def overview(self, _request: Request) -> Response:
        """Tell the ready-made scenarios and the runs."""
        runs = self._need_runs()
        ready = [
            {"scenario": name, "title": self._title(name), "yaml": self._ready.text(name)} for name in self._ready.names
        ]
        kept = [
            {"id": run.id, "scenario": run.name, "state": run.state, "as_asked": run.as_asked, "call_id": run.call_id}
            for run in runs.newest()
        ]
        return _answer({"ready_made": ready, "runs": kept, "at_once": AT_ONCE, "kept": KEPT})

    async def begin(self, request: Request) -> Response:
        """Begin a run of a scenario."""
        runs = self._need_runs()
        body = await limited_body(request)
        name, scenario = read_scenario(body, own=self.own, ready=self._ready.get, names=self._ready.names)
        run = runs.begin(scenario, name)
        return _answer(run.as_dict(runs.asked(run)), 202, {"location": f"/sandbox/scenarios/{run.id}"})

    async def show(self, request: Request) -> Response:
        """Tell a run; with `wait`, in seconds of the wall, not before it is over or so long has passed."""
        runs = self._need_runs()
        run = runs.get(request.path_params["id"])
        wait = Query(request).integer("wait", 0, MAX_WAIT)
        if wait:
            await asyncio.wait((asyncio.ensure_future(run.over.wait()),), timeout=wait)
        return _answer(run.as_dict(runs.asked(run)))

    async def cancel(self, request: Request) -> Response:
        """End a run and its call."""
        runs = self._need_runs()
        run = runs.get(request.path_params["id"])
        await runs.cancel(run)
        return _answer(run.as_dict(runs.asked(run)))

    async def list_faults(self, _request: Request) -> Response:
        """Tell the faults that wait."""
        return _answer({"faults": self._faults.listed()})

    async def add_fault(self, request: Request) -> Response:
        """Let a fault strike the next deliveries, whosever they are."""
        fault = read_fault(await limited_body(request))
        self._faults.add([fault])
        return _answer(fault.as_dict(), 201)

    async def clear_faults(self, _request: Request) -> Response:
        """Forget the faults that wait."""
        self._faults.clear()
        return Response(status_code=204)

    async def list_states(self, request: Request) -> Response:
        """Tell the call states that went to the receiver, each with its attempts."""
        return _answer({"states": self._relay.listed(Query(request).get("call_id"))})

    async def reset(self, _request: Request) -> Response:
        """Cancel and forget all runs, faults and states, end all calls. The history stays: it is the past."""
        await self._need_runs().clear()
        self._faults.clear()
        self._relay.clear()
        return Response(status_code=204)

    def _title(self, name: str) -> str:
        fields = self._ready.get(name)
        return "" if fields is None else fields.text("title")

    def _need_runs(self) -> Runs:
        if self.runs is None:
            raise ApiError("unavailable", "The sandbox is starting.", headers={"retry-after": "1"})
        return self.runs

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            if self._token is None:
                _refuse_strangers(request)
            else:
                given = request.headers.get("authorization", "")
                if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
                    raise ApiError(
                        "unauthorized",
                        "A sandbox that listens beyond loopback wants Authorization: Bearer <FMC token>.",
                        headers={"www-authenticate": 'Bearer realm="kobza"'},
                    )
            return await endpoint(request)

        return guarded


def _refuse_strangers(request: Request) -> None:
    """Refuse what a page of somebody else has a browser on this machine ask: there is no token to keep it out.

    Such a request comes with an Origin of its own, or under a name that was made to lead to loopback.
    """
    host = request.headers.get("host", "")
    name = host.rsplit(":", 1)[0].strip("[]")
    if name not in LOOPBACK_NAMES and not name.startswith("127."):
        raise ApiError("forbidden", "A sandbox on loopback is asked by the address of loopback.")
    if request.headers.get("origin", f"http://{host}") != f"http://{host}":
        raise ApiError("forbidden", "A sandbox is not asked by pages of others.")


def _answer(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    all_headers = {"cache-control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(document), status, all_headers, "application/json; charset=utf-8")
