"""The commands to rtpengine that the plane uses, and what it reads in the replies. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from msgspec.structs import replace

from kobza.media.messages import SideQuality
from kobza.media.plane import Side
from kobza.media.rtpengine.bencode import Encodable, Value
from kobza.media.rtpengine.ng import NgError, Reply, entries, items, number, text
from kobza.media.side_media import SideMedia
from kobza.sdp.audio import Direction
from kobza.sdp.codecs import OWN_CODECS
from kobza.sdp.description import Attribute, Media, SessionDescription
from kobza.sdp.errors import MalformedSdp, NotAcceptable
from kobza.sdp.negotiation import origin
from kobza.sdp.sdes import PROTOCOL as SDES_PROTOCOL
from kobza.sdp.sdes import crypto_of

Command = Mapping[str, Encodable]

PING: Final[Command] = {"command": "ping"}
STATISTICS: Final[Command] = {"command": "statistics"}
LISTED: Final = 1000
"""Calls that one `list` names: their ids fit into a datagram."""
REPEATS: Final = 100_000
"""How often a tone is played; nobody waits for so long."""
DIGIT_MS: Final = 100
"""Milliseconds of a DTMF digit, and of the gap behind it."""

_NOWHERE: Final = "0.0.0.0"  # noqa: S104  nothing is bound: a phone that has not said where it is
_DISCARD: Final = 9
_CALL: Final = {
    "ICE": "remove",
    "replace": ["origin", "session-connection"],
    "rtcp-mux": ["demux"],
    "SDES": ["pad"],
}


class Place(NamedTuple):
    """Where rtpengine takes the packets of a phone."""

    host: str
    port: int


def describe(side: SideMedia, other: SideMedia) -> bytes:
    """Return what rtpengine is told of a phone: where it is and what it sends.

    It is no description that the phone gave: what the two sides say to each other is settled here, not there.
    """
    remote = side.remote
    codecs = side.common or side.told or other.told or OWN_CODECS
    attributes: list[Attribute] = [line for codec in codecs for line in codec.attributes]
    host, port, direction = _NOWHERE, _DISCARD, Direction.SENDRECV
    if remote is not None and remote.destination.host is not None:
        to = remote.destination
        host, port, direction = str(to.host), to.port, remote.direction
        if to.mux and side.local is not None and side.local.mux:
            attributes.append(("rtcp-mux", None))
        elif to.rtcp_port != to.port + 1 and to.rtcp_host == to.host:
            attributes.append(("rtcp", str(to.rtcp_port)))
    if remote is not None and remote.ptime is not None:
        attributes.append(("ptime", str(remote.ptime)))
    attributes.append((direction.value, None))
    protocol = "RTP/AVP"
    if remote is not None and remote.sdes is not None:
        protocol = SDES_PROTOCOL
        # Always the same tag: with another one our key would be another one too.
        attributes.append(replace(remote.sdes, tag="1").attribute)
    formats = tuple(str(codec.payload_type) for codec in codecs)
    stream = Media("audio", port, protocol, formats, attributes=tuple(attributes))
    return SessionDescription(origin(1, host), host, (stream,), ()).to_bytes()


def offer(key: str, sdp: bytes, *, inject: bool) -> Command:
    """Tell of the caller's phone; the reply says where the callee's packets are taken."""
    said = {"call-id": key, "from-tag": Side.CALLER, "sdp": sdp}
    return {"command": "offer", **said, **_CALL, "transport-protocol": "RTP/AVP", "flags": _flags(inject)}


def answer(key: str, sdp: bytes, *, inject: bool) -> Command:
    """Tell of the callee's phone; the reply says where the caller's packets are taken."""
    tags = {"from-tag": Side.CALLER, "to-tag": Side.CALLEE}
    return {"command": "answer", "call-id": key, **tags, "sdp": sdp, **_CALL, "flags": _flags(inject)}


def _flags(inject: bool) -> list[str]:
    """Ports stay when a phone names another address; whom it is believed to be at is settled after some seconds.

    That digits can be sent costs more for each packet.
    """
    flags = ["port-latching", "strict-source"]
    return [*flags, "inject-DTMF"] if inject else flags


def about(command: str, key: str, side: Side) -> Command:
    """Return a command that says no more than whose stream it is about."""
    return {"command": command, "call-id": key, "from-tag": side}


def play(key: str, to: Side, blob: bytes) -> Command:
    """Play a file to a side, again and again."""
    return {"command": "play media", "call-id": key, "from-tag": to, "blob": blob, "repeat-times": REPEATS}


def play_digit(key: str, to: Side, digit: str) -> Command:
    """Send a digit into the stream that a side hears, behind those that are on their way."""
    length = {"duration": DIGIT_MS, "pause": DIGIT_MS}
    return {"command": "play DTMF", "call-id": key, "from-tag": to.other, "code": digit, **length}


def subscribe(key: str) -> Command:
    """Ask for a copy of both streams."""
    return {"command": "subscribe request", "call-id": key, "from-tags": list(Side), "transport-protocol": "RTP/AVP"}


def subscribe_answer(key: str, tag: str, sdp: bytes) -> Command:
    """Say where that copy is to go."""
    return {"command": "subscribe answer", "call-id": key, "to-tag": tag, "sdp": sdp}


def unsubscribe(key: str, tag: str) -> Command:
    """End it."""
    return {"command": "unsubscribe", "call-id": key, "to-tag": tag}


def query(key: str) -> Command:
    """Ask how a call fares."""
    return {"command": "query", "call-id": key}


def delete(key: str) -> Command:
    """End a call. By its id alone: with a tag one that is subscribed to would stay."""
    return {"command": "delete", "call-id": key}


def list_calls() -> Command:
    """Ask which calls there are."""
    return {"command": "list", "limit": LISTED}


def listed(reply: Reply) -> list[str]:
    """Return the ids in the reply to `list_calls`."""
    return [text(each) for each in items(reply.get("calls"))]


def place_in(reply: Reply) -> Place:
    """Return the place that a reply to an offer or answer names; raise NgError."""
    description = _description(reply)
    # The connection line says 0.0.0.0 while a phone is nowhere; the origin always has the address.
    port = description.media[0].port
    if not port:
        raise NgError("it took no audio stream")
    return Place(description.origin.host, port)


def key_in(reply: Reply) -> str | None:
    """Return the key of SRTP that a reply to an answer has for the caller's phone; None: it speaks plain RTP."""
    media = _description(reply).media[0]
    if media.protocol != SDES_PROTOCOL:
        return None
    try:
        return crypto_of(media).key
    except NotAcceptable as error:
        raise NgError(f"it has no SRTP for the phone: {error}") from error


def _description(reply: Reply) -> SessionDescription:
    sdp = reply.get("sdp")
    try:
        description = SessionDescription.parse(sdp if isinstance(sdp, bytes) else b"")
    except MalformedSdp as error:
        raise NgError(f"its description is malformed: {error}") from error
    if not description.media:
        raise NgError("its description has no stream")
    return description


class Subscription(NamedTuple):
    """What came of `subscribe`: its tag, and the offer of each side's stream, as a description of its own."""

    tag: str
    offers: dict[Side, bytes]


def subscription_in(reply: Reply) -> Subscription:
    """Return what a reply to `subscribe` offers; raise NgError."""
    description = _description(reply)
    if len(description.media) != len(Side):
        raise NgError(f"a subscription with {len(description.media)} streams")
    offers = {
        side: SessionDescription(description.origin, media.connection or description.connection, (media,)).to_bytes()
        for side, media in zip(Side, description.media, strict=True)
    }
    return Subscription(text(reply.get("to-tag")), offers)


def joined(answers: Mapping[Side, bytes]) -> bytes:
    """Return the answers to the offers of a subscription as one description; raise MalformedSdp."""
    parsed = [SessionDescription.parse(answers[side]) for side in Side]
    first = parsed[0]
    return SessionDescription(first.origin, first.connection, tuple(each.media[0] for each in parsed)).to_bytes()


class SideNow(NamedTuple):
    """What rtpengine counted of the packets of one phone."""

    arrived: int
    """RTP and RTCP."""
    quality: SideQuality


def sides_in(reply: Reply) -> dict[Side, SideNow]:
    """Return what a reply to `query` says of each side."""
    tags, reports = entries(reply.get("tags")), entries(reply.get("SSRC"))
    return {side: _side(entries(tags.get(side)), reports) for side in Side}


def _side(said: Mapping[str, Value], reports: Mapping[str, Value]) -> SideNow:
    """Return what is said of a side; `reports` are what phones said themselves (RTCP), by the SSRC of each."""
    arrived = packets = 0
    heard: Mapping[str, Value] = {}
    for media in map(entries, items(said.get("medias"))):
        for stream in map(entries, items(media.get("streams"))):
            count = number(entries(stream.get("stats")).get("packets"))
            arrived += count
            if b"RTP" in items(stream.get("flags")):
                packets += count
                heard = entries(reports.get(str(number(stream.get("SSRC")))))
    average = entries(heard.get("average MOS"))
    quality = SideQuality(
        received=packets,
        reports=number(average.get("samples")),
        lost_beyond=number(heard.get("cumulative loss")),
        jitter=number(average.get("jitter")) / 1000,
        round_trip=number(average.get("round-trip time leg")) / 1e6 or None,
    )
    return SideNow(arrived, quality)


@dataclass(frozen=True, slots=True)
class InstanceCounts:
    """What an instance says of itself."""

    sessions: int = 0
    """Calls, also those of others."""
    ports_used: int = 0
    ports: int = 0
    relayed_packets: int = 0
    relayed_bytes: int = 0
    """Since it began."""
    uptime: int = 0
    """Seconds since it began."""


def counts_in(reply: Reply) -> InstanceCounts:
    """Return what a reply to `STATISTICS` says."""
    said = entries(reply.get("statistics"))
    totals = entries(said.get("totalstatistics"))
    ports = [entries(entries(each).get("ports")) for each in items(said.get("interfaces"))]
    return InstanceCounts(
        sessions=number(entries(said.get("currentstatistics")).get("sessionstotal")),
        ports_used=sum(number(each.get("used")) for each in ports),
        ports=sum(number(each.get("totals")) for each in ports),
        relayed_packets=number(totals.get("relayedpackets")),
        relayed_bytes=number(totals.get("relayedbytes")),
        uptime=int(uptime) if (uptime := text(totals.get("uptime"))).isdecimal() else 0,
    )
