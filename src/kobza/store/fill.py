"""Filling a history with invented calls, for benches and demos: fast, plausible, the same for the same seed."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from kobza.call.directory import Package
from kobza.store import address_book, enterprises, numbers
from kobza.store import fill_people as people
from kobza.store.errors import NotInStore
from kobza.store.journal_rows import Row
from kobza.store.store import Store

CONTACTS, STRANGERS, INVENTED_NUMBERS = 400, 2000, 20
"""People that the address book knows, those that it does not, and numbers for an enterprise without any."""

HOUR_MS = 3_600_000
KYIV = ZoneInfo("Europe/Kyiv")
_HOURS = (1, 1, 1, 1, 1, 2, 5, 15, 50, 90, 100, 95, 80, 75, 90, 95, 85, 70, 45, 25, 15, 8, 4, 2)
"""How busy the hours of a working day are, in Kyiv."""
_DAYS = (1.05, 1.0, 1.0, 1.0, 0.95, 0.3, 0.15)
"""How busy the days of a week are, from Monday on."""


class Outcome(NamedTuple):
    """How a call ends: its share in 100, whether it is answered, the cause, the SIP status, who may release it."""

    share: int
    answered: bool
    cause: int
    sip_status: int
    released_by: tuple[str, ...]


OUTCOMES = (
    Outcome(68, True, 16, 200, ("caller", "called")),
    Outcome(12, False, 16, 487, ("caller",)),
    Outcome(6, False, 19, 480, ("network",)),
    Outcome(9, False, 17, 486, ("called",)),
    Outcome(3, False, 21, 603, ("called",)),
    Outcome(1, False, 18, 480, ("network",)),
    Outcome(1, False, 1, 404, ("network",)),
)

DIRECTIONS = {"incoming": 45, "outgoing": 35, "local": 20}
"""Shares in 100."""


@dataclass(frozen=True, slots=True)
class _Cast:
    """Who calls whom."""

    own: list[str]
    convergent: frozenset[str]
    outside: list[str]


def fill(store: Store, enterprise_id: str, calls: int, days: int, seed: int = 0, *, now_ms: int | None = None) -> int:
    """Add finished calls of the last `days` days to the history of an enterprise; return how many.

    They are those of the enterprise's numbers, or of invented ones when it has none (only in the address book: nobody
    can register for them), with people outside, of whom the address book gets to know some. The same seed, numbers and
    moment make the same calls; calls that are already there are not added again.

    Raises:
        NotInStore: there is no such enterprise.

    """
    random = Random(f"{enterprise_id} {seed}")  # noqa: S311 - nothing secret
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    with store.write() as conn:
        if enterprises.find(conn, enterprise_id) is None:
            raise NotInStore(f"there is no enterprise {enterprise_id}")
        subscribers = numbers.list_for(conn, enterprise_id)
        cast, new_entries = _cast(random, [subscriber.number for subscriber in subscribers])
        known = {entry.number for entry in address_book.list_for(conn, enterprise_id)}
        address_book.put(conn, enterprise_id, [entry for entry in new_entries if entry.number not in known])
        if subscribers:
            convergent = frozenset(
                subscriber.number for subscriber in subscribers if Package.CONVERGENT in subscriber.packages
            )
            cast = _Cast(cast.own, convergent, cast.outside)
    rows = _rows(random, cast, enterprise_id, calls, now_ms - days * 24 * HOUR_MS, now_ms)
    return store.backend.add_calls(rows)


def _cast(random: Random, own: list[str]) -> tuple[_Cast, list[address_book.Entry]]:
    entries = []
    if not own:
        own = _distinct(random, INVENTED_NUMBERS)
        entries += [address_book.Entry(n, people.person(random), random.choice(people.DEPARTMENTS)) for n in own]
    contacts = _distinct(random, CONTACTS)
    entries += [address_book.Entry(number, people.contact(random), "") for number in contacts]
    # Half of the calls with the outside are with contacts: each of them stands five times for each stranger once.
    outside = contacts * (STRANGERS // CONTACTS) + _distinct(random, STRANGERS)
    return _Cast(own, frozenset(own), outside), entries


def _distinct(random: Random, count: int) -> list[str]:
    made: dict[str, None] = {}
    while len(made) < count:
        made[people.phone_number(random)] = None
    return list(made)


def _rows(random: Random, cast: _Cast, enterprise_id: str, calls: int, from_ms: int, to_ms: int) -> Iterator[Row]:
    """Make the calls' rows, oldest first."""
    directions, direction_shares = list(DIRECTIONS), list(DIRECTIONS.values())
    if len(cast.own) < 2:
        direction_shares[directions.index("local")] = 0
    outcome_shares = [outcome.share for outcome in OUTCOMES]
    for slot_ms, length, count in _slots(calls, from_ms, to_ms):
        moments = sorted(slot_ms + int(random.random() * length) for _ in range(count))
        kinds = zip(
            moments,
            random.choices(directions, direction_shares, k=count),
            random.choices(OUTCOMES, outcome_shares, k=count),
            random.choices(cast.own, k=count),
            random.choices(cast.outside, k=count),
            strict=True,
        )
        for started_at, direction, outcome, own, other in kinds:
            calling, called = own, other
            if direction == "incoming":
                calling, called = other, own
            elif direction == "local":
                while called in (own, other):
                    called = random.choice(cast.own)
            yield _row(random, cast, enterprise_id, started_at, to_ms, direction, outcome, calling, called)


def _row(
    random: Random,
    cast: _Cast,
    enterprise_id: str,
    started_at: int,
    now_ms: int,
    direction: str,
    outcome: Outcome,
    calling: str,
    called: str,
) -> Row:
    setup = int(200 + random.random() * 2500)
    ringing_at = answered_at = None
    ended_at = started_at + setup
    if outcome.sip_status not in {404, 486}:
        ringing_at = ended_at
        ended_at += 60_000 if outcome.cause == 19 else int(1500 + random.expovariate(1 / 9000))
    if outcome.answered:
        answered_at = ended_at
        ended_at += int(1000 * random.lognormvariate(4.3, 1.0))  # the median talk is 74 s
    if ended_at > now_ms:  # nothing may happen in the future
        ended_at = now_ms
        ringing_at = None if ringing_at is None else min(ringing_at, now_ms)
        answered_at = None if answered_at is None else min(answered_at, now_ms)
    return (
        f"{started_at << 80 | 0x7 << 76 | random.getrandbits(76):032x}",
        enterprise_id,
        calling,
        called,
        called if outcome.answered else None,
        started_at,
        ringing_at,
        answered_at,
        ended_at,
        started_at if answered_at is None else answered_at,
        direction,
        outcome.cause,
        outcome.sip_status,
        random.choice(outcome.released_by),
        None,
        None,
        calling in cast.convergent or called in cast.convergent,
    )


def _slots(calls: int, from_ms: int, to_ms: int) -> Iterator[tuple[int, int, int]]:
    """Spread calls over the hours of an interval by how busy these are: start and length (ms) of each, its calls."""
    hours = []
    start = from_ms
    while start < to_ms:
        end = min(to_ms, start - start % HOUR_MS + HOUR_MS)
        local = datetime.fromtimestamp(start / 1000, UTC).astimezone(KYIV)
        hours.append((start, end - start, _HOURS[local.hour] * _DAYS[local.weekday()] * (end - start)))
        start = end
    total = sum(weight for _, _, weight in hours)
    weight_so_far, made = 0.0, 0
    for start, length, weight in hours:
        weight_so_far += weight
        count = round(calls * weight_so_far / total) - made
        made += count
        yield start, length, count
