"""Idempotency keys: the same key with the same body gives the same answer, and the work is done once."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from kobza.api.problems import ApiError

KEPT_FOR: Final = 24 * 3600.0
"""Seconds for which an answer is given again."""
MAX_KEY: Final = 255
MAX_KEPT: Final = 20_000
"""Answers kept in memory, some 10 MB; beyond it the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class _Kept:
    fingerprint: bytes
    until: float
    answer: "asyncio.Future[bytes]"


class IdempotencyKeys:
    """The answers of the last 24 hours by enterprise and key; in memory, so a restart forgets them.

    An attempt that failed is forgotten at once: whoever repeats it wants it tried again.
    """

    def __init__(self, *, max_kept: int = MAX_KEPT) -> None:
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._max_kept = max_kept

    async def once(
        self, enterprise_id: str, key: str | None, request: bytes, now: float, work: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        """Return the answer of `work`, or the one given before; those that come meanwhile wait for the same.

        Raises ApiError when the key is malformed or was used for another request, and whatever `work` raises.
        """
        if key is None:
            return await work()
        if not 1 <= len(key) <= MAX_KEY:
            raise ApiError(
                "invalid_parameter",
                f"Idempotency-Key must have 1 to {MAX_KEY} characters.",
                parameter="Idempotency-Key",
            )
        place = (enterprise_id, key)
        fingerprint = hashlib.sha256(request).digest()
        kept = self._kept.get(place)
        if kept is not None and kept.until > now:
            if kept.fingerprint != fingerprint:
                raise ApiError("idempotency_conflict", "The Idempotency-Key was used for another request.")
            return await asyncio.shield(kept.answer)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_mark_seen)
        self._kept.pop(place, None)
        self._kept[place] = _Kept(fingerprint, now + KEPT_FOR, answer)
        self._forget(now)
        try:
            result = await work()
        except BaseException as error:
            self._kept.pop(place, None)
            answer.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
            raise
        answer.set_result(result)
        return result

    def _forget(self, now: float) -> None:
        """Drop what is too old, and the oldest beyond the bound; entries are in the order of their time."""
        while self._kept:
            place, oldest = next(iter(self._kept.items()))
            if oldest.until > now and len(self._kept) <= self._max_kept:
                return
            del self._kept[place]


def _mark_seen(answer: "asyncio.Future[bytes]") -> None:
    """Say that the error was looked at: nobody else may have been waiting for it."""
    if not answer.cancelled():
        answer.exception()
