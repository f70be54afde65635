"""How the sides of a call heard each other, as Kobza tells it ([ours])."""

from dataclasses import dataclass

from kobza.client.fields import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class WayQuality:
    """A voice one way."""

    packets: int
    """That came from the phone (received), or were sent to it by the other one (sent)."""
    lost: int
    jitter_ms: float | None
    mos: float | None
    """Opinion score, 1 to 4.5; None: nothing came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegQuality:
    """The leg of one side, both ways."""

    codec: str | None
    round_trip_ms: float | None
    silent_seconds: float
    """For how long the side was not heard while both talked and the other one was."""
    received: WayQuality
    """From its phone to the server."""
    sent: WayQuality
    """From the other phone all the way to this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuality:
    """Both legs of a call."""

    not_heard: str | None
    """One-way audio: caller, called or both; None: both were heard."""
    caller: LegQuality
    called: LegQuality


def read_quality(fields: Fields) -> CallQuality | None:
    """Read the field `quality` of a call or a call state; None when it is absent or null."""
    if not fields.has("quality"):
        return None
    quality = fields.inner("quality")
    return CallQuality(
        not_heard=quality.text_or_none("not_heard"),
        caller=_leg(quality.inner("caller")),
        called=_leg(quality.inner("called")),
    )


def _leg(fields: Fields) -> LegQuality:
    return LegQuality(
        codec=fields.text_or_none("codec"),
        round_trip_ms=fields.number_or_none("round_trip_ms"),
        silent_seconds=fields.number_or_none("silent_seconds") or 0.0,
        received=_way(fields.inner("received")),
        sent=_way(fields.inner("sent")),
    )


def _way(fields: Fields) -> WayQuality:
    return WayQuality(
        packets=fields.whole("packets"),
        lost=fields.whole("lost"),
        jitter_ms=fields.number_or_none("jitter_ms"),
        mos=fields.number_or_none("mos"),
    )
