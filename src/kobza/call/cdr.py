"""Call detail records: folded from the facts of a call, one for each enterprise that takes part."""

from collections.abc import Iterable

from msgspec import Struct

from kobza.call.events import (
    CallAnswered,
    CallEnded,
    CallFact,
    CallRinging,
    CallStarted,
    OriginatorRang,
    RecordingStarted,
    ReleasedBy,
)
from kobza.call.routing import Party
from kobza.call.states import Direction, direction_of


class Cdr(Struct, frozen=True, kw_only=True):
    """The record of one call for one enterprise. Numbers are E.164 or short codes, moments seconds (the store rounds).

    `ended_at` None: the call is still on; then `cause`, `sip_status` and `released_by` are None as well.
    """

    call_id: str
    enterprise_id: str
    calling_number: str
    called_number: str
    answered_number: str | None = None
    started_at: float
    ringing_at: float | None = None
    """When the called side rang; for the calling side of a click2dial call, when its own phone did, if that is earlier.
    So it is the moment of the enterprise's first `alerting`."""
    answered_at: float | None = None
    ended_at: float | None = None
    direction: Direction
    cause: int | None = None
    sip_status: int | None = None
    released_by: ReleasedBy | None = None
    record_id: str | None = None
    client_state: str | None = None
    convergent: bool
    """Whether a number of the enterprise that takes part has the package "Convergent"."""


class CdrFold:
    """The call records of one call, growing with its facts; `records` is what is known so far."""

    __slots__ = ("_answered", "_ended", "_originator_rang_at", "_record_id", "_ringing_at", "_started")

    def __init__(self) -> None:
        self._started: CallStarted | None = None
        self._originator_rang_at: float | None = None
        self._ringing_at: float | None = None
        self._answered: CallAnswered | None = None
        self._record_id: str | None = None
        self._ended: CallEnded | None = None

    def feed(self, fact: CallFact) -> bool:
        """Take the next fact of the call; return whether the records changed."""
        match fact:
            case CallStarted():
                self._started = fact
            case CallRinging():
                self._ringing_at = fact.at
            case OriginatorRang():
                self._originator_rang_at = fact.at
            case CallAnswered():
                self._answered = fact
            case RecordingStarted():
                self._record_id = fact.record_id
            case CallEnded():
                self._ended = fact
            case _:
                return False
        return True

    @property
    def records(self) -> tuple[Cdr, ...]:
        """One record for each enterprise that takes part, the calling side's first; none before CallStarted."""
        started = self._started
        if started is None:
            return ()
        caller, callee = started.caller, started.callee
        records = []
        if caller.enterprise_id is not None:
            records.append(self._record(started, caller, callee, caller.enterprise_id, calls=True))
        if callee.enterprise_id is not None and callee.enterprise_id != caller.enterprise_id:
            records.append(self._record(started, callee, caller, callee.enterprise_id, calls=False))
        return tuple(records)

    def _record(self, started: CallStarted, own: Party, other: Party, enterprise_id: str, *, calls: bool) -> Cdr:
        """Return the record for the enterprise of one side. A recording is that of the enterprise that asked for it."""
        direction = direction_of(own, other, calls=calls)
        local = direction == "local"
        answered, ended = self._answered, self._ended
        rang_first = self._originator_rang_at if calls else None
        return Cdr(
            call_id=started.call_id,
            enterprise_id=enterprise_id,
            calling_number=started.caller.number,
            called_number=started.callee.number,
            answered_number=None if answered is None else answered.answered_number,
            started_at=started.at,
            ringing_at=self._ringing_at if rang_first is None else rang_first,
            answered_at=None if answered is None else answered.at,
            ended_at=None if ended is None else ended.at,
            direction=direction,
            cause=None if ended is None else ended.cause,
            sip_status=None if ended is None else ended.sip_status,
            released_by=None if ended is None else ended.released_by,
            record_id=self._record_id if own.record or (local and other.record) else None,
            client_state=started.client_state if calls else None,
            convergent=own.convergent or (local and other.convergent),
        )


def fold(facts: Iterable[CallFact]) -> list[Cdr]:
    """Return the records that all the facts of one call make, one for each enterprise that takes part."""
    records = CdrFold()
    for fact in facts:
        records.feed(fact)
    return list(records.records)
