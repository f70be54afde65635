"""Facts about the store as a whole: the SIP realm, versions of what is held in memory, the last sign of life."""

from sqlalchemy import Connection, select, update

from kobza.store.schema import meta

SIP_REALM = "sip_realm"
"""The realm of the digests in `numbers`: changing it would make every stored password hash useless."""
DIRECTORY_VERSION = "directory_version"
"""Grows with every change that matters for routing."""
TOKENS_VERSION = "tokens_version"
"""Grows with every change of an FMC token."""
ERASURES = "erasures"
"""Grows with every erasure: what is held in memory of call states is read anew then."""
REPLAYS = "replays"
"""Grows with every replay: what is owed may be more than a dispatcher knows."""
HEARTBEAT = "heartbeat"
"""When the journal last wrote, in milliseconds."""
SIGN_OF_LIFE_MS = 30_000
"""A server writes every 2 s that it lives; one that has written nothing for so long does not run."""

DEFAULT_REALM = "kobza"


def get_text(conn: Connection, key: str) -> str | None:
    """Return a fact that is a text, or None."""
    return conn.execute(select(meta.c.text).where(meta.c.key == key)).scalar_one_or_none()


def set_text(conn: Connection, key: str, value: str) -> None:
    """Set a fact that is a text."""
    if conn.execute(update(meta).where(meta.c.key == key).values(text=value)).rowcount == 0:
        conn.execute(meta.insert().values(key=key, text=value))


def get_number(conn: Connection, key: str) -> int | None:
    """Return a fact that is a number, or None."""
    return conn.execute(select(meta.c.number).where(meta.c.key == key)).scalar_one_or_none()


def set_number(conn: Connection, key: str, value: int) -> None:
    """Set a fact that is a number."""
    if conn.execute(update(meta).where(meta.c.key == key).values(number=value)).rowcount == 0:
        conn.execute(meta.insert().values(key=key, number=value))


def is_served(conn: Connection, now_ms: int) -> bool:
    """Tell whether a server has written a sign of life lately."""
    heartbeat = get_number(conn, HEARTBEAT)
    return heartbeat is not None and abs(now_ms - heartbeat) < SIGN_OF_LIFE_MS


def sip_realm(conn: Connection) -> str:
    """Return the realm of the stored digests."""
    return get_text(conn, SIP_REALM) or DEFAULT_REALM


def directory_version(conn: Connection) -> int:
    """Return the version of the directory: it grows with every change that matters for routing."""
    return get_number(conn, DIRECTORY_VERSION) or 0


def bump_directory(conn: Connection) -> None:
    """Say that something changed that matters for routing."""
    conn.execute(update(meta).where(meta.c.key == DIRECTORY_VERSION).values(number=meta.c.number + 1))


def tokens_version(conn: Connection) -> int:
    """Return the version of the FMC tokens: it grows with every change of one."""
    return get_number(conn, TOKENS_VERSION) or 0


def bump_tokens(conn: Connection) -> None:
    """Say that an FMC token changed. The fact is there from the store's making on, so no two makers can meet."""
    conn.execute(update(meta).where(meta.c.key == TOKENS_VERSION).values(number=meta.c.number + 1))


def erasures(conn: Connection) -> int:
    """Return how many erasures there were."""
    return get_number(conn, ERASURES) or 0


def bump_erasures(conn: Connection) -> None:
    """Say that call states were erased, of which a server may hold some in memory."""
    set_number(conn, ERASURES, erasures(conn) + 1)
    bump_directory(conn)


def replays(conn: Connection) -> int:
    """Return how many replays there were."""
    return get_number(conn, REPLAYS) or 0


def bump_replays(conn: Connection) -> None:
    """Say that more is owed than before."""
    if conn.execute(update(meta).where(meta.c.key == REPLAYS).values(number=meta.c.number + 1)).rowcount == 0:
        conn.execute(meta.insert().values(key=REPLAYS, number=1))
