"""The server, put together: what is built of what, in which order it starts, and in the reverse order stops."""

import asyncio
import gc
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from fastapi import FastAPI
from starlette.routing import BaseRoute

from kobza.api.app import build_app
from kobza.api.context import SipListen
from kobza.api.event_streams import EventStreams
from kobza.api.exports.link import ExportProcess
from kobza.api.proxies import Proxies
from kobza.api.request_counts import RequestCounts
from kobza.app.archiving import archive_of, recordings_directory
from kobza.app.certificates import ask_where_wanted, served_files, shown_files
from kobza.app.data_lock import DataLock, DataTaken
from kobza.app.housekeeping import Housekeeping
from kobza.app.http_serving import HttpServing
from kobza.app.limits import api_rates, make_doorkeeper, make_guard
from kobza.app.media import make_plane
from kobza.app.portal_parts import openid_options, portal_secret
from kobza.app.server_error import ServerError
from kobza.app.system import SystemWatch
from kobza.app.tracing import TracesMissing, open_traces
from kobza.app.watchers import start_watchers
from kobza.archive.archive import Archive
from kobza.archive.keys import KeysWrong
from kobza.call.causes import RECOVERY_ON_TIMER, reason_header
from kobza.config.loading import Loaded
from kobza.config.settings import Settings, name_servers, retention_terms, store_place, webhook_limits, webhook_networks
from kobza.defence.door import Door
from kobza.media.observed import ObservedPlane
from kobza.net.clock import Clock, SteadyClock
from kobza.net.locator import Locator
from kobza.net.resolver import Resolver
from kobza.net.tls import Certificate, CertificateError, Tls, client_context
from kobza.observe.lag import LoopLag
from kobza.observe.routes import monitoring_routes
from kobza.observe.sources import Sources
from kobza.pbx import recovery
from kobza.pbx.admission import Admission
from kobza.pbx.authenticator import Authenticator
from kobza.pbx.books import BookKeeper
from kobza.pbx.browser_phones import BrowserPhones
from kobza.pbx.commands import Commands
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.disk_space import Space, SpaceWatch
from kobza.pbx.guests import GuestCalls
from kobza.pbx.journal import Journal, JournalFailure
from kobza.pbx.locations import Locations
from kobza.pbx.notifier import Notifier
from kobza.pbx.outside_calls import METHODS
from kobza.pbx.outside_guard import OutsideGuard
from kobza.pbx.presence import Presence
from kobza.pbx.record_books import RecordBooks
from kobza.pbx.recordings import Recordings, spools_of
from kobza.pbx.registrar import ExpiryLimits, Registrar
from kobza.pbx.sound_library import SoundLibrary
from kobza.pbx.switch import Switch
from kobza.pbx.transfers import Transfers
from kobza.pbx.trunk_keeper import TrunkKeeper
from kobza.pbx.uploads import Uploads
from kobza.pbx.watch import CallWatch
from kobza.sip.digest import DigestVerifier
from kobza.sip.flow import Transport
from kobza.sip.timers import Timers
from kobza.sip.ua import SessionPolicy, UserAgent
from kobza.store import Store, bindings, meta
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
TIMERS: Final = Timers(beat=0.25)
"""Forgetting a call in five wake-ups of its own cost as much as a message; a quarter of a second has those of many."""
SECRET_BYTES: Final = 32
RESTORED: Final = frozenset({"UDP"})
"""Transports whose registrations outlive a restart: a connection does not."""


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
        self._stops: list[Callable[[], Awaitable[object]]] = []
        self._failure: asyncio.Future[BaseException] | None = None
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
        self._failure = asyncio.get_running_loop().create_future()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything in the reverse order; a part that cannot stop keeps no other from it."""
        while self._stops:
            stop = self._stops.pop()
            try:
                await stop()
            except Exception:
                log.exception("a part of the server did not stop cleanly")

    async def failed(self) -> BaseException:
        """Wait until a part of the server dies that it cannot do without; return why."""
        if self._failure is None:
            raise RuntimeError("the server was not started")
        return await asyncio.shield(self._failure)

    async def _start(self) -> None:
        settings = self._settings
        data = settings.data
        store = await asyncio.to_thread(Store.open, store_place(settings))
        self._stop_with(lambda: asyncio.to_thread(store.close))
        data.mkdir(mode=0o700, parents=True, exist_ok=True)  # a store elsewhere may be another machine's doing
        lock = DataLock(data)
        try:
            await asyncio.to_thread(lock.take)
        except DataTaken as error:
            raise ServerError(str(error)) from error
        self._stop_with(lambda: asyncio.to_thread(lock.release))
        journal = Journal(store.place, now=self._now, on_failure=self._journal_failed)
        self._stop_with(journal.stop)
        await asyncio.to_thread(journal.claim)  # before a look at what seems to be left open
        before = await recovery.look_back(store, spools_of(recordings_directory(settings)))
        view = DirectoryView(store, locate=Locator(Resolver(name_servers(settings))).locate)
        await view.start()
        self._stop_with(view.stop)
        journal.start()
        self._stop_with(journal.stop)
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
        self._stop_with(dispatcher.stop)
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
        self._stop_with(uploads.stop)
        await recordings.start()
        self._stop_with(recordings.stop)
        plane = await asyncio.to_thread(make_plane, settings, speed=self._clock.speed, inherited=lock.for_media)
        space = await self._watch_space(recordings, plane)
        parts = await self._build(store, view, journal, books, recordings, plane, traces)
        switch, keeper, commands = parts.switch, parts.keeper, parts.commands
        self._commands = commands
        await plane.start()
        self._stop_with(plane.stop)
        await self._listen(switch)
        self._browser_phones.start(switch.endpoint)
        switch.start()
        self._stop_with(switch.stop)
        await start_watchers(settings, switch.sip_watch, self._stop_with)
        keeper.start(switch.endpoint)
        self._stop_with(keeper.stop)
        housekeeping = Housekeeping(store, archive, terms=retention_terms(settings), now=self._now)
        housekeeping.start()
        self._stop_with(housekeeping.stop)
        exports = ExportProcess(store.place)
        await asyncio.to_thread(exports.start)
        self._stop_with(exports.stop)
        lag = LoopLag()
        lag.start()
        self._stop_with(lag.stop)
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
        self._stop_with(self._system.stop)
        app.router.routes += monitoring_routes(
            sources, allowed=settings.metrics_allow, proxies=bool(settings.trusted_proxies)
        )
        await self._serve_http(app, streams)

    async def _build(
        self,
        store: Store,
        view: DirectoryView,
        journal: Journal,
        books: BookKeeper,
        recordings: Recordings,
        plane: ObservedPlane,
        watch: CallWatch | None,
    ) -> "_Parts":
        settings = self._settings
        realm = await asyncio.to_thread(_realm, store)
        locations = Locations()
        known = await asyncio.to_thread(_bindings, store, self._now())
        locations.load(binding for binding in known if binding.transport in RESTORED)
        secret = settings.nonce_secret
        nonce_key = secrets.token_bytes(SECRET_BYTES) if secret is None else secret.get_secret_value().encode()
        verifier = DigestVerifier(realm, nonce_key, nonce_lifetime=settings.nonce_lifetime)
        doorkeeper = make_doorkeeper(settings, store, view, verifier, self._now)
        await doorkeeper.start((each.remote_host, each.remote_port) for each in locations)
        self._stop_with(doorkeeper.stop)
        authenticator = Authenticator(
            verifier,
            owner_of=self._browser_phones.owner_of,
            certified=lambda flow: switch.endpoint.certified_names(flow),
            doorkeeper=doorkeeper,
        )
        presence = Presence(locations, self._now)
        ua = UserAgent(
            new_token=self._ids.token,
            timers=TIMERS.at_speed(self._clock.speed),
            methods=METHODS,
            supported=("path", "replaces"),
            lost_headers=(("Reason", reason_header(RECOVERY_ON_TIMER)),),
            session=_session_policy(settings),
            reliable=True,
        )
        keeper = TrunkKeeper(
            ua=ua, view=view, store=store, now=self._now, new_id=self._ids.token, speed=self._clock.speed
        )
        admission = Admission(
            view,
            locations,
            authenticator,
            presence=presence,
            lines=keeper.lines,
            usable=keeper.is_usable,
            clock=None if watch is None else self._now,
            pickup_code=settings.pickup_code,
        )
        notifier = Notifier(ua, authenticator, view, presence, now=self._now)
        registrar = Registrar(
            locations=locations,
            authenticator=authenticator,
            journal=journal,
            limits=ExpiryLimits(settings.registration_min, settings.registration_max, settings.registration_default),
            changed=notifier.devices_changed,
            reached=ua.follow_contact,
        )
        guard = await make_guard(settings, store, view, self._now())
        transfers = Transfers(admission, view)
        sounds = SoundLibrary(recordings.directory.parent / "sounds", store=store, view=view)
        await sounds.start()
        self._stop_with(sounds.stop)
        switch = Switch(
            ua=ua,
            plane=plane,
            view=view,
            admission=admission,
            registrar=registrar,
            presence=presence,
            books=books,
            recordings=recordings,
            keeper=keeper,
            guard=guard,
            sounds=sounds,
            transfers=transfers,
            notifier=notifier,
            now=self._now,
            new_id=self._ids.id,
            tls=await self._open_tls(view),
            ring_timeout=settings.ring_timeout,
            speed=self._clock.speed,
            watch=watch,
            srtp_offer=settings.srtp_offer,
            door=doorkeeper.door,
            kept_messages=settings.sip_kept_mb * 2**20,
            datagram_limit=settings.sip_udp_max,
            outside=settings.sip_host,
        )
        guests = GuestCalls(
            store=store,
            view=view,
            plane=plane,
            switch=switch,
            admission=admission,
            presence=presence,
            transfers=transfers,
            now=self._now,
        )
        self._stop_with(guests.stop)
        commands = Commands(
            store=store,
            view=view,
            switch=switch,
            admission=admission,
            presence=presence,
            transfers=transfers,
            guests=guests,
            guard=guard,
            now=self._now,
        )
        return _Parts(switch, commands, locations, keeper, doorkeeper.door, guard)

    async def _watch_space(self, recordings: Recordings, plane: ObservedPlane) -> SpaceWatch:
        """Look at the disk from now on: recordings give way to calls."""

        def changed(space: Space) -> None:
            recordings.space = space
            if space is Space.OVER:
                recordings.cut_short(lambda call_id, record_id: plane.stop_recording(call_id, record_id=record_id))

        keep_free = self._settings.recordings_keep_free_mb * 1_000_000
        watch = SpaceWatch(recordings.directory, keep_free=keep_free, changed=changed)
        await watch.start()
        self._stop_with(watch.stop)
        return watch

    async def _open_tls(self, view: DirectoryView) -> Tls:
        """Load our certificates, and look after them from now on."""
        settings = self._settings
        served, shown = served_files(settings), shown_files(settings)
        certificate = None
        try:
            client = await asyncio.to_thread(client_context, settings.sip_authorities)
            if served is not None:
                certificate = Certificate(served, settings.sip_authorities)
                self._look_after(certificate)
                ask_where_wanted(certificate, view.snapshot)
                view.followers.append(partial(ask_where_wanted, certificate))
            if certificate is not None and shown == served:
                certificate.show_in(client)
            elif shown is not None:
                other = Certificate(shown)
                other.show_in(client)
                self._look_after(other)
        except CertificateError as error:
            raise ServerError(str(error)) from error
        return Tls(certificate, client)

    def _look_after(self, certificate: Certificate) -> None:
        """Take a certificate anew whenever its files change, until the end."""
        watching = asyncio.create_task(certificate.watch(), name="certificate")
        watching.add_done_callback(self._part_ended)

        async def stop() -> None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

        self._stop_with(stop)

    async def _open_traces(self) -> "Traces | None":
        try:
            traces = await asyncio.to_thread(open_traces, self._settings, self._now)
        except TracesMissing as error:
            raise ServerError(str(error)) from error
        if traces is not None:
            self._stop_with(partial(asyncio.to_thread, traces.stop))
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
            portal_secret=await asyncio.to_thread(portal_secret, self._settings.data / "portal.key", store),
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
        self._stop_with(app.state.context.gate.stop)
        serving = HttpServing(app, self._settings.http, streams)
        serving.begin().add_done_callback(self._part_ended)
        self._stop_with(serving.stop)
        self.http_url = await serving.ready()

    def _stop_with(self, stop: Callable[[], Awaitable[object]]) -> None:
        self._stops.append(stop)

    def _journal_failed(self, failure: JournalFailure) -> None:
        """Say what the journal cannot store. It goes on trying by itself unless its thread died."""
        if failure.rejected:
            log.error("the store refused %d entries for good: %s", len(failure.rejected), failure.error)
        elif isinstance(failure.error, Exception):
            # Once is a lock that somebody held for too long, or the like; nothing waits for it longer than a moment.
            level = logging.WARNING if failure.failures == 1 else logging.ERROR
            log.log(level, "what calls produce cannot be stored (%d wait): %s", failure.waiting, failure.error)
        else:
            self._fail(failure.error)

    def _part_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(error)


class _Parts(NamedTuple):
    """What carries calls."""

    switch: Switch
    commands: Commands
    locations: Locations
    keeper: TrunkKeeper
    door: Door
    guard: OutsideGuard


def _session_policy(settings: Settings) -> SessionPolicy | None:
    seconds = settings.session_expires
    return SessionPolicy(seconds, settings.session_min_se) if seconds else None


def _realm(store: Store) -> str:
    with store.read() as conn:
        return meta.sip_realm(conn)


def _bindings(store: Store, now: float) -> list[bindings.Binding]:
    with store.read() as conn:
        return bindings.load_all(conn, int(now * 1000))
