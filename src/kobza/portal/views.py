"""What pages show, made of what the store and the commands know."""

from collections.abc import Sequence
from dataclasses import dataclass

from kobza.api.ports import PhoneStatus
from kobza.api.times import wall_text
from kobza.call.directory import Package, Subscriber
from kobza.call.numbers import national
from kobza.store.deliveries import Attempt
from kobza.store.tokens import Network, Scope, Token


@dataclass(frozen=True, slots=True)
class NumberView:
    """One number of the enterprise."""

    number: str
    name: str
    department: str
    packages: tuple[str, ...]
    status: str
    devices: int
    dnd: bool
    dnd_until: str | None
    hidden: bool
    """Whether those whom it calls do not see it."""
    forwarded: bool
    """Whether its calls go elsewhere on some occasion."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One FMC token."""

    token_id: str
    name: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    state: str
    created: str
    until: str | None
    used: str | None
    used_address: str
    used_client: str
    valid: bool
    replaced: bool


def token_row(token: Token, now_ms: int) -> TokenRow:
    """Return one token; times to the minute."""
    ends, used = token.ends_at, token.last_used_at
    return TokenRow(
        token_id=token.token_id,
        name=token.name,
        scopes=tuple(scope.value for scope in Scope if scope in token.scopes),
        networks=tuple(_network(network) for network in token.networks),
        state=token.state_at(now_ms),
        created=wall_text(token.created_at)[:16],
        until=None if ends is None else wall_text(ends)[:16],
        used=None if used is None else wall_text(used)[:16],
        used_address=token.last_used_address or "",
        used_client=token.last_used_client or "",
        valid=token.valid_at(now_ms),
        replaced=token.replaced_by is not None,
    )


def _network(network: Network) -> str:
    """Write a network of one address as that address."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def number_views(subscribers: Sequence[Subscriber], phones: Sequence[PhoneStatus], now: float) -> list[NumberView]:
    """Return the numbers in order of department and name."""
    by_number = {phone.number: phone for phone in phones}
    views = []
    for subscriber in sorted(subscribers, key=lambda each: (each.department, each.name, each.number)):
        phone = by_number.get(subscriber.number)
        dnd = subscriber.dnd_at(now)
        until = subscriber.dnd_until if dnd else None
        views.append(
            NumberView(
                number=national(subscriber.number),
                name=subscriber.name,
                department=subscriber.department,
                packages=tuple(package.value for package in Package if package in subscriber.packages),
                status="unavailable" if phone is None else phone.status,
                devices=0 if phone is None else phone.devices,
                dnd=dnd,
                dnd_until=None if until is None else wall_text(until)[:16],
                hidden=subscriber.restricted_at(now),
                forwarded=subscriber.forwarding.is_on,
            )
        )
    return views


def answer_text(attempts: Sequence[Attempt]) -> str:
    """Say what the last attempt brought; empty before the first."""
    if not attempts:
        return ""
    last = attempts[-1]
    return last.error or f"HTTP {last.status_code}, {last.duration_ms} ms"
