"""The page of what people are told whose talk is recorded: an announcement, in whose voice, and a beep now and then."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.problems import ApiError
from kobza.call.recording_notices import (
    AUDIENCES,
    BEEP_AT_LEAST,
    BEEP_AT_MOST,
    USUAL_BEEP,
    VOICES,
    RecordingNotices,
)
from kobza.pbx.sound_intake import MAX_ANNOUNCEMENT
from kobza.portal import sound_upload
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.formats import duration_text
from kobza.portal.frame import common
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.portal.uploads import MAX_UPLOAD
from kobza.store import recording_notices, sounds

PATH: Final = "/provisioning/recording"


async def notices_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """What is set, and forms to change it."""
    return await _page(portal, request, visitor)


async def set_notices(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Choose who hears the announcement, in which language, and how often a beep. Raises ApiError."""
    to, voice, every = form.get("to", ""), form.get("voice", ""), form.get("beep_every", "").strip()
    if to not in AUDIENCES or voice not in VOICES:
        raise ApiError("invalid_body", f"to is {', '.join(AUDIENCES)}; voice is {', '.join(VOICES)}.")
    beep = 0
    if "beep" in form:
        beep = int(every) if every.isdecimal() and len(every) <= 4 else 0
        if not BEEP_AT_LEAST <= beep <= BEEP_AT_MOST:
            return await _page(portal, request, visitor, wrong="notices_wrong_beep")
    chosen, own = RecordingNotices(to, voice, beep), visitor.enterprise_id
    await portal.context.change(
        visitor.by, "sound.set", own, "notices", lambda conn, _: recording_notices.put(conn, own, chosen)
    )
    await portal.context.commands.settings_changed()
    return _saved()


async def set_sound(portal: Portal, request: Request, visitor: Visitor, _form: Form) -> Response:
    """Take a file as the announcement."""
    wrong = await sound_upload.take(portal, request, visitor, "recording")
    return await _page(portal, request, visitor, wrong=wrong) if wrong else _saved()


async def remove_sound(portal: Portal, _request: Request, visitor: Visitor, _form: Form) -> Response:
    """Go back to the announcement that is ours."""
    await sound_upload.give_up(portal, visitor, "recording")
    return _saved()


def _saved() -> Response:
    return RedirectResponse(f"{PATH}?saved=1", 303)


async def _page(portal: Portal, request: Request, visitor: Visitor, *, wrong: str = "") -> Response:
    say = say_in(page_language(request))
    own = visitor.enterprise_id
    chosen, sound = await portal.context.read(
        lambda conn: (recording_notices.find(conn, own), sounds.find(conn, own, "recording"))
    )
    return portal.pages.page(
        request,
        "recording_notices.html",
        status=400 if wrong else 200,
        **common(visitor),
        saved="saved" in request.query_params,
        wrong=wrong
        and say(wrong, size=MAX_UPLOAD >> 20, seconds=MAX_ANNOUNCEMENT, least=BEEP_AT_LEAST, most=BEEP_AT_MOST),
        chosen=chosen,
        audiences=AUDIENCES,
        voices=VOICES,
        every=chosen.beep_every or USUAL_BEEP,
        least=BEEP_AT_LEAST,
        most=BEEP_AT_MOST,
        sound=sound,
        lasts="" if sound is None else duration_text(round(sound.duration_ms / 1000), say),
        size=MAX_UPLOAD >> 20,
        seconds=MAX_ANNOUNCEMENT,
    )
