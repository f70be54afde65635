"""Taking a file as a sound of an enterprise, and giving it up again: for each page that has one."""

from typing import Final

from starlette.requests import Request

from kobza.pbx.sound_intake import MAX_ANNOUNCEMENT, MAX_SECONDS, UnfitSound, read_sound
from kobza.portal.access import Portal, Visitor
from kobza.portal.uploads import uploaded
from kobza.store import sounds

MAX_NAME: Final = 100
LONGEST: Final[dict[sounds.Role, int]] = {"music": MAX_SECONDS, "recording": MAX_ANNOUNCEMENT}
"""Seconds."""
UNFIT: Final[dict[sounds.Role, str]] = {"music": "sounds_unfit", "recording": "notices_sound_unfit"}
"""Keys of what is said of a file that cannot be taken."""


async def take(portal: Portal, request: Request, visitor: Visitor, role: sounds.Role) -> str:
    """Take the file of a form; return the key of what is wrong with it, "" for nothing."""
    upload, own = uploaded(request), visitor.enterprise_id
    if upload is None:
        return "sounds_no_file"
    try:
        octets = await read_sound(upload.content)
    except UnfitSound:
        return UNFIT[role]
    if len(octets) > LONGEST[role] * sounds.OCTETS_A_SECOND:
        return UNFIT[role]
    name, now_ms = upload.name[:MAX_NAME] or "?", portal.context.now_ms()
    await portal.context.change(
        visitor.by, "sound.set", own, role, lambda conn, _: sounds.put(conn, own, role, name, octets, now_ms)
    )
    await portal.context.commands.settings_changed()
    return ""


async def give_up(portal: Portal, visitor: Visitor, role: sounds.Role) -> None:
    """Go back to what is ours; nothing when it is that."""
    own = visitor.enterprise_id
    await portal.context.change(visitor.by, "sound.removed", own, role, lambda conn, _: sounds.remove(conn, own, role))
    await portal.context.commands.settings_changed()
