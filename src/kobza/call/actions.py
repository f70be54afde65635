"""What a call wants done: values that the conductor carries out on dialogs, on the media plane and on its timers.

A branch is one INVITE: the caller's own, or one to a device. The sides are the strings "caller" and "callee"; for the
media plane the caller is left. Delays are seconds.
"""

from typing import Literal

from msgspec import Struct

from kobza.call.errors import KobzaError
from kobza.call.routing import Party

Target = object
"""A contact to dial, opaque here: it comes from the conductor and goes back to it."""


class InTurn(Struct, frozen=True):
    """A target that is several: the next one is tried when the way to the one before failed (`Rejection.is_of_way`)."""

    targets: tuple[Target, ...]
    """At least one; each may be `Servers`."""


class Servers(Struct, frozen=True):
    """A target that has several servers: the next is tried when one is out of service (`Rejection.is_of_server`)."""

    targets: tuple[Target, ...]
    """At least one."""


SideName = Literal["caller", "callee"]

MediaDirection = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
"""The direction attribute of an audio stream (RFC 4566, section 6), as its sender says it."""


class Dial(Struct, frozen=True):
    """Send an INVITE with an offer to a target, as a branch of a side. Failures come back as a rejection.

    With `has_next` it is also to be told when no response at all comes in the time that the target has. `replaces` is
    the branch that failed, or whose time is up, when the target is the next one in turn; else "".
    """

    branch_id: str
    target: Target
    sdp: bytes
    side: SideName
    has_next: bool = False
    replaces: str = ""


class Progress(Struct, frozen=True):
    """Answer the caller's INVITE provisionally; `sdp` b"" for none."""

    branch_id: str
    status: int
    sdp: bytes


class Answer(Struct, frozen=True):
    """Answer the caller's INVITE with 200; `sdp` is an offer if the INVITE had none."""

    branch_id: str
    sdp: bytes


class Reject(Struct, frozen=True):
    """Answer the caller's INVITE with a final failure and the Reason header of the cause."""

    branch_id: str
    status: int
    cause: int


class Cancel(Struct, frozen=True):
    """Take back an INVITE; `answered_elsewhere`: so that the phone shows no missed call."""

    branch_id: str
    cause: int
    answered_elsewhere: bool


class Bye(Struct, frozen=True):
    """End the dialog of a branch, with the Reason header of the cause."""

    branch_id: str
    cause: int


class SendOffer(Struct, frozen=True):
    """Send a re-INVITE; the outcome comes back as `offer_answered` or `offer_rejected`."""

    branch_id: str
    sdp: bytes


class AnswerOffer(Struct, frozen=True):
    """Answer the phone's re-INVITE or UPDATE with 200; `sdp` is an offer if the re-INVITE had none."""

    branch_id: str
    sdp: bytes


class RejectOffer(Struct, frozen=True):
    """Refuse the phone's re-INVITE or UPDATE; the session goes on as it was."""

    branch_id: str
    status: int


class MediaOffer(Struct, frozen=True):
    """Ask the plane for the SDP to offer to `target`: from the offer of `source`, or (`sdp` None) the plane's own.

    `branch_id` is the one whose offer it is, "" without one.
    """

    request_id: str
    source: SideName | None
    target: SideName
    sdp: bytes | None
    branch_id: str = ""


class MediaAnswer(Struct, frozen=True):
    """Tell the plane what `source` answered to the offer made to it; the reply is the answer for the other side."""

    request_id: str
    source: SideName
    sdp: bytes
    branch_id: str
    """Whose answer it is."""


class MediaReoffer(Struct, frozen=True):
    """Have the plane itself answer a new offer of an established side; `sdp` b"": the reply is an offer."""

    request_id: str
    source: SideName
    sdp: bytes


class MediaDirect(Struct, frozen=True):
    """Ask the plane for a new offer to `target` with a direction, seen from the plane."""

    request_id: str
    target: SideName
    direction: MediaDirection


class MediaAlign(Struct, frozen=True):
    """Ask the plane for an offer to `target` of the codec that the other side sends; it replies b"" if that is one."""

    request_id: str
    target: SideName


class MediaNarrow(Struct, frozen=True):
    """Ask the plane for an offer to `target` of G.711 alone; it replies b"" if that is what the side sends."""

    request_id: str
    target: SideName


class MediaReanswer(Struct, frozen=True):
    """Tell the plane what `source` answered to a new offer; the reply is b""."""

    request_id: str
    source: SideName
    sdp: bytes


class MediaPlay(Struct, frozen=True):
    """Let `target` hear a tone instead of the other side, or ("none") the other side again."""

    target: SideName
    what: Literal["ringback", "music", "none"]


class MediaMute(Struct, frozen=True):
    """Let the other side hear silence instead of a side's voice, or its voice again."""

    source: SideName
    on: bool


class MediaDigits(Struct, frozen=True):
    """Send DTMF digits to a side; the reply comes when they are out."""

    request_id: str
    target: SideName
    digits: str


class MediaLeave(Struct, frozen=True):
    """The phone of a side has gone; another one is to be offered in its place."""

    side: SideName


class MediaRecord(Struct, frozen=True):
    """Record both sides from here on, for an enterprise."""

    record_id: str
    enterprise_id: str


class MediaTell(Struct, frozen=True):
    """Tell a side that has come into a call that it is recorded, as the enterprise of the recording wants it."""

    record_id: str
    enterprise_id: str
    side: SideName


class MediaPauseRecord(Struct, frozen=True):
    """Let a recording run on in silence, or (`on` False) record again."""

    record_id: str
    on: bool


class MediaStopRecord(Struct, frozen=True):
    """End a recording before its call."""

    record_id: str


class ReplaceLeg(Struct, frozen=True):
    """A side is another party's from here on, under another leg id."""

    side: SideName
    leg_id: str
    party: Party


class AddLeg(Struct, frozen=True):
    """A member of a ringing group is called, on the called side, as a leg of its own."""

    leg_id: str
    party: Party


class DropLeg(Struct, frozen=True):
    """A member of a ringing group rings no longer."""

    leg_id: str


class MediaRelease(Struct, frozen=True):
    """Free the ports; nothing for the plane follows."""


class StartTimer(Struct, frozen=True):
    """Call `timer_fired(name)` after a delay; a running timer of that name starts anew."""

    name: str
    delay: float


class StopTimer(Struct, frozen=True):
    """Forget a timer."""

    name: str


class CommandDone(Struct, frozen=True):
    """A command is carried out; `state` is what the leg is in now: "held", "established" or "finished"."""

    token: str
    state: str


class CommandFailed(Struct, frozen=True):
    """A command came to nothing."""

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
    | MediaAlign
    | MediaNarrow
    | MediaReanswer
    | MediaPlay
    | MediaMute
    | MediaDigits
    | MediaLeave
    | MediaRecord
    | MediaTell
    | MediaPauseRecord
    | MediaStopRecord
    | MediaRelease
    | ReplaceLeg
    | AddLeg
    | DropLeg
    | StartTimer
    | StopTimer
    | CommandDone
    | CommandFailed
)
