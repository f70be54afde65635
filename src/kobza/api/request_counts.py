"""How many HTTP requests there were, by route and status, and how long they took."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kobza.measures import Histogram

METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
OTHER: Final = "other"
"""Stands for each path without a route and each method that nobody uses: clients may make up as many as they like."""
NO_STATUS: Final = 0
"""Of a request whose client went away before the answer began."""
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds until an answer begins. The whole of it lasts as long as the client likes."""


class RequestCounts:
    """The counters of one application. They only grow, but `in_progress`."""

    def __init__(self) -> None:
        self.requests: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        """By method, path of the route, status."""
        self.seconds = Histogram(BOUNDS)
        self.in_progress = 0


class CountRequests:
    """ASGI middleware: counts every request once it is over."""

    def __init__(self, app: ASGIApp, *, counts: RequestCounts, clock: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._counts = counts
        self._clock = clock
        self._paths: dict[Any, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counts = self._counts
        status = NO_STATUS
        began = self._clock()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                counts.seconds.observe(self._clock() - began)
            await send(message)

        counts.in_progress += 1
        try:
            await self._app(scope, receive, watch)
        finally:
            counts.in_progress -= 1
            counts.requests[_method(scope), self._route(scope), status] += 1

    def _route(self, scope: Scope) -> str:
        """Return the path of the route that took a request. It is known by its endpoint, the scope names no other."""
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return OTHER
        if endpoint not in self._paths:
            routes = scope["app"].router.routes
            self._paths |= {_endpoint(route): route.path for route in routes if hasattr(route, "path")}
        return self._paths.get(endpoint, OTHER)


def _endpoint(route: BaseRoute) -> Any:
    return getattr(route, "endpoint", None) or getattr(route, "app", None)


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in METHODS else OTHER
