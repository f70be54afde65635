"""The start after a crash: calls that never ended are closed, and every owner is owed its `finished`."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from kobza.pbx import left_spools
from kobza.pbx.books import BookKeeper
from kobza.pbx.journal import Journal
from kobza.pbx.left_spools import LeftSpools
from kobza.store import Store, recordings, recovery
from kobza.store.ids import new_id
from kobza.store.recovery import OpenCall

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LifeBefore:
    """What the last life of the server left open, and when it was last seen alive (seconds)."""

    opened: list[OpenCall]
    last_seen: float | None
    left: LeftSpools


async def look_back(store: Store, spools: Path) -> LifeBefore:
    """Read what is open, in the store and among the spools. Raises StoreError, OSError.

    To be done before the journal starts: its signs of life cover those from before.
    """

    def read() -> LifeBefore:
        with store.read() as conn:
            left = left_spools.look(spools, lambda record_ids: recordings.statuses(conn, record_ids))
            opened = [left.named(call) for call in recovery.open_calls(conn)]
            return LifeBefore(opened, recovery.last_sign_of_life(conn), left)

    return await asyncio.to_thread(read)


async def close_books(before: LifeBefore, journal: Journal, books: BookKeeper) -> int:
    """Close the calls of the life before; return how many, once all is stored."""
    groups = recovery.close_unfinished(before.opened, last_seen=before.last_seen, new_id=new_id, stored=books.stored)
    if not groups:
        return 0
    for call, group in zip(before.opened, groups, strict=True):
        journal.append([*before.left.entries(call), *group])
    stored = asyncio.Event()
    journal.append((), stored.set)
    await stored.wait()
    log.warning(
        "%d calls were on when the server ended; they are closed with cause %d", len(groups), recovery.CRASH_CAUSE
    )
    return len(groups)
