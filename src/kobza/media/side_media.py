"""The exchange of descriptions with one phone of a call: what it said, and what it was told."""

from typing import Final

from msgspec.structs import replace

from kobza.media.browser_end import BrowserAccess
from kobza.media.messages import Secure, SrtpKeys
from kobza.media.plane import MediaError, OfferForm, SideSounds, ToneName
from kobza.media.protection import Protection, is_protected
from kobza.sdp.audio import Audio, Direction
from kobza.sdp.codecs import Codec, common_codecs, has_events, has_speech, in_order_of, with_more
from kobza.sdp.description import Origin
from kobza.sdp.errors import MalformedSdp, NotAcceptable
from kobza.sdp.negotiation import LocalAudio, origin, write_answer, write_offer
from kobza.sdp.reading import read_audio
from kobza.values import same

_USUAL_SOUNDS: Final = SideSounds()


class SideMedia:
    """The exchange with one phone. `remote` is what it said last, `local` what it was told and agreed to."""

    __slots__ = (
        "_browsers",
        "_host",
        "_host6",
        "_is_ipv6",
        "_phone_offered",
        "_protection",
        "_said",
        "_session_id",
        "_version",
        "by_info",
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
        "remote",
        "seated",
        "sounds",
        "taped",
    )

    def __init__(
        self, host: str, session_id: int, browsers: BrowserAccess | None = None, host6: str | None = None
    ) -> None:
        self._host, self._host6 = host, host6
        self._browsers = browsers
        self._session_id = session_id
        self._version = 1
        """Of our descriptions."""
        self.port = 0
        self.taped = False
        """What comes from it is for the recordings alone: it is no phone but a copy of what one sends."""
        self.exchange = 0
        """Counts later offers and answers of the phone: with each it may have moved."""
        self.begin()

    def place(self, host: str, port: int) -> None:
        """Learn where packets of the phone are taken, before anything is said to it."""
        self._host, self.port = host, port

    def begin(self) -> None:
        """Know of no phone: at the beginning, and when one has gone and another one is to come on the same port."""
        self._is_ipv6 = False
        """The address that the phone named last is one of IPv6."""
        self._said: LocalAudio | None = None
        self._protection: Protection | None = None
        """Made when a phone is to be spoken to in another form than the plain one, or speaks so."""
        self.offer: Audio | None = None
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
        self.sounds = _USUAL_SOUNDS
        self.muted = False
        self.by_info = False
        """Its phone takes digits in INFO."""
        self.seated = False
        """There is no phone, but a seat in a mix."""

    @property
    def protection(self) -> Protection:
        """Our ends toward its phones that do not speak in the plain form."""
        if self._protection is None:
            self._protection = Protection(self._browsers)
        return self._protection

    @property
    def secure(self) -> Secure | None:
        """What the relay has to know of its browser; None: it is none."""
        if self._protection is None or self.remote is None:
            return None
        return self._protection.secure(self.remote)

    @property
    def srtp(self) -> SrtpKeys | None:
        """The relay's keys for its phone with SRTP, or for one that was offered it and has not answered yet."""
        return None if self._protection is None else self._protection.srtp(self.remote)

    def meet(self, audio: Audio) -> None:
        """Take the form in which the phone offers; raise MediaError."""
        if self._protection is not None or is_protected(audio):
            self.protection.meet(audio)

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
        by = self._origin_of(local)
        if self.remote is None:
            return write_offer(by, local)
        return write_offer(by, local, self.remote.layout, self.remote.index)

    def write_offer_in(self, form: OfferForm, *, ipv6: bool) -> bytes:
        """Return the offer made last in another form, for another branch of a fork."""
        if self.offered is None:
            raise MediaError("no offer was made to this side")
        local = self.offered if form == "plain" else self.protection.offer(form, self.offered)
        if ipv6 and self._host6 is not None and local.webrtc is None:
            local = replace(local, host=self._host6)
        return write_offer(origin(self._session_id, self._host, self._version), local)

    def parse_answer(self, sdp: bytes) -> tuple[Audio, LocalAudio]:
        """Parse an answer to our offer; its codecs become those that are common. Return also what it answers."""
        if self.offered is None:
            raise MediaError("no offer was made to this side")
        audio = parse_description(sdp)
        codecs = common_codecs(audio.codecs, self.offered.codecs)
        if not has_speech(codecs):
            raise MediaError("not acceptable: no common codec")
        agreed = self.offered
        if self._protection is not None or is_protected(audio):
            agreed = self.protection.agree(audio, agreed)
        if self._host6 is not None and agreed.webrtc is None:
            agreed = replace(agreed, host=self._host_toward(audio))
        return replace(audio, codecs=codecs), agreed

    def write_answer(self, offer: Audio, local: LocalAudio) -> bytes:
        """Return our answer to the phone's offer; from now on it holds."""
        self.local = local
        self._phone_offered = True
        return write_answer(self._origin_of(local), local, offer)

    def take_answer(self, audio: Audio, offered: LocalAudio) -> None:
        """Take the phone's answer to our offer; `audio` is what is common."""
        self.remote = audio
        self.local = offered
        self._phone_offered = False
        self.name(audio.codecs)

    def name(self, codecs: tuple[Codec, ...]) -> None:
        """Learn codecs that the phone has named."""
        self.named = with_more(codecs, self.named)

    def take_first_answer(self, audio: Audio, offered: LocalAudio) -> None:
        """Take the answer to a first offer: of another branch of a fork, maybe, than the one before."""
        self.named = ()
        self.take_answer(audio, offered)

    def local_audio(
        self, codecs: tuple[Codec, ...], direction: Direction, *, ptime: int | None, mux: bool = False
    ) -> LocalAudio:
        """Return a description of our end toward the phone."""
        host = self._host if self.remote is None else self._host_toward(self.remote)
        local = LocalAudio(host, self.port, codecs, direction, ptime, mux)
        if self.remote is None or self._protection is None:
            return local
        return self._protection.describe(self.remote, local)

    def _host_toward(self, audio: Audio) -> str:
        """Return our address of the family that the phone is reached by; one that holds may name none."""
        if audio.destination.host is not None:
            self._is_ipv6 = ":" in audio.destination.host
        return self._host6 if self._is_ipv6 and self._host6 is not None else self._host

    def _origin_of(self, local: LocalAudio) -> Origin:
        """Return who says it: the version counts up when it differs from what we said (RFC 3264, section 8)."""
        if self._said is not None and not same(local, self._said):
            self._version += 1
        self._said = local
        return origin(self._session_id, self._host, self._version)

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
    def keys_by_info(self) -> bool:
        """Digits reach its phone in INFO alone: it takes them so, and no events."""
        return self.by_info and self.remote is not None and not has_events(self.common)

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


def parse_description(sdp: bytes) -> Audio:
    """Parse what a phone said; what is wrong with it becomes a MediaError."""
    try:
        audio = read_audio(sdp)
    except NotAcceptable as error:
        raise MediaError(f"not acceptable: {error}") from error
    except MalformedSdp as malformed:
        raise MediaError(f"malformed: {malformed}") from malformed
    if not has_speech(audio.codecs):
        raise MediaError("not acceptable: no codec for speech")
    return audio
