"""What the settings limit, as the parts want it that keep to it."""

import asyncio
from collections.abc import Callable

from kobza.api.rate_limits import Rate, Rates
from kobza.call.outside import OutsideLimits
from kobza.config.settings import Settings
from kobza.config.values import Rate as RateSetting
from kobza.defence.door import Rules
from kobza.defence.pace import Pace
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.doorkeeper import Doorkeeper
from kobza.pbx.outside_guard import OutsideGuard, windows_begin
from kobza.sip.digest import DigestVerifier
from kobza.store import Store
from kobza.store.outside import SpentBefore, spent_since


def api_rates(settings: Settings) -> Rates:
    """Return how often the API may be asked."""

    def rate(value: RateSetting) -> Rate | None:
        return None if value.is_off else Rate(value.requests, value.seconds)

    return Rates(
        read=rate(settings.rate_read),
        export=rate(settings.rate_export),
        control=rate(settings.rate_control),
        failures=rate(settings.rate_failures),
    )


def door_rules(settings: Settings) -> Rules:
    """Return how much SIP is read of whom."""

    def pace(value: RateSetting) -> Pace:
        return Pace.of(value.requests, value.seconds)

    return Rules(
        phone=pace(settings.rate_sip_phone),
        source=pace(settings.rate_sip_source),
        strangers=pace(settings.rate_sip_strangers),
        guesses=pace(settings.rate_sip_guesses),
        known_for=settings.registration_max + settings.nonce_lifetime,
    )


def outside_limits(settings: Settings) -> OutsideLimits:
    """Return what a number may spend outside where nothing else is said of it."""
    return OutsideLimits(
        settings.outside_calls_minute,
        settings.outside_calls_hour,
        settings.outside_calls_day,
        settings.outside_at_once,
        settings.outside_minutes_day,
        denied=settings.outside_denied,
    )


async def make_guard(settings: Settings, store: Store, view: DirectoryView, now: float) -> OutsideGuard:
    """Make who keeps numbers to what they may spend; it knows what was spent before this start."""
    guard = OutsideGuard(outside_limits(settings), lambda: view.snapshot)
    guard.remember(await asyncio.to_thread(_spent_before, store, now), now)
    return guard


def _spent_before(store: Store, now: float) -> list[SpentBefore]:
    with store.read() as conn:
        return spent_since(conn, *windows_begin(now))


def make_doorkeeper(
    settings: Settings, store: Store, view: DirectoryView, verifier: DigestVerifier, now: Callable[[], float]
) -> Doorkeeper:
    """Make the keeper of the SIP door."""
    return Doorkeeper(
        door_rules(settings),
        store=store,
        view=view,
        never=settings.sip_never_ban,
        ban_for=settings.sip_ban * 60,
        is_ours=verifier.is_ours,
        now=now,
    )
