"""The audio stream of a description: where its owner wants the packets, and in which direction they go."""

from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from sys import intern
from typing import Final

from kobza.sdp.codecs import Codec, codecs_of
from kobza.sdp.description import Media, SessionDescription
from kobza.sdp.errors import NotAcceptable
from kobza.sdp.sdes import PROTOCOLS as SDES_PROTOCOLS
from kobza.sdp.sdes import Crypto, crypto_of
from kobza.sdp.webrtc import PROTOCOLS as WEBRTC_PROTOCOLS
from kobza.sdp.webrtc import WebRtcPeer, webrtc_of
from kobza.values import Leaf

PROTOCOLS: Final = frozenset({"RTP/AVP", "RTP/AVPF"})
"""Transports of plain RTP. Feedback of AVPF is RTCP like any other and passes."""

_NOWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  the old way to say hold, nothing is bound


class Direction(StrEnum):
    """Who sends, as the owner of the description sees it (RFC 8866, section 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """The owner sends."""
        return self is _SENDRECV or self is _SENDONLY

    @property
    def receives(self) -> bool:
        """The owner wants to receive."""
        return self is _SENDRECV or self is _RECVONLY

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> "Direction":
        """Return the direction of somebody who sends and receives so."""
        if sends:
            return _SENDRECV if receives else _SENDONLY
        return _RECVONLY if receives else _INACTIVE

    @property
    def reversed(self) -> "Direction":
        """The same, as the other side sees it: the widest answer to an offer (RFC 3264, section 6.1)."""
        if self is _SENDONLY:
            return _RECVONLY
        return _SENDONLY if self is _RECVONLY else self

    def narrowed(self, other: "Direction") -> "Direction":
        """Return what both directions allow."""
        if self is other or other is _SENDRECV:
            return self
        return other if self is _SENDRECV else _INACTIVE


_SENDRECV: Final = Direction.SENDRECV
_SENDONLY: Final = Direction.SENDONLY
_RECVONLY: Final = Direction.RECVONLY
_INACTIVE: Final = Direction.INACTIVE
"""By names of their own, as up to Python 3.11 to get a member of an enumeration costs as much as to call a function."""
_DIRECTIONS: Final = {direction.value: direction for direction in Direction}


class Destination(Leaf, frozen=True):
    """Where RTP and RTCP of a stream should go. `host` is None when it names no usable address: a host name, "0.0.0.0".

    `mux`: RTCP comes and goes on the RTP port (RFC 5761).
    """

    host: str | None
    port: int
    rtcp_host: str | None
    rtcp_port: int
    mux: bool


class Audio(Leaf, frozen=True):
    """The audio stream that a call uses, the first usable one, with its place among the description's streams.

    A call keeps it for its life, so of the description no more is in it than what is read later.
    """

    index: int
    protocol: str
    """The transport, as an answer has to name it."""
    codecs: tuple[Codec, ...]
    direction: Direction
    destination: Destination
    ptime: int | None
    """Milliseconds of audio in a packet that the owner would like to receive; None: it does not say."""
    webrtc: WebRtcPeer | None = None
    """The owner's end when the stream is over DTLS-SRTP, as browsers have it."""
    sdes: Crypto | None = None
    """How the owner protects what it sends when the stream is over SRTP with keys in the description."""
    layout: tuple[Media, ...] = ()
    """All streams as an answer or a later offer refuses them; none where the audio is the only one."""


def audio_of(description: SessionDescription) -> Audio:
    """Return the first audio stream over RTP or SRTP that is neither refused nor unusable; raise NotAcceptable."""
    reason = "no audio stream over RTP/AVP, RTP/SAVP or UDP/TLS/RTP/SAVPF"
    for index, media in enumerate(description.media):
        if media.kind != "audio" or not media.port:
            continue
        protocol = media.protocol.upper()
        webrtc: WebRtcPeer | None = None
        sdes: Crypto | None = None
        try:
            if protocol in WEBRTC_PROTOCOLS:
                webrtc = webrtc_of(description, media)
            elif protocol in SDES_PROTOCOLS:
                sdes = crypto_of(media)
            elif protocol not in PROTOCOLS:
                continue
        except NotAcceptable as error:
            reason = str(error)
            continue
        direction = _direction(description, media, webrtc)
        destination = _destination(description, media)
        streams = description.media
        return Audio(
            index,
            intern(media.protocol),
            codecs_of(media),
            direction,
            destination,
            _ptime(media),
            webrtc,
            sdes,
            tuple([stream.refused() for stream in streams]) if len(streams) > 1 else (),
        )
    raise NotAcceptable(reason)


def _direction(description: SessionDescription, media: Media, webrtc: WebRtcPeer | None) -> Direction:
    """Return the direction that holds for a stream; its own, the session's, else sendrecv (RFC 8866, section 6.7).

    The address 0.0.0.0 says hold in the way of RFC 2543: its owner does not want to receive. In a browser's
    description it says that the candidates are to be looked at.
    """
    said = Direction.SENDRECV
    for name, _ in (*description.attributes, *media.attributes):
        if name in _DIRECTIONS:
            said = _DIRECTIONS[name]
    host = media.connection if media.connection is not None else description.connection
    held = webrtc is None and host in _NOWHERE
    return Direction.of(sends=said.sends, receives=False) if held else said


def _destination(description: SessionDescription, media: Media) -> Destination:
    host = literal_host(media.connection if media.connection is not None else description.connection)
    mux = media.get("rtcp-mux") is not None
    rtcp_host, rtcp_port = host, media.port + 1
    words = (media.get("rtcp") or "").split()
    if words and words[0].isascii() and words[0].isdigit() and len(words[0]) <= 5:
        rtcp_port = int(words[0])
        if len(words) == 4:
            rtcp_host = literal_host(words[3])
    if mux or rtcp_port > 65535 or rtcp_port == 0:
        rtcp_host, rtcp_port = host, media.port
    return Destination(host, media.port, rtcp_host, rtcp_port, mux)


@lru_cache(maxsize=1024)
def literal_host(host: str | None) -> str | None:
    """Return an address that packets can be sent to. A name would need DNS; the real address is learnt anyway."""
    if host is None or host in _NOWHERE or host.split() != [host]:
        return None
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return None if address.is_multicast else str(address)


def _ptime(media: Media) -> int | None:
    text = media.get("ptime") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else None
