"""The server, put together: what is built of what, in which order it starts, and in the reverse order stops."""

import asyncio
import gc
import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI
from starlette.routing import BaseRoute

from kobza.api.app import build_app
from kobza.api.context import SipListen
from kobza.api.event_streams import EventStreams
from kobza.api.exports.link import ExportProcess
from kobza.api.proxies import Proxies
from kobza.api.request_counts import RequestCounts
from kobza.app.archiving import archive_of, recordings_directory
from kobza.app.call_parts import build_call_parts
from kobza.app.data_lock import DataLock, DataTaken
from kobza.app.housekeeping import Housekeeping
from kobza.app.http_serving import HttpServing
from kobza.app.lifetime import Lifetime
from kobza.app.limits import api_rates
from kobza.app.media import make_plane
from kobza.app.portal_parts import PORTAL_KEY, openid_options, portal_secret
from kobza.app.server_error import ServerError
from kobza.app.system import SystemWatch
from kobza.app.tracing import TracesMissing, open_traces
from kobza.app.watchers import start_watchers
from kobza.archive.archive import Archive
from kobza.archive.keys import KeysWrong
from kobza.config.loading import Loaded
from kobza.config.settings import Settings, name_servers, retention_terms, store_place, webhook_limits, webhook_networks
from kobza.media.observed import ObservedPlane
from kobza.net.clock import Clock, SteadyClock
from kobza.net.locator import Locator
from kobza.net.resolver import Resolver
from kobza.observe.lag import LoopLag
from kobza.observe.routes import monitoring_routes
from kobza.observe.sources import Sources
from kobza.pbx import recovery
from kobza.pbx.books import BookKeeper
from kobza.pbx.browser_phones import BrowserPhones
from kobza.pbx.commands import Commands
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.disk_space import Space, SpaceWatch
from kobza.pbx.journal import Journal, JournalFailure
from kobza.pbx.record_books import RecordBooks
from kobza.pbx.recordings import Recordings, spools_of
from kobza.pbx.switch import Switch
from kobza.pbx.uploads import Uploads
from kobza.sip.flow import Transport
from kobza.store import Store
from kobza.store.entries import StateStored
from kobza.store.ids import IdMaker
from kobza.webhooks.dispatcher import Dispatcher

if TYPE_CHECKING:
    from kobza.observe.traces import Traces

log = logging.getLogger(__name__)

GC_THRESHOLDS: Final = (2_500, 400, 100)
"""The collector walks every live transaction; ten thousand of them are alive under load and hold no cycles. Measured:
15 to 20 % of the CPU of signalling. So what is not young any more is walked once in a million new objects. What is
young is walked in small portions: 2,500 keep the loop for 2 ms, 50,000 kept it for 40, and it costs the same in all."""


class Server:
    """One Kobza in this process."""

    def __init__(
        self,
        settings: Settings,
        *,
        loaded: Loaded | None = None,
        clock: Clock | None = None,
        routes: Sequence[BaseRoute] = (),
        webhooks_via: str | None = None,
    ) -> None:
        """`loaded` says where the settings come from; `clock` is the wall's unless a sandbox has one of its own;
        `routes` are HTTP paths beside the API's and the portal's; `webhooks_via` is a URL that takes all call states in
        their receivers' place.
        """
        self._settings = settings
        self._system = SystemWatch(loaded or Loaded(settings, dict.fromkeys(Settings.model_fields, "default"), None))
        self._clock = clock or SteadyClock()
        self._now = self._clock.now
        self._routes = tuple(routes)
        self._webhooks_via = webhooks_via
        self._commands: Commands | None = None
        self._browser_phones = BrowserPhones()
        self._ids = IdMaker()
        self._lifetime = Lifetime()
        self.http_url = ""
        """Where HTTP answers; known after `start`."""
        self.sip_addresses: list[tuple[Transport, str, int]] = []
        """Where SIP is spoken, UDP first; known after `start`."""

    @property
    def commands(self) -> Commands:
        """What may be done to live calls; only once it was started."""
        if self._commands is None:
            raise RuntimeError("the server was not started")
        return self._commands

    async def start(self) -> None:
        """Start everything; what had started is stopped again when something cannot.

        Raises:
            StoreError: there is no store, or it cannot be used.
            ServerError: an address is taken, the media plane does not start.

        """
        gc.set_threshold(*GC_THRESHOLDS)
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything in the reverse order; a part that cannot stop keeps no other from it."""
        await self._lifetime.stop()

    async def failed(self) -> BaseException:
        """Wait until a part of the server dies that it cannot do without; return why."""
        return await self._lifetime.failed()

    async def _start(self) -> None:
        settings = self._settings
        data = settings.data
        store = await asyncio.to_thread(Store.open, store_place(settings))
        self._lifetime.stop_with(lambda: asyncio.to_thread(store.close))
        data.mkdir(mode=0o700, parents=True, exist_ok=True)  # a store elsewhere may be another machine's doing
        lock = DataLock(data)
        try:
            await asyncio.to_thread(lock.take)
        except DataTaken as error:
            raise ServerError(str(error)) from error
        self._lifetime.stop_with(lambda: asyncio.to_thread(lock.release))
        journal = Journal(store.place, now=self._now, on_failure=self._journal_failed)
        self._lifetime.stop_with(journal.stop)
        await asyncio.to_thread(journal.claim)  # before a look at what seems to be left open
        before = await recovery.look_back(store, spools_of(recordings_directory(settings)))
        view = DirectoryView(store, locate=Locator(Resolver(name_servers(settings))).locate)
        await view.start()
        self._lifetime.stop_with(view.stop)
        journal.start()
        self._lifetime.stop_with(journal.stop)
        traces = await self._open_traces()
        dispatcher = Dispatcher(
            store,
            journal,
            allow_private=webhook_networks(settings),
            now=self._now,
            in_flight=settings.webhook_in_flight,
            held=settings.webhook_held,
            limits=webhook_limits(settings),
            http2=settings.webhook_http2,
            off_after=settings.webhook_off_after * 3600 or None,
            speed=self._clock.speed,
            via=self._webhooks_via,
            watch=traces,
        )
        streams = EventStreams(most=settings.event_streams, most_of_enterprise=settings.event_streams_per_enterprise)

        def stored(states: Sequence[StateStored]) -> None:
            streams.stored(states)
            dispatcher.owed(states)

        books = BookKeeper(journal, view, stored, self._ids.id, traces)
        await recovery.close_books(before, journal, books)
        await dispatcher.start()
        self._lifetime.stop_with(dispatcher.stop)
        try:
            archive = archive_of(settings)
        except KeysWrong as error:
            raise ServerError(f"recordings_keys: {error}") from error
        uploads = Uploads(archive, store, now=self._now, local_hours=settings.recordings_local_hours)
        recordings = Recordings(
            archive.folder.directory,
            store=store,
            results=RecordBooks(store, journal, books),
            now=self._now,
            uploads=uploads if archive.uploads else None,
            seal=archive.seal if archive.keys is not None else None,
        )
        uploads.start()
        self._lifetime.stop_with(uploads.stop)
        await recordings.start()
        self._lifetime.stop_with(recordings.stop)
        plane = await asyncio.to_thread(make_plane, settings, speed=self._clock.speed, inherited=lock.for_media)
        space = await self._watch_space(recordings, plane)
        parts = await build_call_parts(
            settings,
            store=store,
            view=view,
            journal=journal,
            books=books,
            recordings=recordings,
            plane=plane,
            browser_phones=self._browser_phones,
            ids=self._ids,
            clock=self._clock,
            lifetime=self._lifetime,
            watch=traces,
        )
        switch, keeper, commands = parts.switch, parts.keeper, parts.commands
        self._commands = commands
        await plane.start()
        self._lifetime.stop_with(plane.stop)
        await self._listen(switch)
        self._browser_phones.start(switch.endpoint)
        switch.start()
        self._lifetime.stop_with(switch.stop)
        await start_watchers(settings, switch.sip_watch, self._lifetime)
        keeper.start(switch.endpoint)
        self._lifetime.stop_with(keeper.stop)
        housekeeping = Housekeeping(store, archive, terms=retention_terms(settings), now=self._now)
        housekeeping.start()
        self._lifetime.stop_with(housekeeping.stop)
        exports = ExportProcess(store.place)
        await asyncio.to_thread(exports.start)
        self._lifetime.stop_with(exports.stop)
        lag = LoopLag()
        lag.start()
        self._lifetime.stop_with(lag.stop)
        requests = RequestCounts()
        app = await self._build_app(store, commands, archive, dispatcher, exports, streams, requests)
        sources = Sources(
            store=store,
            journal=journal,
            books=books,
            view=view,
            switch=switch,
            locations=parts.locations,
            keeper=keeper,
            door=parts.door,
            guard=parts.guard,
            plane=plane,
            recordings=recordings,
            uploads=uploads,
            space=space,
            dispatcher=dispatcher,
            streams=streams,
            exports=exports,
            gate=app.state.context.gate,
            requests=requests,
            lag=lag,
            now=self._now,
        )
        self._system.start(sources)
        self._lifetime.stop_with(self._system.stop)
        app.router.routes += monitoring_routes(
            sources, allowed=settings.metrics_allow, proxies=bool(settings.trusted_proxies)
        )
        await self._serve_http(app, streams)

    async def _watch_space(self, recordings: Recordings, plane: ObservedPlane) -> SpaceWatch:
        """Look at the disk from now on: recordings give way to calls."""

        def changed(space: Space) -> None:
            recordings.space = space
            if space is Space.OVER:
                recordings.cut_short(lambda call_id, record_id: plane.stop_recording(call_id, record_id=record_id))

        keep_free = self._settings.recordings_keep_free_mb * 1_000_000
        watch = SpaceWatch(recordings.directory, keep_free=keep_free, changed=changed)
        await watch.start()
        self._lifetime.stop_with(watch.stop)
        return watch

    async def _open_traces(self) -> "Traces | None":
        try:
            traces = await asyncio.to_thread(open_traces, self._settings, self._now)
        except TracesMissing as error:
            raise ServerError(str(error)) from error
        if traces is not None:
            self._lifetime.stop_with(partial(asyncio.to_thread, traces.stop))
        return traces

    async def _listen(self, switch: Switch) -> None:
        for listen in self._settings.sip:
            transport = Transport(listen.transport.upper())
            try:
                host, port = await switch.endpoint.listen(transport, listen.host, listen.port)
            except OSError as error:
                await switch.endpoint.close()
                raise ServerError(f"cannot listen on {listen}: {error.strerror or error}") from error
            self.sip_addresses.append((transport, host, port))
        self.sip_addresses.sort(key=lambda address: address[0] is not Transport.UDP)

    async def _build_app(
        self,
        store: Store,
        commands: Commands,
        archive: Archive,
        dispatcher: Dispatcher,
        exports: ExportProcess,
        streams: EventStreams,
        requests: RequestCounts,
    ) -> FastAPI:
        return build_app(
            store=store,
            commands=commands,
            archive=archive,
            now=self._now,
            portal_secret=await asyncio.to_thread(portal_secret, self._settings.data / PORTAL_KEY, store),
            exports=exports,
            event_streams=streams,
            webhooks=dispatcher,
            routes=self._routes,
            rates=api_rates(self._settings),
            token_overlap=self._settings.token_overlap,
            sip=[SipListen(transport.value.lower(), host, port) for transport, host, port in self.sip_addresses],
            proxies=Proxies(self._settings.trusted_proxies, self._settings.proxy_header),
            counts=requests,
            browser_phones=self._browser_phones,
            openid=openid_options(self._settings),
            system=self._system,
        )

    async def _serve_http(self, app: FastAPI, streams: EventStreams) -> None:
        self._lifetime.stop_with(app.state.context.gate.stop)
        serving = HttpServing(app, self._settings.http, streams)
        serving.begin().add_done_callback(self._lifetime.part_ended)
        self._lifetime.stop_with(serving.stop)
        self.http_url = await serving.ready()

    def _journal_failed(self, failure: JournalFailure) -> None:
        """Say what the journal cannot store. It goes on trying by itself unless its thread died."""
        if failure.rejected:
            log.error("the store refused %d entries for good: %s", len(failure.rejected), failure.error)
        elif isinstance(failure.error, Exception):
            # Once is a lock that somebody held for too long, or the like; nothing waits for it longer than a moment.
            level = logging.WARNING if failure.failures == 1 else logging.ERROR
            log.log(level, "what calls produce cannot be stored (%d wait): %s", failure.waiting, failure.error)
        else:
            self._lifetime.fail(failure.error)
