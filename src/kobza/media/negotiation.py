"""What a call's two sides have offered and answered, and what follows for the relay. No I/O.

Each side is an offer/answer exchange of its own with the plane (RFC 3264): what one phone offers is offered to the
other in the plane's words, later offers are answered by the plane alone. Payload types may differ between the sides;
codecs may not, as nothing is transcoded: where the answers of two sides to offers of the plane's own do not meet in one
codec, one side is offered that of the other (`align`).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from kobza.media.browser_end import BrowserAccess
from kobza.media.messages import SideFlow, SourceName, Voice
from kobza.media.plane import MediaError, NoEvents, OfferForm, Side, SideSounds, ToneName
from kobza.media.protection import Protection
from kobza.media.seats import G711, narrowed, seat_answer
from kobza.media.voice_codecs import number_of
from kobza.rtp.continuity import CLOCK
from kobza.rtp.g711 import Law
from kobza.sdp.audio import Audio, Direction, audio_of
from kobza.sdp.codecs import (
    OWN_CODECS,
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    Codec,
    codecs_with_types_of,
    common_codecs,
    first_speech,
    first_speech_with_events,
    has_speech,
    in_order_of,
    with_more,
)
from kobza.sdp.description import Media, SessionDescription
from kobza.sdp.errors import MalformedSdp, NotAcceptable
from kobza.sdp.negotiation import LocalAudio, new_origin, next_version, write_answer, write_offer
from kobza.values import Value, same

_LAWS: Final = {("pcmu", 8000, 1): Law.MU, ("pcma", 8000, 1): Law.A}
_G722: Final = ("g722", 8000, 1)
_BEST_FOR_US: Final = {PCMA.key: 0, PCMU.key: 1}

_REMEMBERED: Final = 256
"""Results kept of each question about codecs, see `kobza.sdp.codecs`. Nobody may change those that are dictionaries."""


class _Offer(Value, frozen=True):
    """A phone's offer: the whole, and its audio stream."""

    description: SessionDescription
    audio: Audio


class SideMedia:
    """The exchange with one phone. `remote` is what it said last, `local` what it was told and agreed to."""

    __slots__ = (
        "_browsers",
        "_host",
        "_host6",
        "_is_ipv6",
        "_layout",
        "_layout_index",
        "_origin",
        "_phone_offered",
        "_said",
        "directed",
        "exchange",
        "holds",
        "local",
        "muted",
        "named",
        "offer",
        "offered",
        "plays",
        "port",
        "protection",
        "remote",
        "seated",
        "sounds",
        "taped",
    )

    def __init__(
        self, host: str, session_id: str, browsers: BrowserAccess | None = None, host6: str | None = None
    ) -> None:
        self._host, self._host6 = host, host6
        self._browsers = browsers
        self._origin = new_origin(session_id, host)
        self.port = 0
        self.taped = False
        """What comes from it is for the recordings alone: it is no phone but a copy of what one sends."""
        self.exchange = 0
        """Counts later offers and answers of the phone: with each it may have moved."""
        self.begin()

    def place(self, host: str, port: int) -> None:
        """Learn where packets of the phone are taken, before anything is said to it."""
        self._host, self.port = host, port
        self._origin = replace(self._origin, host=host)

    def begin(self) -> None:
        """Know of no phone: at the beginning, and when one has gone and another one is to come on the same port."""
        self._is_ipv6 = False
        """The address that the phone named last is one of IPv6."""
        self._said: LocalAudio | None = None
        self._layout: tuple[Media, ...] = ()
        self._layout_index = 0
        self.protection = Protection(self._browsers)
        self.offer: _Offer | None = None
        """The phone's offer that the other side has to answer."""
        self.offered: LocalAudio | None = None
        """Our offer to the phone; stays after its answer, since other branches of a fork may answer too."""
        self.remote: Audio | None = None
        self.local: LocalAudio | None = None
        self._phone_offered = False
        self.named: tuple[Codec, ...] = ()
        """Every codec that the phone named in what holds and held, the latest first: it may be offered those again."""
        self.directed = Direction.SENDRECV
        """The direction that `direct` gave it and the phone agreed to."""
        self.holds = False
        """Its phone put the call on hold."""
        self.plays: ToneName = "none"
        self.sounds = SideSounds()
        self.muted = False
        self.seated = False
        """There is no phone, but a seat in a mix."""

    @property
    def told(self) -> tuple[Codec, ...]:
        """The codecs of what holds, or before that of our offer: what may come from the phone."""
        said = self.local or self.offered
        return () if said is None else said.codecs

    @property
    def agreed(self) -> bool:
        """An offer was answered, in whichever direction."""
        return self.remote is not None and self.local is not None

    def write_offer(self, local: LocalAudio) -> bytes:
        """Return our offer to the phone, and remember it."""
        self.offered = local
        self._count(local)
        return write_offer(self._origin, local, self._layout, self._layout_index).to_bytes()

    def write_offer_in(self, form: OfferForm, *, ipv6: bool) -> bytes:
        """Return the offer made last in another form, for another branch of a fork."""
        if self.offered is None:
            raise MediaError("no offer was made to this side")
        local = self.offered if form == "plain" else self.protection.offer(form, self.offered)
        if ipv6 and self._host6 is not None and local.webrtc is None:
            local = replace(local, host=self._host6)
        return write_offer(self._origin, local).to_bytes()

    def parse_answer(self, sdp: bytes) -> tuple[SessionDescription, Audio, LocalAudio]:
        """Parse an answer to our offer; its codecs become those that are common. Return also what it answers."""
        if self.offered is None:
            raise MediaError("no offer was made to this side")
        description, audio = _parse(sdp)
        codecs = common_codecs(audio.codecs, self.offered.codecs)
        if not has_speech(codecs):
            raise MediaError("not acceptable: no common codec")
        agreed = self.protection.agree(audio, self.offered)
        if self._host6 is not None and agreed.webrtc is None:
            agreed = replace(agreed, host=self._host_toward(audio))
        return description, replace(audio, codecs=codecs), agreed

    def write_answer(self, offer: _Offer, local: LocalAudio) -> bytes:
        """Return our answer to the phone's offer; from now on it holds."""
        self.local = local
        self._phone_offered = True
        self._layout, self._layout_index = offer.description.media, offer.audio.index
        self._count(local)
        return write_answer(self._origin, local, offer.description, offer.audio).to_bytes()

    def take_answer(self, description: SessionDescription, audio: Audio, offered: LocalAudio) -> None:
        """Take the phone's answer to our offer; `audio` is what is common."""
        self.remote = audio
        self.local = offered
        self._phone_offered = False
        self.name(audio.codecs)
        self._layout, self._layout_index = description.media, audio.index

    def name(self, codecs: tuple[Codec, ...]) -> None:
        """Learn codecs that the phone has named."""
        self.named = with_more(codecs, self.named)

    def take_first_answer(self, description: SessionDescription, audio: Audio, offered: LocalAudio) -> None:
        """Take the answer to a first offer: of another branch of a fork, maybe, than the one before."""
        self.named = ()
        self.take_answer(description, audio, offered)

    def local_audio(
        self, codecs: tuple[Codec, ...], direction: Direction, *, ptime: int | None, mux: bool = False
    ) -> LocalAudio:
        """Return a description of our end toward the phone."""
        host = self._host if self.remote is None else self._host_toward(self.remote)
        local = LocalAudio(host, self.port, codecs, direction, ptime, mux)
        return local if self.remote is None else self.protection.describe(self.remote, local)

    def _host_toward(self, audio: Audio) -> str:
        """Return our address of the family that the phone is reached by; one that holds may name none."""
        if audio.destination.host is not None:
            self._is_ipv6 = ":" in audio.destination.host
        return self._host6 if self._is_ipv6 and self._host6 is not None else self._host

    def _count(self, local: LocalAudio) -> None:
        """Count the version up when what we say differs from what we said (RFC 3264, section 8)."""
        if self._said is not None and not same(local, self._said):
            self._origin = next_version(self._origin)
        self._said = local

    @property
    def common(self) -> tuple[Codec, ...]:
        """What the phone named and was told too, with its payload types, in the answer's order: it sends the first.

        Both follow the order of the answer, whoever gave it (RFC 3264, sections 6.1 and 7).
        """
        if self.remote is None:
            return ()
        if self.local is None:
            return self.remote.codecs
        if self._phone_offered:
            return in_order_of(self.local.codecs, self.remote.codecs)
        return common_codecs(self.remote.codecs, self.local.codecs)

    @property
    def sends(self) -> bool:
        """What comes from the phone may go to the other one; before an answer the phone may send early media."""
        sends = self.remote is None or self.remote.direction.sends
        return sends and (self.local is None or self.local.direction.receives)

    @property
    def receives(self) -> bool:
        """The phone wants to hear something. True before it was answered: early media."""
        receives = self.remote is not None and self.remote.direction.receives
        return receives and (self.local is None or self.local.direction.sends)

    @property
    def watched(self) -> bool:
        """It has to send: nobody said that it need not."""
        both = Direction.SENDRECV
        return (
            self.remote is not None
            and self.local is not None
            and self.remote.direction is both
            and self.local.direction is both
        )


class CallMedia:
    """The media of one call. Methods raise MediaError and then change nothing that matters."""

    def __init__(
        self, host: str, session_id: int, browsers: BrowserAccess | None = None, host6: str | None = None
    ) -> None:
        """`host` is our address, `host6` the one toward phones on IPv6; None: there is none but `host`."""
        self.sides = {side: SideMedia(host, str(session_id), browsers, host6) for side in Side}
        self.hears_mix: Mapping[Side, bool] = {}
        """The sides that are phones and hear a mix instead of the other side; whether somebody else speaks in it."""

    def check_offer(self, source: Side | None, sdp: bytes | None) -> None:
        """Check an offer before ports are opened for it; keep it as the source's open offer."""
        if sdp and source is not None:
            description, audio = _parse(sdp)
            if audio.webrtc is not None:
                audio = replace(audio, codecs=_g711_first(audio.codecs))
            side = self.sides[source]
            side.protection.meet(audio)
            side.offer = _Offer(description, audio)
            side.remote = audio
            side.name(audio.codecs)

    def offer(self, source: Side | None, target: Side, sdp: bytes | None) -> bytes:
        """Return the offer to `target`; its port, and that of a `source` whose `sdp` was checked, are open."""
        to = self.sides[target]
        if source is not None and sdp:
            offer = self.sides[source].offer
            if offer is None:
                raise MediaError("the offer was withdrawn")
            audio = offer.audio
            return to.write_offer(to.local_audio(audio.codecs, audio.direction, ptime=audio.ptime))
        codecs: tuple[Codec, ...] = OWN_CODECS
        ptime = None
        if source is not None:
            side = self.sides[source]
            if side.local is not None and side.remote is not None:
                # G.711 of either law is for phones that name in an answer what they chose, not what they can.
                codecs = with_more(with_more(side.common, side.named), G711)
                ptime = side.remote.ptime
        return to.write_offer(to.local_audio(codecs, Direction.SENDRECV, ptime=ptime))

    def offer_in(self, form: OfferForm, target: Side, *, ipv6: bool = False) -> bytes:
        """Return the offer to `target` that `offer` gave last in another form; a phone may answer either."""
        return self.sides[target].write_offer_in(form, ipv6=ipv6)

    def answer(self, source: Side, sdp: bytes) -> bytes:
        """Return the answer for the other side's open offer, b"" when it has none."""
        side, other = self.sides[source], self.sides[source.other]
        description, audio, offered = side.parse_answer(sdp)
        if other.offer is None:
            side.take_first_answer(description, audio, offered)
            return b""
        wanted = other.offer.audio
        codecs = codecs_with_types_of(audio.codecs, wanted.codecs)
        if not has_speech(codecs):
            raise MediaError("not acceptable: no codec in common with the other side")
        side.take_first_answer(description, audio, offered)
        local = other.local_audio(
            codecs,
            wanted.direction.reversed.narrowed(audio.direction),
            ptime=audio.ptime,
            mux=wanted.destination.mux,
        )
        return other.write_answer(other.offer, local)

    def reoffer(self, source: Side, sdp: bytes) -> bytes:
        """Return our answer to a side's later offer, or our offer when it wants one."""
        side, other = self.sides[source], self.sides[source.other]
        if side.local is None or side.remote is None:
            raise MediaError("this side has agreed on nothing yet")
        if not sdp:
            return side.write_offer(replace(side.local, direction=side.directed))
        description, audio = _parse(sdp)
        if other.agreed:  # what the other phone sends comes first, so that nothing changes for it
            codecs = in_order_of(with_more(other.common, other.named), audio.codecs)
        else:
            codecs = common_codecs(audio.codecs, side.local.codecs)
        if not has_speech(codecs):
            raise MediaError("not acceptable: no common codec")
        side.protection.meet(audio)
        side.exchange += 1
        side.remote = replace(audio, codecs=codecs)
        side.name(audio.codecs)
        side.offer = None
        self._hear_hold(side, audio.direction)
        local = side.local_audio(
            codecs, audio.direction.reversed.narrowed(side.directed), ptime=side.local.ptime, mux=audio.destination.mux
        )
        return side.write_answer(_Offer(description, audio), local)

    def direct(self, target: Side, direction: Direction) -> bytes:
        """Return our offer to a side with a direction; nothing changes until it is answered."""
        side = self.sides[target]
        if side.local is None:
            raise MediaError("this side has agreed on nothing yet")
        return side.write_offer(replace(side.local, direction=direction))

    def align(self, target: Side) -> bytes:
        """Return our offer to a side of the one codec that the other one sends, b"" when it sends the same."""
        side, other = self.sides[target], self.sides[target.other]
        sent, wanted = first_speech(side.common), first_speech(other.common)
        if side.local is None or not other.agreed or sent is None or wanted is None:
            raise MediaError("the sides have not both agreed on something yet")
        if sent.key == wanted.key:
            return b""
        codecs = tuple(codec for codec in other.common if codec is wanted or not codec.is_speech)
        codecs = codecs_with_types_of(codecs, with_more(side.named, codecs))
        if not has_speech(codecs):
            raise MediaError("not acceptable: the payload type of the other side's codec means another one here")
        return side.write_offer(replace(side.local, codecs=codecs, direction=side.directed))

    def narrow(self, target: Side) -> bytes:
        """Return our offer to a side of G.711 alone, of the other's law if it sends one; b"" when it does that."""
        side = self.sides[target]
        codecs = narrowed(side.common, side.named, self.sides[target.other].common)
        if side.local is None or not codecs:
            return b""
        return side.write_offer(replace(side.local, codecs=codecs, direction=side.directed))

    def sit(self, which: Side, sdp: bytes) -> bytes:
        """Let a side be a seat in a mix; return what it answers to our offer."""
        answer = seat_answer(*_parse(sdp))
        self.sides[which].seated = True
        return answer

    def reanswer(self, source: Side, sdp: bytes) -> bytes:
        """Take a side's answer to our later offer."""
        side = self.sides[source]
        description, audio, offered = side.parse_answer(sdp)
        side.take_answer(description, audio, offered)
        side.exchange += 1
        side.offer = None
        side.directed = offered.direction
        self._hear_hold(side, audio.direction)
        return b""

    def receive(self, source: Side, sdp: bytes) -> bytes:
        """Return our answer to the offer of a copy of what a phone sends."""
        description, audio = _parse(sdp)
        side = self.sides[source]
        side.taped, side.remote = True, audio
        local = side.local_audio(audio.codecs, audio.direction.reversed, ptime=audio.ptime)
        return side.write_answer(_Offer(description, audio), local)

    def leave(self, which: Side) -> None:
        """Forget the phone of a side; what the other one had offered it is settled."""
        self.sides[which].begin()
        self.sides[which.other].offer = None

    def event_type(self, target: Side) -> int:
        """Return the payload type under which a side takes DTMF events now; raise MediaError when it takes none.

        They share the stream of the speech, and so its clock (RFC 4733, section 2.1): only 8,000 Hz is counted here.
        """
        side = self.sides[target]
        if side.seated:
            raise MediaError("not acceptable: on the other side there is no phone, but several voices")
        if not side.receives:
            raise MediaError("not acceptable: the phone on the other side wants to hear nothing now")
        codecs = first_speech_with_events(side.common)
        if len(codecs) < 2 or codecs[1].rate != CLOCK:
            raise NoEvents("not acceptable: the phone on the other side takes no DTMF events (RFC 4733)")
        return codecs[1].payload_type

    def _hear_hold(self, side: SideMedia, said: Direction) -> None:
        """Learn from a phone's direction whether it holds. The echo of our own "inactive" says nothing about it."""
        if side.directed is not Direction.INACTIVE or said is not Direction.INACTIVE:
            side.holds = not said.receives

    def flow(self, which: Side) -> SideFlow:
        """Return what the relay does for a side, as things stand."""
        side, other = self.sides[which], self.sides[which.other]
        if side.remote is None:
            told = side.told
            return SideFlow(
                laws=_laws(told),
                source="none",
                srtp=side.protection.srtp(None),
                codecs=_codecs(told),
                seated=side.seated,
                voices=_voices(told),
            )
        to = side.remote.destination
        if side.taped:
            codecs = _codecs(side.told)
            return SideFlow(
                rtp=(to.host or "", to.port), source="relay", laws=_laws(side.told), codecs=codecs, taped=True
            )
        tone_type, tone_law = _tone_codec(side.common)
        source = _source(side, other)
        if side.seated:
            return SideFlow(
                source="relay" if source == "relay" else "none",
                tone_type=tone_type,
                tone_law=tone_law,
                laws=_laws(side.told),
                codecs=_codecs(side.told),
                renamed=_renamed(other.told, side.remote.codecs),
                seated=True,
            )
        if which in self.hears_mix and side.receives and (source == "relay" or self.hears_mix[which]):
            source = "mix"
        secure = side.protection.secure(side.remote)
        named = secure is None
        return SideFlow(
            rtp=(to.host, to.port) if named and to.host is not None else None,
            rtcp=(to.rtcp_host, to.rtcp_port) if named and to.rtcp_host is not None else None,
            mux=secure is not None or (to.mux and side.local is not None and side.local.mux),
            source=source if tone_type >= 0 or source == "relay" else "none",
            tone_type=tone_type,
            tone_law=tone_law,
            laws=_laws(side.told),
            renamed=_renamed(other.told, side.remote.codecs),
            watched=side.watched,
            muted=side.muted,
            events=_events_from(side) if side.muted or which.other in self.hears_mix else -1,
            secure=secure,
            srtp=side.protection.srtp(side.remote),
            codecs=_codecs(side.told),
            sound=side.sounds.music if source == "music" else side.sounds.ringback if source == "ringback" else "",
            voices=_voices(side.told),
            exchange=side.exchange,
            g722_type=_g722_type(side.common) if tone_type < 0 else -1,
        )


def _source(side: SideMedia, other: SideMedia) -> SourceName:
    """Return what a side hears: what it was told to, else music when the other one holds, else the other one."""
    if not side.receives:
        return "none"
    if side.plays != "none":
        return side.plays
    if other.holds or other.directed is Direction.INACTIVE:
        return "music"
    return "relay" if other.sends else "none"


@lru_cache(maxsize=_REMEMBERED)
def _g711_first(codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Return a browser's codecs with those first that can be recorded here, and of which tones are made.

    Browsers name Opus first, and so two of them would talk it.
    """
    return tuple(sorted(codecs, key=lambda codec: _BEST_FOR_US.get(codec.key, len(_BEST_FOR_US))))


@lru_cache(maxsize=_REMEMBERED)
def _tone_codec(codecs: tuple[Codec, ...]) -> tuple[int, int]:
    for codec in codecs:
        if codec.key in _LAWS:
            return codec.payload_type, int(_LAWS[codec.key])
    return -1, int(Law.A)


@lru_cache(maxsize=_REMEMBERED)
def _g722_type(codecs: tuple[Codec, ...]) -> int:
    return next((codec.payload_type for codec in codecs if codec.key == _G722), -1)


def _events_from(side: SideMedia) -> int:
    """Return the payload type that a side was told to use for DTMF events, -1 for none."""
    codecs = side.local.codecs if side.local is not None else ()
    return next((codec.payload_type for codec in codecs if codec.name.lower() == TELEPHONE_EVENT), -1)


@lru_cache(maxsize=_REMEMBERED)
def _laws(told: tuple[Codec, ...]) -> dict[int, int]:
    """Return the law of each payload type from a side that is G.711: as we told it, and the static ones."""
    laws = {int(law): int(law) for law in Law}
    for codec in told:
        laws.pop(codec.payload_type, None)
        if codec.key in _LAWS:
            laws[codec.payload_type] = int(_LAWS[codec.key])
    return laws


@lru_cache(maxsize=_REMEMBERED)
def _codecs(told: tuple[Codec, ...]) -> dict[int, int]:
    """Return the number in a spool of each payload type from a side that is speech."""
    numbers = {codec.payload_type: number_of(codec) for codec in told if codec.is_speech}
    return _laws(told) | numbers


@lru_cache(maxsize=_REMEMBERED)
def _voices(told: tuple[Codec, ...]) -> dict[int, Voice]:
    """Return which payload types from a side are speech: as we told it, and G.711 under its own."""
    voices = {codec.payload_type: Voice(codec.name.lower(), codec.rate) for codec in G711}
    for codec in told:
        voices.pop(codec.payload_type, None)
        if codec.is_speech:
            voices[codec.payload_type] = Voice(codec.name.lower(), codec.rate)
    return voices


@lru_cache(maxsize=_REMEMBERED)
def _renamed(told: tuple[Codec, ...], wanted: tuple[Codec, ...]) -> dict[int, int]:
    """Return the payload types that a sender was told to use and that the receiver wants under another number."""
    numbers = {codec.key: codec.payload_type for codec in reversed(wanted)}
    return {
        codec.payload_type: numbers[codec.key]
        for codec in told
        if codec.key in numbers and codec.payload_type != numbers[codec.key]
    }


def _parse(sdp: bytes) -> tuple[SessionDescription, Audio]:
    """Parse what a phone said; what is wrong with it becomes a MediaError."""
    try:
        description = SessionDescription.parse(sdp)
        audio = audio_of(description)
    except NotAcceptable as error:
        raise MediaError(f"not acceptable: {error}") from error
    except MalformedSdp as malformed:
        raise MediaError(f"malformed: {malformed}") from malformed
    if not has_speech(audio.codecs):
        raise MediaError("not acceptable: no codec for speech")
    return description, audio
