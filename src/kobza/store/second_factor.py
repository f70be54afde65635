"""The second factor of a person: the secret of an authenticator, and the codes for when it is lost.

A code counts once: of the authenticator's the last interval is kept, a recovery code is deleted when it is used.
"""

from collections.abc import Callable, Collection

from sqlalchemy import Connection, func, select

from kobza.store.schema import recovery_codes, users


def set_up(conn: Connection, user_id: str, sealed: str, step: int, code_hashes: Collection[str]) -> None:
    """Ask for codes of an authenticator from now on; `step` was the first one used. The recovery codes are new.

    `sealed` is its secret, encrypted by whoever has the key.
    """
    conn.execute(users.update().where(users.c.user_id == user_id).values(totp_sealed=sealed, totp_step=step))
    replace_codes(conn, user_id, code_hashes)


def clear(conn: Connection, user_id: str) -> None:
    """Let the password be enough again."""
    conn.execute(users.update().where(users.c.user_id == user_id).values(totp_sealed=None))
    replace_codes(conn, user_id, ())


def secrets(conn: Connection) -> list[tuple[str, str]]:
    """Return the ids of those who have one, each with the secret as it is stored."""
    known = select(users.c.user_id, users.c.totp_sealed).where(users.c.totp_sealed.is_not(None))
    return [(row.user_id, row.totp_sealed) for row in conn.execute(known)]


def seal_all(conn: Connection, seal: Callable[[str, str], str | None]) -> int:
    """Replace secrets by what `seal` makes of a person's id and what is stored, None: nothing. Return how many."""
    replaced = 0
    for user_id, stored in secrets(conn):
        sealed = seal(user_id, stored)
        if sealed is not None:
            conn.execute(users.update().where(users.c.user_id == user_id).values(totp_sealed=sealed))
            replaced += 1
    return replaced


def use_step(conn: Connection, user_id: str, step: int) -> bool:
    """Note that the code of an interval was used; return False when it, or a later one, was used before."""
    newer = users.update().where(users.c.user_id == user_id, users.c.totp_step < step)
    return conn.execute(newer.values(totp_step=step)).rowcount == 1


def replace_codes(conn: Connection, user_id: str, code_hashes: Collection[str]) -> None:
    """Forget a person's recovery codes and take these instead."""
    conn.execute(recovery_codes.delete().where(recovery_codes.c.user_id == user_id))
    rows = [{"user_id": user_id, "code_hash": code_hash} for code_hash in code_hashes]
    if rows:
        conn.execute(recovery_codes.insert(), rows)


def use_code(conn: Connection, user_id: str, code_hash: str) -> bool:
    """Use up a recovery code; return whether it was one."""
    gone = recovery_codes.delete().where(recovery_codes.c.user_id == user_id, recovery_codes.c.code_hash == code_hash)
    return conn.execute(gone).rowcount == 1


def count_codes(conn: Connection, user_id: str) -> int:
    """Return how many recovery codes are left."""
    left = select(func.count()).select_from(recovery_codes).where(recovery_codes.c.user_id == user_id)
    return int(conn.execute(left).scalar_one())
