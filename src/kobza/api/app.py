"""The HTTP application: put together from its parts, with no setting read and no state outside of it."""

from collections.abc import Callable, Sequence
from typing import Final

import anyio.to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from kobza.api import callstat
from kobza.api.access_log import AccessLog, mask_server_log
from kobza.api.context import ApiContext, SipListen, context_of
from kobza.api.event_streams import EventStreams
from kobza.api.exports.link import ExportProcess
from kobza.api.fmc import (
    callcontrol,
    callhistory,
    callrecord,
    clip,
    deliveries,
    dnd,
    events,
    forwarding,
    originate,
    phonestatus,
    replays,
    webhook,
    webhook_test,
)
from kobza.api.fmc.event_socket import follow_events
from kobza.api.gate import Gate
from kobza.api.manual import Manual
from kobza.api.ports import BrowserPhones, Commands, WebhookPort
from kobza.api.problems import IncidentGuard, install_problems, problem
from kobza.api.proxies import NO_PROXIES, ClientAddress, Proxies
from kobza.api.rate_limits import RateLimitFields, Rates
from kobza.api.request_counts import CountRequests, RequestCounts
from kobza.api.token_view import CHECK_EVERY
from kobza.archive.archive import Archive
from kobza.portal.openid_options import OpenIdOptions
from kobza.portal.routes import portal_routes
from kobza.portal.system_port import SystemPort
from kobza.store import Store, ids

ROUTERS: Final = (
    callstat.router,
    callhistory.router,
    callrecord.router,
    originate.router,
    callcontrol.router,
    clip.router,
    dnd.router,
    forwarding.router,
    phonestatus.router,
    webhook.router,
    webhook_test.router,
    deliveries.router,
    replays.router,
    events.router,
    originate.legacy_router,
)


async def healthz(request: Request) -> Response:
    """Tell whether the process serves and its store answers."""
    context = context_of(request)
    try:
        await anyio.to_thread.run_sync(context.store.directory_version)
    except Exception:  # noqa: BLE001 - whatever it is, the answer is "not healthy"
        return problem(503, "unavailable", "The store does not answer.", headers={"retry-after": "1"})
    return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})


def documented_routes() -> list[APIRoute]:
    """Return the routes for programs: those that the manual describes."""
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def build_app(
    *,
    store: Store,
    commands: Commands,
    archive: Archive,
    now: Callable[[], float],
    portal_secret: bytes,
    exports: ExportProcess,
    event_streams: EventStreams | None = None,
    webhooks: WebhookPort | None = None,
    rates: Rates | None = None,
    proxies: Proxies = NO_PROXIES,
    token_overlap: int = 86_400,
    tokens_checked_every: float = CHECK_EVERY,
    new_incident: Callable[[], str] = ids.new_id,
    routes: Sequence[BaseRoute] = (),
    counts: RequestCounts | None = None,
    sip: Sequence[SipListen] = (),
    browser_phones: BrowserPhones | None = None,
    openid: OpenIdOptions | None = None,
    system: SystemPort | None = None,
) -> FastAPI:
    """Build the application.

    `archive` has the finished recordings, `now` is the steady clock in seconds since the epoch,
    `portal_secret` (32 bytes or more) signs the portal's cookies, `exports` makes what holds many calls, `webhooks` is
    the dispatcher of this process, `event_streams` wants to be told of states that are stored, `rates` says how often a
    token may ask, `proxies` who may say whose request it is, `token_overlap` for how many seconds a replaced token
    usually goes on, `tokens_checked_every` after how many seconds at most a change of a token is seen. `routes` are
    paths of others beside ours, with our form of errors. `counts` is where requests are counted,
    `sip` where phones may register, `browser_phones` takes those of pages, `openid` is the provider by which people may
    sign in to the portal, `system` tells the operator how the installation is.

    Who stops the application calls `app.state.context.gate.stop()`, which writes the last uses of the tokens, and stops
    `event_streams` and `exports`.
    """
    app = FastAPI(title="Kobza", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    gate = Gate(store, now, rates=rates, check_every=tokens_checked_every)
    context = ApiContext(
        store=store,
        commands=commands,
        archive=archive,
        now=now,
        gate=gate,
        exports=exports,
        event_streams=event_streams or EventStreams(),
        webhooks=webhooks,
        token_overlap=token_overlap,
        sip=sip,
        browser_phones=browser_phones,
    )
    app.state.context = context
    documented = documented_routes()
    manual = Manual(documented, now)
    app.state.manual = manual
    app.router.routes += [*documented, *manual.routes(), Route("/healthz", healthz, methods=["GET"])]
    app.router.routes.append(WebSocketRoute("/api/fmc/v1/events", follow_events))
    app.router.routes += portal_routes(context, portal_secret, openid, system)
    app.router.routes += routes
    install_problems(app)
    app.add_middleware(RateLimitFields)
    app.add_middleware(IncidentGuard, new_incident=new_incident)
    app.add_middleware(AccessLog)
    app.add_middleware(CountRequests, counts=counts or RequestCounts())
    app.add_middleware(ClientAddress, proxies=proxies)
    mask_server_log()
    return app
