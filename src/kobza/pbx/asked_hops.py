"""The servers of one trunk, each asked by OPTIONS whether it is there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from kobza.sip.flow import host_text
from kobza.sip.location import NextHop
from kobza.sip.message import SipResponse
from kobza.sip.probe import Probe, Reach
from kobza.sip.request import ClientRequest

NO_WAY: Final = 503
"""Status of a request that could not even be sent."""

Ask = Callable[[NextHop, float], ClientRequest]
"""Sends a question to a hop; raises ValueError when no socket leads there."""


@dataclass(slots=True)
class _Asked:
    probe: Probe
    question: ClientRequest | None = None
    """The one that is under way."""


class AskedHops:
    """What is known of each hop. `changed(hop, down)` hears when one begins or ceases to answer."""

    def __init__(self, every: float, ask: Ask, changed: Callable[[NextHop, bool, float], None]) -> None:
        """`every`: seconds between two questions to each; 0: none is asked."""
        self._every = every
        self._ask = ask
        self._changed = changed
        self._asked: dict[NextHop, _Asked] = {}

    def follow(self, hops: Iterable[NextHop], now: float) -> None:
        """Take over where the trunk is now; what is known of hops that it had before stays."""
        before, self._asked = self._asked, {}
        for hop in hops:
            asked = before.get(hop)
            if asked is None:
                asked = _Asked(Probe(self._every))
                asked.probe.start(now)
            self._asked[hop] = asked

    def __len__(self) -> int:
        """How many hops there are."""
        return len(self._asked)

    @property
    def deadline(self) -> float | None:
        """When `work` has something to do."""
        return min(
            (each.probe.deadline for each in self._asked.values() if each.probe.deadline is not None), default=None
        )

    @property
    def reach(self) -> Reach:
        """Whether any is there."""
        states = {each.probe.state for each in self._asked.values()}
        return next((state for state in (Reach.UP, Reach.UNKNOWN) if state in states), Reach.DOWN)

    @property
    def detail(self) -> str:
        """Why those that are down are so, in words."""
        details = {hop: each.probe.detail for hop, each in self._asked.items() if each.probe.detail}
        if len(self._asked) == 1:
            return next(iter(details.values()), "")
        return "; ".join(f"{host_text(hop.address[0])}:{hop.address[1]}: {text}" for hop, text in details.items())

    def suspect(self, hop: NextHop, now: float) -> None:
        """Take that a call by a hop failed: it is asked at once."""
        if (asked := self._asked.get(hop)) is not None:
            asked.probe.suspect(now)

    def work(self, now: float) -> None:
        """Send the questions that are due."""
        for hop, asked in list(self._asked.items()):
            before = asked.probe.state
            if asked.probe.handle_timer(now):
                try:
                    asked.question = self._ask(hop, now)
                except ValueError:
                    asked.probe.failed(NO_WAY, now)
            self._note(hop, asked, before, now)

    def stop(self) -> None:
        """Ask no more."""
        self._asked = {}

    def answered(self, request: ClientRequest, response: SipResponse, now: float) -> bool:
        """Take the final response to a question; False: it is none. One to an older question says nothing any more."""
        return self._settle(request, now, lambda probe: probe.answered(response.status, response.reason, now))

    def failed(self, request: ClientRequest, status: int, now: float) -> bool:
        """Take that a question gets no response; False: it is none."""
        return self._settle(request, now, lambda probe: probe.failed(status, now))

    def _settle(self, request: ClientRequest, now: float, outcome: Callable[[Probe], None]) -> bool:
        for hop, asked in self._asked.items():
            if asked.question is request:
                asked.question = None
                before = asked.probe.state
                outcome(asked.probe)
                self._note(hop, asked, before, now)
                return True
        return False

    def _note(self, hop: NextHop, asked: _Asked, before: Reach, now: float) -> None:
        down = asked.probe.state is Reach.DOWN
        if down != (before is Reach.DOWN):
            self._changed(hop, down, now)
