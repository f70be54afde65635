"""Whether the server can do its work now, part by part: for load balancers, service managers and people."""

from dataclasses import dataclass
from typing import Final, Literal

from kobza.observe.sources import Sources

State = Literal["ok", "failing"]

COMMITS_WITHIN: Final = 10.0
"""Seconds within which something must have been committed: a sign of life is, every two, when there is nothing else."""
WAITS_AT_MOST: Final = 5.0
"""Seconds that an entry of the journal may wait; usually it is some milliseconds."""


@dataclass(frozen=True, slots=True)
class Check:
    """One part. `reason` is for people and holds no secret; "" when all is well."""

    name: str
    reason: str = ""

    @property
    def state(self) -> State:
        """In one word."""
        return "failing" if self.reason else "ok"


async def look(sources: Sources) -> list[Check]:
    """Look at every part the server cannot do without."""
    answers = await sources.store_answers()
    return [
        Check("store", _store(sources, answers)),
        Check("journal", _journal(sources)),
        Check("sip", "" if sources.switch.endpoint.sockets else "no socket is bound"),
        Check("media", sources.plane.trouble),
    ]


def _store(sources: Sources, answers: bool) -> str:
    if not answers:
        return "it does not answer"
    if sources.journal.failing:
        return "it cannot be written: the last commit failed and is tried again"
    ago = sources.journal.stored_ago
    if ago is None or ago > COMMITS_WITHIN:
        return "nothing was committed for some seconds: it cannot be written"
    return ""


def _journal(sources: Sources) -> str:
    journal = sources.journal
    if not journal.running:
        return "it takes nothing"
    if journal.full:
        return "it is full: new calls are refused"
    if journal.oldest_age > WAITS_AT_MOST:
        return "what calls produce waits for some seconds"
    return ""
