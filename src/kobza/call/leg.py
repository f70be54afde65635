"""The sides of a call: a leg is one side, a branch one INVITE of it.

The caller's leg of an ordinary call has one branch, which came in; every other leg has a branch for each device that
rings, and keeps the one that answered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from kobza.call.actions import MediaDirection, Servers, SideName, Target
from kobza.call.causes import (
    CALL_REJECTED,
    INVALID_NUMBER,
    NO_ANSWER,
    NO_USER_RESPONDING,
    NUMBER_CHANGED,
    SUBSCRIBER_ABSENT,
    UNALLOCATED,
    USER_BUSY,
)
from kobza.call.events import ReleasedBy
from kobza.call.routing import Party

RecordingState = Literal["on", "paused", "stopped"]

Aligned = Callable[[bool, float], None]
"""Takes whether a side sends now what the other one takes, and now."""


class BranchState(StrEnum):
    """How far an INVITE has come."""

    PENDING = "pending"
    """No final response yet."""
    ANSWERED = "answered"
    """200: there is a dialog."""
    CANCELLED = "cancelled"
    """We took it back and wait for its end; a 200 may still cross."""
    CLOSED = "closed"
    """Over; nothing of it matters any more."""


class LegState(StrEnum):
    """What commands and presence see of a leg."""

    ALERTING = "alerting"
    """Before both talk, whoever rings."""
    ESTABLISHED = "established"
    HELD = "held"
    """This side holds the other one."""
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class LegView:
    """A leg as others may see it."""

    leg_id: str
    number: str
    owner: bool
    state: LegState
    since: float
    """When it came into that state, seconds."""
    muted: bool = False


class Branch:
    """One INVITE."""

    __slots__ = (
        "branch_id",
        "cancel_cause",
        "early_sdp",
        "incoming",
        "leg",
        "offer",
        "others",
        "rang",
        "servers",
        "state",
        "takes_place",
    )

    def __init__(self, branch_id: str, leg: "Leg", *, incoming: bool = False, takes_place: bool = False) -> None:
        self.branch_id = branch_id
        self.leg = leg
        self.incoming = incoming
        """It came in, and we answer it: the caller's own INVITE, or one that takes a place; False: one that we sent."""
        self.takes_place = takes_place
        """It came in to take the place of another one. It is among its leg's branches from its answer on."""
        self.state = BranchState.PENDING
        self.early_sdp = b""
        """The last SDP of a provisional response: some peers do not repeat it in their 200."""
        self.cancel_cause = 0
        self.others: tuple[Target, ...] = ()
        """Where to try next when the way to this one fails."""
        self.servers: tuple[Target, ...] = ()
        """Where to try before them when no more than this server fails."""
        self.offer = b""
        """Our offer, kept for them."""
        self.rang = False
        """It rang, or had early media: the called side was reached."""

    @property
    def after_silence(self) -> tuple[Target, ...]:
        """What is tried when this server says nothing, or that it is out of service."""
        return (Servers(self.servers), *self.others) if self.servers else self.others


class Command:
    """A hold or unhold on its way."""

    __slots__ = ("failed", "hold", "token")

    def __init__(self, token: str, *, hold: bool) -> None:
        self.token = token
        self.hold = hold
        self.failed = False
        """Its time is up, and whoever asked was told so; the phone may still answer."""


class Recording:
    """A recording of the call for one enterprise."""

    __slots__ = ("record_id", "state")

    def __init__(self, record_id: str) -> None:
        self.record_id = record_id
        self.state: RecordingState = "on"


class OwnOffer:
    """A new offer of ours on its way to a phone."""

    __slots__ = ("aligns", "command", "direction", "sent")

    def __init__(self, direction: MediaDirection, command: Command | None, aligns: Aligned | None = None) -> None:
        self.direction = direction
        self.aligns = aligns
        """For whom it changes the codec; None: it does not."""
        self.command = command
        """The command that it carries out; None: it follows the other side."""
        self.sent = False
        """Its answer may come. False: the media plane is still writing it, or reading its answer already."""


class Leg:
    """One side of a call."""

    __slots__ = (
        "aligning",
        "branches",
        "command",
        "connected",
        "digits_waiting",
        "held_by_api",
        "held_by_phone",
        "late_reoffer",
        "leg_id",
        "moving",
        "muted",
        "own_offer",
        "party",
        "playing_music",
        "rang",
        "rejection",
        "reoffering",
        "side",
        "since",
        "state",
        "talking",
        "told",
    )

    def __init__(self, leg_id: str, side: SideName, party: Party, now: float) -> None:
        self.leg_id = leg_id
        self.side: SideName = side
        self.party = party
        self.state = LegState.ALERTING
        self.since = now
        self.branches: tuple[Branch, ...] = ()
        self.talking: Branch | None = None
        """The branch that answered, or the caller's."""
        self.connected = False
        """Its media is negotiated, so that it may be negotiated anew."""
        self.rang = False
        self.rejection: Rejection | None = None
        """The best of the failures so far."""
        self.held_by_phone = False
        self.held_by_api = False
        self.command: Command | None = None
        self.muted = False
        """Its voice does not reach the other side."""
        self.digits_waiting = 0
        """Digits that are being sent for it to the other side."""
        self.told: MediaDirection | None = "sendrecv"
        """The direction of our last offer to this side; None: what came of it is not known, it needs another one."""
        self.aligning: Aligned | None = None
        """Who waits for this side to send the codec of the other one."""
        self.own_offer: OwnOffer | None = None
        self.reoffering = False
        """The phone's new offer is with the media plane."""
        self.moving: Branch | None = None
        """Another phone's INVITE with which its owner wants to talk on: its offer is with the media plane."""
        self.late_reoffer = False
        """The phone's re-INVITE had no offer: its ACK brings the answer to ours."""
        self.playing_music = False
        """This side hears music because the API holds it for the other one."""

    @property
    def held(self) -> bool:
        """Whether this side holds the other one, by its phone or through the API."""
        return self.held_by_phone or self.held_by_api

    @property
    def is_read(self) -> bool:
        """Whether an offer of this side is with the media plane, so that none of ours may be made."""
        return self.reoffering or self.moving is not None

    @property
    def view(self) -> LegView:
        """The leg as others may see it."""
        return LegView(self.leg_id, self.party.number, self.party.owner, self.state, self.since, self.muted)

    def change(self, state: LegState, now: float) -> None:
        """Come into another state."""
        self.state = state
        self.since = now

    @property
    def is_pending(self) -> bool:
        """Whether a branch of it may still answer."""
        return any(branch.state is BranchState.PENDING for branch in self.branches)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a branch came to nothing: the peer's status and the Q.850 cause of it."""

    status: int
    cause: int

    @property
    def ends_search(self) -> bool:
        """Whether no other device of the number shall ring any longer (6xx, RFC 3261, section 16.7 step 5)."""
        return self.status >= 600

    @property
    def is_of_way(self) -> bool:
        """Whether the way to the called side failed, so that another way may be better: 5xx, silence, a challenge.

        Not when the peer's cause says that it is the called side itself: busy, unknown, rejected and the like.
        """
        if self.status in _REFUSALS_OF_US:
            return True
        return 500 <= self.status < 600 and self.cause not in _CAUSES_OF_CALLED

    @property
    def is_of_server(self) -> bool:
        """Whether only this server failed, so that another one of the same target may do (RFC 3263, section 4.3)."""
        return self.status in _OUT_OF_SERVICE and self.is_of_way

    @property
    def status_for_caller(self) -> int:
        """The status that the caller gets: the peer's, unless it means something between us and the peer only."""
        return _STATUS_FOR_CALLER.get(self.status, 480 if self.status < 400 else self.status)

    def released_by(self, side: SideName) -> ReleasedBy:
        """Say whether the person on that side refused, or the network in between failed."""
        if self.status in _REFUSED_BY_PERSON and self.cause != SUBSCRIBER_ABSENT:
            return "caller" if side == "caller" else "called"
        return "network"

    def better(self, other: "Rejection | None") -> "Rejection":
        """Return the better of two for the caller to know (RFC 3261, section 16.7 step 6); the first among equals.

        6xx before all others, busy before other refusals, silence after them, and a failed server last.
        """
        if other is None or _rank(self.status) < _rank(other.status):
            return self
        return other


_STATUS_FOR_CALLER: Final = {401: 403, 407: 403, 487: 480}
"""A challenge is for us, not for the caller; a termination that nobody asked for is unavailability."""

_REFUSALS_OF_US: Final = frozenset({401, 407, 408})
"""A challenge that we could not answer, or no answer in time: nothing of the called side."""

_OUT_OF_SERVICE: Final = frozenset({408, 503})
"""Silence; and what says that it takes no requests, as a broken connection does."""

_CAUSES_OF_CALLED: Final = frozenset(
    {
        UNALLOCATED,
        USER_BUSY,
        NO_USER_RESPONDING,
        NO_ANSWER,
        SUBSCRIBER_ABSENT,
        CALL_REJECTED,
        NUMBER_CHANGED,
        INVALID_NUMBER,
    }
)

_REFUSED_BY_PERSON: Final = frozenset({480, 486, 488, 600, 603, 606, 607, 608})
"""What a phone says for its user: not now, busy, not like this, no."""

_RANKS: Final = {486: 1, 480: 2, 408: 4}


def _rank(status: int) -> int:
    if status >= 600:
        return 0
    rank = _RANKS.get(status)
    if rank is not None:
        return rank
    if status < 400:
        return 5
    return 3 if status < 500 else 6


NOBODY_THERE: Final = Rejection(480, SUBSCRIBER_ABSENT)
"""No device of the number is registered, nor is there any other target."""
