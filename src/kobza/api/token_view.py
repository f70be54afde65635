"""The FMC tokens in memory: a snapshot that follows the store.

Tokens change in other processes too (`kobza token revoke` beside a running server). So before a token is looked up, the
store's version of them is asked for, unless that was done a moment ago: a change is in force after CHECK_EVERY at most,
at a cost that does not grow with the requests.
"""

import asyncio
import hmac
import logging
from collections.abc import Callable, Mapping
from typing import Final

from kobza.api.problems import ApiError
from kobza.store import Store, meta, tokens
from kobza.store.ids import hash_token
from kobza.store.tokens import SEEN_AFTER, Token

log = logging.getLogger(__name__)

CHECK_EVERY: Final = SEEN_AFTER
"""Seconds for which a look at the version is good."""
CHECK_UNKNOWN_EVERY: Final = 0.05
"""The same for a token that is not known: it may have been made a moment ago, but guesses must not cost a look each."""
GOOD_FOR: Final = 30.0
"""Seconds for which tokens are still believed when the store does not answer."""
RETRY_AFTER: Final = 2.0
"""Seconds until the next try after the store did not answer."""


class TokenView:
    """The newest snapshot. `now` is the steady clock in seconds; the store is read in another thread."""

    def __init__(self, store: Store, now: Callable[[], float], *, check_every: float = CHECK_EVERY) -> None:
        self._store = store
        self._now = now
        self._check_every = check_every
        self._by_hash: Mapping[str, Token] = {}
        self._by_id: Mapping[str, Token] = {}
        self._version: int | None = None
        self._fresh_at = float("-inf")
        self._check_at = float("-inf")
        self._unknown_check_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, secret: str) -> Token | None:
        """Return the token with a secret, valid or not, or None. Raises ApiError 503 when it cannot be known.

        What is compared is hashes, in constant time after the look-up: time tells nothing of a guess.
        """
        await self._look()
        digest = hash_token(secret)
        found = self._by_hash.get(digest)
        if found is None and self._now() >= self._unknown_check_at:
            self._check_at = float("-inf")
            await self._check()
            found = self._by_hash.get(digest)
        return found if found is not None and hmac.compare_digest(found.token_hash, digest) else None

    async def find_id(self, token_id: str) -> Token | None:
        """Return the token with an id, valid or not, or None. Raises as `find`."""
        await self._look()
        return self._by_id.get(token_id)

    def changed(self) -> None:
        """Say that this process has changed a token: the next request looks."""
        self._check_at = float("-inf")

    async def _look(self) -> None:
        if self._now() >= self._check_at:
            await self._check()
        if self._now() - self._fresh_at > GOOD_FOR:
            raise ApiError("unavailable", "The store does not answer.", headers={"retry-after": "2"})

    async def _check(self) -> None:
        async with self._lock:
            now = self._now()
            if now < self._check_at:
                return  # somebody else has looked while this one waited
            try:
                snapshot = await asyncio.to_thread(self._load)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                self._check_at = self._unknown_check_at = now + RETRY_AFTER
                log.warning("the tokens could not be read; those known are believed for %.0f s: %s", GOOD_FOR, error)
                return
            if snapshot is not None:
                self._version, self._by_hash = snapshot
                self._by_id = {token.token_id: token for token in self._by_hash.values()}
            self._fresh_at, self._check_at = now, now + self._check_every
            self._unknown_check_at = now + min(CHECK_UNKNOWN_EVERY, self._check_every)

    def _load(self) -> tuple[int, dict[str, Token]] | None:
        """Return version and tokens, None when they are those that are here already."""
        with self._store.read() as conn:
            version = meta.tokens_version(conn)
            if version == self._version:
                return None
            return version, {token.token_hash: token for token in tokens.load(conn)}
