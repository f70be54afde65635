"""Call states: the projection of call facts to what each owner is told (contract, section 4)."""

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from kobza.call.durations import ringing_seconds, talk_seconds, to_ms
from kobza.call.events import (
    CallAnswered,
    CallEnded,
    CallFact,
    CallHeld,
    CallResumed,
    CallRinging,
    CallStarted,
    OriginatorRang,
    RecordingStarted,
    ReleasedBy,
)
from kobza.call.routing import Party

Direction = Literal["incoming", "outgoing", "local"]
"""A call as an owner or an enterprise sees it; local: both sides are of the same enterprise."""


class StateType(StrEnum):
    """What an owner is told of its leg."""

    ALERTING = "alerting"
    ESTABLISHED = "established"
    HELD = "held"
    RESUMED = "resumed"
    FINISHED = "finished"


class OwnerState(Struct, frozen=True, kw_only=True):
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
    """Only for endpoints that have asked for more than the three states of the operator's service."""
    cause: int | None = None
    """From here on: on `finished` only."""
    call_duration: int | None = None
    ringing: int | None = None
    released_by: ReleasedBy | None = None
    record_id: str | None = None


def direction_of(own: Party, other: Party, *, calls: bool) -> Direction:
    """Return the direction of a call for the enterprise of one of its sides; `calls`: that side is the caller."""
    if own.enterprise_id == other.enterprise_id:
        return "local"
    return "outgoing" if calls else "incoming"


class _Owner:
    """What one owner has been told so far."""

    __slots__ = (
        "alerting_ms",
        "call_direction",
        "calls",
        "client_state",
        "enterprise_id",
        "leg_id",
        "number",
        "other",
        "sees_recording",
        "sequence",
    )

    def __init__(self, started: CallStarted, own: Party, other: Party, enterprise_id: str, *, calls: bool) -> None:
        self.calls = calls
        self.enterprise_id = enterprise_id
        self.number = own.number
        self.other = other.number
        self.leg_id = started.caller_leg_id if calls else started.callee_leg_id
        self.call_direction = direction_of(own, other, calls=calls)
        local = self.call_direction == "local"
        self.client_state = started.client_state if calls or local else None
        self.sees_recording = own.record or (local and other.record)
        self.sequence = 0
        self.alerting_ms: int | None = None


class OwnerStates:
    """The call states of one call: feed it every fact of the call, in order.

    An owner is told: `alerting` once, when its phone rings or the far end does; `established`; `held` and `resumed` of
    its own leg; and `finished` exactly once if it was told anything before. The originator of a click2dial call is
    always told `finished`, because the API gave its leg's id away. `extended_for` names the enterprises for which the
    states `held` and `resumed` are made at all, so that the sequence has no gaps for the others; None: all.
    """

    __slots__ = ("_answered_ms", "_extended_for", "_new_id", "_originated", "_owners", "_record_id")

    def __init__(self, new_id: Callable[[], str], *, extended_for: Collection[str] | None = None) -> None:
        self._new_id = new_id
        self._extended_for = extended_for
        self._owners: tuple[_Owner, ...] = ()
        self._originated = False
        self._answered_ms: int | None = None
        self._record_id: str | None = None

    def feed(self, fact: CallFact) -> list[OwnerState]:
        """Take the next fact; return the states that follow from it, the calling side's first."""
        match fact:
            case CallRinging() | OriginatorRang():
                return self._ring(fact)
            case CallAnswered():
                self._answered_ms = to_ms(fact.at)
                return [self._state(owner, StateType.ESTABLISHED, fact) for owner in self._owners]
            case CallEnded():
                return self._finish(fact)
            case CallStarted():
                self._start(fact)
                return []
            case RecordingStarted():
                self._record_id = fact.record_id
                return []
            case CallHeld():
                return self._extended(StateType.HELD, fact)
            case CallResumed():
                return self._extended(StateType.RESUMED, fact)
            case _:
                raise TypeError(f"not a call fact: {fact!r}")

    def _start(self, fact: CallStarted) -> None:
        caller, callee = fact.caller, fact.callee
        owners = []
        if caller.owner and caller.enterprise_id is not None:
            owners.append(_Owner(fact, caller, callee, caller.enterprise_id, calls=True))
        if callee.owner and callee.enterprise_id is not None:
            owners.append(_Owner(fact, callee, caller, callee.enterprise_id, calls=False))
        self._owners = tuple(owners)
        self._originated = fact.origin == "api"

    def _ring(self, fact: CallRinging | OriginatorRang) -> list[OwnerState]:
        states = []
        own_phone_only = isinstance(fact, OriginatorRang)
        for owner in self._owners:
            if owner.alerting_ms is None and (not own_phone_only or owner.leg_id == fact.leg_id):
                owner.alerting_ms = to_ms(fact.at)
                states.append(self._state(owner, StateType.ALERTING, fact))
        return states

    def _extended(self, state_type: StateType, fact: CallHeld | CallResumed) -> list[OwnerState]:
        return [
            self._state(owner, state_type, fact)
            for owner in self._owners
            if owner.leg_id == fact.leg_id and (self._extended_for is None or owner.enterprise_id in self._extended_for)
        ]

    def _finish(self, fact: CallEnded) -> list[OwnerState]:
        states = []
        for owner in self._owners:
            promised = self._originated and owner.calls
            if owner.sequence or promised:
                states.append(self._finished(owner, fact))
        self._owners = ()
        return states

    def _finished(self, owner: _Owner, fact: CallEnded) -> OwnerState:
        ended_ms = to_ms(fact.at)
        owner.sequence += 1
        return OwnerState(
            event_id=self._new_id(),
            call_id=fact.call_id,
            call_control_id=owner.leg_id,
            sequence=owner.sequence,
            state_type=StateType.FINISHED,
            enterprise_id=owner.enterprise_id,
            state_owner=owner.number,
            phone_number=owner.other,
            call_direction=owner.call_direction,
            at=fact.at,
            client_state=owner.client_state,
            cause=fact.cause,
            call_duration=talk_seconds(self._answered_ms, ended_ms),
            ringing=ringing_seconds(owner.alerting_ms, self._answered_ms, ended_ms),
            released_by=fact.released_by,
            record_id=self._record_id if owner.sees_recording else None,
        )

    def _state(self, owner: _Owner, state_type: StateType, fact: CallFact) -> OwnerState:
        owner.sequence += 1
        return OwnerState(
            event_id=self._new_id(),
            call_id=fact.call_id,
            call_control_id=owner.leg_id,
            sequence=owner.sequence,
            state_type=state_type,
            enterprise_id=owner.enterprise_id,
            state_owner=owner.number,
            phone_number=owner.other,
            call_direction=owner.call_direction,
            at=fact.at,
            client_state=owner.client_state,
            extended=state_type in (StateType.HELD, StateType.RESUMED),
        )
