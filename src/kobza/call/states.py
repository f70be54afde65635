"""Call states: the projection of call facts to what each owner is told (contract, section 4)."""

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Any, Final, Literal

from kobza.call.causes import NORMAL_CLEARING, NORMAL_UNSPECIFIED
from kobza.call.durations import ringing_seconds, talk_seconds, to_ms
from kobza.call.events import (
    CallAnswered,
    CallEnded,
    CallFact,
    CallForwarded,
    CallHeld,
    CallPickedUp,
    CallResumed,
    CallRinging,
    CallStarted,
    CallTransferred,
    MemberCalled,
    MemberLeft,
    OriginatorRang,
    RecordingStarted,
    ReleasedBy,
    TransferAnswered,
)
from kobza.call.heard import HeardCall
from kobza.call.routing import Party
from kobza.values import NO_ENTRIES, Leaf

Direction = Literal["incoming", "outgoing", "local"]
"""A call as an owner or an enterprise sees it; local: both sides are of the same enterprise."""


class StateType(StrEnum):
    """What an owner is told of its leg."""

    ALERTING = "alerting"
    ESTABLISHED = "established"
    HELD = "held"
    RESUMED = "resumed"
    FINISHED = "finished"
    RECORD_READY = "record_ready"


EXTENDED: Final = frozenset({StateType.HELD, StateType.RESUMED, StateType.RECORD_READY})
"""States only for those that have asked for more than the three of the operator's service."""


class OwnerState(Leaf, frozen=True, kw_only=True):
    """One call state of one owner. Numbers are E.164 (or short codes), `at` is in seconds, durations in whole ones."""

    event_id: str
    call_id: str
    call_control_id: str
    sequence: int
    """1, 2, 3 … within the call_control_id."""
    state_type: StateType
    enterprise_id: str
    state_owner: str
    phone_number: str
    """The other side."""
    call_direction: Direction
    at: float
    client_state: str | None = None
    extended: bool = False
    """Whether the state is one of `EXTENDED`."""
    record_duration: int | None = None
    """On `record_ready` only: of the mp3."""
    record_remarks: Mapping[str, Any] | None = None
    """On `record_ready` only: what a listener should know of it, as it is told; None: nothing."""
    record_id: str | None = None
    """On `record_ready` and `finished` only."""
    cause: int | None = None
    """From here on: on `finished` only."""
    call_duration: int | None = None
    ringing: int | None = None
    released_by: ReleasedBy | None = None
    heard: HeardCall | None = None
    """For those that have asked for more, how the sides of an answered call heard each other, as far as it is known."""


def direction_of(own: Party, other: Party, *, calls: bool) -> Direction:
    """Return the direction of a call for the enterprise of one of its sides; `calls`: that side is the caller."""
    if own.enterprise_id == other.enterprise_id:
        return "local"
    return "outgoing" if calls else "incoming"


NO_CLIENT_STATE: Final[tuple[str | None, str | None]] = (None, None)


class _Owner:
    """What one owner has been told so far."""

    __slots__ = (
        "alerting_ms",
        "answered_ms",
        "call_direction",
        "calls",
        "client_state",
        "enterprise_id",
        "leg_id",
        "number",
        "other",
        "sequence",
    )

    def __init__(
        self, leg_id: str, own: Party, other: Party, enterprise_id: str, client_state: str | None, *, calls: bool
    ) -> None:
        self.calls = calls
        self.enterprise_id = enterprise_id
        self.number = own.number
        self.other = other.seen_by(own.enterprise_id)
        """The other side when the leg began; it stays that for the leg's life."""
        self.leg_id = leg_id
        self.call_direction = direction_of(own, other, calls=calls)
        self.client_state = client_state
        self.sequence = 0
        self.alerting_ms: int | None = None
        self.answered_ms: int | None = None


class OwnerStates:
    """The call states of one call: feed it every fact of the call, in order.

    An owner is told: `alerting` once, when its phone rings or the far end does; `established`; `held` and `resumed`
    of its own leg; and `finished` exactly once if it was told anything before, when the call ends or it transfers its
    side away. Who is called by a transfer is told of a leg of its own, and so is who is called by forwarding, or as a
    member of a ringing group, and who picks a call up: told nothing before `established`. The originator of a
    click2dial call is always told `finished`, because the API gave its leg's id away. `record_ready` comes to those
    that talked. `extended_for` names the enterprises for which the states `held`, `resumed` and `record_ready` are
    made at all, so that the sequence has no gaps for the others; None: all. The client_state is told to the
    enterprise that gave it.
    """

    __slots__ = (
        "_call_id",
        "_client_state",
        "_extended_for",
        "_left",
        "_new_id",
        "_originated",
        "_owners",
        "_record_ids",
    )

    def __init__(self, new_id: Callable[[], str], *, extended_for: Collection[str] | None = None) -> None:
        self._new_id = new_id
        self._call_id = ""
        self._extended_for = extended_for
        self._owners: tuple[_Owner, ...] = ()
        self._left: tuple[_Owner, ...] = ()
        """Owners that have transferred their side away: told `finished` already."""
        self._originated = False
        self._client_state = NO_CLIENT_STATE
        """Whose it is, and what it says."""
        self._record_ids: Mapping[str, str] = NO_ENTRIES
        """By enterprise. Replaced when another recording begins."""

    def feed(self, fact: CallFact) -> list[OwnerState]:
        """Take the next fact; return the states that follow from it, the calling side's first."""
        # Of the facts of a plain call each is found at once: asking whether a struct is of a class costs more.
        if type(fact) is CallRinging:
            return self._ring(fact)
        if type(fact) is CallAnswered:
            answered_ms = to_ms(fact.at)
            return [self._established(owner, fact, answered_ms) for owner in self._owners]
        if type(fact) is CallEnded:
            return self._finish(fact)
        if type(fact) is CallStarted:
            self._start(fact)
            return []
        return self._feed_rare(fact)

    def _feed_rare(self, fact: CallFact) -> list[OwnerState]:
        match fact:
            case OriginatorRang():
                return self._ring(fact)
            case RecordingStarted():
                self._record_ids = {**self._record_ids, fact.enterprise_id: fact.record_id}
                return []
            case CallHeld():
                return self._extended(StateType.HELD, fact)
            case CallResumed():
                return self._extended(StateType.RESUMED, fact)
            case MemberCalled():
                self._add_owner(fact.leg_id, fact.party, fact.kept, calls=False)
                return []
            case MemberLeft():
                return self._leave(fact)
            case CallTransferred() | CallForwarded() | CallPickedUp():
                return self._transfer(fact)
            case TransferAnswered():
                answered_ms = to_ms(fact.at)
                return [
                    self._established(owner, fact, answered_ms) for owner in self._owners if owner.leg_id == fact.leg_id
                ]
            case _:
                raise TypeError(f"not a call fact: {fact!r}")

    def record_ready(
        self,
        enterprise_id: str,
        record_id: str,
        record_duration: int,
        at: float,
        remarks: Mapping[str, Any] | None = None,
    ) -> list[OwnerState]:
        """Return the states that follow when a recording is ready while the call is on: for each who has talked."""
        if not self._wants_extended(enterprise_id):
            return []
        return [
            self._state(
                owner,
                StateType.RECORD_READY,
                at,
                record_id=record_id,
                record_duration=record_duration,
                record_remarks=remarks,
            )
            for owner in (*self._owners, *self._left)
            if owner.enterprise_id == enterprise_id and owner.answered_ms is not None
        ]

    @property
    def tells_quality(self) -> bool:
        """Whether somebody who has talked is told, when the call ends, how it was heard."""
        return any(
            owner.answered_ms is not None and self._wants_extended(owner.enterprise_id) for owner in self._owners
        )

    def _start(self, fact: CallStarted) -> None:
        caller, callee = fact.caller, fact.callee
        self._call_id = fact.call_id
        if fact.client_state is not None:
            self._client_state = (caller.enterprise_id, fact.client_state)
        self._add_owner(fact.caller_leg_id, caller, callee, calls=True)
        self._add_owner(fact.callee_leg_id, callee, caller, calls=False)
        self._originated = fact.origin == "api"

    def _add_owner(self, leg_id: str, own: Party, other: Party, *, calls: bool) -> None:
        if own.owner and own.enterprise_id is not None:
            whose, client_state = self._client_state
            own_state = client_state if whose == own.enterprise_id else None
            self._owners += (_Owner(leg_id, own, other, own.enterprise_id, own_state, calls=calls),)

    def _transfer(self, fact: CallTransferred | CallForwarded | CallPickedUp) -> list[OwnerState]:
        """Tell the owner that left of its end; the one who is called in its place is told when its phone rings."""
        states = self._leave(fact)
        self._add_owner(fact.new_leg_id, fact.party, fact.kept, calls=False)
        return states

    def _leave(self, fact: CallTransferred | CallForwarded | CallPickedUp | MemberLeft) -> list[OwnerState]:
        """Tell the owner of a leg that is over of its end, if it was told of its beginning."""
        states = []
        for owner in self._owners:
            if owner.leg_id == fact.leg_id:
                self._owners = tuple([each for each in self._owners if each is not owner])
                self._left += (owner,)
                if owner.sequence:
                    states.append(self._finished(owner, fact, fact.cause, fact.released_by))
                break
        return states

    def _established(self, owner: _Owner, fact: CallFact, answered_ms: int) -> OwnerState:
        owner.answered_ms = answered_ms
        return self._state(owner, StateType.ESTABLISHED, fact.at)

    def _ring(self, fact: CallRinging | OriginatorRang) -> list[OwnerState]:
        states = []
        own_phone_only, alerting_ms = isinstance(fact, OriginatorRang), to_ms(fact.at)
        for owner in self._owners:
            rings = owner.alerting_ms is None and owner.answered_ms is None
            if rings and (owner.leg_id == fact.leg_id or (owner.calls and not own_phone_only)):
                owner.alerting_ms = alerting_ms
                states.append(self._state(owner, StateType.ALERTING, fact.at))
        return states

    def _extended(self, state_type: StateType, fact: CallHeld | CallResumed) -> list[OwnerState]:
        return [
            self._state(owner, state_type, fact.at)
            for owner in self._owners
            if owner.leg_id == fact.leg_id and self._wants_extended(owner.enterprise_id)
        ]

    def _finish(self, fact: CallEnded) -> list[OwnerState]:
        states = []
        for owner in self._owners:
            promised = self._originated and owner.calls
            if owner.sequence or promised:
                gave_up = fact.cause == NORMAL_CLEARING and fact.sip_status == 200 and owner.answered_ms is None
                cause = NORMAL_UNSPECIFIED if gave_up else fact.cause
                states.append(self._finished(owner, fact, cause, fact.released_by))
        self._owners = ()
        return states

    def _finished(self, owner: _Owner, fact: CallFact, cause: int, released_by: ReleasedBy) -> OwnerState:
        ended_ms = to_ms(fact.at)
        return self._state(
            owner,
            StateType.FINISHED,
            fact.at,
            cause=cause,
            call_duration=talk_seconds(owner.answered_ms, ended_ms),
            ringing=ringing_seconds(owner.alerting_ms, owner.answered_ms, ended_ms),
            released_by=released_by,
            record_id=self._record_ids.get(owner.enterprise_id),
            heard=fact.heard
            if isinstance(fact, CallEnded)
            and owner.answered_ms is not None
            and self._wants_extended(owner.enterprise_id)
            else None,
        )

    def _wants_extended(self, enterprise_id: str) -> bool:
        return self._extended_for is None or enterprise_id in self._extended_for

    def _state(
        self,
        owner: _Owner,
        state_type: StateType,
        at: float,
        *,
        record_duration: int | None = None,
        record_remarks: Mapping[str, Any] | None = None,
        record_id: str | None = None,
        cause: int | None = None,
        call_duration: int | None = None,
        ringing: int | None = None,
        released_by: ReleasedBy | None = None,
        heard: HeardCall | None = None,
    ) -> OwnerState:
        """Make the next state of an owner; only some states have what is named behind the moment."""
        owner.sequence += 1
        return OwnerState(
            event_id=self._new_id(),
            call_id=self._call_id,
            call_control_id=owner.leg_id,
            sequence=owner.sequence,
            state_type=state_type,
            enterprise_id=owner.enterprise_id,
            state_owner=owner.number,
            phone_number=owner.other,
            call_direction=owner.call_direction,
            at=at,
            client_state=owner.client_state,
            extended=state_type in EXTENDED,
            record_duration=record_duration,
            record_remarks=record_remarks,
            record_id=record_id,
            cause=cause,
            call_duration=call_duration,
            ringing=ringing,
            released_by=released_by,
            heard=heard,
        )
