"""Call facts: what happened to a call, in the past tense. Call states and call records are folded from them.

Every fact of a call comes exactly once, in order: CallStarted first, CallEnded last. `at` is in seconds since the Unix
epoch. A leg is one side of the call (`leg_id` is the contract's `call_control_id`).
"""

from typing import Literal

from kobza.call.heard import HeardCall
from kobza.call.routing import Party
from kobza.values import Leaf

Origin = Literal["phone", "trunk", "api"]
"""Who started a call: a phone of ours, somebody outside, or a click2dial request."""

ReleasedBy = Literal["caller", "called", "api", "network"]
"""Who ended a call."""


class CallFact(Leaf, frozen=True):
    """Something that happened to a call."""

    call_id: str
    at: float


class CallStarted(CallFact, frozen=True):
    """Somebody calls; nothing rings yet."""

    caller: Party
    dialled: str
    """What was dialled, as it came."""
    callee: Party
    origin: Origin
    caller_leg_id: str
    callee_leg_id: str
    client_state: str | None = None
    """What the click2dial request wants echoed."""


class OriginatorRang(CallFact, frozen=True):
    """The originator's own phone rings (click2dial), before anybody else is called."""

    leg_id: str


class CallRinging(CallFact, frozen=True):
    """The called side rings: a phone said 180, or sends early media."""

    leg_id: str


class CallAnswered(CallFact, frozen=True):
    """Both talk."""

    answered_number: str
    leg_id: str = ""
    """The called leg that answered."""


class CallHeld(CallFact, frozen=True):
    """A side put the other one on hold, by its phone or through the API."""

    leg_id: str


class CallResumed(CallFact, frozen=True):
    """A side that held takes the call up again."""

    leg_id: str


class CallTransferred(CallFact, frozen=True):
    """A side's phone has left, and another number is called in its place, for the side that stays."""

    leg_id: str
    """The leg that is over."""
    cause: int
    """Why, as its owner is told: 16 after a transfer, or why the transfer came to nothing."""
    released_by: ReleasedBy
    new_leg_id: str
    party: Party
    """Who is called now."""
    kept: Party
    """Who stays."""


class CallForwarded(CallFact, frozen=True):
    """The called side does not answer, or its phones are not asked at all: another number is called in its place."""

    leg_id: str
    """The leg that is over."""
    cause: int
    """Why, as its owner is told if its phone rang."""
    released_by: ReleasedBy
    new_leg_id: str
    party: Party
    """Who is called now."""
    kept: Party
    """Who calls."""


class CallPickedUp(CallFact, frozen=True):
    """What rang on a side is answered by another one than was called: CallAnswered or TransferAnswered follows."""

    leg_id: str
    """The leg that is over: whose phones rang, or the group's."""
    cause: int
    """As its owner is told: answered elsewhere, no missed call."""
    released_by: ReleasedBy
    new_leg_id: str
    party: Party
    """Who has picked it up."""
    kept: Party
    """The other side."""


class MemberCalled(CallFact, frozen=True):
    """A member of the ringing group on the called side is called, as a leg of its own."""

    leg_id: str
    """The member's."""
    group_leg_id: str
    party: Party
    """The member."""
    kept: Party
    """Who calls."""


class MemberLeft(CallFact, frozen=True):
    """A member of a ringing group rings no longer: it refused, its time is up, or another one has answered."""

    leg_id: str
    cause: int
    released_by: ReleasedBy


class TransferAnswered(CallFact, frozen=True):
    """The side that stayed talks again."""

    leg_id: str
    """The leg that answered."""
    answered_number: str
    """Who the call's record says answered it."""


class RecordingStarted(CallFact, frozen=True):
    """The call is recorded from here on, for an enterprise; at most one recording for each."""

    record_id: str
    enterprise_id: str


class CallEnded(CallFact, frozen=True):
    """The call is over. Nothing follows."""

    cause: int
    """Q.850."""
    sip_status: int
    """The final status of the call's INVITE: 200 for an answered call, 487 for one that the caller gave up."""
    released_by: ReleasedBy
    heard: HeardCall | None = None
    """How its sides heard each other; None: not known, or nobody asked."""
