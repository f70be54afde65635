"""How the sides of a call heard each other, as the manual describes it; `kobza.call.heard` writes it."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field


class WayQuality(BaseModel):
    """A voice one way: from a phone to us (received), or of the other phone all the way to this one (sent)."""

    packets: Annotated[int, Field(ge=0, description="RTP packets that came (received), or were sent to it (sent).")]
    lost: Annotated[int, Field(ge=0, description="Packets that did not come.")]
    jitter_ms: Annotated[
        float | None, Field(description="As we measured it (received), or its phone reports it (sent); null: unknown.")
    ]
    mos: Annotated[float | None, Field(ge=1, le=5, description="Opinion score (E-model); null: nothing came.")]


class LegQuality(BaseModel):
    """The leg of one side of a call, both ways."""

    codec: Annotated[str | None, Field(description="What its phone spoke last.")]
    round_trip_ms: Annotated[float | None, Field(description="To its phone and back; null: its phone does not tell.")]
    silent_seconds: Annotated[
        float, Field(ge=0, description="For how long it was not heard while both talked and the other one was.")
    ]
    received: WayQuality
    sent: WayQuality


class Quality(BaseModel):
    """How the sides of a call heard each other."""

    not_heard: Annotated[
        Literal["caller", "called", "both"] | None,
        Field(description="One-way audio: who was not heard by the other side, in all of the call or for a while."),
    ]
    caller: LegQuality
    called: LegQuality


def _way(packets: int, lost: int, jitter_ms: float, mos: float) -> dict[str, float]:
    return {"packets": packets, "lost": lost, "jitter_ms": jitter_ms, "mos": mos}


EXAMPLE: Final = {
    "not_heard": None,
    "caller": {
        "codec": "pcma",
        "round_trip_ms": 38.5,
        "silent_seconds": 0.0,
        "received": _way(658, 0, 1.3, 4.39),
        "sent": _way(659, 4, 2.1, 4.08),
    },
    "called": {
        "codec": "pcma",
        "round_trip_ms": 12.0,
        "silent_seconds": 0.0,
        "received": _way(659, 0, 0.4, 4.4),
        "sent": _way(658, 0, 0.9, 4.38),
    },
}
