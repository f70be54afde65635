"""The audit: who changed what, when and from where, and who heard which recording. It only grows.

An entry is written in one commit with the change. The database itself refuses to change or delete one (triggers).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, cast

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from kobza.store import audited
from kobza.store.audited import Kind
from kobza.store.ids import new_id
from kobza.store.schema import audit
from kobza.store.search import LAST_MOMENT

Via = Literal["portal", "api", "cli"]

CHANGES: Final = (
    "enterprise.added",
    "enterprise.changed",
    "person.added",
    "person.changed",
    "person.reset",
    "person.removed",
    "person.password",
    "person.second_factor",
    "person.linked",
    "token.added",
    "token.rotated",
    "token.revoked",
    "number.added",
    "number.changed",
    "number.removed",
    "number.dnd",
    "number.clip",
    "number.forwarding",
    "group.set",
    "group.removed",
    "hours.set",
    "hours.removed",
    "sound.set",
    "sound.removed",
    "presentation.added",
    "presentation.removed",
    "trunk.added",
    "trunk.changed",
    "trunk.removed",
    "webhook.set",
    "webhook.activated",
    "webhook.removed",
    "retention.set",
    "hold.placed",
    "hold.ended",
    "ban.added",
    "ban.removed",
    "limits.set",
)
"""What is done with things, each as `KIND.WHAT`."""
ACCESSES: Final = (
    "person.signed_in",
    "enterprise.entered",
    "recording.heard",
    "recording.downloaded",
    "recording.fetched",
    "number.erased",
    "contact.changed",
    "call.supervised",
    "call.supervision_ended",
)
"""What else is noted: nothing is compared before and after."""
ACTIONS: Final = (*CHANGES, *ACCESSES)


class By(NamedTuple):
    """Who does something."""

    via: Via
    who: str
    """A login, the name of a token, or a user of the machine."""
    address: str = ""


class Entry(NamedTuple):
    """One entry. `before` and `after` are what differs; None: it was not there, is no more, or nothing is compared."""

    audit_id: str
    enterprise_id: str | None
    at: int
    """Milliseconds."""
    via: str
    who: str
    address: str
    action: str
    subject: str
    """The key of what it was done to."""
    label: str
    """What people call it."""
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(slots=True)
class Noting:
    """A change that is being made; what is only known in its course is said here."""

    key: str
    enterprise_id: str | None


@contextmanager
def noted(
    conn: Connection, by: By | None, action: str, enterprise_id: str | None, key: str, now_ms: int
) -> Iterator[Noting]:
    """Note what is changed within, in the same transaction; nothing when nothing differs. `by` None: by no person.

    `key` is what `audited.find` takes for the kind that the action names; of something new it may be told within.
    """
    kind = cast("Kind", action.partition(".")[0])
    noting = Noting(key, enterprise_id)
    if by is None:
        yield noting
        return
    before = audited.find(conn, kind, enterprise_id, key) if key else None
    yield noting
    after = audited.find(conn, kind, noting.enterprise_id, noting.key)
    if before == after:
        return
    differs = audited.changes(before, after)
    label = (after or before or audited.Thing("", {})).label
    _write(conn, by, action, noting.enterprise_id, noting.key, label, now_ms, *differs)


def note(
    conn: Connection,
    by: By,
    action: str,
    enterprise_id: str | None,
    subject: str,
    now_ms: int,
    *,
    label: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> str:
    """Note what is no change of a thing (a recording that was heard, a sign-in), or one whose difference is known.

    Returns the id of the entry.
    """
    return _write(conn, by, action, enterprise_id, subject, label, now_ms, before, after)


def _write(
    conn: Connection,
    by: By,
    action: str,
    enterprise_id: str | None,
    subject: str,
    label: str,
    now_ms: int,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> str:
    if action not in ACTIONS:
        raise ValueError(f"no such action: {action}")
    entry = Entry(new_id(), enterprise_id, now_ms, *by, action, subject, label, before, after)
    values = {**entry._asdict(), "before": _text(before), "after": _text(after)}
    conn.execute(audit.insert().values(values))
    return entry.audit_id


def _text(document: dict[str, Any] | None) -> str | None:
    return None if document is None else msgspec.json.encode(document).decode()


@dataclass(frozen=True, slots=True)
class AuditSearch:
    """What is sought. None and empty are any."""

    enterprise_id: str | None
    """None: the whole installation, with what is of no enterprise."""
    action: str = ""
    """An action, or the kind that many begin with: `token`."""
    text: str = ""
    """A part of who did it, from where, or to what."""
    from_ms: int = 0
    to_ms: int = LAST_MOMENT


class Place(NamedTuple):
    """Right behind an entry."""

    at: int
    audit_id: str


def page(conn: Connection, search: AuditSearch, after: Place | None, limit: int) -> list[Entry]:
    """Return entries, the newest first, `limit` of them at most."""
    found = _entry.where(*_conditions(search))
    if after is not None:
        older = and_(audit.c.at == after.at, audit.c.audit_id < after.audit_id)
        found = found.where(or_(audit.c.at < after.at, older))
    found = found.order_by(audit.c.at.desc(), audit.c.audit_id.desc()).limit(limit)
    return [entry_of(row) for row in conn.execute(found)]


def _conditions(search: AuditSearch) -> list[ColumnElement[bool]]:
    columns = audit.c
    conditions = [columns.at >= search.from_ms, columns.at <= search.to_ms]
    if search.enterprise_id is not None:
        conditions.append(columns.enterprise_id == search.enterprise_id)
    if "." in search.action:
        conditions.append(columns.action == search.action)
    elif search.action:
        conditions.append(columns.action.startswith(f"{search.action}.", autoescape=True))
    if search.text:
        ways = (columns.who, columns.address, columns.subject, columns.label)
        conditions.append(or_(*(column.contains(search.text, autoescape=True) for column in ways)))
    return conditions


def entry_of(row: Sequence[Any]) -> Entry:
    """Return the entry of a row of COLUMNS."""
    entry = Entry(*row)
    return entry._replace(before=_document(row[-2]), after=_document(row[-1]))


def _document(text: str | None) -> dict[str, Any] | None:
    return None if text is None else msgspec.json.decode(text, type=dict[str, Any])


COLUMNS: Final = tuple(audit.c[name] for name in Entry._fields)
_entry = select(*COLUMNS)
