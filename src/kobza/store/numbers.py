"""Numbers of enterprises: their subscribers, with digest credentials, packages and settings."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, or_, select

from kobza.call.directory import Package, Subscriber
from kobza.call.forwarding import FIELDS, NO_FORWARDING, Forwarding
from kobza.call.numbers import national
from kobza.store import address_book, enterprises, groups, hours, meta, presentation, users
from kobza.store.errors import NotInStore, NotPresentable, NumberTaken
from kobza.store.schema import address_book as book
from kobza.store.schema import bindings, number_packages, numbers, outside_limits

AT_ONCE: Final = 500
"""Numbers looked up by one statement."""
FORWARDING: Final = slice(11, 11 + len(FIELDS))
"""Where they stand in a row of `_subscribers`."""
OFF: Final = (None,) * len(FIELDS)


def add(
    conn: Connection,
    number: str,
    enterprise_id: str,
    name: str = "",
    department: str = "",
    packages: Iterable[Package] = (),
    username: str = "",
    ha1_md5: str = "",
    ha1_sha256: str = "",
    *,
    now_ms: int = 0,
) -> None:
    """Add a number (E.164) to an enterprise, and its name and department to the enterprise's address book.

    From then on no other enterprise may present it. `username` is the digest user name, empty for the number itself;
    without hashes no phone can register for it.

    Raises:
        NumberTaken: the number or the user name is somebody's already.
        NotInStore: there is no such enterprise.

    """
    if enterprises.find(conn, enterprise_id) is None:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    username = username or number
    taken = select(numbers.c.number).where(or_(numbers.c.number == number, numbers.c.username == username))
    if (holder := conn.execute(taken).first()) is not None:
        if holder[0] == number:
            raise NumberTaken(f"{national(number)} is a number already")
        raise NumberTaken(f"the user name {username} is taken")
    if groups.is_taken(conn, number):
        raise NumberTaken(f"{national(number)} is a ringing group's")
    conn.execute(
        numbers.insert().values(
            number=number,
            enterprise_id=enterprise_id,
            username=username,
            ha1_md5=ha1_md5,
            ha1_sha256=ha1_sha256,
            created_at=now_ms,
        )
    )
    presentation.taken_over(conn, number, enterprise_id)
    _put_packages(conn, number, packages)
    address_book.put(conn, enterprise_id, [address_book.Entry(number, name, department)])
    meta.bump_directory(conn)


def remove(conn: Connection, enterprise_id: str, number: str) -> None:
    """Take a number away from an enterprise, which presents it no more; its history and address book entry stay.

    Raises:
        NotInStore: the enterprise has no such number.

    """
    gone = conn.execute(numbers.delete().where(numbers.c.number == number, numbers.c.enterprise_id == enterprise_id))
    if gone.rowcount == 0:
        raise _unknown(number)
    conn.execute(bindings.delete().where(bindings.c.number == number))
    conn.execute(outside_limits.delete().where(outside_limits.c.number == number))
    presentation.end_settings(conn, number)
    hours.remove(conn, enterprise_id, number)
    users.number_removed(conn, number)
    meta.bump_directory(conn)


def find(conn: Connection, enterprise_id: str, number: str) -> Subscriber | None:
    """Return a number of an enterprise, or None."""
    found = load(conn, enterprise_id, (number,))
    return found[0] if found else None


def find_all(conn: Connection, enterprise_id: str, wanted: Sequence[str]) -> dict[str, Subscriber]:
    """Return those of some numbers that are the enterprise's."""
    found: dict[str, Subscriber] = {}
    for at in range(0, len(wanted), AT_ONCE):
        some = wanted[at : at + AT_ONCE]
        found |= {subscriber.number: subscriber for subscriber in load(conn, enterprise_id, some)}
    return found


def count_by_enterprise(conn: Connection) -> dict[str, int]:
    """Return how many numbers each enterprise has that has any."""
    counted = select(numbers.c.enterprise_id, func.count()).group_by(numbers.c.enterprise_id)
    return {row[0]: row[1] for row in conn.execute(counted)}


def list_for(conn: Connection, enterprise_id: str) -> list[Subscriber]:
    """Return the numbers of an enterprise, in order."""
    return load(conn, enterprise_id)


def set_packages(conn: Connection, enterprise_id: str, number: str, packages: Iterable[Package]) -> None:
    """Replace the packages of a number.

    Raises:
        NotInStore: the enterprise has no such number.

    """
    _change(conn, enterprise_id, number, {})
    conn.execute(number_packages.delete().where(number_packages.c.number == number))
    _put_packages(conn, number, packages)


def set_credentials(conn: Connection, enterprise_id: str, number: str, ha1_md5: str, ha1_sha256: str) -> None:
    """Replace the digest hashes of a number.

    Raises:
        NotInStore: the enterprise has no such number.

    """
    _change(conn, enterprise_id, number, {"ha1_md5": ha1_md5, "ha1_sha256": ha1_sha256})


def username(conn: Connection, enterprise_id: str, number: str) -> str:
    """Return the digest user name of a number.

    Raises:
        NotInStore: the enterprise has no such number.

    """
    own = select(numbers.c.username).where(numbers.c.number == number, numbers.c.enterprise_id == enterprise_id)
    found: str | None = conn.execute(own).scalar_one_or_none()
    if found is None:
        raise _unknown(number)
    return found


def set_dnd(conn: Connection, enterprise_id: str, number: str, on: bool, until_ms: int | None = None) -> None:
    """Switch Do Not Disturb, on until a moment (milliseconds) or, without one, until it is switched off.

    Raises:
        NotInStore: the enterprise has no such number.

    """
    _change(conn, enterprise_id, number, {"dnd": on, "dnd_until": until_ms if on else None})


def set_clip(
    conn: Connection,
    enterprise_id: str,
    number: str,
    presentation_number: str | None,
    restricted: bool,
    until_ms: int | None = None,
) -> None:
    """Set what those see whom a number calls: another number (None: its own), or none at all when restricted.

    Raises:
        NotInStore: the enterprise has no such number.
        NotPresentable: the enterprise may not present the other number.

    """
    if presentation_number is not None and not presentation.may_present(conn, enterprise_id, presentation_number):
        raise NotPresentable(f"the enterprise may not present {presentation_number}")
    settings = {
        "presentation_number": presentation_number,
        "clip_restricted": restricted,
        "clip_until": until_ms if restricted or presentation_number else None,
    }
    _change(conn, enterprise_id, number, settings)


def set_forwarding(conn: Connection, enterprise_id: str, number: str, forwarding: Forwarding) -> None:
    """Set where the calls of a number go on each occasion.

    Raises:
        NotInStore: the enterprise has no such number.

    """
    _change(conn, enterprise_id, number, {f"forward_{field}": getattr(forwarding, field) for field in FIELDS})


def set_mobile(conn: Connection, enterprise_id: str, number: str, mobile: str | None) -> None:
    """Set which number outside rings beside the devices of a number; None: none.

    Raises:
        NotInStore: the enterprise has no such number.

    """
    _change(conn, enterprise_id, number, {"mobile": mobile})


def set_calls(conn: Connection, enterprise_id: str, number: str, *, call_waiting: bool, max_calls: int | None) -> None:
    """Set whether a number rings for another call while it has one, and how many it may have; None: any number.

    Raises:
        NotInStore: the enterprise has no such number.

    """
    _change(conn, enterprise_id, number, {"call_waiting": call_waiting, "max_calls": max_calls})


def load(conn: Connection, enterprise_id: str | None = None, some: Sequence[str] | None = None) -> list[Subscriber]:
    """Return subscribers with their packages and names, in order: all, those of an enterprise, or some of them."""
    packages: defaultdict[str, list[Package]] = defaultdict(list)
    owned = select(number_packages.c.number, number_packages.c.package)
    if enterprise_id is not None:
        owned = owned.join(numbers, numbers.c.number == number_packages.c.number)
    for owner, package in conn.execute(_of(owned, enterprise_id, some)):
        packages[owner].append(Package(package))
    found = _of(_subscribers, enterprise_id, some).order_by(numbers.c.number)
    return [_subscriber(row, packages) for row in conn.execute(found)]


def _of(query: Select[Any], enterprise_id: str | None, some: Sequence[str] | None) -> Select[Any]:
    if enterprise_id is not None:
        query = query.where(numbers.c.enterprise_id == enterprise_id)
    if some is not None:
        query = query.where(numbers.c.number.in_(some))
    return query


_subscribers = select(
    numbers.c.number,
    numbers.c.enterprise_id,
    book.c.name,
    book.c.department,
    numbers.c.ha1_md5,
    numbers.c.ha1_sha256,
    numbers.c.dnd,
    numbers.c.dnd_until,
    numbers.c.presentation_number,
    numbers.c.clip_restricted,
    numbers.c.clip_until,
    *(numbers.c[f"forward_{field}"] for field in FIELDS),
    numbers.c.mobile,
    numbers.c.call_waiting,
    numbers.c.max_calls,
).join_from(
    numbers,
    book,
    (book.c.enterprise_id == numbers.c.enterprise_id) & (book.c.number == numbers.c.number),
    isouter=True,
)


def _subscriber(row: Row[Any], packages: dict[str, list[Package]]) -> Subscriber:
    owned = frozenset(packages.get(row.number, ()))
    settings: list[Any] = list(row[4:])
    forwarding = tuple(row[FORWARDING])
    settings[FORWARDING.start - 4 : FORWARDING.stop - 4] = [
        NO_FORWARDING if forwarding == OFF else Forwarding(*forwarding)
    ]
    return Subscriber(row.number, row.enterprise_id, row.name or "", row.department or "", owned, *settings)


def _put_packages(conn: Connection, number: str, packages: Iterable[Package]) -> None:
    rows = [{"number": number, "package": Package(package).value} for package in set(packages)]
    if rows:
        conn.execute(number_packages.insert(), rows)


def _change(conn: Connection, enterprise_id: str, number: str, values: dict[str, Any]) -> None:
    """Change a number's row; also when no value is given, so that the number is known to exist."""
    own = numbers.update().where(numbers.c.number == number, numbers.c.enterprise_id == enterprise_id)
    if conn.execute(own.values(values or {"enterprise_id": enterprise_id})).rowcount == 0:
        raise _unknown(number)
    meta.bump_directory(conn)


def _unknown(number: str) -> NotInStore:
    return NotInStore(f"the enterprise has no number {number}")
