"""People who sign in to the portal, and what each may do there."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, select

from kobza.store.errors import NameTaken, NotInStore, PersonRefused
from kobza.store.ids import new_id
from kobza.store.schema import enterprises, numbers, sessions, users

MAX_LOGIN: Final = 100
MAX_NAME: Final = 100


class Role(StrEnum):
    """What somebody may do in the portal."""

    OPERATOR = "operator"
    """Over all enterprises: sees them, and may enter one as its administrator. Belongs to none."""
    ADMIN = "admin"
    """Everything within the enterprise."""
    SUPERVISOR = "supervisor"
    """Sees who talks and every call, and hears the recordings; changes nothing."""
    EMPLOYEE = "employee"
    """The own number: its calls, its Do Not Disturb, calling from it."""


@dataclass(frozen=True, slots=True)
class User:
    """A person with a login. The password is an argon2 hash, which the caller makes and checks."""

    user_id: str
    login: str
    password_hash: str
    role: Role
    enterprise_id: str | None
    created_at: int
    name: str
    number: str | None
    """Their own number (E.164): every employee has one."""
    must_change: bool
    """Whether somebody else knows the password: it has to be changed at the next sign-in."""
    signed_in_at: int | None
    totp_step: int
    """The last interval of 30 s whose code was used: none counts twice."""
    totp_sealed: str | None
    """The secret of the second factor (RFC 6238), encrypted by a key that the store does not have; None: they have no
    second factor here."""
    openid_account: str | None
    """Issuer and subject at an OpenID Connect provider, with a space between; None: they never came from one."""

    def may_have(self, account: str) -> bool:
        """Tell whether an account of a provider may be theirs: it is, or they have none of this issuer."""
        known = self.openid_account
        return known is None or known == account or known.partition(" ")[0] != account.partition(" ")[0]


def add(
    conn: Connection,
    login: str,
    password_hash: str,
    role: Role,
    enterprise_id: str | None,
    now_ms: int,
    *,
    name: str = "",
    number: str | None = None,
    must_change: bool = False,
) -> User:
    """Add a person.

    Raises:
        NameTaken: somebody has the login.
        PersonRefused: the login, the name, or the number is none that this role can have.

    """
    if not login or len(login) > MAX_LOGIN or not login.isprintable() or login != login.strip():
        raise PersonRefused("login", f"expected a login of 1 to {MAX_LOGIN} printable characters, not {login!r}")
    _check(conn, enterprise_id, role, name, number)
    if find(conn, login) is not None:
        raise NameTaken(f"the login {login} is taken")
    conn.execute(
        users.insert().values(
            user_id=new_id(),
            login=login,
            password_hash=password_hash,
            role=role,
            enterprise_id=enterprise_id,
            created_at=now_ms,
            name=name,
            number=number,
            must_change=must_change,
            totp_step=0,
        )
    )
    return get(conn, enterprise_id, login)


def find(conn: Connection, login: str) -> User | None:
    """Return the person with a login, or None."""
    row = conn.execute(person.where(users.c.login == login)).one_or_none()
    return None if row is None else of_row(row)


def find_by_id(conn: Connection, user_id: str) -> User | None:
    """Return a person, or None."""
    row = conn.execute(person.where(users.c.user_id == user_id)).one_or_none()
    return None if row is None else of_row(row)


def find_by_account(conn: Connection, account: str) -> User | None:
    """Return who has signed in by an account of an OpenID Connect provider, or None."""
    row = conn.execute(person.where(users.c.openid_account == account)).one_or_none()
    return None if row is None else of_row(row)


def get(conn: Connection, enterprise_id: str | None, login: str) -> User:
    """Return a person of an enterprise, without one an operator. Raises NotInStore."""
    row = conn.execute(person.where(users.c.login == login, _of(enterprise_id))).one_or_none()
    if row is None:
        where = "of the enterprise" if enterprise_id is not None else "among the operators"
        raise NotInStore(f"nobody {where} has the login {login}")
    return of_row(row)


def list_for(conn: Connection, enterprise_id: str | None) -> list[User]:
    """Return the people of an enterprise by login; without one, the operators."""
    return [of_row(row) for row in conn.execute(person.where(_of(enterprise_id)).order_by(users.c.login))]


def count_by_enterprise(conn: Connection) -> dict[str, int]:
    """Return how many people each enterprise has that has any."""
    counted = select(users.c.enterprise_id, func.count()).where(users.c.enterprise_id.is_not(None))
    return {row[0]: row[1] for row in conn.execute(counted.group_by(users.c.enterprise_id))}


def change(
    conn: Connection, enterprise_id: str | None, login: str, *, role: Role, name: str, number: str | None
) -> User:
    """Give a person another role, name or number. Another role ends their sessions.

    Raises:
        NotInStore: there is no such person.
        PersonRefused: see `add`; or nobody would be left who may change this again.

    """
    before = get(conn, enterprise_id, login)
    _check(conn, enterprise_id, role, name, number)
    if role != before.role:
        _leave_one(conn, before)
        _end_sessions(conn, before.user_id)
    conn.execute(users.update().where(users.c.user_id == before.user_id).values(role=role, name=name, number=number))
    return get(conn, enterprise_id, login)


def remove(conn: Connection, enterprise_id: str | None, login: str) -> User:
    """Take a login away, with its sessions; return who it was.

    Raises:
        NotInStore: there is no such person.
        PersonRefused: nobody would be left who may add people.

    """
    gone = get(conn, enterprise_id, login)
    _leave_one(conn, gone)
    conn.execute(users.delete().where(users.c.user_id == gone.user_id))
    return gone


def set_password(
    conn: Connection, login: str, password_hash: str, *, must_change: bool = False, keep: str | None = None
) -> bool:
    """Replace a person's password hash, which ends their sessions but `keep`; return whether there is such a person."""
    known = find(conn, login)
    if known is None:
        return False
    changed = users.update().where(users.c.user_id == known.user_id)
    conn.execute(changed.values(password_hash=password_hash, must_change=must_change))
    _end_sessions(conn, known.user_id, keep)
    return True


def set_account(conn: Connection, user_id: str, account: str | None) -> None:
    """Note by which account of an OpenID Connect provider a person signs in; None: by none that is known."""
    conn.execute(users.update().where(users.c.user_id == user_id).values(openid_account=account))


def number_removed(conn: Connection, number: str) -> None:
    """Take a number that is no more from whoever had it: the next one to get it is somebody else."""
    conn.execute(users.update().where(users.c.number == number).values(number=None))


def _check(conn: Connection, enterprise_id: str | None, role: Role, name: str, number: str | None) -> None:
    if (role is Role.OPERATOR) is not (enterprise_id is None):
        raise PersonRefused("role", "an operator belongs to no enterprise, everybody else to one")
    if enterprise_id is not None:
        known = select(enterprises.c.name).where(enterprises.c.enterprise_id == enterprise_id)
        if conn.execute(known).first() is None:
            raise NotInStore(f"there is no enterprise {enterprise_id}")
    if len(name) > MAX_NAME:
        raise PersonRefused("name", f"the name is longer than {MAX_NAME} characters")
    if number is None:
        if role is Role.EMPLOYEE:
            raise PersonRefused("number", "an employee needs the number whose calls are theirs")
        return
    own = select(numbers.c.number).where(numbers.c.number == number, numbers.c.enterprise_id == enterprise_id)
    if conn.execute(own).first() is None:
        raise PersonRefused("number", f"the enterprise has no number {number}")


def _leave_one(conn: Connection, user: User) -> None:
    """Raise PersonRefused when a person is the last one who may manage people here."""
    if user.role not in (Role.ADMIN, Role.OPERATOR):
        return
    others = select(func.count()).where(
        _of(user.enterprise_id), users.c.role == user.role, users.c.user_id != user.user_id
    )
    if conn.execute(others).scalar_one() == 0:
        raise PersonRefused("last", f"{user.login} is the last {user.role}: nobody would be left to add people")


def _end_sessions(conn: Connection, user_id: str, keep: str | None = None) -> None:
    ended = sessions.delete().where(sessions.c.user_id == user_id)
    conn.execute(ended if keep is None else ended.where(sessions.c.session_id != keep))


def _of(enterprise_id: str | None) -> ColumnElement[bool]:
    column = users.c.enterprise_id
    return column.is_(None) if enterprise_id is None else column == enterprise_id


person = select(
    users.c.user_id,
    users.c.login,
    users.c.password_hash,
    users.c.role,
    users.c.enterprise_id,
    users.c.created_at,
    users.c.name,
    users.c.number,
    users.c.must_change,
    users.c.signed_in_at,
    users.c.totp_step,
    users.c.totp_sealed,
    users.c.openid_account,
)
"""What `of_row` reads."""


def of_row(row: Any) -> User:
    """Return the person of a row of `person`."""
    values: list[Any] = list(row)
    values[_ROLE] = Role(values[_ROLE])
    return User(*values)


_ROLE: Final = 3
"""Its place in `person`, whose order is that of the fields of `User`."""
