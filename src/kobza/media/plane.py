"""The interface of a media plane: what a call asks of it, and what it tells by itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Final, Literal, NamedTuple, Protocol

DirectionName = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
ToneName = Literal["ringback", "music", "none"]
OfferForm = Literal["plain", "browser", "srtp"]
"""As browsers take an offer (UDP/TLS/RTP/SAVPF), or as phones with SRTP do (RTP/SAVP)."""


class Side(StrEnum):
    """The two sides of a call. In a recording the caller is on the left, the callee on the right."""

    CALLER = "caller"
    CALLEE = "callee"

    @property
    def other(self) -> "Side":
        """The opposite side."""
        return _CALLEE if self is _CALLER else _CALLER


_CALLER, _CALLEE = Side
"""By names of their own, see `kobza.sip.flow.UDP`."""


class Seat(NamedTuple):
    """Who is in a mix: a side of a call. Others are named in the same way."""

    call_id: str
    side: Side
    heard_by: tuple[tuple[str, Side], ...] | None = None
    """Who hears it; None: everybody else."""


class SideSounds(NamedTuple):
    """What a side hears where the plane makes it: the file of its music (A-law octets), the country of its ringback.

    "" for our own music, and for the usual ringback.
    """

    music: str = ""
    ringback: str = ""


class RecordingNotice(NamedTuple):
    """What those who talk are told of a recording: an announcement at its beginning, and a beep now and then.

    `sides` hear the announcement, the file `sound` (A-law octets). `beep_every` is in seconds, 0 for none.
    """

    sides: tuple[Side, ...] = ()
    sound: str = ""
    beep_every: float = 0.0


class MediaError(Exception):
    """The media plane could not do what it was asked.

    `reason` is a few words for a log. It begins with "not acceptable" when a description is at fault (SIP 488), and
    with "malformed" when it is none (400); anything else is the plane's own trouble (503).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def is_of_the_phone(self) -> bool:
        """Whether what a phone said is at fault, not the plane."""
        return self.reason.startswith(("not acceptable", "malformed"))


class NoEvents(MediaError):
    """The phone takes no DTMF events (RFC 4733)."""


@dataclass(frozen=True, slots=True)
class MediaTimedOut:
    """Nothing, neither RTP nor RTCP, came from a side for the configured time although it should send. Once a call."""

    call_id: str
    side: Side


@dataclass(frozen=True, slots=True)
class SideNotHeard:
    """Nothing comes from a side for so many seconds, although it should and the other one is heard: one-way audio.

    0: it is heard again, or need not be any more. Comes again and again while it lasts.
    """

    call_id: str
    side: Side
    seconds: float


@dataclass(frozen=True, slots=True)
class MediaPlaneLost:
    """The plane lost these calls: their media is gone and they should be ended. Calls made later work again."""

    call_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordingClosed:
    """Nothing more will be written to a spool: it can be encoded. Also when it ended early (disk, lost plane)."""

    call_id: str
    record_id: str
    spool: Path


@dataclass(frozen=True, slots=True)
class SideHeard:
    """The leg of one side of a call, both ways: how its voice came to us, and how the other one's came to it."""

    sent: int
    """RTP packets that its phone sent; 0: nothing came, so the other side heard nothing."""
    lost: int
    """Those of them that did not come to us."""
    missed: int
    """Packets of the other side that did not come to this one."""
    jitter: float | None
    """Seconds, of what it heard, as its phone said; None: it says nothing."""
    round_trip: float | None
    """Seconds from us to its phone and back; None: not known."""
    mos: float | None
    """How well it heard the other one, 1 to 4.5 (`kobza.rtp.quality`); None: there was nothing to hear."""
    arrival_jitter: float | None = None
    """Seconds, of what came from its phone to us; None: not known."""
    arrival_mos: float | None = None
    """How well its voice came to us; None: nothing came."""
    codec: str = ""
    """What it spoke last, as in an `rtpmap`; "": not known."""


@dataclass(frozen=True, slots=True)
class CallHeard:
    """How the two sides of a call heard each other; comes some seconds after its release, not for a silent one.

    One that was asked for comes at once, and in any case.
    """

    call_id: str
    sides: Mapping[Side, SideHeard]


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """The phone of a side has sent a DTMF event that the other one cannot be sent, as it takes digits in INFO alone."""

    call_id: str
    side: Side
    digit: str


MediaEvent = MediaTimedOut | SideNotHeard | MediaPlaneLost | RecordingClosed | CallHeard | DigitPressed
Done = Callable[[bytes | MediaError], None]

CANNOT_MIX: Final = "this media plane cannot mix voices"


class MediaPlane(Protocol):
    """Carries the media of calls.

    All methods are called in the event loop's thread. `done` is called exactly once, at once or later, in the same
    thread. A call begins with its first `offer` and ends with `release`; of an unknown call `done` gets a MediaError
    and the methods without `done` do nothing.
    """

    on_event: Callable[[MediaEvent], None]
    can_mix: ClassVar[bool] = False
    """Whether voices can be mixed: `narrow`, `sit` and `mix`. A plane that cannot leaves them as they are here."""
    reads_digits: ClassVar[bool] = False
    """Whether DTMF events can be read: DigitPressed. A plane that cannot has no use for `by_info`."""

    async def start(self) -> None:
        """Make the plane ready; raise MediaError when that fails."""
        ...

    async def stop(self) -> None:
        """End all calls, close all recordings and stop."""
        ...

    def offer(
        self,
        call_id: str,
        *,
        source: Side | None,
        target: Side,
        sdp: bytes | None,
        by_info: bool = False,
        done: Done,
    ) -> None:
        """Turn the offer of one side into the offer to the other.

        `by_info`: the phone that has offered takes digits in INFO. So when it takes no events, the other one is offered
        them all the same, and what it sends becomes DigitPressed.

        `sdp` None or empty: there is none, the plane offers by itself: G.711 with DTMF events or, when `source` has
        agreed on codecs before, those first, then what else it has named, then G.711. So the other one may answer with
        a codec that `source` does not send: see `align`.
        """
        ...

    def beside(self, call_id: str, other: str) -> None:  # noqa: ARG002
        """Hear of a call that is yet to be offered that it will share a mix with another one."""
        return  # most planes mix whatever they carry

    def offer_in(self, form: OfferForm, call_id: str, *, target: Side, ipv6: bool = False) -> bytes:
        """Return the offer that `offer` gave last for a side in another form, with our IPv6 address if there is one.

        Several forms may be under way to phones of the side at a time: which one is answered is used. Raises
        MediaError.
        """
        ...

    def answer(self, call_id: str, *, source: Side, sdp: bytes, by_info: bool = False, done: Done) -> None:
        """Take the answer of a side to the offer made to it; give the answer for the other side's offer.

        `by_info` as in `offer`, of the phone that has answered.

        Gives b"" when the other side has no open offer. May be repeated for one offer (183 then 200, other branches of
        a fork): the last counts.
        """
        ...

    def reoffer(self, call_id: str, *, source: Side, sdp: bytes, done: Done) -> None:
        """Answer a later offer of a side: hold, resume, a new address, a refresh.

        `sdp` empty: the side wants an offer, `done` gets it, and its answer comes through `reanswer`.
        """
        ...

    def direct(self, call_id: str, *, target: Side, direction: DirectionName, done: Done) -> None:
        """Give an offer for a side with this direction, as the plane says it. Its answer comes through `reanswer`.

        Until then nothing changes. A side that was told "inactive" is held, and the other one hears music.
        """
        ...

    def align(self, call_id: str, *, target: Side, done: Done) -> None:
        """Give an offer for a side that sends another codec than the other side: of the other's codec alone.

        Gives b"" when both send the same. Its answer comes through `reanswer`; until then nothing changes.
        """
        ...

    def reanswer(self, call_id: str, *, source: Side, sdp: bytes, done: Done) -> None:
        """Take the answer of a side to an offer that `reoffer`, `direct` or `align` gave; give b"".

        One that is unusable makes a MediaError and changes nothing.
        """
        ...

    def play(self, call_id: str, *, target: Side, what: ToneName) -> None:
        """Let a side hear a generated tone instead of the other side, until "none".

        A side whose phone holds (it said "sendonly" or "inactive" in a later offer) makes the plane play music to the
        other one by itself, and stop on resume.
        """
        ...

    def dress(self, call_id: str, *, target: Side, sounds: SideSounds) -> None:
        """Say what music and which ringback a side hears, from when one of them begins next. For calls that are on."""
        ...

    def mute(self, call_id: str, *, source: Side, on: bool) -> None:
        """Let the other side hear silence instead of a side's voice, or its voice again. DTMF of its phone passes."""
        ...

    def digits(self, call_id: str, *, target: Side, digits: str, done: Done) -> None:
        """Send DTMF to a side as events (RFC 4733), after what is on its way; `done` gets b"" when all are out.

        `digits`: 0 to 9, *, #, A to D, and a comma for half a second of pause. A phone that takes no events, or holds,
        makes a MediaError "not acceptable".
        """
        ...

    def leave(self, call_id: str, *, side: Side) -> None:
        """The phone of a side has gone and the call stays: another one may be offered in its place, by `offer`."""
        ...

    def narrow(self, call_id: str, *, target: Side, done: Done) -> None:  # noqa: ARG002
        """Give an offer of G.711 alone for a side that sends something else, and of the other's law if it sends one.

        Gives b"" when it does already. Its answer comes through `reanswer`; until then nothing changes.
        """
        done(MediaError(CANNOT_MIX))

    def sit(self, call_id: str, *, side: Side, sdp: bytes, done: Done) -> None:  # noqa: ARG002
        """Let a side have no phone but a seat in a mix; `done` gets its answer to the offer that was made to it.

        The phone on the other side hears what `mix` says, and is heard by whom that says. The answer goes the way of
        a phone's: `answer` or `reanswer`.
        """
        done(MediaError(CANNOT_MIX))

    def mix(self, mix_id: str, seats: Sequence[Seat], noticing: Sequence[tuple[str, Side]] = ()) -> None:  # noqa: ARG002
        """Set who is in a mix and who hears whom, whole; without seats it is over.

        In it are sides that have a seat (`sit`), each for the phone on the other side of its call; and both sides of
        one call that are phones, which go on to hear each other as before as long as that is all they are to hear.
        What they send must be G.711 (`narrow`). `noticing`: those of them who hear a tone now and then that says that
        somebody else hears them. Raises MediaError when it cannot mix at all.
        """
        raise MediaError(CANNOT_MIX)

    def record(
        self, call_id: str, *, record_id: str, spool: Path, owner: str = "", notice: RecordingNotice | None = None
    ) -> None:
        """Record from now until `release` what the sides hear of each other. RecordingClosed follows in any case.

        Several recordings of a call may run beside each other. `owner` says whose it is to whoever finds the spool.
        `notice` is what the sides are told of it, over what they hear, and what the recording has of that too. Whom a
        plane cannot tell it to is found in the spool.
        """
        ...

    def announce(self, call_id: str, *, record_id: str, target: Side, sound: str) -> None:
        """Let a side that has come into a recorded call hear the announcement, as `record` does for the first two."""
        ...

    def pause_recording(self, call_id: str, *, record_id: str, on: bool) -> None:
        """Let a recording run on in silence, or (`on` False) record again."""
        ...

    def stop_recording(self, call_id: str, *, record_id: str) -> None:
        """End a recording before its call does; RecordingClosed follows."""
        ...

    def release(self, call_id: str, *, asked: bool = False) -> None:
        """End a call: its ports are freed, its recording is closed. `asked`: somebody waits for its CallHeard."""
        ...
