"""Write offers and answers for the one audio stream of a call (RFC 3264).

The media plane speaks for itself to each side: its descriptions are written anew with its own address, and only
codecs and packet times travel from one side to the other. What it does not know (ICE, SRTP keys, video) does not pass.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from kobza.sdp.audio import Audio, Direction
from kobza.sdp.codecs import Codec
from kobza.sdp.description import Attribute, Media, Origin, SessionDescription
from kobza.values import Value


class LocalAudio(Value, frozen=True):
    """What the plane says to one side about its end of the audio stream. `ptime` is in milliseconds."""

    host: str
    port: int
    codecs: tuple[Codec, ...]
    direction: Direction = Direction.SENDRECV
    ptime: int | None = None
    mux: bool = False

    def stream(self, protocol: str = "RTP/AVP") -> Media:
        """Return the stream as an `m=` section."""
        attributes: list[Attribute] = []
        for codec in self.codecs:
            attributes += codec.attributes
        if self.ptime is not None:
            attributes.append(("ptime", str(self.ptime)))
        attributes.append((self.direction.value, None))
        if self.mux:
            attributes.append(("rtcp-mux", None))
        formats = tuple(str(codec.payload_type) for codec in self.codecs)
        return Media("audio", self.port, protocol, formats, attributes=tuple(attributes))


def new_origin(session_id: str, host: str) -> Origin:
    """Return the origin of the first description to a side. `session_id` is a number, unique for its host."""
    return Origin("kobza", session_id, "1", host)


def next_version(origin: Origin) -> Origin:
    """Return the origin of the next description to the same side: the version counts up by one (RFC 3264, 8)."""
    return replace(origin, version=str(int(origin.version) + 1))


def write_offer(origin: Origin, local: LocalAudio, layout: Sequence[Media] = (), index: int = 0) -> SessionDescription:
    """Return an offer of the audio stream.

    In a dialog that has agreed on streams already, `layout` is what they were and `index` the place of the audio: a
    later offer keeps number and order of streams (RFC 3264, section 8).
    """
    return SessionDescription(origin, local.host, _placed(local.stream(), layout, index))


def write_answer(origin: Origin, local: LocalAudio, offer: SessionDescription, audio: Audio) -> SessionDescription:
    """Return the answer to an offer: the audio stream taken, all others refused with port 0 (RFC 3264, section 6)."""
    return SessionDescription(origin, local.host, _placed(local.stream(audio.media.protocol), offer.media, audio.index))


def _placed(stream: Media, layout: Sequence[Media], index: int) -> tuple[Media, ...]:
    media = [other.refused() for other in layout] or [stream]
    media[index] = stream
    return tuple(media)
