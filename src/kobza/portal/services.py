"""The page of the extended services: the numbers, changes of many at a time and files, each shown before it counts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.context import Connection
from kobza.call.directory import Package
from kobza.call.forwarding import FIELDS, NO_FORWARDING, Forwarding, Occasion
from kobza.call.hours_form import ALL_DAYS, week_of
from kobza.call.numbers import national, normalize
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.contacts import in_order
from kobza.portal.formats import phone_text
from kobza.portal.frame import common
from kobza.portal.hours_view import week_words
from kobza.portal.import_drafts import Draft
from kobza.portal.lines import LineFault, ReadFile, clean, numbers_in
from kobza.portal.number_file import AS_COMPANY, NumberRow, Numbers
from kobza.portal.rendering import page_language
from kobza.portal.sheets import MOST_LINES
from kobza.portal.tables import Cell, Table, csv_lines
from kobza.portal.texts import Say, say_in
from kobza.portal.uploads import MAX_UPLOAD, read_file, uploaded
from kobza.portal.views import NumberView, number_views
from kobza.store import audit, enterprises, numbers, services
from kobza.store.search import digits_of
from kobza.store.services import Services, ServicesChange, ServicesChanged

SHOWN: Final = 500
"""Numbers, changes and faults that a page shows."""
SUBJECT: Final = "numbers"
MAX_TEXT: Final = 100
BULK: Final = (
    "department",
    *(f"{package.value}_{switch}" for package in Package for switch in ("on", "off")),
    *("dnd_on", "dnd_off", "hidden_on", "hidden_off", "call_waiting_on", "call_waiting_off"),
    *(f"forward_{occasion.value}" for occasion in Occasion),
    "forward_nowhere",
    *("hours_company", "hours_always"),
)
"""What can be done with many numbers at a time."""


async def provisioning(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """Numbers with their packages and switches."""
    return await _page(portal, request, visitor)


async def _page(
    portal: Portal, request: Request, visitor: Visitor, *, wrong: str | None = None, status: int = 200
) -> Response:
    say = say_in(page_language(request))
    text = request.query_params.get("q", "").strip()[:MAX_TEXT]
    subscribers, announced = await portal.context.read(
        lambda conn: (
            numbers.list_for(conn, visitor.enterprise_id),
            enterprises.announces_supervision(conn, visitor.enterprise_id),
        )
    )
    phones = portal.context.commands.phone_status(visitor.enterprise_id, None)
    every = number_views(subscribers, phones, portal.context.now())
    chosen = [one for one in every if _meant(one, text)]
    return portal.pages.page(
        request,
        "provisioning.html",
        status=status,
        **common(visitor),
        numbers=chosen[:SHOWN],
        count=len(chosen),
        any_numbers=bool(every),
        q=text,
        bulk=BULK,
        announced=announced,
        departments=sorted({one.department for one in every if one.department}, key=in_order),
        wrong=wrong,
        saved=request.query_params.get("saved") == "1",
        phone=lambda number: phone_text(normalize(number), say),
        most_lines=MOST_LINES,
        most_mib=MAX_UPLOAD >> 20,
    )


def _meant(one: NumberView, text: str) -> bool:
    said, digits = f"{one.name} {one.department}".casefold(), digits_of(text)
    return all(word in said for word in text.casefold().split()) or bool(digits and digits in one.number)


async def change_many(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Show what a change of the chosen numbers would do. The chosen are the fields `n:0671234567`."""
    say = say_in(page_language(request))
    wanted = {name[2:] for name in form if name.startswith("n:")}
    act = form.get("act", "")
    if not wanted or act not in BULK:
        return await _page(portal, request, visitor, wrong=say("services_choose"), status=400)
    try:
        department = clean(form.get("department", ""))
        to = _number(form.get("forward_to", ""))
    except LineFault as fault:
        return await _page(portal, request, visitor, wrong=say(f"import_{fault.code}", value=fault.value), status=400)
    known = await _services(portal, visitor)
    changes = []
    for one in known:
        if national(one.number) in wanted:
            after = changed(one, act, department, to)
            if after != one:
                changes.append(ServicesChange(one, after))
    same = len(wanted & {national(one.number) for one in known}) - len(changes)
    return _preview(portal, request, visitor, changes, same, Numbers(rows={}, faults=[]))


def _number(text: str) -> str | None:
    """Return a number (normalized) to which calls are to go, None for nowhere. Raises LineFault."""
    found = numbers_in(text)
    if len(found) > 1:
        raise LineFault("many_numbers", text)
    return found[0] if found else None


def changed(one: Services, act: str, department: str, to: str | None) -> Services:
    """Return what a number has after something was done with it; it is never forwarded to itself."""
    if act == "department":
        return one._replace(department=department)
    if act == "hours_company":
        return one._replace(week="", closed_to=None)
    if act == "hours_always":
        return one._replace(week=ALL_DAYS)
    if act == "forward_nowhere":
        return one._replace(forwarding=NO_FORWARDING)
    if act.startswith("forward_"):
        return forwarded(one, {act.removeprefix("forward_"): to})
    return switched(one, act)


def forwarded(one: Services, where: Mapping[str, str | None]) -> Services:
    """Return what a number has after its calls were sent elsewhere on some occasions."""
    targets = {occasion.value: one.forwarding.target(occasion) for occasion in Occasion}
    targets |= {occasion: to for occasion, to in where.items() if to != one.number}
    after = one.forwarding.no_answer_after if targets["no_answer"] else None
    return one._replace(forwarding=Forwarding(**targets, no_answer_after=after))


def switched(one: Services, act: str) -> Services:
    """Return what a number has after something was switched: `call_recording_on`, `dnd_off`."""
    what, _, switch = act.rpartition("_")
    on = switch == "on"
    if what == "dnd":
        return one._replace(dnd=on)
    if what == "hidden":
        return one._replace(hidden=on)
    if what == "call_waiting":
        return one._replace(call_waiting=on)
    package = Package(what)
    return one._replace(packages=one.packages | {package} if on else one.packages - {package})


async def upload_numbers(portal: Portal, request: Request, visitor: Visitor, _form: Form) -> Response:
    """Read a file and show what it would change."""
    say = say_in(page_language(request))
    upload = uploaded(request)
    if upload is None:
        return await _page(portal, request, visitor, wrong=say("import_no_file"), status=400)
    read = msgspec.json.decode(await read_file(portal, visitor, upload, SUBJECT), type=Numbers)
    if read.unreadable:
        wrong = say(f"import_{read.unreadable}", most=MOST_LINES)
        return await _page(portal, request, visitor, wrong=wrong, status=400)
    changes, same = compare(read, await _services(portal, visitor))
    return _preview(portal, request, visitor, changes, same, read, upload.name)


def compare(read: ReadFile[NumberRow], known: Iterable[Services]) -> tuple[list[ServicesChange], int]:
    """Return what a file changes, and how many numbers have all that it says. Numbers of others become faults."""
    own = {one.number: one for one in known}
    changes = []
    for number, row in read.rows.items():
        before = own.get(number)
        if before is None:
            read.blame(row.line, "not_yours", national(number))
            continue
        after = before._replace(name=row.name or before.name, department=row.department or before.department)
        for what, on in row.switches.items():
            after = switched(after, f"{what}_{'on' if on else 'off'}")
        if row.week == AS_COMPANY:
            after = changed(after, "hours_company", "", None)
        elif row.week:
            after = after._replace(week=row.week)
        if row.closed_to and not after.week:
            read.blame(row.line, "no_week", national(number))
            continue
        if row.closed_to is not None and after.week:
            after = after._replace(closed_to=row.closed_to or None)
        if row.max_calls:
            after = after._replace(max_calls=None if row.max_calls < 0 else row.max_calls)
        after = forwarded(after, {occasion: to or None for occasion, to in row.forwards.items()})
        if after != before:
            changes.append(ServicesChange(before, after))
    read.faults.sort(key=lambda fault: fault.line)
    return changes, len(own.keys() & read.rows.keys()) - len(changes)


async def apply_services(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Make the changes that were shown, if everything is still as it was then."""
    say, now = say_in(page_language(request)), portal.context.now()
    draft = portal.drafts.take(form.get("draft", ""), visitor.login, visitor.enterprise_id, SUBJECT, now)
    if draft is None:
        return await _page(portal, request, visitor, wrong=say("import_gone"), status=410)
    now_ms = portal.context.now_ms()

    def apply(conn: Connection) -> None:
        services.apply(conn, visitor.enterprise_id, draft.changes, now)
        for before, after in draft.changes:
            was, is_now = _told(before, after), _told(after, before)
            audit.note(
                conn,
                visitor.by,
                "number.changed",
                visitor.enterprise_id,
                after.number,
                now_ms,
                label=after.name,
                before=was,
                after=is_now,
            )

    try:
        await portal.context.write(apply)
    except ServicesChanged:
        return await _page(portal, request, visitor, wrong=say("import_changed"), status=409)
    await portal.context.commands.settings_changed()
    portal.context.event_streams.wake(visitor.enterprise_id)
    return RedirectResponse("/provisioning?saved=1", 303)


def _told(one: Services, other: Services) -> dict[str, Any]:
    """Return what of a number is not as it is in the other, as the audit has it."""
    others = _flat(other)
    return {name: value for name, value in _flat(one).items() if value != others[name]}


def _flat(one: Services) -> dict[str, Any]:
    """Return what a number has by the names that the store has for it."""
    own = {**one._asdict(), "packages": sorted(package.value for package in one.packages)}
    del own["forwarding"]
    return own | {f"forward_{field}": getattr(one.forwarding, field) for field in FIELDS}


async def services_file(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The services of all numbers as CSV, which can be changed and imported again."""
    say = say_in(page_language(request))
    rows: list[list[Cell]] = [
        [
            *(national(one.number), one.name, one.department),
            *(say("yes" if on else "no") for _, on in _switches(one)),
            *(national(one.forwarding.target(occasion) or "") for occasion in Occasion),
            *("" if one.max_calls is None else str(one.max_calls), one.week, national(one.closed_to or "")),
        ]
        for one in await _services(portal, visitor)
    ]
    keys = (
        *("number", "name", "department", *(package.value for package in Package), "dnd", "hidden", "call_waiting"),
        *(f"forward_{occasion.value}" for occasion in Occasion),
        *("max_calls", "work_hours", "work_hours_closed_to"),
    )
    body = "".join(csv_lines(Table([say(key) for key in keys], rows)))
    headers = {"content-disposition": 'attachment; filename="numbers.csv"', "cache-control": "no-store"}
    return Response(body, 200, headers, "text/csv; charset=utf-8")


async def _services(portal: Portal, visitor: Visitor) -> list[Services]:
    now = portal.context.now()
    return await portal.context.read(lambda conn: services.list_for(conn, visitor.enterprise_id, now))


def _switches(one: Services) -> list[tuple[str, bool]]:
    return [
        *((package.value, package in one.packages) for package in Package),
        ("dnd", one.dnd),
        ("hidden", one.hidden),
        ("call_waiting", one.call_waiting),
    ]


def differences(change: ServicesChange, say: Say) -> list[tuple[str, str, str]]:
    """Return what of a number changes: what it is, before and after, in words."""
    before, after = change
    said = [
        (say(key), old or "–", new or "–")
        for key, old, new in (("name", before.name, after.name), ("department", before.department, after.department))
        if old != new
    ]
    for (key, old_on), (_, new_on) in zip(_switches(before), _switches(after), strict=True):
        if old_on != new_on:
            said.append((say(key), say("yes" if old_on else "no"), say("yes" if new_on else "no")))
    if before.week != after.week:
        week, new_week = (_week(one, say) for one in (before, after))
        said.append((say("work_hours"), week, new_week))
    if before.closed_to != after.closed_to:
        was, is_now = (phone_text(to, say) if to else "–" for to in (before.closed_to, after.closed_to))
        said.append((say("work_hours_closed_to"), was, is_now))
    if before.max_calls != after.max_calls:
        was_most, most = ("–" if count is None else str(count) for count in (before.max_calls, after.max_calls))
        said.append((say("max_calls"), was_most, most))
    for occasion in Occasion:
        old_to, new_to = before.forwarding.target(occasion), after.forwarding.target(occasion)
        if old_to != new_to:
            was, is_now = (phone_text(to, say) if to else "–" for to in (old_to, new_to))
            said.append((say(f"forward_{occasion.value}"), was, is_now))
    return said


def _week(one: Services, say: Say) -> str:
    return week_words(week_of(one.week), say) if one.week else say("work_hours_mode_company")


def _preview(
    portal: Portal,
    request: Request,
    visitor: Visitor,
    changes: Sequence[ServicesChange],
    same: int,
    read: ReadFile[NumberRow],
    name: str = "",
) -> Response:
    say = say_in(page_language(request))
    draft = Draft(visitor.login, visitor.enterprise_id, SUBJECT, tuple(changes), portal.context.now())
    shown: Mapping[str, Any] = {
        "name": name[:100],
        "draft": portal.drafts.keep(draft) if changes else None,
        "changes": [(phone_text(each.before.number, say), each, differences(each, say)) for each in changes[:SHOWN]],
        "count": len(changes),
        "same": same,
        "read": read,
        "shown": SHOWN,
    }
    return portal.pages.page(request, "services_preview.html", **common(visitor), **shown)
