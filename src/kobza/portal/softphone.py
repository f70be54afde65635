"""The page of the phone in the browser: what it is made of, and what it asks of the server beside SIP."""

import json
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from kobza.api.problems import not_found
from kobza.api.query import number_of
from kobza.call.errors import KobzaError, NumberError, WrongStateError
from kobza.call.numbers import national
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.call_rows import party_view
from kobza.portal.formats import phone_text
from kobza.portal.frame import common
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.store.search import searcher

TEXTS: Final = (
    *("phone_ready", "phone_off", "phone_lost", "phone_offline", "phone_refused", "phone_signed_out", "sign_in"),
    *("phone_crowded", "phone_calling", "phone_ringing", "phone_incoming", "phone_talking", "phone_held"),
    *("phone_mute", "phone_unmute", "hold", "resume", "phone_missed", "phone_redial", "phone_transferred"),
    *("phone_end_busy", "phone_end_unavailable", "phone_end_unknown", "phone_end_rejected", "phone_end_no_answer"),
    *("phone_end_no_sound", "phone_end_no_line", "phone_end_microphone", "phone_end_cancelled", "phone_end_elsewhere"),
    *("phone_end_connection", "phone_end_done", "phone_end_failed"),
    *("phone_quality_good", "phone_quality_fair", "phone_quality_poor", "phone_quality_silent", "phone_quality_detail"),
    *("phone_insecure", "phone_microphone_denied", "phone_notifications_denied"),
)
"""Keys of what the script says; it gets them with the page."""


async def phone_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The page; for somebody without a number it says so."""
    say, number = say_in(page_language(request)), visitor.own_number
    return portal.pages.page(
        request,
        "phone.html",
        **common(visitor),
        number="" if number is None else phone_text(number, say),
        username="" if number is None else national(number),
        dialled=request.query_params.get("number", "")[:64],
        texts=json.dumps({key.removeprefix("phone_"): say(key) for key in TEXTS}, ensure_ascii=False),
    )


async def who(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """Say who has a number, by the address book: the name, or nothing; and the number as people write it."""
    say = say_in(page_language(request))
    try:
        number = number_of(request.query_params.get("number", ""), "number")
    except (KobzaError, NumberError):  # hidden, or no number: there is nobody to look up
        raise not_found() from None
    people = await portal.context.read(lambda conn: searcher(conn).people(visitor.enterprise_id, {number}))
    party = party_view(number, people, say)
    return Response(
        json.dumps({"name": party.name, "number": party.number}, ensure_ascii=False),
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )


async def transfer(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Hand the other side of one's own call over. Raises WrongStateError when it is not clear which call is meant."""
    say, number = say_in(page_language(request)), visitor.own_number
    if number is None:
        raise not_found()
    destination = number_of(form.get("destination", ""), "destination")
    commands = portal.context.commands
    live = commands.live_calls(visitor.enterprise_id)
    legs = [leg for leg in live if leg.number == number and leg.state != "alerting"]
    if len(legs) != 1:
        raise WrongStateError(say("phone_transfer_unclear"))
    await commands.control(visitor.enterprise_id, legs[0].call_control_id, "transfer", destination=destination)
    return Response(status_code=204)
