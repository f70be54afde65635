"""How the sides of a call heard each other, as it is told and kept when the call is over."""

from math import ceil
from typing import Any, Literal

from kobza.values import Value

NotHeard = Literal["caller", "called", "both"]


class HeardSide(Value, frozen=True):
    """The leg of one side of a call, both ways: what its phone sent, and how it heard the other one."""

    sent: int
    """RTP packets; 0: nothing came from it, so the other side heard nothing."""
    lost: int
    """Those of them that were lost before they came to us."""
    missed: int
    """Packets of the other side that were lost on the whole way to this one."""
    jitter_ms: float | None = None
    """Of what it heard, as its phone reports; None: it does not."""
    round_trip_ms: float | None = None
    """From us to its phone and back; None: not known."""
    mos: float | None = None
    """The mean opinion score of what it heard, an estimate: 1 to 4.5; None: there was nothing to hear."""
    arrival_jitter_ms: float | None = None
    """Of its own packets as they came to us; None: not known."""
    arrival_mos: float | None = None
    """The score of its own voice as it came to us; None: nothing came."""
    codec: str = ""
    """What it spoke last, as in an `rtpmap`; "": not known."""
    silent_s: float = 0.0
    """For how long nothing came from it while both talked and the other one was heard; 0: nobody noticed any."""


class HeardCall(Value, frozen=True):
    """Both sides of a call; the called one is who talked last there."""

    caller: HeardSide
    called: HeardSide

    def not_heard(self, *, answered: bool) -> NotHeard | None:
        """Return who was not heard by the other one, in all of the call or for a while; None: both were heard.

        `answered`: the call was. In one that was not, only early media had anything to say.
        """
        caller, called = (side.silent_s > 0 or (answered and not side.sent) for side in (self.caller, self.called))
        return "both" if caller and called else "caller" if caller else "called" if called else None

    @property
    def silent_for(self) -> int:
        """For how many seconds a side was not heard, rounded up; 0: nobody noticed any, or nothing ever came of it."""
        return ceil(max(self.caller.silent_s, self.called.silent_s))

    def document(self, *, answered: bool) -> dict[str, Any]:
        """Return it as the interface shows it: for each leg what came from its phone, and what went to it."""
        return {
            "not_heard": self.not_heard(answered=answered),
            "caller": _leg(self.caller, self.called),
            "called": _leg(self.called, self.caller),
        }


def _leg(own: HeardSide, other: HeardSide) -> dict[str, Any]:
    return {
        "codec": own.codec or None,
        "round_trip_ms": own.round_trip_ms,
        "silent_seconds": own.silent_s,
        "received": {
            "packets": own.sent - own.lost,
            "lost": own.lost,
            "jitter_ms": own.arrival_jitter_ms,
            "mos": own.arrival_mos,
        },
        "sent": {
            "packets": other.sent,
            "lost": own.missed,
            "jitter_ms": own.jitter_ms,
            "mos": own.mos,
        },
    }
