"""Sounds of enterprises: the music that holds a caller, the announcement of a recording, the country of the ringback.

The sound itself is A-law, 8,000 octets a second, in base64: both databases and their copies keep it as text.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, get_args

from sqlalchemy import Connection, select

from kobza.store import meta
from kobza.store.errors import NotInStore
from kobza.store.schema import enterprises, sounds
from kobza.store.upsert import upsert

Role = Literal["music", "recording"]
"""What a sound is for: to be held with, or to say that a call is recorded."""
ROLES: Final[tuple[Role, ...]] = get_args(Role)
OCTETS_A_SECOND: Final = 8000


class Sound(NamedTuple):
    """A sound of an enterprise, without its content. `name` is that of the file it came from; `sha256` in hex."""

    role: str
    name: str
    duration_ms: int
    sha256: str
    changed_at: int


def put(conn: Connection, enterprise_id: str, role: Role, name: str, octets: bytes, now_ms: int) -> Sound:
    """Set a sound of an enterprise: A-law octets.

    Raises:
        NotInStore: there is no such enterprise.

    """
    _need(conn, enterprise_id)
    sound = Sound(role, name, len(octets) * 1000 // OCTETS_A_SECOND, hashlib.sha256(octets).hexdigest(), now_ms)
    values = {**sound._asdict(), "enterprise_id": enterprise_id, "content": base64.b64encode(octets).decode()}
    upsert(conn, sounds, ("enterprise_id", "role"), [values])
    meta.bump_directory(conn)
    return sound


def find(conn: Connection, enterprise_id: str, role: Role) -> Sound | None:
    """Return a sound of an enterprise, None: it has none of its own."""
    row = conn.execute(_sound.where(sounds.c.enterprise_id == enterprise_id, sounds.c.role == role)).one_or_none()
    return None if row is None else Sound(*row)


def remove(conn: Connection, enterprise_id: str, role: Role) -> bool:
    """Take a sound of an enterprise away; return whether there was one."""
    mine = (sounds.c.enterprise_id == enterprise_id, sounds.c.role == role)
    gone = conn.execute(sounds.delete().where(*mine)).rowcount > 0
    if gone:
        meta.bump_directory(conn)
    return gone


def content(conn: Connection, sha256: str) -> bytes | None:
    """Return the octets of a sound, None: no enterprise has it."""
    text = conn.execute(select(sounds.c.content).where(sounds.c.sha256 == sha256).limit(1)).scalar_one_or_none()
    return None if text is None else base64.b64decode(text)


def load_music(conn: Connection) -> Mapping[str, str]:
    """Return the hash of the music of each enterprise that has its own."""
    found = select(sounds.c.enterprise_id, sounds.c.sha256).where(sounds.c.role == "music")
    return {row.enterprise_id: row.sha256 for row in conn.execute(found)}


def ringback(conn: Connection, enterprise_id: str) -> str | None:
    """Return the country of an enterprise's ringback, None: the usual one.

    Raises:
        NotInStore: there is no such enterprise.

    """
    _need(conn, enterprise_id)
    mine = enterprises.c.enterprise_id == enterprise_id
    country: str | None = conn.execute(select(enterprises.c.ringback).where(mine)).scalar_one()
    return country


def set_ringback(conn: Connection, enterprise_id: str, country: str | None) -> None:
    """Set the country of an enterprise's ringback.

    Raises:
        NotInStore: there is no such enterprise.

    """
    mine = enterprises.update().where(enterprises.c.enterprise_id == enterprise_id)
    if conn.execute(mine.values(ringback=country)).rowcount == 0:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    meta.bump_directory(conn)


def load_ringback(conn: Connection) -> Mapping[str, str]:
    """Return the country of the ringback of each enterprise that has set one."""
    found = select(enterprises.c.enterprise_id, enterprises.c.ringback).where(enterprises.c.ringback.is_not(None))
    return {row.enterprise_id: row.ringback for row in conn.execute(found)}


def _need(conn: Connection, enterprise_id: str) -> None:
    known = select(enterprises.c.enterprise_id).where(enterprises.c.enterprise_id == enterprise_id)
    if conn.execute(known).one_or_none() is None:
        raise NotInStore(f"there is no enterprise {enterprise_id}")


_sound: Final = select(*(sounds.c[name] for name in Sound._fields))
