"""Seats in a mix, as SDP and as who hears what. No I/O."""

from collections.abc import Collection, Sequence
from typing import Final

from kobza.media.plane import MediaError, Seat, Side
from kobza.sdp.audio import Audio
from kobza.sdp.codecs import EVENTS, PCMA, PCMU, Codec, codecs_with_types_of, first_speech, has_speech, with_more
from kobza.sdp.negotiation import LocalAudio, origin, write_answer

G711: Final = (PCMA, PCMU)
_KEYS: Final = frozenset(codec.key for codec in G711)

_NOWHERE: Final = "127.0.0.1"
"""The address that a seat names. Nothing is sent there, but 0.0.0.0 would mean hold (RFC 2543, section B.5)."""
_DISCARD: Final = 9
"""The port that a seat names: of the discard service (RFC 863)."""


def heard_beyond(seats: Sequence[Seat], noticing: Collection[tuple[str, Side]]) -> dict[tuple[str, Side], bool]:
    """Return who of a mix hears more than the other side of their call, and whether that is somebody who speaks."""
    hearing: dict[tuple[str, Side], bool] = {}
    for call_id, side, _ in seats:
        key = (call_id, side)
        speaks = any(
            (other.call_id, other.side) not in (key, (call_id, side.other))
            and (other.heard_by is None or key in other.heard_by)
            for other in seats
        )
        if speaks or key in noticing:
            hearing[key] = speaks
    return hearing


def seat_answer(audio: Audio) -> bytes:
    """Return what a seat answers to an offer of ours: G.711, and the digits, which it drops. Raises MediaError."""
    speech = next((codec for codec in audio.codecs if codec.key in _KEYS), None)
    if speech is None:
        raise MediaError("not acceptable: only G.711 can be mixed")
    codecs = (speech, *(codec for codec in audio.codecs if codec.key == EVENTS.key))
    local = LocalAudio(_NOWHERE, _DISCARD, codecs, audio.direction.reversed)
    return write_answer(origin(1, _NOWHERE), local, audio)


def narrowed(common: tuple[Codec, ...], named: tuple[Codec, ...], beside: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Return the codecs to offer a phone so that it sends G.711; none when it does. Raises MediaError.

    `common` is what it agreed on, `named` all that it ever named, `beside` what the other side agreed on: of the two
    laws it is to send the one that that one sends.
    """
    sent, other = first_speech(common), first_speech(beside)
    if sent is None:
        raise MediaError("this side has agreed on nothing yet")
    laws = (other,) if other is not None and other.key in _KEYS else G711
    if any(sent.key == law.key for law in laws):
        return ()
    wanted = (*laws, EVENTS)
    codecs = codecs_with_types_of(wanted, with_more(named, wanted))
    if not has_speech(codecs):
        raise MediaError("not acceptable: the payload type of G.711 means another codec here")
    return codecs
