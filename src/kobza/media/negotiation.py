"""What a call's two sides have offered and answered, and what follows for the relay. No I/O.

Each side is an offer/answer exchange of its own with the plane (RFC 3264): what one phone offers is offered to the
other in the plane's words, later offers are answered by the plane alone. Payload types may differ between the sides;
codecs may not, as nothing is transcoded: where the answers of two sides to offers of the plane's own do not meet in one
codec, one side is offered that of the other (`align`).
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Protocol, TypeVar

from msgspec.structs import replace

from kobza.media.browser_end import BrowserAccess
from kobza.media.messages import SideFlow
from kobza.media.plane import Done, MediaError, NoEvents, OfferForm, Side
from kobza.media.seats import G711, narrowed, seat_answer
from kobza.media.side_flow import REMEMBERED, flow_of
from kobza.media.side_media import SideMedia, parse_description
from kobza.rtp.continuity import CLOCK
from kobza.sdp.audio import Direction
from kobza.sdp.codecs import (
    EVENTS,
    OWN_CODECS,
    PCMA,
    PCMU,
    Codec,
    codecs_with_types_of,
    common_codecs,
    first_speech,
    first_speech_with_events,
    has_speech,
    in_order_of,
    with_events_of,
    with_more,
)
from kobza.values import NO_ENTRIES

_CALLER: Final = Side.CALLER
"""By a name of its own, see `kobza.sip.flow.UDP`."""

_BEST_FOR_US: Final = {PCMA.key: 0, PCMU.key: 1}


class CallMedia:
    """The media of one call. Methods raise MediaError and then change nothing that matters."""

    __slots__ = ("callee", "caller", "hears_mix")

    def __init__(
        self, host: str, session_id: int, browsers: BrowserAccess | None = None, host6: str | None = None
    ) -> None:
        """`host` is our address, `host6` the one toward phones on IPv6; None: there is none but `host`."""
        self.caller = SideMedia(host, session_id, browsers, host6)
        self.callee = SideMedia(host, session_id, browsers, host6)
        self.hears_mix: Mapping[Side, bool] = NO_ENTRIES
        """The sides that are phones and hear a mix instead of the other side; whether somebody else speaks in it."""

    def side(self, which: Side) -> SideMedia:
        """Return what was said to one phone, and by it."""
        return self.caller if which is _CALLER else self.callee

    def other(self, than: Side) -> SideMedia:
        """Return the same of the other phone."""
        return self.callee if than is _CALLER else self.caller

    def check_offer(self, source: Side | None, sdp: bytes | None, *, by_info: bool = False) -> None:
        """Check an offer before ports are opened for it; keep it as the source's open offer.

        `by_info`, here and below: the phone takes digits in INFO, so events of the other one are of use.
        """
        if sdp and source is not None:
            audio = parse_description(sdp)
            if audio.webrtc is not None:
                audio = replace(audio, codecs=_g711_first(audio.codecs))
            side = self.side(source)
            side.meet(audio)
            side.offer = side.remote = audio
            side.by_info = by_info
            side.name(audio.codecs)

    def offer(self, source: Side | None, target: Side, sdp: bytes | None) -> bytes:
        """Return the offer to `target`; its port, and that of a `source` whose `sdp` was checked, are open."""
        to = self.side(target)
        if source is not None and sdp:
            audio = self.side(source).offer
            if audio is None:
                raise MediaError("the offer was withdrawn")
            codecs = self._with_keys(source, audio.codecs)
            return to.write_offer(to.local_audio(codecs, audio.direction, ptime=audio.ptime))
        codecs = OWN_CODECS
        ptime = None
        if source is not None:
            side = self.side(source)
            if side.local is not None and side.remote is not None:
                # G.711 of either law is for phones that name in an answer what they chose, not what they can.
                codecs = self._with_keys(source, with_more(with_more(side.common, side.named), G711))
                ptime = side.remote.ptime
        return to.write_offer(to.local_audio(codecs, Direction.SENDRECV, ptime=ptime))

    def offer_in(self, form: OfferForm, target: Side, *, ipv6: bool = False) -> bytes:
        """Return the offer to `target` that `offer` gave last in another form; a phone may answer either."""
        return self.side(target).write_offer_in(form, ipv6=ipv6)

    def answer(self, source: Side, sdp: bytes, *, by_info: bool = False) -> bytes:
        """Return the answer for the other side's open offer, b"" when it has none."""
        side, other = self.side(source), self.other(source)
        audio, offered = side.parse_answer(sdp)
        side.by_info = by_info
        wanted = other.offer
        if wanted is None:
            side.take_first_answer(audio, offered)
            return b""
        codecs = codecs_with_types_of(audio.codecs, wanted.codecs)
        if not has_speech(codecs):
            raise MediaError("not acceptable: no codec in common with the other side")
        if by_info:
            codecs = with_events_of(codecs, wanted.codecs)
        side.take_first_answer(audio, offered)
        local = other.local_audio(
            codecs,
            wanted.direction.reversed.narrowed(audio.direction),
            ptime=audio.ptime,
            mux=wanted.destination.mux,
        )
        return other.write_answer(wanted, local)

    def reoffer(self, source: Side, sdp: bytes) -> bytes:
        """Return our answer to a side's later offer, or our offer when it wants one."""
        side, other = self.side(source), self.other(source)
        if side.local is None or side.remote is None:
            raise MediaError("this side has agreed on nothing yet")
        if not sdp:
            return side.write_offer(replace(side.local, direction=side.directed))
        audio = parse_description(sdp)
        if other.agreed:  # what the other phone sends comes first, so that nothing changes for it
            codecs = in_order_of(with_more(other.common, other.named), audio.codecs)
        else:
            codecs = common_codecs(audio.codecs, side.local.codecs)
        if not has_speech(codecs):
            raise MediaError("not acceptable: no common codec")
        if other.by_info:
            codecs = with_events_of(codecs, audio.codecs)
        side.meet(audio)
        side.exchange += 1
        side.remote = replace(audio, codecs=codecs)
        side.name(audio.codecs)
        side.offer = None
        self._hear_hold(side, audio.direction)
        local = side.local_audio(
            codecs, audio.direction.reversed.narrowed(side.directed), ptime=side.local.ptime, mux=audio.destination.mux
        )
        return side.write_answer(audio, local)

    def direct(self, target: Side, direction: Direction) -> bytes:
        """Return our offer to a side with a direction; nothing changes until it is answered."""
        side = self.side(target)
        if side.local is None:
            raise MediaError("this side has agreed on nothing yet")
        return side.write_offer(replace(side.local, direction=direction))

    def align(self, target: Side) -> bytes:
        """Return our offer to a side of the one codec that the other one sends, b"" when it sends the same."""
        side, other = self.side(target), self.other(target)
        sent, wanted = first_speech(side.common), first_speech(other.common)
        if side.local is None or not other.agreed or sent is None or wanted is None:
            raise MediaError("the sides have not both agreed on something yet")
        if sent.key == wanted.key:
            return b""
        codecs = tuple(codec for codec in other.common if codec is wanted or not codec.is_speech)
        codecs = self._with_keys(target.other, codecs)
        codecs = codecs_with_types_of(codecs, with_more(side.named, codecs))
        if not has_speech(codecs):
            raise MediaError("not acceptable: the payload type of the other side's codec means another one here")
        return side.write_offer(replace(side.local, codecs=codecs, direction=side.directed))

    def narrow(self, target: Side) -> bytes:
        """Return our offer to a side of G.711 alone, of the other's law if it sends one; b"" when it does that."""
        side = self.side(target)
        codecs = narrowed(side.common, side.named, self.other(target).common)
        if side.local is None or not codecs:
            return b""
        return side.write_offer(replace(side.local, codecs=codecs, direction=side.directed))

    def sit(self, which: Side, sdp: bytes) -> bytes:
        """Let a side be a seat in a mix; return what it answers to our offer."""
        answer = seat_answer(parse_description(sdp))
        self.side(which).seated = True
        return answer

    def reanswer(self, source: Side, sdp: bytes) -> bytes:
        """Take a side's answer to our later offer."""
        side = self.side(source)
        audio, offered = side.parse_answer(sdp)
        side.take_answer(audio, offered)
        side.exchange += 1
        side.offer = None
        side.directed = offered.direction
        self._hear_hold(side, audio.direction)
        return b""

    def receive(self, source: Side, sdp: bytes) -> bytes:
        """Return our answer to the offer of a copy of what a phone sends."""
        audio = parse_description(sdp)
        side = self.side(source)
        side.taped, side.remote = True, audio
        local = side.local_audio(audio.codecs, audio.direction.reversed, ptime=audio.ptime)
        return side.write_answer(audio, local)

    def leave(self, which: Side) -> None:
        """Forget the phone of a side; what the other one had offered it is settled."""
        self.side(which).begin()
        self.other(which).offer = None

    def event_type(self, target: Side) -> int:
        """Return the payload type under which a side takes DTMF events now; raise MediaError when it takes none.

        They share the stream of the speech, and so its clock (RFC 4733, section 2.1): only 8,000 Hz is counted here.
        """
        side = self.side(target)
        if side.seated:
            raise MediaError("not acceptable: on the other side there is no phone, but several voices")
        if not side.receives:
            raise MediaError("not acceptable: the phone on the other side wants to hear nothing now")
        codecs = first_speech_with_events(side.common)
        if len(codecs) < 2 or codecs[1].rate != CLOCK:
            raise NoEvents("not acceptable: the phone on the other side takes no DTMF events (RFC 4733)")
        return codecs[1].payload_type

    def _with_keys(self, source: Side, codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
        """Return what to offer for the codecs of a side: with events too when those can become INFO for its phone."""
        return with_events_of(codecs, (EVENTS,)) if self.side(source).by_info else codecs

    def _hear_hold(self, side: SideMedia, said: Direction) -> None:
        """Learn from a phone's direction whether it holds. The echo of our own "inactive" says nothing about it."""
        if side.directed is not Direction.INACTIVE or said is not Direction.INACTIVE:
            side.holds = not said.receives

    def flow(self, which: Side) -> SideFlow:
        """Return what the relay does for a side, as things stand."""
        mixes = self.hears_mix
        return flow_of(
            self.side(which),
            self.other(which),
            mixed=mixes.get(which),
            other_is_mixed=which.other in mixes,
        )


@lru_cache(maxsize=REMEMBERED)
def _g711_first(codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Return a browser's codecs with those first that can be recorded here, and of which tones are made.

    Browsers name Opus first, and so two of them would talk it.
    """
    return tuple(sorted(codecs, key=lambda codec: _BEST_FOR_US.get(codec.key, len(_BEST_FOR_US))))


class Negotiated(Protocol):
    """A call of which a plane knows what was said to its phones."""

    media: CallMedia


Carried = TypeVar("Carried", bound=Negotiated)


def carry_out(
    call: Carried | None, done: Done, what: Callable[[CallMedia], bytes], changed: Callable[[Carried], None]
) -> None:
    """Do SDP work of a call, if there is one; have moved differently what it changes, and give the result."""
    if call is None:
        done(MediaError("no such call"))
        return
    try:
        result = what(call.media)
    except MediaError as error:
        done(error)
        return
    changed(call)
    done(result)
