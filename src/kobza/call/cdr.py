"""Call detail records: folded from the facts of a call, one for each enterprise that takes part."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cdr:
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
    """The first moment at which any phone of the call rang: when the first `alerting` was told."""
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
    """The call records of one call, growing with its facts. `records` is what is known so far."""

    __slots__ = ("_records_sound", "records")

    def __init__(self) -> None:
        self.records: tuple[Cdr, ...] = ()
        self._records_sound: tuple[bool, ...] = ()

    def feed(self, fact: CallFact) -> bool:
        """Take the next fact of the call; return whether a record changed."""
        match fact:
            case CallStarted():
                self._start(fact)
            case CallRinging() | OriginatorRang():
                if not self.records or self.records[0].ringing_at is not None:
                    return False
                self.records = tuple(replace(record, ringing_at=fact.at) for record in self.records)
            case CallAnswered():
                self.records = tuple(
                    replace(record, answered_at=fact.at, answered_number=fact.answered_number)
                    for record in self.records
                )
            case RecordingStarted():
                self.records = tuple(
                    replace(record, record_id=fact.record_id) if sound else record
                    for record, sound in zip(self.records, self._records_sound, strict=True)
                )
            case CallEnded():
                self.records = tuple(
                    replace(
                        record,
                        ended_at=fact.at,
                        cause=fact.cause,
                        sip_status=fact.sip_status,
                        released_by=fact.released_by,
                    )
                    for record in self.records
                )
            case _:
                return False
        return bool(self.records)

    def _start(self, fact: CallStarted) -> None:
        caller, callee = fact.caller, fact.callee
        records = []
        sound = []
        if caller.enterprise_id is not None:
            local = caller.enterprise_id == callee.enterprise_id
            records.append(_opened(fact, caller, callee, caller.enterprise_id, calls=True))
            sound.append(caller.record or (local and callee.record))
        if callee.enterprise_id is not None and callee.enterprise_id != caller.enterprise_id:
            records.append(_opened(fact, callee, caller, callee.enterprise_id, calls=False))
            sound.append(callee.record)
        self.records = tuple(records)
        self._records_sound = tuple(sound)


def _opened(fact: CallStarted, own: Party, other: Party, enterprise_id: str, *, calls: bool) -> Cdr:
    """Return the record of a call that has just started, for the enterprise of one side."""
    direction = direction_of(own, other, calls=calls)
    return Cdr(
        call_id=fact.call_id,
        enterprise_id=enterprise_id,
        calling_number=fact.caller.number,
        called_number=fact.callee.number,
        started_at=fact.at,
        direction=direction,
        client_state=fact.client_state if calls else None,
        convergent=own.convergent or (direction == "local" and other.convergent),
    )


def fold(facts: Iterable[CallFact]) -> list[Cdr]:
    """Return the records that all the facts of one call make, one for each enterprise that takes part."""
    records = CdrFold()
    for fact in facts:
        records.feed(fact)
    return list(records.records)
