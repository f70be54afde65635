"""The page of the audit: who changed what, who heard which recording; searched, listed, and sent as a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kobza.api.callstat_formats import csv_number
from kobza.api.context import Connection
from kobza.api.problems import ApiError
from kobza.api.streaming import Chunks, StreamedResponse
from kobza.portal.access import Portal, Visitor
from kobza.portal.audit_view import action_key, audit_row
from kobza.portal.formats import wall_moment
from kobza.portal.frame import common
from kobza.portal.kyiv_days import first_ms, last_ms, read_ends
from kobza.portal.rendering import page_language
from kobza.portal.texts import Say, say_in
from kobza.store import audit, enterprises
from kobza.store.audit import ACTIONS, AuditSearch, Entry, Place
from kobza.store.search import LAST_MOMENT

PAGE: Final = 50
FILE_PAGE: Final = 500
MAX_TEXT: Final = 100
FIELDS: Final = ("q", "action", "from", "to")
KINDS: Final = tuple(dict.fromkeys(action.partition(".")[0] for action in ACTIONS))
"""What actions are done to; the form offers these, and each action by itself."""
COLUMNS: Final = (
    *("at", "enterprise", "audit_who", "audit_via", "session_address", "audit_action", "audit_subject"),
    *("audit_label", "audit_before", "audit_after"),
)
"""Keys of the headings of the file."""


@dataclass(frozen=True, slots=True)
class AuditForm:
    """The form as it was sent; what it cannot be is empty."""

    values: dict[str, str]
    search: AuditSearch
    after: Place | None
    wrong: tuple[str, ...]
    """Keys of the texts that say what is wrong."""

    def query(self, **more: str) -> str:
        """Return the form as a query, without what is empty."""
        return urlencode([(name, text) for name, text in (*self.values.items(), *more.items()) if text])


def read_form(sent: Mapping[str, str], enterprise_id: str | None) -> AuditForm:
    """Read a form. Whatever is sent gives one: a value that the form cannot have counts as none, and is told."""
    values = {name: sent.get(name, "").strip()[:MAX_TEXT] for name in FIELDS}
    wrong = []
    if values["action"] and values["action"] not in (*KINDS, *ACTIONS):
        values["action"] = ""
        wrong.append("wrong_choice")
    ends = read_ends(values)
    values |= dict.fromkeys(ends.unread, "")
    wrong += ends.wrong
    search = AuditSearch(
        enterprise_id,
        values["action"],
        values["q"],
        from_ms=0 if ends.first is None else first_ms(ends.first),
        to_ms=LAST_MOMENT if ends.last is None else last_ms(ends.last),
    )
    at, _, audit_id = sent.get("after", "").partition("-")
    after = Place(int(at), audit_id) if at.isascii() and at.isdigit() and len(at) < 16 else None
    return AuditForm(values, search, after, tuple(dict.fromkeys(wrong)))


def _form(request: Request, visitor: Visitor) -> AuditForm:
    """Read the form: of the enterprise, or for an operator who is in none of the whole installation."""
    return read_form(request.query_params, None if visitor.at is None else visitor.at.enterprise_id)


async def audit_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The entries, the newest first."""
    say = say_in(page_language(request))
    form = _form(request, visitor)

    def look(conn: Connection) -> tuple[list[Entry], dict[str, str]]:
        return audit.page(conn, form.search, form.after, PAGE + 1), _names(conn)

    found, names = await portal.context.read(look)
    more = None
    if len(found) > PAGE:
        last = found[PAGE - 1]
        more = f"/audit?{form.query(after=f'{last.at}-{last.audit_id}')}"
    return portal.pages.page(
        request,
        "audit.html",
        **common(visitor),
        form=form,
        narrowed=any(form.values.values()),
        rows=[audit_row(entry, names, say) for entry in found[:PAGE]],
        more=more,
        kinds=[(kind, [(action, action_key(action)) for action in ACTIONS if _is_of(action, kind)]) for kind in KINDS],
    )


def _is_of(action: str, kind: str) -> bool:
    return action.partition(".")[0] == kind


def _names(conn: Connection) -> dict[str, str]:
    return {each.enterprise_id: each.name for each in enterprises.list_all(conn)}


async def audit_file(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """All entries that the form finds, as CSV."""
    say = say_in(page_language(request))
    form = _form(request, visitor)
    if form.wrong:
        raise ApiError("invalid_parameter", say(form.wrong[0]))
    name = f"{say('audit')} {wall_moment(portal.context.now_ms()):%Y-%m-%d %H-%M}.csv"
    return StreamedResponse(
        lambda: _lines(portal, form.search, say),
        content_type="text/csv; charset=utf-8",
        headers={"content-disposition": f"attachment; filename=\"audit.csv\"; filename*=UTF-8''{quote(name)}"},
    )


async def _lines(portal: Portal, search: AuditSearch, say: Say) -> Chunks:
    """Write CSV (RFC 4180), a page at a time, with the mark by which spreadsheets know UTF-8."""
    names = await portal.context.read(_names)
    yield ("\ufeff" + _line([say(key) for key in COLUMNS])).encode()
    after: Place | None = None

    def next_page(conn: Connection) -> list[Entry]:
        return audit.page(conn, search, after, FILE_PAGE)

    while True:
        found = await portal.context.read(next_page)
        if not found:
            return
        yield "".join(_line(_cells(entry, names, say)) for entry in found).encode()
        after = Place(found[-1].at, found[-1].audit_id)


def _cells(entry: Entry, names: dict[str, str], say: Say) -> list[str]:
    return [
        f"{wall_moment(entry.at):%Y-%m-%d %H:%M:%S}",
        "" if entry.enterprise_id is None else names.get(entry.enterprise_id, entry.enterprise_id),
        entry.who,
        entry.via,
        entry.address,
        say(action_key(entry.action)),
        entry.subject,
        entry.label,
        *("" if each is None else msgspec.json.encode(each).decode() for each in (entry.before, entry.after)),
    ]


def _line(cells: list[str]) -> str:
    return ",".join(csv_number(cell) for cell in cells) + "\r\n"
