"""What the relay is to do for one side of a call, by what was said between us and its two phones."""

from functools import lru_cache
from typing import Final, TypeVar

from kobza.media.media_profile import MediaProfile, SourceName, Voice
from kobza.media.messages import SideFlow
from kobza.media.seats import G711
from kobza.media.side_media import SideMedia
from kobza.media.voice_codecs import number_of
from kobza.rtp.g711 import Law
from kobza.sdp.audio import Direction
from kobza.sdp.codecs import TELEPHONE_EVENT, Codec

Meaning = TypeVar("Meaning")

REMEMBERED: Final = 256
"""Profiles that are kept, see `kobza.sdp.codecs`. Nobody may change what is in them."""

_LAWS: Final = {("pcmu", 8000, 1): Law.MU, ("pcma", 8000, 1): Law.A}
_G722: Final = ("g722", 8000, 1)


def flow_of(side: SideMedia, other: SideMedia, *, mixed: bool | None, other_is_mixed: bool) -> SideFlow:
    """Return what the relay does for a side, as things stand.

    `mixed`: whether it hears a mix instead of the other side, and somebody else speaks in it; None: it hears none.
    """
    told = side.told
    if side.remote is None:
        return SideFlow(_from_a_stranger(told, seated=side.seated), srtp=side.srtp)
    to = side.remote.destination
    if side.taped:
        return SideFlow(_taped(told), rtp=(to.host or "", to.port))
    source = _source(side, other)
    if side.seated:
        return SideFlow(_seated(told, side.common, other.told, side.remote.codecs, heard=source == "relay"))
    if mixed is not None and side.receives and (source == "relay" or mixed):
        source = "mix"
    secure = side.secure
    named = secure is None
    return SideFlow(
        _profile(
            told,
            side.common,
            other.told,
            side.remote.codecs,
            source,
            side.sounds.music if source == "music" else side.sounds.ringback if source == "ringback" else "",
            mux=secure is not None or (to.mux and side.local is not None and side.local.mux),
            watched=side.watched,
            muted=side.muted,
            events=_events_from(side) if side.muted or other_is_mixed else -1,
            keys=_events_from(side) if other.keys_by_info else -1,
        ),
        rtp=(to.host, to.port) if named and to.host is not None else None,
        rtcp=(to.rtcp_host, to.rtcp_port) if named and to.rtcp_host is not None else None,
        exchange=side.exchange,
        secure=secure,
        srtp=side.srtp,
    )


@lru_cache(maxsize=REMEMBERED)
def _from_a_stranger(told: tuple[Codec, ...], *, seated: bool) -> MediaProfile:
    """Return what is done with the packets of a phone that has said nothing yet."""
    return MediaProfile(laws=_laws(told), codecs=_codecs(told), seated=seated, voices=_voices(told))


@lru_cache(maxsize=REMEMBERED)
def _taped(told: tuple[Codec, ...]) -> MediaProfile:
    """Return what is done with the packets of a copy."""
    return MediaProfile(source="relay", laws=_laws(told), codecs=_codecs(told), taped=True)


@lru_cache(maxsize=REMEMBERED)
def _seated(
    told: tuple[Codec, ...],
    common: tuple[Codec, ...],
    sent: tuple[Codec, ...],
    wanted: tuple[Codec, ...],
    *,
    heard: bool,
) -> MediaProfile:
    """Return what is done with the packets of a seat; see `_profile`. `heard`: it hears the phone on the other side."""
    tone_type, tone_law = _tone_codec(common)
    return MediaProfile(
        source="relay" if heard else "none",
        tone_type=tone_type,
        tone_law=tone_law,
        laws=_laws(told),
        codecs=_codecs(told),
        renamed=_renamed(sent, wanted),
        seated=True,
    )


@lru_cache(maxsize=REMEMBERED)
def _profile(
    told: tuple[Codec, ...],
    common: tuple[Codec, ...],
    sent: tuple[Codec, ...],
    wanted: tuple[Codec, ...],
    source: SourceName,
    sound: str,
    *,
    mux: bool,
    watched: bool,
    muted: bool,
    events: int,
    keys: int,
) -> MediaProfile:
    """Return what is done with the packets of a phone: one object for all calls of which the same is to be said.

    `told` are the codecs that the phone was told, `wanted` those that it named, `common` what is in both; `sent` those
    that the other one was told.
    """
    tone_type, tone_law = _tone_codec(common)
    return MediaProfile(
        mux=mux,
        source=source if tone_type >= 0 or source == "relay" else "none",
        tone_type=tone_type,
        tone_law=tone_law,
        laws=_laws(told),
        renamed=_renamed(sent, wanted),
        watched=watched,
        muted=muted,
        events=events,
        codecs=_codecs(told),
        sound=sound,
        voices=_voices(told),
        g722_type=_g722_type(common) if tone_type < 0 else -1,
        keys=keys,
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


def _tone_codec(codecs: tuple[Codec, ...]) -> tuple[int, int]:
    for codec in codecs:
        if codec.key in _LAWS:
            return codec.payload_type, int(_LAWS[codec.key])
    return -1, int(Law.A)


def _g722_type(codecs: tuple[Codec, ...]) -> int:
    return next((codec.payload_type for codec in codecs if codec.key == _G722), -1)


def _events_from(side: SideMedia) -> int:
    """Return the payload type that a side was told to use for DTMF events, -1 for none."""
    codecs = side.local.codecs if side.local is not None else ()
    return next((codec.payload_type for codec in codecs if codec.name.lower() == TELEPHONE_EVENT), -1)


def _laws(told: tuple[Codec, ...]) -> dict[int, int]:
    """Return the law of each payload type from a side that is G.711: as we told it, and the static ones."""
    laws = {int(law): int(law) for law in Law}
    for codec in told:
        laws.pop(codec.payload_type, None)
        if codec.key in _LAWS:
            laws[codec.payload_type] = int(_LAWS[codec.key])
    return _in_order(laws)


def _codecs(told: tuple[Codec, ...]) -> dict[int, int]:
    """Return the number in a spool of each payload type from a side that is speech."""
    numbers = {codec.payload_type: number_of(codec) for codec in told if codec.is_speech}
    return _in_order(_laws(told) | numbers)


def _voices(told: tuple[Codec, ...]) -> dict[int, Voice]:
    """Return which payload types from a side are speech: as we told it, and G.711 under its own."""
    voices = {codec.payload_type: Voice(codec.name.lower(), codec.rate) for codec in G711}
    for codec in told:
        voices.pop(codec.payload_type, None)
        if codec.is_speech:
            voices[codec.payload_type] = Voice(codec.name.lower(), codec.rate)
    return _in_order(voices)


def _renamed(told: tuple[Codec, ...], wanted: tuple[Codec, ...]) -> dict[int, int]:
    """Return the payload types that a sender was told to use and that the receiver wants under another number."""
    numbers = {codec.key: codec.payload_type for codec in reversed(wanted)}
    return _in_order(
        {
            codec.payload_type: numbers[codec.key]
            for codec in told
            if codec.key in numbers and codec.payload_type != numbers[codec.key]
        }
    )


def _in_order(of: dict[int, Meaning]) -> dict[int, Meaning]:
    """Return what payload types mean in one order, as what is the same is to be the same bytes for the relay."""
    return dict(sorted(of.items()))
