"""Write offers and answers for the one audio stream of a call (RFC 3264).

The media plane speaks for itself to each side: its descriptions are written anew with its own address, and only
codecs and packet times travel from one side to the other. What is of one side alone (ICE, DTLS) or not known (video)
does not pass.
"""

from collections.abc import Sequence
from functools import lru_cache

from kobza.sdp.audio import Audio, Direction
from kobza.sdp.codecs import REMEMBERED, Codec
from kobza.sdp.description import Attribute, Media, Origin, SessionDescription, beginning
from kobza.sdp.sdes import PROTOCOL as SDES_PROTOCOL
from kobza.sdp.sdes import Crypto
from kobza.sdp.webrtc import PROTOCOL as WEBRTC_PROTOCOL
from kobza.sdp.webrtc import WebRtcEnd
from kobza.values import Leaf


class LocalAudio(Leaf, frozen=True):
    """What the plane says to one side about its end of the audio stream. `ptime` is in milliseconds.

    `webrtc` is there for a side that takes the stream over DTLS-SRTP; it has `mux`. `sdes` is there for one that takes
    it over SRTP with keys in the description.
    """

    host: str
    port: int
    codecs: tuple[Codec, ...]
    direction: Direction = Direction.SENDRECV
    ptime: int | None = None
    mux: bool = False
    webrtc: WebRtcEnd | None = None
    sdes: Crypto | None = None

    @property
    def protocol(self) -> str:
        """The transport of an offer."""
        if self.webrtc is not None:
            return WEBRTC_PROTOCOL
        return "RTP/AVP" if self.sdes is None else SDES_PROTOCOL

    @property
    def session_attributes(self) -> tuple[Attribute, ...]:
        """What is said of all streams."""
        return () if self.webrtc is None else self.webrtc.session_attributes

    def stream(self, protocol: str) -> Media:
        """Return the stream as an `m=` section."""
        attributes: list[Attribute] = []
        for codec in self.codecs:
            attributes += codec.attributes
        if self.ptime is not None:
            attributes.append(("ptime", str(self.ptime)))
        attributes.append((self.direction.value, None))
        if self.mux:
            attributes.append(("rtcp-mux", None))
        if self.webrtc is not None:
            attributes += self.webrtc.stream_attributes(self.port)
        if self.sdes is not None:
            attributes.append(self.sdes.attribute)
        formats = tuple(str(codec.payload_type) for codec in self.codecs)
        return Media("audio", self.port, protocol, formats, attributes=tuple(attributes))


def origin(session_id: int, host: str, version: int = 1) -> Origin:
    """Return the origin of a description to a side: its `version` counts up by one with each change (RFC 3264, 8).

    `session_id` is unique for its host.
    """
    return Origin("kobza", str(session_id), str(version), host)


def write_offer(by: Origin, local: LocalAudio, layout: Sequence[Media] = (), index: int = 0) -> bytes:
    """Return an offer of the audio stream.

    In a dialog that has agreed on streams already, `layout` is what they were, see `Audio`, and `index` the place of
    the audio: a later offer keeps number and order of streams (RFC 3264, section 8).
    """
    return _written(by, local, local.protocol, layout, index)


def write_answer(by: Origin, local: LocalAudio, audio: Audio) -> bytes:
    """Return the answer to an offer: the audio stream taken, all others refused with port 0 (RFC 3264, section 6)."""
    return _written(by, local, audio.protocol, audio.layout, audio.index)


def _written(by: Origin, local: LocalAudio, protocol: str, layout: Sequence[Media], index: int) -> bytes:
    if layout or local.webrtc is not None or local.sdes is not None:
        streams = [*layout[:index], local.stream(protocol), *layout[index + 1 :]]
        return SessionDescription(by, local.host, tuple(streams), local.session_attributes).to_bytes()
    plain = _plain(protocol, local.codecs, local.direction, local.ptime, local.mux)
    return f"{beginning(by, local.host)}m=audio {local.port} {plain}".encode()


@lru_cache(maxsize=REMEMBERED)
def _plain(protocol: str, codecs: tuple[Codec, ...], direction: Direction, ptime: int | None, mux: bool) -> str:
    """Return a plain stream behind its port: calls with the same codecs differ in ids, address and port alone."""
    return LocalAudio("", 0, codecs, direction, ptime, mux).stream(protocol).behind_port
