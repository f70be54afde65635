"""The books: what phones saw, the history, the journal, what the sink got, and the recordings must agree.

`violations` knows no server and no database: it is given what was found, and says in words what does not fit.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.crash.phones import Seen, key_of
from tests.crash.records import KeptSpool, Measured

Key = tuple[str, str]

LENGTH_TOLERANCE: Final = 0.01
"""Seconds by which the length that an mp3 is said to have may differ from its spool's."""
ENCODER_SECONDS: Final = 0.35
"""Silence that the decoder used here leaves around the sound: it does not read the info frame that says how much."""
SOUND_TOLERANCE: Final = 0.15
"""Seconds by which its sound may differ: the edges of packets that were lost or placed anew."""


@dataclass(frozen=True)
class Event:
    """A row of the journal, with what became of its delivery (None: it was owed to nobody)."""

    cursor: int
    event_id: str
    call_id: str
    call_control_id: str
    sequence: int
    state_type: str
    state_owner: str
    payload: str
    delivery: str | None


@dataclass(frozen=True)
class Arrival:
    """What came to the sink. `taken`: it was answered with a 2xx."""

    event_id: str
    call_control_id: str
    sequence: int
    body: str
    taken: bool = True


@dataclass(frozen=True)
class Click:
    """What the API promised for a click2dial request."""

    key: Key
    call_id: str
    call_control_id: str


@dataclass(frozen=True)
class Recorded:
    """A row of the recordings, with what its mp3 measures (None: there is none; text: why it does not play)."""

    record_id: str
    call_id: str
    status: str
    said: float
    """How long the store says that it is, in seconds."""
    mp3: Measured | str | None


@dataclass
class Found:
    """All that was found of a round, once everything has come to rest."""

    planned: set[Key] = field(default_factory=set)
    seen: Sequence[Seen] = ()
    clicks: Sequence[Click] = ()
    history: Sequence[Mapping[str, Any]] = ()
    events: Sequence[Event] = ()
    arrivals: Sequence[Arrival] = ()
    spools: Sequence[KeptSpool] = ()
    recordings: Sequence[Recorded] = ()
    registered: set[str] = field(default_factory=set)
    """Numbers whose REGISTER was answered 200, and those of which the store has a binding."""
    bound: set[str] = field(default_factory=set)
    transfers: bool = False
    """Calls were transferred: who came back into a call has another leg in it."""
    left_over: Sequence[str] = ()
    """Files of recordings that belong to nothing any more, and what did not come to rest."""


def violations(found: Found) -> list[str]:
    """Return what is wrong, in words; nothing when the books are in order."""
    return [*wrong_calls(found), *wrong_states(found)]


def wrong_states(found: Found) -> list[str]:
    """Return what is wrong with all but the calls themselves: for several rounds together, with calls alike."""
    return [*_journal(found), *_deliveries(found), *_recordings(found), *_rest(found)]


def wrong_calls(found: Found) -> Iterator[str]:
    """Yield what is wrong with the calls of one round."""
    rows: defaultdict[Key, list[Mapping[str, Any]]] = defaultdict(list)
    for row in found.history:
        rows[key_of(row["calling_number"], row["called_number"])].append(row)
        if not row.get("ended_at"):
            yield f"call {row['call_id']} has no end in the history: {dict(row)}"
    heard: defaultdict[Key, set[str]] = defaultdict(set)
    for seen in found.seen:
        key = key_of(seen.caller, seen.called)
        back = key_of(seen.called, seen.caller)  # the first leg of click2dial rings at its caller
        heard[key if key in found.planned else back].add(seen.saw)
    for key, saw in heard.items():
        if len(rows[key]) != 1:
            what = ", ".join(sorted(saw))
            yield f"a phone saw the call {key[0]} -> {key[1]} ({what}), and the history has it {len(rows[key])} times"
    for key, of_key in rows.items():
        if key not in found.planned:
            yield f"nobody made the call {key[0]} -> {key[1]} that is in the history: {of_key}"
        elif len(of_key) > 1 and key not in heard:
            yield f"the call {key[0]} -> {key[1]} is in the history {len(of_key)} times: {of_key}"
    known = Counter(row["call_id"] for row in found.history)
    for click in found.clicks:
        if known[click.call_id] != 1:
            times = known[click.call_id]
            yield f"click2dial promised call {click.call_id} ({click.key}); the history has it {times} times"


def _journal(found: Found) -> Iterator[str]:
    legs: defaultdict[str, list[Event]] = defaultdict(list)
    for event in found.events:
        legs[event.call_control_id].append(event)
    rows = {row["call_id"]: row for row in found.history}
    owners: Counter[tuple[str, str]] = Counter()
    for leg, events in legs.items():
        first = events[0]
        whose = f"leg {leg} of {first.state_owner} in call {first.call_id}"
        told = [(event.sequence, event.state_type) for event in events]
        owners[first.call_id, first.state_owner] += 1
        if [event.sequence for event in events] != list(range(1, len(events) + 1)):
            yield f"the journal of {whose} is not 1, 2, 3 …: {told}"
        ends = sum(event.state_type == "finished" for event in events)
        if ends != 1 or events[-1].state_type != "finished":
            yield f"{whose} has {ends} `finished`, and must have one, the last: {told}"
        if first.call_id not in rows:
            yield f"{whose} has states, and the call is not in the history: {told}"
    for (call_id, owner), count in owners.items():
        if count > 1 and not found.transfers:
            yield f"{owner} has {count} legs in call {call_id}"
    for click in found.clicks:
        if click.call_control_id not in legs:
            yield f"the leg {click.call_control_id} that click2dial promised was never told `finished`"


def _deliveries(found: Found) -> Iterator[str]:
    stored = {event.event_id: event for event in found.events}
    taken: dict[str, int] = {}
    highest: defaultdict[str, int] = defaultdict(int)
    for place, arrival in enumerate(found.arrivals):
        event = stored.get(arrival.event_id)
        if event is None:
            yield f"the sink got what is not stored: {arrival.body}"
        elif event.payload != arrival.body:
            yield f"the sink got event {arrival.event_id} as {arrival.body}, stored is {event.payload}"
        leg = arrival.call_control_id
        if arrival.sequence > highest[leg] + 1:
            yield f"leg {leg}: state {arrival.sequence} came when only {highest[leg]} had been taken: {arrival.body}"
        if arrival.taken:
            taken.setdefault(arrival.event_id, place)
            highest[leg] = max(highest[leg], arrival.sequence)
    for event in found.events:
        what = f"event {event.event_id} ({event.state_type} of {event.state_owner})"
        if event.delivery != "delivered":
            yield f"{what} is {event.delivery}, not delivered"
        if event.event_id not in taken:
            yield f"{what} never came to the sink"


def _recordings(found: Found) -> Iterator[str]:
    rows = {row.record_id: row for row in found.recordings}
    named = {row["call_id"]: row["record_id"] for row in found.history}
    for spool in found.spools:
        if not spool.measured.length:
            continue  # nothing was recorded yet
        row = rows.get(spool.record_id)
        what = f"recording {spool.record_id} of call {spool.call_id}, {spool.measured} on the disk,"
        if row is None:
            yield f"{what} is not in the store"
        elif row.status != "ready" or not isinstance(row.mp3, Measured):
            yield f"{what} is {row.status}, its mp3: {row.mp3}"
        elif not _same(spool.measured, row.said, row.mp3):
            yield f"{what} has an mp3 of {row.mp3}, said to be of {row.said:.2f} s"
        elif named.get(spool.call_id) != spool.record_id:
            yield f"{what} is not named by its call, which has {named.get(spool.call_id)}"
    for row in found.recordings:
        if row.status in ("recording", "encoding"):
            yield f"recording {row.record_id} of call {row.call_id} is still {row.status}"
        if row.status == "ready" and not isinstance(row.mp3, Measured):
            yield f"recording {row.record_id} of call {row.call_id} is ready, and its mp3: {row.mp3}"


def _same(spool: Measured, said: float, mp3: Measured) -> bool:
    # A phone that was kept from the processor sends at once what it owes: more sound than the talk had time for.
    caller, callee = min(spool.caller, spool.length), min(spool.callee, spool.length)
    return (
        abs(spool.length - said) <= LENGTH_TOLERANCE
        and spool.length <= mp3.length <= spool.length + ENCODER_SECONDS
        and abs(caller - mp3.caller) <= SOUND_TOLERANCE
        and abs(callee - mp3.callee) <= SOUND_TOLERANCE
    )


def _rest(found: Found) -> Iterator[str]:
    for number in sorted(found.registered - found.bound):
        yield f"the phone of {number} was told that it is registered, and the store has no binding"
    yield from found.left_over
