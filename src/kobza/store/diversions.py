"""Who sent a call on before it came here, as the store keeps it: one JSON text (`call_details`)."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, select, update

from kobza.call.routing import ANONYMOUS
from kobza.store import call_details, holds
from kobza.store.schema import call_details as table
from kobza.store.schema import calls


class Diverted(msgspec.Struct, frozen=True, array_like=True):
    """A number that sent a call on."""

    number: str
    """E.164, or as it came when it is none; ANONYMOUS for one that is hidden or erased."""
    reason: str
    """Why, as RFC 5806 names it: "user-busy"."""
    counter: int = 1
    """How many times."""


_decoder: Final = msgspec.json.Decoder(list[Diverted])


def written(found: Sequence[Diverted]) -> str:
    """Return the text that is kept."""
    return msgspec.json.encode(found).decode()


def find(conn: Connection, enterprise_id: str, call_id: str) -> list[Diverted]:
    """Return who sent a call of an enterprise on, the last one first; nobody when that is not known."""
    text = call_details.find(conn, "diversions", enterprise_id, call_id)
    return [] if text is None else _decoder.decode(text)


def naming(conn: Connection, enterprise_id: str, number: str, *, held: bool) -> list[str]:
    """Return the calls of an enterprise that a number sent on, those that a hold keeps or those that none does."""
    on_hold = holds.on_call()
    own = and_(calls.c.call_id == table.c.call_id, calls.c.enterprise_id == enterprise_id)
    # Numbers have no character that JSON writes in another way, and no wildcard of LIKE.
    named: Any = table.c.diversions.like(f'%"{number}"%')
    found = select(table.c.call_id).join(calls, own).where(named, on_hold if held else ~on_hold)
    return list(conn.execute(found.order_by(table.c.call_id)).scalars())


def erase(conn: Connection, call_ids: Sequence[str], number: str) -> None:
    """Put ANONYMOUS in the place of a number."""
    these = table.c.call_id.in_(call_ids)
    for call_id, text in conn.execute(select(table.c.call_id, table.c.diversions).where(these)).all():
        kept = [
            msgspec.structs.replace(each, number=ANONYMOUS) if each.number == number else each
            for each in _decoder.decode(text)
        ]
        conn.execute(update(table).where(table.c.call_id == call_id).values(diversions=written(kept)))
