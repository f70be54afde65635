"""People who log in to the portal."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from kobza.store.errors import NameTaken
from kobza.store.ids import new_id
from kobza.store.schema import users

ROLE_ADMIN = "admin"
"""May do everything within the enterprise (without one: within the installation)."""


class User(NamedTuple):
    """A login. The password is an argon2 hash, which the caller makes and checks."""

    user_id: str
    login: str
    password_hash: str
    role: str
    enterprise_id: str | None


def add(conn: Connection, login: str, password_hash: str, role: str, enterprise_id: str | None, now_ms: int) -> User:
    """Add a user.

    Raises:
        NameTaken: somebody has the login.

    """
    if find(conn, login) is not None:
        raise NameTaken(f"the login {login} is taken")
    user = User(new_id(), login, password_hash, role, enterprise_id)
    conn.execute(users.insert().values(**user._asdict(), created_at=now_ms))
    return user


def find(conn: Connection, login: str) -> User | None:
    """Return the user with a login, or None."""
    row = conn.execute(_user.where(users.c.login == login)).one_or_none()
    return None if row is None else User(*row)


def list_for(conn: Connection, enterprise_id: str) -> list[User]:
    """Return the users of an enterprise by login."""
    found = _user.where(users.c.enterprise_id == enterprise_id).order_by(users.c.login)
    return [User(*row) for row in conn.execute(found)]


def set_password(conn: Connection, login: str, password_hash: str) -> bool:
    """Replace a user's password hash; return whether there is such a user."""
    changed = conn.execute(users.update().where(users.c.login == login).values(password_hash=password_hash))
    return changed.rowcount == 1


_user = select(users.c.user_id, users.c.login, users.c.password_hash, users.c.role, users.c.enterprise_id)
