"""The bound on guessing: who guesses waits longer and longer, and nobody else waits with them.

Three things are counted (docs/adr/0025-who-has-to-wait.md): wrong attempts at one login from one address; those from
one address at whatever login; and those of a browser that has signed in with a login before, which is counted by
itself, so that a guesser in the same office does not lock it out. A login alone is never counted: whoever knows it
could lock its owner out.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 900.0
"""Seconds that anybody has to wait at most."""
FORGET_AFTER: Final = 3600.0
"""Seconds without an attempt after which nothing is held against anybody."""
MAX_WATCHED: Final = 10_000
"""Counters kept; beyond it those not touched for longest are forgotten."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted: a key, and how many wrong attempts cost nothing."""

    key: str
    free: int


def pair(login: str, address: str) -> Counted:
    """One login from one address: five attempts for those who do not remember well."""
    return Counted(f"pair {address} {login[:255]}", 5)


def whole_address(address: str) -> Counted:
    """One address, whatever the login: many people may sit behind it."""
    return Counted(f"address {address}", 50)


def known_browser(nonce: str) -> Counted:
    """A browser that has signed in with the login before."""
    return Counted(f"browser {nonce}", 5)


def second_factor(user_id: str) -> Counted:
    """The codes of one person. Only who has their password comes so far, so this locks out nobody innocent."""
    return Counted(f"code {user_id}", 5)


class GuessLimit:
    """Counts wrong attempts. In memory and bounded."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """Key -> how many were wrong, and when the last one was made."""

    def begin(self, counted: Sequence[Counted], now: float) -> float:
        """Return how many seconds an attempt has to wait; with 0 it may be made, and counts as wrong until `right`.

        It counts at its beginning: a hundred attempts made at once would otherwise all be the first.
        """
        wait = max((self._wait(each, now) for each in counted), default=0.0)
        if wait > 0:
            return wait
        for each in counted:
            self._wrong[each.key] = (self._count(each.key, now) + 1, now)
            self._wrong.move_to_end(each.key)
        while len(self._wrong) > MAX_WATCHED:
            self._wrong.popitem(last=False)
        return 0.0

    def right(self, counted: Sequence[Counted], now: float) -> None:
        """Take back what an attempt counted that was right. What others did from the same address stays."""
        for each in counted:
            count = self._count(each.key, now) - 1
            if count <= 0 or not each.key.startswith("address "):
                self._wrong.pop(each.key, None)
            else:
                self._wrong[each.key] = (count, self._wrong[each.key][1])

    def _wait(self, counted: Counted, now: float) -> float:
        surplus = self._count(counted.key, now) - counted.free
        if surplus < 0:
            return 0.0
        delay = min(LONGEST, 2.0 ** min(surplus, 20))
        return max(0.0, self._wrong[counted.key][1] + delay - now)

    def _count(self, key: str, now: float) -> int:
        count, last = self._wrong.get(key, (0, now))
        return count if now - last < FORGET_AFTER else 0
