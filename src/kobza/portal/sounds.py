"""The page of the sounds: music on hold, and the country of the ringback."""

from typing import Final

from babel import Locale
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.problems import ApiError
from kobza.pbx.sound_intake import COUNTRIES, MAX_SECONDS
from kobza.portal import sound_upload
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.formats import duration_text
from kobza.portal.frame import common
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.portal.uploads import MAX_UPLOAD
from kobza.store import sounds

PATH: Final = "/provisioning/sounds"


async def sounds_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """What is set, and forms to change it."""
    return await _page(portal, request, visitor)


async def set_music(portal: Portal, request: Request, visitor: Visitor, _form: Form) -> Response:
    """Take a file as the music on hold."""
    wrong = await sound_upload.take(portal, request, visitor, "music")
    return await _page(portal, request, visitor, wrong=wrong) if wrong else _saved()


async def remove_music(portal: Portal, _request: Request, visitor: Visitor, _form: Form) -> Response:
    """Go back to our own music; nothing when it is that."""
    await sound_upload.give_up(portal, visitor, "music")
    return _saved()


async def set_ringback(portal: Portal, _request: Request, visitor: Visitor, form: Form) -> Response:
    """Set the country of the ringback, "" for the usual one. Raises ApiError for one that is not known."""
    own, country = visitor.enterprise_id, form.get("country", "")
    if country and country not in COUNTRIES:
        raise ApiError("invalid_body", f"The country is one of {', '.join(sorted(COUNTRIES))}.")
    await portal.context.change(
        visitor.by, "sound.set", own, "ringback", lambda conn, _: sounds.set_ringback(conn, own, country or None)
    )
    await portal.context.commands.settings_changed()
    return _saved()


def _saved() -> Response:
    return RedirectResponse(f"{PATH}?saved=1", 303)


async def _page(portal: Portal, request: Request, visitor: Visitor, *, wrong: str = "") -> Response:
    say = say_in(page_language(request))
    own = visitor.enterprise_id
    music, country = await portal.context.read(
        lambda conn: (sounds.find(conn, own, "music"), sounds.ringback(conn, own))
    )
    territories = Locale.parse(say.locale).territories
    names = sorted((territories[_territory(each)], each) for each in COUNTRIES)
    return portal.pages.page(
        request,
        "sounds.html",
        status=400 if wrong else 200,
        **common(visitor),
        saved="saved" in request.query_params,
        wrong=wrong and say(wrong, size=MAX_UPLOAD >> 20, minutes=MAX_SECONDS // 60),
        music=music,
        lasts="" if music is None else duration_text(round(music.duration_ms / 1000), say),
        country=country or "",
        countries=names,
        size=MAX_UPLOAD >> 20,
        minutes=MAX_SECONDS // 60,
    )


def _territory(country: str) -> str:
    return "GB" if country == "uk" else country.upper()
