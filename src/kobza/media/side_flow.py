"""What the relay is to do for one side of a call, by what was said between us and its two phones."""

from functools import lru_cache
from typing import Final

from kobza.media.messages import SideFlow, SourceName, Voice
from kobza.media.seats import G711
from kobza.media.side_media import SideMedia
from kobza.media.voice_codecs import number_of
from kobza.rtp.g711 import Law
from kobza.sdp.audio import Direction
from kobza.sdp.codecs import TELEPHONE_EVENT, Codec

REMEMBERED: Final = 256
"""Results kept of each question about codecs, see `kobza.sdp.codecs`. Nobody may change those that are dictionaries."""

_LAWS: Final = {("pcmu", 8000, 1): Law.MU, ("pcma", 8000, 1): Law.A}
_G722: Final = ("g722", 8000, 1)


def flow_of(side: SideMedia, other: SideMedia, *, mixed: bool | None, other_is_mixed: bool) -> SideFlow:
    """Return what the relay does for a side, as things stand.

    `mixed`: whether it hears a mix instead of the other side, and somebody else speaks in it; None: it hears none.
    """
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
        return SideFlow(rtp=(to.host or "", to.port), source="relay", laws=_laws(side.told), codecs=codecs, taped=True)
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
    if mixed is not None and side.receives and (source == "relay" or mixed):
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
        events=_events_from(side) if side.muted or other_is_mixed else -1,
        secure=secure,
        srtp=side.protection.srtp(side.remote),
        codecs=_codecs(side.told),
        sound=side.sounds.music if source == "music" else side.sounds.ringback if source == "ringback" else "",
        voices=_voices(side.told),
        exchange=side.exchange,
        g722_type=_g722_type(side.common) if tone_type < 0 else -1,
        keys=_events_from(side) if other.keys_by_info else -1,
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


@lru_cache(maxsize=REMEMBERED)
def _tone_codec(codecs: tuple[Codec, ...]) -> tuple[int, int]:
    for codec in codecs:
        if codec.key in _LAWS:
            return codec.payload_type, int(_LAWS[codec.key])
    return -1, int(Law.A)


@lru_cache(maxsize=REMEMBERED)
def _g722_type(codecs: tuple[Codec, ...]) -> int:
    return next((codec.payload_type for codec in codecs if codec.key == _G722), -1)


def _events_from(side: SideMedia) -> int:
    """Return the payload type that a side was told to use for DTMF events, -1 for none."""
    codecs = side.local.codecs if side.local is not None else ()
    return next((codec.payload_type for codec in codecs if codec.name.lower() == TELEPHONE_EVENT), -1)


@lru_cache(maxsize=REMEMBERED)
def _laws(told: tuple[Codec, ...]) -> dict[int, int]:
    """Return the law of each payload type from a side that is G.711: as we told it, and the static ones."""
    laws = {int(law): int(law) for law in Law}
    for codec in told:
        laws.pop(codec.payload_type, None)
        if codec.key in _LAWS:
            laws[codec.payload_type] = int(_LAWS[codec.key])
    return laws


@lru_cache(maxsize=REMEMBERED)
def _codecs(told: tuple[Codec, ...]) -> dict[int, int]:
    """Return the number in a spool of each payload type from a side that is speech."""
    numbers = {codec.payload_type: number_of(codec) for codec in told if codec.is_speech}
    return _laws(told) | numbers


@lru_cache(maxsize=REMEMBERED)
def _voices(told: tuple[Codec, ...]) -> dict[int, Voice]:
    """Return which payload types from a side are speech: as we told it, and G.711 under its own."""
    voices = {codec.payload_type: Voice(codec.name.lower(), codec.rate) for codec in G711}
    for codec in told:
        voices.pop(codec.payload_type, None)
        if codec.is_speech:
            voices[codec.payload_type] = Voice(codec.name.lower(), codec.rate)
    return voices


@lru_cache(maxsize=REMEMBERED)
def _renamed(told: tuple[Codec, ...], wanted: tuple[Codec, ...]) -> dict[int, int]:
    """Return the payload types that a sender was told to use and that the receiver wants under another number."""
    numbers = {codec.key: codec.payload_type for codec in reversed(wanted)}
    return {
        codec.payload_type: numbers[codec.key]
        for codec in told
        if codec.key in numbers and codec.payload_type != numbers[codec.key]
    }
