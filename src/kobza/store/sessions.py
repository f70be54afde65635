"""Sessions of the portal: who is signed in, from where, since when. What the browser holds is stored as a hash only."""

from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from kobza.store.ids import hash_token, new_id
from kobza.store.schema import sessions, users
from kobza.store.users import User, of_row, person

MAX_CLIENT: Final = 200
"""Characters kept of a User-Agent."""
MAX_SESSIONS: Final = 20
"""Of one person; a further one ends the one that was used longest ago."""


class Session(NamedTuple):
    """One sign-in. Moments are in milliseconds."""

    session_id: str
    user_id: str
    created_at: int
    last_used_at: int
    ends_at: int
    address: str
    """Of the last use."""
    client: str
    """User-Agent of the sign-in."""
    enterprise_id: str | None
    """The enterprise that an operator has entered."""
    openid: bool
    """Whether an OpenID Connect provider said who it is."""


def begin(
    conn: Connection,
    user_id: str,
    secret: str,
    now_ms: int,
    *,
    ends_at: int,
    address: str,
    client: str,
    openid: bool = False,
) -> Session:
    """Begin a session; `secret` (256 random bits) is what its browser shows. Sessions that are over are deleted."""
    conn.execute(sessions.delete().where(sessions.c.ends_at <= now_ms))
    kept = select(sessions.c.session_id).where(sessions.c.user_id == user_id)
    surplus = conn.execute(kept.order_by(sessions.c.last_used_at.desc()).offset(MAX_SESSIONS - 1)).scalars().all()
    if surplus:
        conn.execute(sessions.delete().where(sessions.c.session_id.in_(surplus)))
    made = Session(new_id(), user_id, now_ms, now_ms, ends_at, address, client[:MAX_CLIENT], None, openid)
    conn.execute(sessions.insert().values(**made._asdict(), secret_hash=hash_token(secret)))
    conn.execute(users.update().where(users.c.user_id == user_id).values(signed_in_at=now_ms))
    return made


def find(conn: Connection, secret: str, now_ms: int) -> tuple[Session, User] | None:
    """Return the session with a secret and whose it is; None when there is none, or it is over."""
    known = person.add_columns(*_session.selected_columns).join(sessions, sessions.c.user_id == users.c.user_id)
    found = known.where(sessions.c.secret_hash == hash_token(secret), sessions.c.ends_at > now_ms)
    row = conn.execute(found).one_or_none()
    if row is None:
        return None
    width = len(Session._fields)
    return Session(*row[-width:]), of_row(row[:-width])


def list_for(conn: Connection, user_id: str, now_ms: int) -> list[Session]:
    """Return the sessions of a person, the last used first."""
    own = _session.where(sessions.c.user_id == user_id, sessions.c.ends_at > now_ms)
    return [Session(*row) for row in conn.execute(own.order_by(sessions.c.last_used_at.desc(), sessions.c.session_id))]


def note_use(conn: Connection, session_id: str, now_ms: int, address: str) -> None:
    """Note a use of a session."""
    conn.execute(
        sessions.update().where(sessions.c.session_id == session_id).values(last_used_at=now_ms, address=address)
    )


def end(conn: Connection, user_id: str, session_id: str) -> bool:
    """End a session of a person at once; return whether there was one."""
    own = sessions.delete().where(sessions.c.session_id == session_id, sessions.c.user_id == user_id)
    return conn.execute(own).rowcount == 1


def end_others(conn: Connection, user_id: str, keep: str) -> int:
    """End all sessions of a person but one; return how many."""
    return conn.execute(sessions.delete().where(sessions.c.user_id == user_id, sessions.c.session_id != keep)).rowcount


def enter(conn: Connection, session_id: str, enterprise_id: str | None) -> None:
    """Note which enterprise an operator has entered in a session; None: none any more."""
    conn.execute(sessions.update().where(sessions.c.session_id == session_id).values(enterprise_id=enterprise_id))


_session = select(*(sessions.c[name] for name in Session._fields))
