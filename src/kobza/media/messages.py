"""What the PBX's process and the relay's process say to each other over their unix socket.

Each message is a frame (`kobza.media.frames`). Commands go to the relay in order and are not answered, except
`Open`; what the relay reports goes the other way.
"""

from collections.abc import Sequence
from functools import lru_cache
from sys import intern
from typing import Final

import msgspec

from kobza.media.frames import MalformedStream
from kobza.media.media_profile import MediaProfile
from kobza.media.plane import RecordingNotice, Seat, Side

PROFILES: Final = 512
"""Profiles that the relay remembers, so that calls share them: there is one for each set of codecs and what is heard.
Those of calls that stand stay whole when they are forgotten."""

JITTER_BOUNDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
"""Seconds of jitter as phones report it. A phone's buffer usually takes 40 to 60 ms; beyond, the voice breaks up."""
TELLING: Final = 50
"""Packets of a call, a second of one voice, from which on its quality says something."""
LAG_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.1, 0.25, 1.0)
"""Seconds by which the relay is late: 20 ms is one packet."""

Peer = tuple[str, int]


class Open(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Bind an RTP port and the RTCP port above it for each side named. Answered by Opened or OpenFailed."""

    request: int
    call_id: str
    host: str
    ports: dict[Side, int]


class Reserve(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Bind RTP ports and the RTCP ports above them for calls to come. Answered by Reserved."""

    host: str
    ports: list[int]


class Take(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Give sides of a call ports that Reserved has named."""

    call_id: str
    ports: dict[Side, int]


class Secure(msgspec.Struct, frozen=True, array_like=True):
    """How the relay and a browser know each other: ICE-lite on our side (RFC 8445), DTLS-SRTP (RFC 5763).

    Checks come as `ufrag`:`peer_ufrag`, signed with `password`; the certificate must have one of `fingerprints`
    ("sha-256 AB:CD…"). `client`: the handshake is begun by us.
    """

    ufrag: str
    password: str
    peer_ufrag: str
    fingerprints: tuple[str, ...]
    client: bool = False


class SrtpKeys(msgspec.Struct, frozen=True, array_like=True):
    """Keys of SRTP that both descriptions named (RFC 4568), in base64: for what comes from the phone, what goes to it.

    `incoming` "": the phone has not said its own yet, so that nothing it sends can be read.
    """

    suite: str
    incoming: str
    outgoing: str


class SideFlow(msgspec.Struct, frozen=True, array_like=True):
    """What the relay does for one side: by its profile, and where its phone is.

    `rtp` and `rtcp` are where its phone said it wants packets, None when it named no address (then it is learnt).
    `exchange` counts what its phone offered and answered since its first word: with each it may have moved, and is
    learnt anew. `secure`: its phone is a browser; where that wants packets is then found by ICE, and `rtp` and `rtcp`
    are None. `srtp`: its phone speaks SRTP.
    """

    profile: MediaProfile = MediaProfile()
    rtp: Peer | None = None
    rtcp: Peer | None = None
    exchange: int = 0
    secure: Secure | None = None
    srtp: SrtpKeys | None = None


class Configure(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Set what happens to both sides of a call, whole: it does not depend on what was said before."""

    call_id: str
    caller: SideFlow
    callee: SideFlow


class _FlowAsItComes(msgspec.Struct, array_like=True):
    """A SideFlow whose profile is mostly known already."""

    profile: msgspec.Raw
    rtp: Peer | None
    rtcp: Peer | None
    exchange: int
    secure: Secure | None
    srtp: SrtpKeys | None

    def complete(self) -> SideFlow:
        """Return it with what all share who have the same, profile and hosts; raise DecodeError.

        A side's two hosts are mostly one, and that of others too, as of those at a trunk.
        """
        rtp, rtcp = self.rtp, self.rtcp
        if rtp is not None:
            rtp = intern(rtp[0]), rtp[1]
        if rtcp is not None:
            rtcp = intern(rtcp[0]), rtcp[1]
        return SideFlow(_profile(bytes(self.profile)), rtp, rtcp, self.exchange, self.secure, self.srtp)


class _ConfigureAsItComes(msgspec.Struct, tag="Configure", array_like=True):
    call_id: str
    caller: _FlowAsItComes
    callee: _FlowAsItComes


class Record(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Record a call into a new file. Answered by RecordingStopped when it ends, for whatever reason.

    `at`, here and below, is the moment that is meant, by the monotonic clock that both processes have; None: now.
    `notice` is what the sides hear of it.
    """

    call_id: str
    record_id: str
    spool: str
    owner: str = ""
    at: float | None = None
    notice: RecordingNotice | None = None


class Tell(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Let a side that has come into a recorded call hear the announcement, a file."""

    call_id: str
    record_id: str
    side: Side
    sound: str


class Pause(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Let a recording run on in silence, or (`on` False) record again. Nothing for a recording that has ended."""

    call_id: str
    record_id: str
    on: bool
    at: float | None = None


class StopRecord(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """End a recording before its call. Answered by RecordingStopped."""

    call_id: str
    record_id: str
    at: float | None = None


class Digits(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Send DTMF events to a side, after those that are on their way. Answered by DigitsDone, unless it is released."""

    request: int
    call_id: str
    side: Side
    payload_type: int
    digits: str


class Release(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Close the ports of a call and its recordings. `asked`: how it fared is told at once, however little came."""

    call_id: str
    at: float | None = None
    asked: bool = False


class Mix(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Set who is in a mix and who hears whom, whole; without seats it is over.

    Sides that are phones hear it while their flow's source is "mix". `noticing`: those of them who hear now and then a
    tone that says that they are overheard.
    """

    mix_id: str
    seats: tuple[Seat, ...]
    noticing: tuple[tuple[str, Side], ...] = ()


class Ping(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Ask for a Pong: a relay that does not answer hangs."""

    number: int


class Measure(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Ask for Traffic."""


class Opened(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The ports of an Open are bound."""

    request: int


class OpenFailed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A port of an Open could not be bound; none of the request's ports is."""

    request: int
    port: int
    reason: str


class Reserved(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Ports of a Reserve that are bound, and those that could not be."""

    bound: list[int]
    refused: list[int]


class TimedOut(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A watched side is silent for too long."""

    call_id: str
    side: Side


class NotHeard(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A side is not heard for so many seconds, while the other one is; 0: it is again. Repeated while it lasts."""

    call_id: str
    side: Side
    seconds: float


class RecordingStopped(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A spool is closed. `reason` is empty for the ordinary end, else says why the recording stopped early."""

    call_id: str
    record_id: str
    spool: str
    reason: str


class DigitsDone(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The digits of a request went out; `sent` False: not all of them, the side takes no more."""

    request: int
    sent: bool


class Keyed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The phone of a side has sent a digit as an event, of those that its flow calls `keys`."""

    call_id: str
    side: Side
    digit: str


class Pong(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The answer to a Ping; with number 0 the first message of a relay that is ready."""

    number: int


class Certified(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What the relay shows to browsers, said before it is ready: the fingerprint of its certificate ("sha-256 AB:CD…").

    The key stays with the relay. "" when it cannot speak with browsers, for `reason`.
    """

    fingerprint: str
    reason: str = ""


class Traffic(msgspec.Struct, array_like=True, tag=True):
    """What the relay has moved since it began. All numbers only grow.

    Received is what came from phones, sent what went to them.
    """

    received: int = 0
    """RTP packets."""
    received_bytes: int = 0
    """Bytes of them, the RTP header included."""
    sent: int = 0
    sent_bytes: int = 0
    dropped: int = 0
    """Packets that were malformed, came from strangers, or could not be sent."""
    lost: int = 0
    """Packets that a phone sent and that did not arrive, by their sequence numbers."""
    lost_beyond: int = 0
    """Packets that went to phones and did not arrive there, as the phones say (RTCP)."""
    jitter: list[int] = msgspec.field(default_factory=lambda: [0] * (len(JITTER_BOUNDS) + 1))
    """How often a phone said which jitter, by JITTER_BOUNDS."""
    jitter_total: float = 0.0
    """The sum of what they said, seconds."""
    lag: list[int] = msgspec.field(default_factory=lambda: [0] * (len(LAG_BOUNDS) + 1))
    """How often the relay was late by how much when it wanted to be on time, by LAG_BOUNDS."""
    lag_total: float = 0.0

    @classmethod
    def sum_of(cls, several: "Sequence[Traffic]") -> "Traffic":
        """Return what several relays have moved together."""
        total = cls()
        for name in cls.__struct_fields__:
            values = [getattr(each, name) for each in several]
            if isinstance(getattr(total, name), list):
                setattr(total, name, [sum(counts) for counts in zip(getattr(total, name), *values, strict=True)])
            else:
                setattr(total, name, sum(values))
        return total


class SideQuality(msgspec.Struct, frozen=True, array_like=True):
    """How the packets of one side of a call fared."""

    received: int = 0
    """RTP packets that came from its phone."""
    lost: int = 0
    """Packets that it sent and that did not come here."""
    reports: int = 0
    """How often it said how it hears the other side (RTCP); with 0 the next three say nothing."""
    lost_beyond: int = 0
    """Packets of the other side that did not come to it, all the way."""
    jitter: float = 0.0
    """Seconds, the mean of what it said; 0 for a codec whose clock is not known."""
    round_trip: float | None = None
    """Seconds to it and back, the mean; None: it repeats no sender's time."""
    arrival_jitter: float | None = None
    """Seconds, the mean of how unevenly its packets came here; None: not known."""
    codec: str = ""
    """What it spoke last, as in an `rtpmap`; "": not known."""


class CallQuality(msgspec.Struct, frozen=True, array_like=True):
    """How the packets of a call fared that is released."""

    call_id: str
    caller: SideQuality
    callee: SideQuality

    @property
    def tells(self) -> bool:
        """Enough came to say anything of it."""
        return self.caller.received + self.callee.received >= TELLING


class Qualities(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """How the calls fared that were released since the last time; comes before an answer to Measure, or as asked."""

    calls: list[CallQuality]


class Logged(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A line of the relay's log: the PBX writes it among its own, in the one form."""

    level: int
    logger: str
    text: str
    call_id: str | None = None
    record_id: str | None = None


Command = (
    Open | Reserve | Take | Configure | Record | Tell | Pause | StopRecord | Digits | Mix | Release | Ping | Measure
)
Report = (
    Opened
    | OpenFailed
    | Reserved
    | TimedOut
    | NotHeard
    | RecordingStopped
    | DigitsDone
    | Keyed
    | Pong
    | Certified
    | Traffic
    | Qualities
    | Logged
)

_command_decoder: Final = msgspec.msgpack.Decoder(
    Open
    | Reserve
    | Take
    | _ConfigureAsItComes
    | Record
    | Tell
    | Pause
    | StopRecord
    | Digits
    | Mix
    | Release
    | Ping
    | Measure
)
_profile_decoder: Final = msgspec.msgpack.Decoder(MediaProfile)
_report_decoder: Final = msgspec.msgpack.Decoder(Report)


def decode_command(body: bytes) -> Command:
    """Decode what goes to the relay; raise MalformedStream."""
    try:
        came = _command_decoder.decode(body)
        if isinstance(came, _ConfigureAsItComes):
            return Configure(came.call_id, came.caller.complete(), came.callee.complete())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedStream(str(error)) from error
    command: Command = came
    return command


@lru_cache(maxsize=PROFILES)
def _profile(encoded: bytes) -> MediaProfile:
    return _profile_decoder.decode(encoded)


def decode_report(body: bytes) -> Report:
    """Decode what comes from the relay; raise MalformedStream."""
    try:
        report: Report = _report_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedStream(str(error)) from error
    return report
