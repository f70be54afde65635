"""The page of one call: how it went, what was told of it, and its recording."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from kobza.api.context import Connection
from kobza.api.problems import ApiError
from kobza.call.causes import cause_text
from kobza.call.durations import ringing_seconds, talk_seconds
from kobza.call.heard import HeardCall
from kobza.portal.access import Portal, Visitor, error_page
from kobza.portal.audit_view import AuditRow, audit_row
from kobza.portal.call_rows import PartyView, outcome_text, party_view
from kobza.portal.formats import clock_text, moment_text, size_text
from kobza.portal.frame import common
from kobza.portal.ladder import WIDTH, ladder
from kobza.portal.message_ladder import message_ladder
from kobza.portal.recording_notes import notes
from kobza.portal.rendering import page_language
from kobza.portal.sound_view import SoundView, sound_view, voice_view
from kobza.portal.texts import Say, say_in
from kobza.portal.views import answer_text
from kobza.store import calls, deliveries, diversions, events, hearings, messages, quality, recordings
from kobza.store.calls import HistoryRow
from kobza.store.deliveries import Attempt, Delivery
from kobza.store.diversions import Diverted
from kobza.store.events import Event
from kobza.store.hearings import Hearing
from kobza.store.messages import SipLadder
from kobza.store.recordings import ERASED, ERASING, Recording
from kobza.store.search import Person, searcher

SPEEDS: Final = ("0.75", "1", "1.25", "1.5", "2")
"""Of the player."""
MAX_ID: Final = 64
HEARD_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Known:
    """What the store has of a call."""

    call: HistoryRow | None
    events: list[Event]
    sent: dict[int, tuple[Delivery, list[Attempt]]]
    """Deliveries by the cursors of their events."""
    recordings: list[Recording]
    people: dict[str, Person]
    quality: HeardCall | None
    said: SipLadder | None
    heard: list[Hearing]
    """Who got its recordings, the last first."""
    diverted: list[Diverted]
    """Who sent it on before it came here, the last one first."""


@dataclass(frozen=True, slots=True)
class StepView:
    """Something that was told of a call."""

    cursor: int
    """By which its delivery is known."""
    at: str
    after: int
    """Seconds since the beginning of the call."""
    owner: PartyView
    state: str
    delivery: str
    """pending, delivered or failed; empty: nobody is owed it."""
    attempts: int
    answer: str


async def call_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """One finished call. What never was or is another enterprise's is 404, what was erased is 410."""
    say = say_in(page_language(request))
    call_id = request.path_params["call_id"]
    known = await portal.context.read(lambda conn: _look(conn, visitor.enterprise_id, call_id))
    if visitor.only_number is not None and not takes_part(visitor.only_number, known.call, known.events):
        return error_page(portal, request, 404, say("call_unknown"))
    call = known.call
    if call is None:
        erased = any(each.status in (ERASED, ERASING) for each in known.recordings)
        return error_page(portal, request, 410 if erased else 404, say("call_erased" if erased else "call_unknown"))
    if not call.ended_at:  # it is on: `find` returns such ones as well
        raise ApiError("wrong_state", say("call_is_on"))
    by_other = call.answered_number not in (None, call.called_number)
    recording = _shown_recording(call, known.recordings)
    return portal.pages.page(
        request,
        "call.html",
        **common(visitor),
        call=call,
        moment=moment_text(call.started_at, say),
        began=clock_text(call.started_at, seconds=True),
        ended=clock_text(call.ended_at, seconds=True),
        caller=party_view(call.calling_number, known.people, say),
        called=party_view(call.called_number, known.people, say),
        sent_on_by=[
            (party_view(each.number, known.people, say), say("sent_on_" + each.reason.replace("-", "_")), each.counter)
            for each in known.diverted
        ],
        answered_by=party_view(call.answered_number or "", known.people, say) if by_other else None,
        answered=call.answered_at is not None,
        outcome=outcome_text(call.cause, call.released_by, say),
        cause=cause_text(call.cause, say.language),
        talk=talk_seconds(call.answered_at, call.ended_at),
        rang=ringing_seconds(call.ringing_at, call.answered_at, call.ended_at),
        rungs=[
            (party_view(rung.owner, known.people, say) if rung.owner else None, rung)
            for rung in ladder(call, known.events)
        ],
        width=WIDTH,
        steps=[_step(event, call, known, say) for event in sorted(known.events, key=_when)],
        said=None if known.said is None else message_ladder(known.said, say),
        said_count=0 if known.said is None else len(known.said.messages),
        sounds=_sounds(known.quality, say),
        not_heard=None if known.quality is None else known.quality.not_heard(answered=call.answered_at is not None),
        silent_for=0 if known.quality is None else known.quality.silent_for,
        recording=recording,
        recording_notes=[] if recording is None else notes(recording, say),
        speeds=SPEEDS,
        heard=[_heard(each, say) for each in known.heard] if visitor.only_number is None else None,
        heard_all=len(known.heard) < HEARD_SHOWN,
    )


def _look(conn: Connection, enterprise_id: str, call_id: str) -> Known:
    if not 0 < len(call_id) <= MAX_ID:
        return Known(None, [], {}, [], {}, None, None, [], [])
    call = calls.find(conn, enterprise_id, call_id)
    made = recordings.of_call(conn, enterprise_id, call_id)
    if call is None:
        return Known(None, [], {}, made, {}, None, None, [], [])
    told = events.of_call(conn, enterprise_id, call_id)
    sent = {
        each.cursor: (each, deliveries.list_attempts(conn, enterprise_id, each.cursor))
        for each in deliveries.of_call(conn, enterprise_id, call_id)
    }
    diverted = diversions.find(conn, enterprise_id, call_id)
    numbers = {call.calling_number, call.called_number, call.answered_number or "", *(each.number for each in diverted)}
    people = searcher(conn).people(enterprise_id, numbers | {event.state_owner for event in told})
    heard = hearings.of_records(conn, enterprise_id, [each.record_id for each in made], HEARD_SHOWN) if made else []
    sound, said = quality.find(conn, enterprise_id, call_id), messages.find(conn, enterprise_id, call_id)
    return Known(call, told, sent, made, people, sound, said, heard, diverted)


def takes_part(number: str, call: HistoryRow | None, told: Sequence[Event]) -> bool:
    """Tell whether a number is a party of a call, or had a leg in it: one that rang, or that it was handed over to."""
    if call is None:
        return False
    parties = (call.calling_number, call.called_number, call.answered_number)
    return number in parties or any(event.state_owner == number for event in told)


def _sounds(heard: HeardCall | None, say: Say) -> list[tuple[str, SoundView]]:
    if heard is None:
        return []
    shown = [
        ("sound_at_caller", sound_view(heard.caller, heard.called, say)),
        ("sound_at_called", sound_view(heard.called, heard.caller, say)),
        ("voice_of_caller", voice_view(heard.caller, say)),
        ("voice_of_called", voice_view(heard.called, say)),
    ]
    return [(key, view) for key, view in shown if view is not None]


def _step(event: Event, call: HistoryRow, known: Known, say: Say) -> StepView:
    delivery, attempts = known.sent.get(event.cursor, (None, []))
    nobody = PartyView(say("erased"), "", "")
    return StepView(
        cursor=event.cursor,
        at=clock_text(event.occurred_at, seconds=True),
        after=max(0, round((event.occurred_at - call.started_at) / 1000)),
        owner=party_view(event.state_owner, known.people, say) if event.state_owner else nobody,
        state=event.state_type,
        delivery="" if delivery is None else delivery.status,
        attempts=0 if delivery is None else delivery.attempts,
        answer=answer_text(attempts),
    )


def _heard(hearing: Hearing, say: Say) -> tuple[AuditRow, str]:
    """Return who got a recording, and how much of it."""
    if not hearing.requests or hearing.size is None:
        return audit_row(hearing.entry, {}, say), ""
    sent, size = size_text(hearing.sent, say), size_text(hearing.size, say)
    return audit_row(hearing.entry, {}, say), say("heard_much", sent=sent, size=size)


def _when(event: Event) -> tuple[int, int]:
    return event.occurred_at, event.cursor


def _shown_recording(call: HistoryRow, made: list[Recording]) -> Recording | None:
    """Return the recording of a call: the one that its history names, else the last."""
    named = [each for each in made if each.record_id == call.record_id]
    return (named or made)[-1] if made else None
