"""Idempotency keys of click2dial: the same key with the same request gives the same answer, and one call is made.

What a key stands for is in the store, written in one commit with the call: a restart forgets neither or both. Here are
only the requests that are under way, so that of two at the same time one makes the call and the other waits for it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.requests import Request

from kobza.api.problems import ApiError

HEADER: Final = "Idempotency-Key"
MAX_KEY: Final = 255
MAX_UNDERWAY: Final = 1000
"""Requests with a key that may be under way at once; one more is told to come back. Each takes some milliseconds."""
_KEY: Final = re.compile(rf"[\x20-\x7e]{{1,{MAX_KEY}}}")


class Begun(Protocol):
    """The call that a request began."""

    @property
    def call_id(self) -> str: ...  # noqa: D102
    @property
    def call_control_id(self) -> str: ...  # noqa: D102


class Used(Begun, Protocol):
    """What a key stands for."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the request that used it first, in hex."""
        ...


@dataclass(frozen=True, slots=True)
class _Underway:
    fingerprint: str
    answer: "asyncio.Task[Begun]"


def key_of(request: Request) -> str | None:
    """Return the key of a request, None when it has none. Raises ApiError for one that is malformed or given twice."""
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    if len(given) > 1:
        raise ApiError("duplicate_parameter", f"{HEADER} is given {len(given)} times.", parameter=HEADER)
    if not _KEY.fullmatch(given[0]):
        raise ApiError(
            "invalid_parameter", f"{HEADER} must have 1 to {MAX_KEY} printable ASCII characters.", parameter=HEADER
        )
    return given[0]


class IdempotencyKeys:
    """The requests with a key that are under way, by enterprise and key.

    A request that fails leaves nothing behind: those that came meanwhile fail with it, a later one is tried anew.
    """

    def __init__(self, *, max_underway: int = MAX_UNDERWAY) -> None:
        self._underway: dict[tuple[str, str], _Underway] = {}
        self._max_underway = max_underway

    async def once(
        self,
        enterprise_id: str,
        key: str,
        fingerprint: str,
        *,
        find: Callable[[], Awaitable[Used | None]],
        work: Callable[[], Awaitable[Begun]],
    ) -> Begun:
        """Return what `work` begins, or what was begun with this key before: under way, or as `find` has it.

        `work` must have stored what it began, with the key, when it returns. It goes on when its client goes away.
        Raises ApiError when the key was used for another request, and whatever `find` and `work` raise.
        """
        place = (enterprise_id, key)
        underway = self._underway.get(place)
        if underway is None:
            if len(self._underway) >= self._max_underway:
                raise ApiError("unavailable", "Too many requests are under way.", headers={"retry-after": "1"})
            task = asyncio.create_task(self._work(place, fingerprint, find, work), name="originate")
            task.add_done_callback(_mark_seen)
            underway = self._underway[place] = _Underway(fingerprint, task)
        elif underway.fingerprint != fingerprint:
            raise _conflict()
        return await asyncio.shield(underway.answer)

    async def _work(
        self,
        place: tuple[str, str],
        fingerprint: str,
        find: Callable[[], Awaitable[Used | None]],
        work: Callable[[], Awaitable[Begun]],
    ) -> Begun:
        try:
            used = await find()
            if used is None:
                return await work()
        finally:
            del self._underway[place]
        if used.fingerprint != fingerprint:
            raise _conflict()
        return used


def _conflict() -> ApiError:
    return ApiError("idempotency_conflict", f"The {HEADER} was used for another request.")


def _mark_seen(task: "asyncio.Task[Begun]") -> None:
    """Say that the error was looked at: who waited for it may be gone."""
    if not task.cancelled():
        task.exception()
