"""The bound on guessing: who guesses waits longer and longer, and nobody else waits with them.

Three things are counted (docs/adr/0025-people-of-the-portal.md): wrong attempts at one login from one address; those
from one address at whatever login; and those of a browser that has signed in with a login before, which is counted by
itself, so that a guesser in the same office does not lock it out. A login alone is never counted: whoever knows it
could lock its owner out.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 900.0
"""Seconds that anybody has to wait at most."""
FORGIVEN_EVERY: Final = 900.0
"""Seconds after which one wrong attempt is forgiven: the longest wait, so that who guesses on stays at it."""
MAX_WATCHED: Final = 10_000
"""Counters kept; beyond it those not touched for longest are forgotten."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted: a key, how many wrong attempts cost nothing, and after how many seconds one is forgiven."""

    key: str
    free: int
    forgiven_every: float = FORGIVEN_EVERY


def pair(login: str, address: str) -> Counted:
    """One login from one address: five attempts for those who do not remember well."""
    return Counted(f"pair {address} {login[:255]}", 5)


def whole_address(address: str) -> Counted:
    """One address, whatever the login: many people may sit behind it, who err once a minute between them."""
    return Counted(f"address {address}", 50, 60.0)


def known_browser(nonce: str) -> Counted:
    """A browser that has signed in with the login before."""
    return Counted(f"browser {nonce}", 5)


def second_factor(user_id: str) -> Counted:
    """The codes of one person. Only who has their password comes so far, so this locks out nobody innocent."""
    return Counted(f"code {user_id}", 5)


class GuessLimit:
    """Counts wrong attempts. In memory and bounded."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Key -> how many were wrong and not forgiven at the last one, and when that was."""

    def begin(self, counted: Sequence[Counted], now: float) -> float:
        """Return how many seconds an attempt has to wait; with 0 it may be made, and counts as wrong until `right`.

        It counts at its beginning: a hundred attempts made at once would otherwise all be the first.
        """
        wait = max((self._wait(each, now) for each in counted), default=0.0)
        if wait > 0:
            return wait
        for each in counted:
            self._wrong[each.key] = (self._count(each, now) + 1, now)
            self._wrong.move_to_end(each.key)
        while len(self._wrong) > MAX_WATCHED:
            self._wrong.popitem(last=False)
        return 0.0

    def right(self, counted: Sequence[Counted], now: float) -> None:
        """Take back what an attempt counted that was right. What others did from the same address stays."""
        for each in counted:
            count = self._count(each, now) - 1
            if count <= 0 or not each.key.startswith("address "):
                self._wrong.pop(each.key, None)
            else:
                self._wrong[each.key] = (count, now)

    def _wait(self, counted: Counted, now: float) -> float:
        surplus = math.ceil(self._count(counted, now)) - counted.free
        if surplus < 0:
            return 0.0
        delay = min(LONGEST, 2.0 ** min(surplus, 20))
        return max(0.0, self._wrong[counted.key][1] + delay - now)

    def _count(self, counted: Counted, now: float) -> float:
        count, last = self._wrong.get(counted.key, (0.0, now))
        return max(0.0, count - (now - last) / counted.forgiven_every)
