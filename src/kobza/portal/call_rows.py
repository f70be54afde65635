"""Finished calls as the history lists them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from kobza.call.causes import NORMAL_CLEARING, NORMAL_UNSPECIFIED, cause_text
from kobza.call.durations import ringing_seconds, talk_seconds
from kobza.call.routing import SEVERAL
from kobza.portal.formats import clock_text, day_text, phone_text, wall_moment
from kobza.portal.texts import Say
from kobza.store.search import FoundCall, Person

NOBODY = Person("", "")


@dataclass(frozen=True, slots=True)
class PartyView:
    """One side of a call. `name` is empty for a number that the address book does not know."""

    number: str
    name: str
    department: str


@dataclass(frozen=True, slots=True)
class CallRow:
    """One finished call; durations are whole seconds."""

    call_id: str
    at: str
    """The time of day; the day is that of the rows' heading."""
    moment: str
    """RFC 3339, for programs that read the page."""
    caller: PartyView
    called: PartyView
    answered_by: PartyView | None
    """Who answered, when it was not the one who was called."""
    direction: str
    answered: bool
    talk: int
    rang: int
    outcome: str
    """Why it was not answered, in words; empty for one that was."""
    recorded: bool
    own_text: str
    """What the program that made the call wrote to it."""


@dataclass(frozen=True, slots=True)
class DayOfCalls:
    """The calls of one day; without a heading they go on with the day before them on the page."""

    heading: str
    calls: list[CallRow]


def party_view(number: str, people: Mapping[str, Person], say: Say) -> PartyView:
    """Return one side of a call."""
    person = people.get(number, NOBODY)
    if number == SEVERAL and person is NOBODY:
        return PartyView(number, say("several_voices"), "")
    return PartyView(phone_text(number, say), person.name, person.department)


def outcome_text(cause: int | None, released_by: str | None, say: Say) -> str:
    """Say in words why a call was not answered."""
    if released_by == "caller" and cause in (NORMAL_CLEARING, NORMAL_UNSPECIFIED):
        return say("caller_gave_up")
    return say("not_answered") if cause is None else cause_text(cause, say.language)


def call_row(call: FoundCall, people: Mapping[str, Person], say: Say) -> CallRow:
    """Return one call."""
    answered = call.answered_at is not None
    by_other = call.answered_number not in (None, call.called_number)
    return CallRow(
        call_id=call.call_id,
        at=clock_text(call.started_at),
        moment=wall_moment(call.started_at).isoformat(timespec="seconds"),
        caller=party_view(call.calling_number, people, say),
        called=party_view(call.called_number, people, say),
        answered_by=party_view(call.answered_number or "", people, say) if answered and by_other else None,
        direction=call.direction,
        answered=answered,
        talk=talk_seconds(call.answered_at, call.ended_at),
        rang=ringing_seconds(call.ringing_at, call.answered_at, call.ended_at),
        outcome="" if answered else outcome_text(call.cause, call.released_by, say),
        recorded=call.record_id is not None,
        own_text=call.client_state or "",
    )


def days_of_calls(
    calls: Sequence[FoundCall], people: Mapping[str, Person], say: Say, today: date, *, shown: date | None = None
) -> list[DayOfCalls]:
    """Return calls by the days on which they began, in their order. `shown` is the day that the page before ended with.

    The day alone tells when a call was, so in an order that is not that of time each call has its heading.
    """
    days = []
    for day, of_day in groupby(calls, key=lambda call: wall_moment(call.started_at).date()):
        heading = "" if day == shown else day_text(day, today, say)
        days.append(DayOfCalls(heading, [call_row(call, people, say) for call in of_day]))
    return days


def numbers_of(calls: Sequence[FoundCall]) -> set[str]:
    """Return all numbers that some calls name."""
    named = (number for call in calls for number in (call.calling_number, call.called_number, call.answered_number))
    return {number for number in named if number}
