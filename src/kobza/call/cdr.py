"""Call detail records: folded from the facts of a call, one for each enterprise that takes part."""

from collections.abc import Iterable, Mapping

from kobza.call.causes import sip_from_cause
from kobza.call.events import (
    CallAnswered,
    CallEnded,
    CallFact,
    CallForwarded,
    CallPickedUp,
    CallRinging,
    CallStarted,
    CallTransferred,
    MemberCalled,
    OriginatorRang,
    RecordingStarted,
    ReleasedBy,
    TransferAnswered,
)
from kobza.call.routing import Party
from kobza.call.states import Direction, direction_of
from kobza.values import NO_ENTRIES, Leaf


class Cdr(Leaf, frozen=True, kw_only=True):
    """The record of one call for one enterprise. Numbers are E.164 or short codes, moments seconds (the store rounds).

    `ended_at` None: the call is still on; then `cause`, `sip_status` and `released_by` are None as well.
    """

    call_id: str
    enterprise_id: str
    calling_number: str
    called_number: str
    started_at: float
    direction: Direction
    convergent: bool
    """Whether a number of the enterprise that takes part has the package "Convergent"."""
    answered_number: str | None = None
    ringing_at: float | None = None
    """When the called side rang; for the calling side of a click2dial call, when its own phone did, if that is earlier.
    So it is the moment of the enterprise's first `alerting`."""
    answered_at: float | None = None
    ended_at: float | None = None
    cause: int | None = None
    sip_status: int | None = None
    released_by: ReleasedBy | None = None
    record_id: str | None = None
    client_state: str | None = None


class _Joined:
    """What the record of an enterprise says that came into the call by a transfer, or because it was forwarded."""

    __slots__ = ("answered_at", "answered_number", "ended", "fact", "leg_id", "number", "ringing_at")

    def __init__(self, fact: CallTransferred | CallForwarded) -> None:
        self.fact = fact
        self.number = fact.party.number
        """Who is called on it, or has picked it up."""
        self.leg_id = fact.new_leg_id
        """The leg that it is about: where a call is forwarded, the one that follows."""
        self.answered_number: str | None = None
        self.ringing_at: float | None = None
        self.answered_at: float | None = None
        self.ended: tuple[float, int, ReleasedBy] | None = None
        """When its leg was over, and why, if that was before the end of the call."""


class CdrFold:
    """The call records of one call, growing with its facts; `records` is what is known so far.

    A transfer changes who answered, and so does forwarding, no more; an enterprise that comes into the call by them
    gets a record of its leg, of a forwarded one together with those that follow.
    """

    __slots__ = (
        "_answered_at",
        "_answered_number",
        "_ended",
        "_joined",
        "_members",
        "_originator_rang_at",
        "_record_ids",
        "_ringing_at",
        "_started",
    )

    def __init__(self) -> None:
        self._started: CallStarted | None = None
        self._originator_rang_at: float | None = None
        self._ringing_at: float | None = None
        self._answered_at: float | None = None
        self._answered_number: str | None = None
        self._record_ids: Mapping[str, str] = NO_ENTRIES
        """By enterprise. This one and the next ones are mostly empty, and replaced when they grow."""
        self._joined: Mapping[str, _Joined] = NO_ENTRIES
        """By enterprise."""
        self._members: Mapping[str, str] = NO_ENTRIES
        """Of ringing groups: the group's leg by the member's."""
        self._ended: CallEnded | None = None

    def feed(self, fact: CallFact) -> bool:
        """Take the next fact of the call; return whether the records changed."""
        if type(fact) is CallStarted:
            self._started = fact
        elif type(fact) is CallRinging:
            if self._answered_at is None and self._ringing_at is None:
                self._ringing_at = fact.at
            for joined in self._of_leg(fact.leg_id):
                if joined.ringing_at is None:
                    joined.ringing_at = fact.at
        elif type(fact) is CallAnswered:
            self._answered_at = fact.at
            self._answered_number = fact.answered_number
            for joined in self._of_leg(fact.leg_id):
                joined.answered_at, joined.answered_number = fact.at, fact.answered_number
        elif type(fact) is CallEnded:
            self._ended = fact
        else:
            return self._feed_rare(fact)
        return True

    def _feed_rare(self, fact: CallFact) -> bool:
        match fact:
            case OriginatorRang():
                self._originator_rang_at = fact.at
            case RecordingStarted():
                self._record_ids = {**self._record_ids, fact.enterprise_id: fact.record_id}
            case CallTransferred():
                self._transfer(fact)
            case MemberCalled():
                self._members = {**self._members, fact.leg_id: fact.group_leg_id}
                return False
            case CallForwarded():
                for joined in self._of_leg(fact.leg_id):
                    joined.leg_id = fact.new_leg_id
                self._join(fact)
            case CallPickedUp():
                for joined in self._of_leg(fact.leg_id):
                    joined.leg_id, joined.number = fact.new_leg_id, fact.party.number
                return False
            case TransferAnswered():
                self._answered_number = fact.answered_number
                for joined in self._of_leg(fact.leg_id):
                    joined.answered_at, joined.answered_number = fact.at, joined.number
            case _:
                return False
        return True

    def _transfer(self, fact: CallTransferred) -> None:
        for joined in self._of_leg(fact.leg_id):
            joined.ended = (fact.at, fact.cause, fact.released_by)
        self._join(fact)

    def _join(self, fact: CallTransferred | CallForwarded) -> None:
        """Give an enterprise that has no record of the call yet one of the leg by which it comes in."""
        enterprise_id, started = fact.party.enterprise_id, self._started
        if enterprise_id is None or started is None or enterprise_id in self._joined:
            return
        if enterprise_id not in (started.caller.enterprise_id, started.callee.enterprise_id):
            self._joined = {**self._joined, enterprise_id: _Joined(fact)}

    def _of_leg(self, leg_id: str) -> Iterable[_Joined]:
        if not self._joined:
            return ()
        leg_id = self._members.get(leg_id, leg_id)
        return [joined for joined in self._joined.values() if joined.leg_id == leg_id]

    @property
    def records(self) -> tuple[Cdr, ...]:
        """One record for each enterprise that takes part, the calling side's first; none before CallStarted."""
        started = self._started
        if started is None:
            return ()
        caller, callee = started.caller, started.callee
        calling, called = caller.enterprise_id, callee.enterprise_id
        records = []
        if calling is not None:
            records.append(self._record(started, caller, callee, calling, calls=True))
        if called is not None and called != calling:
            records.append(self._record(started, callee, caller, called, calls=False))
        if self._joined:
            records += [self._record_of(joined, enterprise_id) for enterprise_id, joined in self._joined.items()]
        return tuple(records)

    def _record_of(self, joined: _Joined, enterprise_id: str) -> Cdr:
        """Return the record of an enterprise that came into the call by a transfer."""
        fact, ended = joined.fact, joined.ended
        if ended is None and self._ended is not None:
            ended = (self._ended.at, self._ended.cause, self._ended.released_by)
        answered = joined.answered_at is not None
        status = None
        if ended is not None:
            status = 200 if answered else sip_from_cause(ended[1])
        return Cdr(
            call_id=fact.call_id,
            enterprise_id=enterprise_id,
            calling_number=fact.kept.seen_by(enterprise_id),
            called_number=fact.party.number,
            answered_number=joined.answered_number,
            started_at=fact.at,
            ringing_at=joined.ringing_at,
            answered_at=joined.answered_at,
            ended_at=None if ended is None else ended[0],
            direction=direction_of(fact.party, fact.kept, calls=False),
            cause=None if ended is None else ended[1],
            sip_status=status,
            released_by=None if ended is None else ended[2],
            record_id=self._record_ids.get(enterprise_id),
            convergent=fact.party.convergent,
        )

    def _record(self, started: CallStarted, own: Party, other: Party, enterprise_id: str, *, calls: bool) -> Cdr:
        """Return the record for the enterprise of one side. A recording is that of the enterprise that asked for it."""
        direction = direction_of(own, other, calls=calls)
        local = direction == "local"
        ended = self._ended
        rang_first = self._originator_rang_at if calls else None
        return Cdr(
            call_id=started.call_id,
            enterprise_id=enterprise_id,
            calling_number=started.caller.seen_by(enterprise_id),
            called_number=started.callee.number,
            answered_number=self._answered_number,
            started_at=started.at,
            ringing_at=self._ringing_at if rang_first is None else rang_first,
            answered_at=self._answered_at,
            ended_at=None if ended is None else ended.at,
            direction=direction,
            cause=None if ended is None else ended.cause,
            sip_status=None if ended is None else ended.sip_status,
            released_by=None if ended is None else ended.released_by,
            record_id=self._record_ids.get(enterprise_id),
            client_state=started.client_state if calls else None,
            convergent=own.convergent or (local and other.convergent),
        )


def fold(facts: Iterable[CallFact]) -> list[Cdr]:
    """Return the records that all the facts of one call make, one for each enterprise that takes part."""
    records = CdrFold()
    for fact in facts:
        records.feed(fact)
    return list(records.records)
