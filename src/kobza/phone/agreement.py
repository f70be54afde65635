"""The phone's side of offer and answer (RFC 3264): one G.711 stream, DTMF events, directions."""

from dataclasses import dataclass

from kobza.rtp.g711 import Law
from kobza.sdp.audio import Audio, Direction
from kobza.sdp.codecs import (
    OWN_CODECS,
    TELEPHONE_EVENT,
    Codec,
    codecs_with_types_of,
    common_codecs,
    first_speech_with_events,
)
from kobza.sdp.description import Origin
from kobza.sdp.errors import NotAcceptable
from kobza.sdp.negotiation import LocalAudio, origin, write_answer, write_offer
from kobza.sdp.reading import read_audio

_LAWS = {"pcmu": Law.MU, "pcma": Law.A}


@dataclass(frozen=True, slots=True)
class Agreed:
    """What both sides settled on. `remote` is None when the peer named no usable address."""

    remote: tuple[str, int] | None
    law: Law
    payload_type: int
    event_type: int | None
    direction: Direction
    """As this phone sees it."""
    codec: str


class Agreement:
    """The descriptions of one dialog, with their versions. Raises `MalformedSdp` and `NotAcceptable` for the peer's."""

    def __init__(self, identifier: int, host: str, port: int, codecs: tuple[Codec, ...] = OWN_CODECS) -> None:
        self._identifier = identifier
        self._host = host
        self._port = port
        self._codecs = codecs
        self._written = 0
        self._offered = Direction.SENDRECV
        self._theirs: Audio | None = None
        self.agreed: Agreed | None = None

    def offer(self, direction: Direction = Direction.SENDRECV) -> bytes:
        """Write an offer: the first of a dialog, or a later one (hold, resume)."""
        self._offered = direction
        local = LocalAudio(self._host, self._port, self._codecs, direction, ptime=20)
        theirs = self._theirs
        if theirs is None:
            return write_offer(self._next_origin(), local)
        return write_offer(self._next_origin(), local, theirs.layout, theirs.index)

    def answered(self, body: bytes) -> Agreed:
        """Read the answer to our offer."""
        audio = read_audio(body)
        return self._settle(audio, self._offered.narrowed(audio.direction.reversed))

    def answer(self, body: bytes, direction: Direction = Direction.SENDRECV) -> bytes:
        """Read an offer and write the answer. `direction` is the most this phone wants now."""
        audio = read_audio(body)
        settled = self._settle(audio, direction.narrowed(audio.direction.reversed))
        codecs = codecs_with_types_of(common_codecs(self._codecs, audio.codecs), audio.codecs)
        local = LocalAudio(self._host, self._port, codecs, settled.direction, ptime=20)
        return write_answer(self._next_origin(), local, audio)

    def _settle(self, audio: Audio, direction: Direction) -> Agreed:
        chosen = first_speech_with_events(common_codecs(audio.codecs, self._codecs))
        if not chosen:
            raise NotAcceptable("no G.711")
        speech = chosen[0]
        destination = audio.destination
        events = [codec.payload_type for codec in chosen if codec.name.lower() == TELEPHONE_EVENT]
        self._theirs = audio
        self.agreed = Agreed(
            (destination.host, destination.port) if destination.host is not None else None,
            _LAWS[speech.name.lower()],
            speech.payload_type,
            events[0] if events else None,
            direction,
            speech.name,
        )
        return self.agreed

    def _next_origin(self) -> Origin:
        self._written += 1
        return origin(self._identifier, self._host, self._written)
