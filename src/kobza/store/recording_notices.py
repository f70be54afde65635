"""What enterprises have those told whom they record: who hears an announcement, in which voice, how often a beep."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from kobza.call.recording_notices import RecordingNotices
from kobza.store import meta
from kobza.store.errors import NotInStore
from kobza.store.schema import enterprises, sounds


def find(conn: Connection, enterprise_id: str) -> RecordingNotices:
    """Return the choice of an enterprise.

    Raises:
        NotInStore: there is no such enterprise.

    """
    row = conn.execute(_chosen.where(enterprises.c.enterprise_id == enterprise_id)).one_or_none()
    if row is None:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    return _notices(row)


def put(conn: Connection, enterprise_id: str, notices: RecordingNotices) -> None:
    """Set the choice of an enterprise; its sound is set by `sounds.put`.

    Raises:
        NotInStore: there is no such enterprise.

    """
    values = {
        "recording_announced": None if notices.announced_to == "nobody" else notices.announced_to,
        "recording_voice": notices.voice,
        "recording_beep": notices.beep_every or None,
    }
    mine = enterprises.update().where(enterprises.c.enterprise_id == enterprise_id)
    if conn.execute(mine.values(**values)).rowcount == 0:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    meta.bump_directory(conn)


def load(conn: Connection) -> Mapping[str, RecordingNotices]:
    """Return the choices of the enterprises that have anybody told anything."""
    columns = enterprises.c
    told = _chosen.where(or_(columns.recording_announced.is_not(None), columns.recording_beep.is_not(None)))
    return {row.enterprise_id: _notices(row) for row in conn.execute(told)}


def _notices(row: Sequence[Any]) -> RecordingNotices:
    _, announced, voice, beep, sound = row
    usual = RecordingNotices()
    return RecordingNotices(
        announced or usual.announced_to, voice or usual.voice, beep or usual.beep_every, sound or usual.sound
    )


_own = and_(sounds.c.enterprise_id == enterprises.c.enterprise_id, sounds.c.role == "recording")
_chosen = select(
    enterprises.c.enterprise_id,
    enterprises.c.recording_announced,
    enterprises.c.recording_voice,
    enterprises.c.recording_beep,
    sounds.c.sha256,
).select_from(enterprises.outerjoin(sounds, _own))
