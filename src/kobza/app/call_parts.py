"""What carries calls, put together: the switch, what it asks and what it tells."""

import asyncio
import secrets
from typing import Final, NamedTuple

from kobza.app.certificates import open_tls
from kobza.app.lifetime import Lifetime
from kobza.app.limits import make_doorkeeper, make_guard
from kobza.call.causes import RECOVERY_ON_TIMER, reason_header
from kobza.config.settings import Settings
from kobza.defence.door import Door
from kobza.media.observed import ObservedPlane
from kobza.net.clock import Clock
from kobza.pbx.admission import Admission
from kobza.pbx.authenticator import Authenticator
from kobza.pbx.books import BookKeeper
from kobza.pbx.browser_phones import BrowserPhones
from kobza.pbx.commands import Commands
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.guests import GuestCalls
from kobza.pbx.journal import Journal
from kobza.pbx.locations import Locations
from kobza.pbx.notifier import Notifier
from kobza.pbx.outside_calls import METHODS
from kobza.pbx.outside_guard import OutsideGuard
from kobza.pbx.presence import Presence
from kobza.pbx.recordings import Recordings
from kobza.pbx.registrar import ExpiryLimits, Registrar
from kobza.pbx.sound_library import SoundLibrary
from kobza.pbx.switch import Switch
from kobza.pbx.transfers import Transfers
from kobza.pbx.trunk_keeper import TrunkKeeper
from kobza.pbx.watch import CallWatch
from kobza.sip.digest import DigestVerifier
from kobza.sip.timers import Timers
from kobza.sip.ua import SessionPolicy, UserAgent
from kobza.store import Store, bindings, meta
from kobza.store.ids import IdMaker

TIMERS: Final = Timers(beat=0.25)
"""Forgetting a call in five wake-ups of its own cost as much as a message; a quarter of a second has those of many."""
SECRET_BYTES: Final = 32
RESTORED: Final = frozenset({"UDP"})
"""Transports whose registrations outlive a restart: a connection does not."""


class CallParts(NamedTuple):
    """What carries calls."""

    switch: Switch
    commands: Commands
    locations: Locations
    keeper: TrunkKeeper
    door: Door
    guard: OutsideGuard


async def build_call_parts(
    settings: Settings,
    *,
    store: Store,
    view: DirectoryView,
    journal: Journal,
    books: BookKeeper,
    recordings: Recordings,
    plane: ObservedPlane,
    browser_phones: BrowserPhones,
    ids: IdMaker,
    clock: Clock,
    lifetime: Lifetime,
    watch: CallWatch | None,
) -> CallParts:
    """Build them around a plane and books that are there. Nothing listens yet; what has started, `lifetime` stops.

    Raises ServerError: a certificate cannot be used.
    """
    now = clock.now
    realm = await asyncio.to_thread(_realm, store)
    locations = Locations()
    known = await asyncio.to_thread(_bindings, store, now())
    locations.load(binding for binding in known if binding.transport in RESTORED)
    secret = settings.nonce_secret
    nonce_key = secrets.token_bytes(SECRET_BYTES) if secret is None else secret.get_secret_value().encode()
    verifier = DigestVerifier(realm, nonce_key, nonce_lifetime=settings.nonce_lifetime)
    doorkeeper = make_doorkeeper(settings, store, view, verifier, now)
    await doorkeeper.start((each.remote_host, each.remote_port) for each in locations)
    lifetime.stop_with(doorkeeper.stop)
    authenticator = Authenticator(
        verifier,
        owner_of=browser_phones.owner_of,
        certified=lambda flow: switch.endpoint.certified_names(flow),
        doorkeeper=doorkeeper,
    )
    presence = Presence(locations, now)
    ua = UserAgent(
        new_token=ids.token,
        timers=TIMERS.at_speed(clock.speed),
        methods=METHODS,
        supported=("path", "replaces"),
        lost_headers=(("Reason", reason_header(RECOVERY_ON_TIMER)),),
        session=_session_policy(settings),
        reliable=True,
    )
    keeper = TrunkKeeper(ua=ua, view=view, store=store, now=now, new_id=ids.token, speed=clock.speed)
    admission = Admission(
        view,
        locations,
        authenticator,
        presence=presence,
        lines=keeper.lines,
        usable=keeper.is_usable,
        clock=None if watch is None else now,
        pickup_code=settings.pickup_code,
    )
    notifier = Notifier(ua, authenticator, view, presence, now=now)
    registrar = Registrar(
        locations=locations,
        authenticator=authenticator,
        journal=journal,
        limits=ExpiryLimits(settings.registration_min, settings.registration_max, settings.registration_default),
        changed=notifier.devices_changed,
        reached=ua.follow_contact,
    )
    guard = await make_guard(settings, store, view, now())
    transfers = Transfers(admission, view)
    sounds = SoundLibrary(recordings.directory.parent / "sounds", store=store, view=view)
    await sounds.start()
    lifetime.stop_with(sounds.stop)
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
        now=now,
        new_id=ids.id,
        tls=await open_tls(settings, view, lifetime),
        ring_timeout=settings.ring_timeout,
        speed=clock.speed,
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
        now=now,
    )
    lifetime.stop_with(guests.stop)
    commands = Commands(
        store=store,
        view=view,
        switch=switch,
        admission=admission,
        presence=presence,
        transfers=transfers,
        guests=guests,
        guard=guard,
        now=now,
    )
    return CallParts(switch, commands, locations, keeper, doorkeeper.door, guard)


def _session_policy(settings: Settings) -> SessionPolicy | None:
    seconds = settings.session_expires
    return SessionPolicy(seconds, settings.session_min_se) if seconds else None


def _realm(store: Store) -> str:
    with store.read() as conn:
        return meta.sip_realm(conn)


def _bindings(store: Store, now: float) -> list[bindings.Binding]:
    with store.read() as conn:
        return bindings.load_all(conn, int(now * 1000))
