"""The legs of an endpoint that is behind which need not wait for its backlog: all that is pending of them is in memory.

Those are legs of calls that go on: they began when the backlog was there already, or all that they had before is taken.
"""

from typing import Final

from kobza.webhooks.queue import Delivery

REMEMBERED: Final = 10_000
"""Legs in mind, about 2 MB; then the one that came first is forgotten. What is forgotten is asked about again."""
MOST_ASKED: Final = 1000
"""Deliveries that wait for the store's answer; what comes then is left to the store."""


class WholeLegs:
    """Which legs are whole, and what waits for the store to say whether its leg is."""

    __slots__ = ("_asked", "_legs", "_new", "asked")

    def __init__(self) -> None:
        self._legs: dict[str, None] = {}
        self._asked: dict[str, list[Delivery]] = {}
        """Leg -> its deliveries that wait for the answer, by sequence."""
        self._new: list[Delivery] = []
        """The first ones of those legs about which the store is still to be asked."""
        self.asked = 0
        """Deliveries that wait for an answer."""

    def __contains__(self, leg: object) -> bool:
        return leg in self._legs

    def is_asked(self, leg: str) -> bool:
        """Tell whether the store is being asked about a leg: what it has is not to be had from elsewhere meanwhile."""
        return leg in self._asked

    def add(self, leg: str) -> None:
        """Note that all that is pending of a leg is in memory."""
        if len(self._legs) >= REMEMBERED and leg not in self._legs:
            del self._legs[next(iter(self._legs))]
        self._legs[leg] = None

    def discard(self, leg: str) -> None:
        """Forget a leg: something of it is left to the store. An answer about it comes too late."""
        self._legs.pop(leg, None)
        self.asked -= len(self._asked.pop(leg, ()))

    def clear(self) -> None:
        """Forget all legs. Answers come too late."""
        self._legs.clear()
        self._asked.clear()
        self._new.clear()
        self.asked = 0

    def ask(self, delivery: Delivery) -> bool:
        """Let a delivery wait until the store has said whether its leg is whole; return False when too many wait."""
        leg = delivery.call_control_id
        if self.asked >= MOST_ASKED:
            self.discard(leg)
            return False
        self.asked += 1
        if leg in self._asked:
            self._asked[leg].append(delivery)
        else:
            self._asked[leg] = [delivery]
            self._new.append(delivery)
        return True

    @property
    def has_questions(self) -> bool:
        """Whether there is a leg about which the store is to be asked now."""
        return bool(self._new)

    def questions(self) -> list[Delivery]:
        """Return the deliveries about whose legs the store is to be asked now."""
        questions, self._new = self._new, []
        return questions

    def answered(self, question: Delivery) -> list[Delivery]:
        """Return what waited for an answer, by sequence; nothing when it comes too late."""
        leg = question.call_control_id
        waiting = self._asked.get(leg)
        if not waiting or waiting[0] is not question:
            return []
        self.asked -= len(waiting)
        return self._asked.pop(leg)
