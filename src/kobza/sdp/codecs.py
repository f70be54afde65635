"""Codecs of an audio stream: static payload types (RFC 3551), `rtpmap` and `fmtp` (RFC 8866, section 6.6)."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from kobza.sdp.description import Attribute, Media
from kobza.values import Key

TELEPHONE_EVENT: Final = "telephone-event"
"""DTMF digits as packets (RFC 4733): no codec of its own, always beside one."""

_STATIC: Final = {
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    4: ("G723", 8000),
    7: ("LPC", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    12: ("QCELP", 8000),
    13: ("CN", 8000),
    15: ("G728", 8000),
    18: ("G729", 8000),
}
_NOT_SPEECH: Final = frozenset({"telephone-event", "cn", "red"})


class Codec(Key, frozen=True):
    """A payload type and what it means. `rate` is the RTP clock in Hz, `parameters` the `fmtp` value or ""."""

    payload_type: int
    name: str
    rate: int
    channels: int = 1
    parameters: str = ""

    @property
    def key(self) -> tuple[str, int, int]:
        """What makes two codecs the same for both sides whatever their payload types are."""
        return (self.name.lower(), self.rate, self.channels)

    @property
    def is_speech(self) -> bool:
        """False for what only accompanies speech: DTMF events, comfort noise, redundancy."""
        return self.name.lower() not in _NOT_SPEECH

    @property
    def attributes(self) -> list[Attribute]:
        """The `rtpmap` and `fmtp` attributes that describe the codec."""
        rtpmap = f"{self.payload_type} {self.name}/{self.rate}"
        lines: list[Attribute] = [("rtpmap", rtpmap if self.channels == 1 else f"{rtpmap}/{self.channels}")]
        if self.parameters:
            lines.append(("fmtp", f"{self.payload_type} {self.parameters}"))
        return lines


PCMU: Final = Codec(0, "PCMU", 8000)
PCMA: Final = Codec(8, "PCMA", 8000)
EVENTS: Final = Codec(101, TELEPHONE_EVENT, 8000, parameters="0-16")
OWN_CODECS: Final = (PCMA, PCMU, EVENTS)
"""What the media plane offers by itself: A-law first, as European networks have it."""

REMEMBERED: Final = 256
"""Results kept of each question about codecs: phones of one kind say the same in every call. 32 KiB at most each, see
description.MAX_BYTES."""


def static_name(payload_type: str) -> str | None:
    """Return the name of a static payload type (RFC 3551, table 4); None for what is none."""
    known = _STATIC.get(int(payload_type)) if payload_type.isdecimal() else None
    return None if known is None else known[0]


def codecs_of(media: Media) -> tuple[Codec, ...]:
    """Return the codecs of an RTP stream in the order of preference.

    A payload type that is no number, or is dynamic and has no usable `rtpmap`, is left out: nobody could use it.
    """
    return _codecs(media.formats, tuple(media.get_all("rtpmap")), tuple(media.get_all("fmtp")))


@lru_cache(maxsize=REMEMBERED)
def _codecs(formats: tuple[str, ...], rtpmaps: tuple[str, ...], fmtps: tuple[str, ...]) -> tuple[Codec, ...]:
    described = _by_payload_type(rtpmaps)
    parameters = _by_payload_type(fmtps)
    codecs: dict[int, Codec] = {}
    for text in formats:
        payload_type = _payload_type(text)
        if payload_type is None or payload_type in codecs:
            continue
        codec = _codec(payload_type, described.get(payload_type), parameters.get(payload_type, ""))
        if codec is not None:
            codecs[payload_type] = codec
    return tuple(codecs.values())


@lru_cache(maxsize=REMEMBERED)
def common_codecs(ours: tuple[Codec, ...], theirs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Return those of `ours`, in their order and with their payload types, that are also among `theirs`."""
    keys = {codec.key for codec in theirs}
    return tuple(codec for codec in ours if codec.key in keys)


@lru_cache(maxsize=REMEMBERED)
def in_order_of(order: tuple[Codec, ...], codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Return those of `codecs`, with their payload types and parameters, that `order` names too, in its order."""
    by_key: dict[tuple[str, int, int], Codec] = {}
    for codec in codecs:
        by_key.setdefault(codec.key, codec)
    return tuple(by_key[codec.key] for codec in order if codec.key in by_key)


@lru_cache(maxsize=REMEMBERED)
def with_more(codecs: tuple[Codec, ...], more: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Return `codecs` and behind them those of `more` that are not among them and whose payload types are free.

    Speech comes first, what only accompanies it last, as phones themselves have it. A payload type keeps its meaning
    while a session lasts (RFC 3264, section 8.3.2), so whoever comes first has it.
    """
    known: list[Codec] = []
    keys: set[tuple[str, int, int]] = set()
    numbers: set[int] = set()
    for codec in (*codecs, *more):
        if codec.key not in keys and codec.payload_type not in numbers:
            keys.add(codec.key)
            numbers.add(codec.payload_type)
            known.append(codec)
    return tuple(sorted(known, key=lambda codec: not codec.is_speech))


@lru_cache(maxsize=REMEMBERED)
def codecs_with_types_of(codecs: tuple[Codec, ...], numbering: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Return those of `codecs` that are also in `numbering`, in their order, with its payload types.

    So an answer uses the numbers of the offer (RFC 3264, section 6.1).
    """
    numbers: dict[tuple[str, int, int], int] = {}
    for codec in numbering:
        numbers.setdefault(codec.key, codec.payload_type)
    renumbered = {
        numbers[codec.key]: replace(codec, payload_type=numbers[codec.key]) for codec in codecs if codec.key in numbers
    }
    return tuple(renumbered.values())


@lru_cache(maxsize=REMEMBERED)
def has_speech(codecs: tuple[Codec, ...]) -> bool:
    """Tell whether one of the codecs can carry speech."""
    return any(codec.is_speech for codec in codecs)


@lru_cache(maxsize=REMEMBERED)
def has_events(codecs: tuple[Codec, ...]) -> bool:
    """Tell whether DTMF events are among the codecs."""
    return any(codec.name.lower() == TELEPHONE_EVENT for codec in codecs)


@lru_cache(maxsize=REMEMBERED)
def with_events_of(codecs: tuple[Codec, ...], others: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Return `codecs`, and behind them the telephone-event of `others` that goes with the speech which is sent.

    Without it when they have events already, or its payload type means something else among them.
    """
    if has_events(codecs):
        return codecs
    speech = first_speech(codecs)
    events = () if speech is None else first_speech_with_events((speech, *others))[1:]
    return with_more(codecs, events)


def first_speech(codecs: Iterable[Codec]) -> Codec | None:
    """Return the first codec that carries speech: the one that is sent."""
    return next((codec for codec in codecs if codec.is_speech), None)


def first_speech_with_events(codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Return the first codec that carries speech, and the telephone-event that goes with its clock."""
    speech = first_speech(codecs)
    if speech is None:
        return ()
    events = [codec for codec in codecs if codec.name.lower() == TELEPHONE_EVENT and codec.rate == speech.rate]
    return (speech, *events[:1])


def _codec(payload_type: int, rtpmap: str | None, parameters: str) -> Codec | None:
    if rtpmap is None:
        if payload_type not in _STATIC:
            return None
        name, rate = _STATIC[payload_type]
        return Codec(payload_type, name, rate, parameters=parameters)
    name, _, rest = rtpmap.partition("/")
    rate_text, _, channels_text = rest.partition("/")
    rate_value, channels = _number(rate_text), _number(channels_text or "1")
    if not name.isascii() or not name.isprintable() or name.split() != [name] or not rate_value or not channels:
        return None
    return Codec(payload_type, name, rate_value, channels, parameters)


def _by_payload_type(values: Iterable[str]) -> dict[int, str]:
    result: dict[int, str] = {}
    for value in values:
        number, _, rest = value.strip().partition(" ")
        payload_type = _payload_type(number)
        if payload_type is not None:
            # It goes on to the other side: nothing may hide in it.
            result.setdefault(payload_type, rest.strip() if rest.isprintable() else "")
    return result


def _payload_type(text: str) -> int | None:
    number = _number(text)
    return number if number is not None and number <= 127 else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
