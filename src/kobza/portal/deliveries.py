"""The delivery log: what was posted to the remote system, what it answered, and each attempt in detail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kobza.api.context import Connection
from kobza.api.fmc.deliveries import cursor_of
from kobza.call.directory import Endpoint
from kobza.call.errors import NumberError
from kobza.call.numbers import normalize
from kobza.call.states import StateType
from kobza.portal.access import Portal, Visitor, error_page
from kobza.portal.call_rows import PartyView, party_view
from kobza.portal.formats import clock_text, day_text, moment_text, wall_moment
from kobza.portal.frame import common
from kobza.portal.kyiv_days import first_ms, last_ms, read_ends
from kobza.portal.rendering import page_language
from kobza.portal.texts import Say, say_in
from kobza.portal.views import answer_text
from kobza.store import deliveries, endpoints
from kobza.store.deliveries import DELIVERED, FAILED, PENDING, Attempt, Delivery
from kobza.store.delivery_search import DeliverySearch, Looked, look
from kobza.store.search import Person, searcher
from kobza.webhooks.delivery_log import curl_of
from kobza.webhooks.exchange import Headers, decode

LOG: Final = "/crm-integration/deliveries"
PAGE: Final = 50
FIELDS: Final = ("number", "status", "state", "from", "to")
MAX_TEXT: Final = 100


class Sent(NamedTuple):
    """Deliveries with their attempts, and what the address book says of their people."""

    page: Looked
    attempts: dict[int, list[Attempt]]
    """By cursors."""
    people: dict[str, Person]


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One call state that was posted, or is to be."""

    cursor: int
    at: str
    day: str
    state: str
    owner: PartyView
    other: PartyView
    status: str
    attempts: int
    answer: str
    """What the last attempt brought."""


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One POST, with all that is kept of it."""

    number: int
    at: str
    took: int
    """Milliseconds."""
    taken: bool
    outcome: str
    url: str
    address: str
    http: str
    connect_ms: int | None
    first_byte_ms: int | None
    request_headers: Headers
    response_headers: Headers
    response: str | None


@dataclass(frozen=True, slots=True)
class DeliveriesForm:
    """The form as it was sent; what it cannot be is empty."""

    values: dict[str, str]
    search: DeliverySearch
    before: int | None
    wrong: tuple[str, ...]
    """Keys of the texts that say what is wrong."""

    def query(self, **more: str) -> str:
        """Return the form as a query, without what is empty."""
        return urlencode([(name, text) for name, text in (*self.values.items(), *more.items()) if text])


def read_form(sent: Mapping[str, str]) -> DeliveriesForm:
    """Read a form. Whatever is sent gives one: a value that the form cannot have counts as none, and is told."""
    values = {name: sent.get(name, "").strip()[:MAX_TEXT] for name in FIELDS}
    wrong = []
    for name, offered in (("status", (PENDING, DELIVERED, FAILED)), ("state", tuple(StateType))):
        if values[name] and values[name] not in offered:
            values[name] = ""
            wrong.append("wrong_choice")
    number = None
    if values["number"]:
        try:
            number = normalize(values["number"])
        except NumberError:
            wrong.append("wrong_number")
    ends = read_ends(values)
    values |= dict.fromkeys(ends.unread, "")
    search = DeliverySearch(
        status=values["status"] or None,
        state_type=values["state"] or None,
        number=number,
        from_ms=None if ends.first is None else first_ms(ends.first),
        to_ms=None if ends.last is None else last_ms(ends.last),
    )
    return DeliveriesForm(
        values, search, cursor_of(sent.get("before", "")), tuple(dict.fromkeys([*wrong, *ends.wrong]))
    )


def looked(conn: Connection, enterprise_id: str, search: DeliverySearch, before: int | None, limit: int) -> Sent:
    """Read a page of the log."""
    return _sent(conn, enterprise_id, look(conn, enterprise_id, search, before=before, limit=limit))


def _sent(conn: Connection, enterprise_id: str, page: Looked) -> Sent:
    attempts = {each.cursor: deliveries.list_attempts(conn, enterprise_id, each.cursor) for each in page.deliveries}
    states = [msgspec.json.decode(each.payload) for each in page.deliveries]
    numbers = {_e164(state.get(key)) for state in states for key in ("state_owner", "phone_number")}
    return Sent(page, attempts, searcher(conn).people(enterprise_id, numbers - {""}))


def rows_of(sent: Sent, today: date, say: Say) -> list[DeliveryRow]:
    """Return what the log shows of deliveries."""
    return [_row(each, sent, today, say) for each in sent.page.deliveries]


def _row(delivery: Delivery, sent: Sent, today: date, say: Say) -> DeliveryRow:
    state = msgspec.json.decode(delivery.payload)
    return DeliveryRow(
        cursor=delivery.cursor,
        at=clock_text(delivery.occurred_at, seconds=True),
        day=day_text(wall_moment(delivery.occurred_at).date(), today, say),
        state=str(state.get("state_type", "")),
        owner=_party(state.get("state_owner"), sent.people, say),
        other=_party(state.get("phone_number"), sent.people, say),
        status=delivery.status,
        attempts=delivery.attempts,
        answer=answer_text(sent.attempts[delivery.cursor]),
    )


def _e164(number: Any) -> str:
    """Return a number of a payload, which has it as it is dialled, as the address book has it; "" for none."""
    try:
        return normalize(str(number or ""))
    except NumberError:
        return ""


def _party(number: Any, people: Mapping[str, Person], say: Say) -> PartyView:
    return party_view(_e164(number) or str(number or ""), people, say)


async def deliveries_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The log, the newest first."""
    query = request.query_params
    return await log_page(portal, request, visitor, read_form(query), said=query.get("again", ""))


async def log_page(
    portal: Portal,
    request: Request,
    visitor: Visitor,
    form: DeliveriesForm,
    *,
    wrong: str | None = None,
    said: str = "",
    status: int = 200,
) -> Response:
    """Answer with the log; `said` is how many are sent again, `wrong` what is wrong with what was asked."""
    say, own = say_in(page_language(request)), visitor.enterprise_id
    sent = await portal.context.read(lambda conn: looked(conn, own, form.search, form.before, PAGE))
    before = sent.page.before
    looked_to = sent.page.looked_to
    return portal.pages.page(
        request,
        "deliveries.html",
        status=status,
        **common(visitor),
        form=form,
        narrowed=any(form.values.values()),
        statuses=(PENDING, DELIVERED, FAILED),
        states=[each.value for each in StateType],
        rows=rows_of(sent, portal.today(), say),
        query=form.query(),
        more=None if before is None else f"{LOG}?{form.query(before=str(before))}",
        looked_to=None if looked_to is None else moment_text(looked_to, say),
        wrong=wrong,
        again=int(said) if said.isascii() and said.isdigit() and len(said) < 9 else None,
        endpoint_set=await portal.context.read(lambda conn: endpoints.get(conn, own)) is not None,
    )


async def delivery_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """One delivery: what was sent, and each attempt. Another enterprise's is 404, what was erased is 410."""
    say = say_in(page_language(request))
    cursor, own = cursor_of(request.path_params["cursor"]), visitor.enterprise_id
    if cursor is None:
        return error_page(portal, request, 404, say("delivery_unknown"))

    def read(conn: Connection) -> tuple[Sent | None, Endpoint | None]:
        if deliveries.was_erased(conn, own, cursor):
            return None, None
        found = deliveries.find(conn, own, cursor)
        one = [] if found is None else [found]
        return _sent(conn, own, Looked(one, None, None)), endpoints.get(conn, own)

    sent, endpoint = await portal.context.read(read)
    if sent is None:
        return error_page(portal, request, 410, say("delivery_erased"))
    if not sent.page.deliveries:
        return error_page(portal, request, 404, say("delivery_unknown"))
    (delivery,) = sent.page.deliveries
    attempts = sent.attempts[delivery.cursor]
    return portal.pages.page(
        request,
        "delivery.html",
        **common(visitor),
        row=_row(delivery, sent, portal.today(), say),
        delivery=delivery,
        moment=moment_text(delivery.occurred_at, say),
        due=clock_text(delivery.due_at, seconds=True) if delivery.status == PENDING else "",
        document=msgspec.json.format(delivery.payload, indent=2).decode(),
        attempts=[_attempt(each) for each in reversed(attempts)],
        curl=curl_of(delivery, attempts, endpoint),
    )


def _attempt(attempt: Attempt) -> AttemptView:
    exchange = decode(attempt.exchange)
    return AttemptView(
        number=attempt.attempt,
        at=clock_text(attempt.started_at, seconds=True),
        took=attempt.duration_ms,
        taken=attempt.error is None,
        outcome=attempt.error or f"HTTP {attempt.status_code}",
        url=attempt.url or "",
        address=attempt.address or "",
        http="" if exchange is None or exchange.http is None else f"HTTP/{exchange.http}",
        connect_ms=None if exchange is None else exchange.connect_ms,
        first_byte_ms=None if exchange is None else exchange.first_byte_ms,
        request_headers=[] if exchange is None else exchange.request_headers,
        response_headers=[] if exchange is None else exchange.response_headers,
        response=attempt.response,
    )
