"""What the relay counted of a call, as people ask for it: how each side heard the other one."""

from kobza.media.messages import CallQuality, SideQuality
from kobza.media.plane import Side, SideHeard
from kobza.rtp.quality import mos


def judged(quality: CallQuality) -> dict[Side, SideHeard]:
    """Return what is known of each side.

    A side's own reports tell of the whole way to its phone; without any, what came to us of the other one's packets
    has to do. The delay is half of both ways round, as far as they are known: the phones' own buffers come on top. Of
    the way from a phone to us alone it is half of that one.
    """
    return {
        Side.CALLER: _judged(quality.caller, quality.callee),
        Side.CALLEE: _judged(quality.callee, quality.caller),
    }


def _judged(own: SideQuality, other: SideQuality) -> SideHeard:
    sent = other.received + other.lost
    missed = own.lost_beyond if own.reports else other.lost
    own_way = (own.round_trip or 0.0) / 2
    delay = own_way + (other.round_trip or 0.0) / 2
    jitter = own.jitter if own.reports else other.arrival_jitter or 0.0
    return SideHeard(
        sent=own.received + own.lost,
        lost=own.lost,
        missed=missed,
        jitter=own.jitter if own.reports else None,
        round_trip=own.round_trip,
        mos=mos(missed / sent, delay, jitter, other.codec) if other.received else None,
        arrival_jitter=own.arrival_jitter,
        arrival_mos=mos(own.lost / (own.received + own.lost), own_way, own.arrival_jitter or 0.0, own.codec)
        if own.received
        else None,
        codec=own.codec,
    )
