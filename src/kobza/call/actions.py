"""What a call wants done: values that the conductor carries out on dialogs, on the media plane and on its timers.

A branch is one INVITE: the caller's own, or one to a device. The sides are the strings "caller" and "callee"; for the
media plane the caller is left. Delays are seconds.
"""

from dataclasses import dataclass
from typing import Literal

from kobza.call.errors import KobzaError

Target = object
"""A contact to dial, opaque here: it comes from the conductor and goes back to it."""

SideName = Literal["caller", "callee"]

MediaDirection = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
"""The direction attribute of an audio stream (RFC 4566, section 6), as its sender says it."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Send an INVITE with an offer to a target, as a branch of a side. Failures come back as a rejection."""

    branch_id: str
    target: Target
    sdp: bytes
    side: SideName


@dataclass(frozen=True, slots=True)
class Progress:
    """Answer the caller's INVITE provisionally; `sdp` b"" for none."""

    branch_id: str
    status: int
    sdp: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the caller's INVITE with 200; `sdp` is an offer if the INVITE had none."""

    branch_id: str
    sdp: bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """Answer the caller's INVITE with a final failure and the Reason header of the cause."""

    branch_id: str
    status: int
    cause: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take back an INVITE; `answered_elsewhere`: so that the phone shows no missed call."""

    branch_id: str
    cause: int
    answered_elsewhere: bool


@dataclass(frozen=True, slots=True)
class Bye:
    """End the dialog of a branch, with the Reason header of the cause."""

    branch_id: str
    cause: int


@dataclass(frozen=True, slots=True)
class SendOffer:
    """Send a re-INVITE; the outcome comes back as `offer_answered` or `offer_rejected`."""

    branch_id: str
    sdp: bytes


@dataclass(frozen=True, slots=True)
class AnswerOffer:
    """Answer the phone's re-INVITE or UPDATE with 200; `sdp` is an offer if the re-INVITE had none."""

    branch_id: str
    sdp: bytes


@dataclass(frozen=True, slots=True)
class RejectOffer:
    """Refuse the phone's re-INVITE or UPDATE; the session goes on as it was."""

    branch_id: str
    status: int


@dataclass(frozen=True, slots=True)
class MediaOffer:
    """Ask the plane for the SDP to offer to `target`: from the offer of `source`, or (`sdp` None) the plane's own."""

    request_id: str
    source: SideName | None
    target: SideName
    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class MediaAnswer:
    """Tell the plane what `source` answered to the offer made to it; the reply is the answer for the other side."""

    request_id: str
    source: SideName
    sdp: bytes


@dataclass(frozen=True, slots=True)
class MediaReoffer:
    """Have the plane itself answer a new offer of an established side; `sdp` b"": the reply is an offer."""

    request_id: str
    source: SideName
    sdp: bytes


@dataclass(frozen=True, slots=True)
class MediaDirect:
    """Ask the plane for a new offer to `target` with a direction, seen from the plane."""

    request_id: str
    target: SideName
    direction: MediaDirection


@dataclass(frozen=True, slots=True)
class MediaReanswer:
    """Tell the plane what `source` answered to a new offer; there is no reply."""

    source: SideName
    sdp: bytes


@dataclass(frozen=True, slots=True)
class MediaPlay:
    """Let `target` hear a tone instead of the other side, or ("none") the other side again."""

    target: SideName
    what: Literal["ringback", "music", "none"]


@dataclass(frozen=True, slots=True)
class MediaRecord:
    """Record both sides from here on."""

    record_id: str


@dataclass(frozen=True, slots=True)
class MediaRelease:
    """Free the ports; nothing for the plane follows."""


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Call `timer_fired(name)` after a delay; a running timer of that name starts anew."""

    name: str
    delay: float


@dataclass(frozen=True, slots=True)
class StopTimer:
    """Forget a timer."""

    name: str


@dataclass(frozen=True, slots=True)
class CommandDone:
    """The phone confirmed a hold or unhold; `state` is what the leg is in now: "held" or "established"."""

    token: str
    state: str


@dataclass(frozen=True, slots=True)
class CommandFailed:
    """A hold or unhold came to nothing."""

    token: str
    error: KobzaError


Action = (
    Dial
    | Progress
    | Answer
    | Reject
    | Cancel
    | Bye
    | SendOffer
    | AnswerOffer
    | RejectOffer
    | MediaOffer
    | MediaAnswer
    | MediaReoffer
    | MediaDirect
    | MediaReanswer
    | MediaPlay
    | MediaRecord
    | MediaRelease
    | StartTimer
    | StopTimer
    | CommandDone
    | CommandFailed
)
