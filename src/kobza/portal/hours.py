"""Working hours: of the enterprise, of a number or of a ringing group; a week, dates, and what holds until then."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.context import Connection
from kobza.api.problems import not_found
from kobza.api.query import number_of
from kobza.call.errors import NumberError
from kobza.call.forwarding_form import target_of
from kobza.call.group import RingingGroup
from kobza.call.hours import ALWAYS, DAYS, MAX_DATES, Callers, Override, Spans, WorkingHours, effective
from kobza.call.hours_form import HoursError, date_of, spans_of, until_of
from kobza.call.numbers import national
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.formats import phone_text
from kobza.portal.frame import common
from kobza.portal.hours_view import (
    StateView,
    day_names,
    days_to_come,
    spans_words,
    state_view,
    until_text,
    wall_field,
    week_words,
)
from kobza.portal.rendering import page_language
from kobza.portal.texts import Say, say_in
from kobza.store import enterprises, groups, hours, numbers
from kobza.store.hours import COMPANY, zone_named

PATH: Final = "/provisioning/hours"
AS_COMPANY, ALL_DAYS, OWN_WEEK = MODES = ("company", "always", "week")
"""What a form may choose: the hours of the enterprise, none at all, a week of its own."""
LASTING: Final = ("1h", "2h", "4h", "day", "at")
"""For how long an override holds: hours, to the end of the day, until a moment that is given."""
EMPTY_DATES: Final = 3
"""Rows for new dates."""
USUAL: Final[Mapping[str, str]] = dict.fromkeys(DAYS[:5], "09:00–18:00")
"""What a form begins with where nothing was set."""


@dataclass(frozen=True, slots=True)
class _Whose:
    """Whose hours a page is about."""

    number: str
    """COMPANY: the enterprise's."""
    name: str
    phone: str
    zone: ZoneInfo
    own: WorkingHours | None
    company: WorkingHours | None

    @property
    def counts(self) -> WorkingHours | None:
        """The hours by which its calls are decided."""
        if self.own is None:
            return self.company
        return effective(self.own, self.company if self.number != COMPANY else None)

    @property
    def query(self) -> str:
        """The part of an address that names it."""
        return f"number={national(self.number).replace('+', '%2B')}&" if self.number != COMPANY else ""


@dataclass(frozen=True, slots=True)
class _Row:
    """A number or a group in the list."""

    number: str
    name: str
    phone: str
    week: str
    """Empty: as the enterprise."""
    state: StateView


async def hours_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """Hours of the enterprise, or of the number or group that is named. Raises 404 for one of nobody or others."""
    whose = await _whose(portal, request, visitor, request.query_params.get("number", ""))
    return await _page(portal, request, visitor, whose)


async def set_hours(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Set a week, dates and what happens outside them."""
    whose = await _whose(portal, request, visitor, form.get("number", ""))
    own = visitor.enterprise_id
    try:
        made, zone = _read(form, whose)
    except (HoursError, NumberError) as error:
        return await _page(portal, request, visitor, whose, form=form, wrong=error.parameter or "")

    def change(conn: Connection) -> None:
        if zone is not None:
            hours.set_zone(conn, own, zone)
        if made is None:
            hours.remove(conn, own, whose.number)
        else:
            hours.put(conn, own, whose.number, made)

    action = "hours.removed" if made is None and whose.number != COMPANY else "hours.set"
    await portal.context.change(visitor.by, action, own, whose.number or own, lambda conn, _: change(conn))
    await portal.context.commands.settings_changed()
    return RedirectResponse(f"{PATH}?{whose.query}saved=1", 303)


async def override_hours(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Open or close until a moment, or go back to the week."""
    whose = await _whose(portal, request, visitor, form.get("number", ""))
    own, now, act = visitor.enterprise_id, portal.context.now(), form.get("act", "")
    made: WorkingHours | None
    if act == "planned":
        made = None if whose.own is None or whose.own.as_company else replace(whose.own, override=None)
    else:
        try:
            override = Override(act == "open", _until(form, whose, now))
        except HoursError as error:
            return await _page(portal, request, visitor, whose, form=form, wrong=error.parameter or "")
        base = whose.own or WorkingHours(whose.zone, ALWAYS, as_company=whose.number != COMPANY)
        made = replace(base, override=override)

    def change(conn: Connection) -> None:
        if made is None:
            hours.remove(conn, own, whose.number)
        else:
            hours.put(conn, own, whose.number, made)

    await portal.context.change(visitor.by, "hours.set", own, whose.number or own, lambda conn, _: change(conn))
    await portal.context.commands.settings_changed()
    return RedirectResponse(f"{PATH}?{whose.query}saved=1", 303)


def _read(form: Form, whose: _Whose) -> tuple[WorkingHours | None, str | None]:
    """Return the hours that a form describes, None for none of its own, and the time zone if it has one.

    Raises HoursError or NumberError with the field as the parameter.
    """
    zone = None
    if whose.number == COMPANY:
        zone = form.get("zone", "").strip()
        if zone not in _zones():
            raise HoursError("no such time zone", parameter="zone")
    mode = form.get("mode", OWN_WEEK)
    override = whose.own.override if whose.own is not None else None
    if mode == AS_COMPANY:
        kept = override is not None and whose.own is not None
        return (WorkingHours(whose.zone, ALWAYS, as_company=True, override=override) if kept else None), zone
    week = ALWAYS
    if mode != ALL_DAYS:
        mon, tue, wed, thu, fri, sat, sun = (spans_of(form.get(day, ""), day) for day in DAYS)
        week = mon, tue, wed, thu, fri, sat, sun
    to = form.get("closed_to", "").strip()
    closed_to = target_of(whose.number, to, "closed_to") if to else None
    return WorkingHours(
        zone=whose.zone,
        week=week,
        dates=_dates(form),
        company_dates=whose.number == COMPANY or "company_dates" in form,
        callers=Callers.ALL if form.get("callers") == Callers.ALL else Callers.OUTSIDE,
        closed_to=closed_to,
        override=override,
    ), zone


def _dates(form: Form) -> dict[Any, Spans]:
    found: dict[Any, Spans] = {}
    for row in range(MAX_DATES):
        if text := form.get(f"date_{row}", "").strip():
            day = date_of(text, f"date_{row}")
            if day in found:
                raise HoursError("given twice", parameter=f"date_{row}")
            found[day] = spans_of(form.get(f"hours_{row}", ""), f"date_{row}")
    return found


def _until(form: Form, whose: _Whose, now: float) -> int:
    """Return when an override ends (ms). Raises HoursError with the parameter `until`."""
    lasting = form.get("lasting", "")
    if lasting == "day":
        return until_of("0:00", whose.zone, now)
    return until_of(form.get("until", "") if lasting == "at" else lasting, whose.zone, now)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


async def _whose(portal: Portal, request: Request, visitor: Visitor, text: str) -> _Whose:
    """Return whose hours are meant. Raises 404 for a number that is neither the enterprise's nor a group of it."""
    own, say = visitor.enterprise_id, say_in(page_language(request))
    number = number_of(text, "number") if text else COMPANY

    def read(conn: Connection) -> _Whose | None:
        company = enterprises.find(conn, own)
        zone = zone_named("" if company is None else company.zone)
        name = ""
        if number != COMPANY:
            found = numbers.find(conn, own, number) or groups.find(conn, own, number)
            if found is None:
                return None
            name = found.name
        given = hours.list_for(conn, own)
        phone = phone_text(number, say) if number else ""
        return _Whose(number, name or phone, phone, zone, given.get(number), given.get(COMPANY))

    whose = await portal.context.read(read)
    if whose is None:
        raise not_found()
    return whose


async def _page(
    portal: Portal,
    request: Request,
    visitor: Visitor,
    whose: _Whose,
    *,
    form: Form | None = None,
    wrong: str | None = None,
) -> Response:
    """Show the page; `form` is what was filled in, of which the field `wrong` cannot be."""
    say, now = say_in(page_language(request)), portal.context.now()
    counts = whose.counts
    override = None
    if whose.own is not None and whose.own.override is not None and whose.own.overridden_at(now):
        override = whose.own.override
    fields = _filled(whose, now) if form is None else _with(_filled(whose, now), form)
    shown: dict[str, Any] = {
        "whole": whose.number == COMPANY,
        "name": whose.name,
        "phone": whose.phone,
        "number": national(whose.number) if whose.number else "",
        "state": state_view(counts, now, say),
        "override": override,
        "override_until": "" if override is None else until_text(override.until / 1000, now, _base(whose), say),
        "company_week": week_words(whose.company.week, say) if whose.company else say("work_hours_open"),
        "rows": await _rows(portal, visitor, whose.company, now, say) if whose.number == COMPANY else [],
        "days": list(zip(DAYS, day_names(say), strict=True)),
        "form": fields,
        "company_dates": "company_dates" in fields,
        "date_rows": _date_rows(whose, now, form),
        "modes": MODES[1:] if whose.number == COMPANY else MODES,
        "lasting": LASTING,
        "zones": ("Europe/Kyiv", "Europe/Warsaw", "Europe/Berlin", "Europe/London", "America/New_York", "UTC"),
        "wrong": wrong,
        "wrong_day": dict(zip(DAYS, day_names(say), strict=True)).get(wrong or ""),
        "saved": request.query_params.get("saved") == "1",
    }
    return portal.pages.page(request, "hours.html", status=200 if wrong is None else 400, **common(visitor), **shown)


def _base(whose: _Whose) -> WorkingHours:
    return whose.own or WorkingHours(whose.zone)


def _filled(whose: _Whose, now: float) -> Form:
    """Return the form as the hours are; of none yet, what most offices have."""
    given = None if whose.own is None or whose.own.as_company else whose.own
    base = given or WorkingHours(whose.zone)
    filled = {
        **dict(zip(DAYS, map(spans_words, base.week), strict=True)),
        "callers": base.callers.value,
        "closed_to": national(base.closed_to or ""),
        "zone": whose.zone.key,
        "lasting": "day",
        "until": wall_field(int(now * 1000) + 3_600_000, base),
        "mode": ALL_DAYS if given is not None and given.week == ALWAYS else OWN_WEEK,
    }
    if given is None:
        filled |= {"mode": ALL_DAYS if whose.number == COMPANY else AS_COMPANY, "company_dates": "on", **USUAL}
    elif given.week == ALWAYS:
        filled |= {**dict.fromkeys(DAYS, ""), **USUAL}
    if given is not None and given.company_dates:
        filled["company_dates"] = "on"
    return filled


def _with(filled: Form, form: Form) -> Form:
    """Return the fields of the page after one of its two forms was sent: of the other one they stay as they are."""
    left = {name: value for name, value in filled.items() if name != "company_dates" or "mode" not in form}
    return {**left, **form}


def _date_rows(whose: _Whose, now: float, form: Form | None) -> list[tuple[int, str, str]]:
    """Return the rows of dates: what they are called, the day, its hours."""
    if form is not None and any(name.startswith("date_") for name in form):
        rows = [(form.get(f"date_{row}", ""), form.get(f"hours_{row}", "")) for row in range(MAX_DATES)]
        filled = [row for row in rows if row[0]]
    else:
        given = {} if whose.own is None or whose.own.as_company else dict(whose.own.dates)
        filled = [(day.isoformat(), spans_words(spans)) for day, spans in days_to_come(given, now).items()]
    filled += [("", "")] * EMPTY_DATES
    return [(at, *row) for at, row in enumerate(filled[:MAX_DATES])]


async def _rows(portal: Portal, visitor: Visitor, company: WorkingHours | None, now: float, say: Say) -> list[_Row]:
    """Return all groups, and the numbers that have hours of their own."""
    own = visitor.enterprise_id

    def read(conn: Connection) -> tuple[list[RingingGroup], dict[str, str], dict[str, WorkingHours]]:
        given = hours.list_for(conn, own)
        people = {
            one.number: one.name for one in numbers.find_all(conn, own, [each for each in given if each]).values()
        }
        return list(groups.load(conn, own)), people, given

    found, people, given = await portal.context.read(read)
    names = {group.number: group.name for group in found} | people
    rows = []
    for number, name in names.items():
        mine = given.get(number)
        counts = company if mine is None else effective(mine, company)
        week = "" if mine is None or mine.as_company else week_words(mine.week, say)
        phone = phone_text(number, say)
        rows.append(_Row(national(number), name or phone, phone if name else "", week, state_view(counts, now, say)))
    return rows
