"""Who used a token last: kept in memory, and written together some seconds later."""

import asyncio
import logging
from typing import Final

from kobza.store import Store, tokens
from kobza.store.tokens import MAX_CLIENT, Use

log = logging.getLogger(__name__)

WRITTEN_AFTER: Final = 10.0
"""Seconds from a use until it is written: what a crash may lose. There is one commit in that time, for all tokens."""


class TokenUses:
    """The last uses that are not written yet, one for each token, and the task that writes them.

    A store that does not take them is tried again; meanwhile the newest uses replace the older ones.
    """

    def __init__(self, store: Store, *, written_after: float = WRITTEN_AFTER) -> None:
        self._store = store
        self._written_after = written_after
        self._uses: dict[str, Use] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    def note(self, token_id: str, at_ms: int, address: str, client: str) -> None:
        """Remember a use; call it in the event loop. A client's name is cut to MAX_CLIENT printable characters."""
        name = client[:MAX_CLIENT]
        if not name.isprintable():
            name = "".join(character if character.isprintable() else "?" for character in name)
        self._uses[token_id] = Use(at_ms, address, name)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._written_after, self._begin)

    async def flush(self) -> None:
        """Write what is not written yet. Raises what the store raises; then it is kept."""
        async with self._lock:
            uses, self._uses = self._uses, {}
            if not uses:
                return
            try:
                await asyncio.to_thread(self._write, uses)
            except BaseException:
                self._uses = uses | self._uses
                raise

    async def stop(self) -> None:
        """Write what is left, and then no more by itself."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        try:
            await self.flush()
        except Exception:
            log.exception("the last uses of %d tokens could not be written and are lost", len(self._uses))

    def _begin(self) -> None:
        self._writing = asyncio.get_running_loop().create_task(self._write_now(), name="token uses")

    async def _write_now(self) -> None:
        try:
            await self.flush()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            log.warning("the last uses of tokens could not be written, to be tried again: %s", error)
        self._timer = None
        if self._uses:
            self._timer = asyncio.get_running_loop().call_later(self._written_after, self._begin)

    def _write(self, uses: dict[str, Use]) -> None:
        with self._store.write() as conn:
            tokens.note_uses(conn, uses.items())
