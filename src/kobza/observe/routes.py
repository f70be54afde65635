"""The three paths of an operator: `/metrics`, `/health` and `/ready`."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kobza.observe import access, readiness
from kobza.observe.access import Network
from kobza.observe.exposition import MEDIA_TYPE, Exposition
from kobza.observe.sources import Sources

NO_STORE = {"cache-control": "no-store"}


def monitoring_routes(sources: Sources, *, allowed: Sequence[Network], proxies: bool) -> list[Route]:
    """Return the routes. `allowed` may read the metrics; `proxies`: some proxies are believed about the client."""
    exposition = Exposition(sources)

    async def metrics(request: Request) -> Response:
        """Give the metrics to Prometheus."""
        access.check(request, allowed, proxies=proxies)
        return Response(await exposition.text(), headers={**NO_STORE, "content-type": MEDIA_TYPE})

    async def health(_request: Request) -> Response:
        """Say that the process lives: its loop turns. It asks nothing else, or a restart would be the wrong cure."""
        return JSONResponse({"status": "ok"}, headers=NO_STORE)

    async def ready(_request: Request) -> Response:
        """Say whether the server can do its work, part by part."""
        checks = await readiness.look(sources)
        failing = any(check.reason for check in checks)
        parts = {
            check.name: {"state": check.state, **({"reason": check.reason} if check.reason else {})} for check in checks
        }
        body = {"status": "failing" if failing else "ready", "checks": parts}
        return JSONResponse(body, 503 if failing else 200, headers=NO_STORE)

    return [
        Route("/metrics", metrics, methods=["GET"]),
        Route("/health", health, methods=["GET"]),
        Route("/ready", ready, methods=["GET"]),
    ]
