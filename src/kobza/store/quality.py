"""How the sides of a call heard each other, as the store keeps it: one JSON text (`call_details`)."""

from typing import Final

import msgspec
from sqlalchemy import Connection

from kobza.store import call_details


class HeardSide(msgspec.Struct, frozen=True):
    """One side of a call: what its phone sent, and how it heard the other one."""

    sent: int
    """RTP packets; 0: nothing came from it, so the other side heard nothing."""
    lost: int
    """Those of them that were lost before they came to us."""
    missed: int
    """Packets of the other side that were lost on the whole way to this one."""
    jitter_ms: float | None = None
    """As its phone reports; None: it does not."""
    round_trip_ms: float | None = None
    """From us to its phone and back; None: not known."""
    mos: float | None = None
    """The mean opinion score of what it heard, an estimate: 1 to 4.5; None: there was nothing to hear."""


class HeardCall(msgspec.Struct, frozen=True):
    """Both sides of a call; the called one is who talked last there."""

    caller: HeardSide
    called: HeardSide


_decoder: Final = msgspec.json.Decoder(HeardCall)


def written(heard: HeardCall) -> str:
    """Return the text that is kept."""
    return msgspec.json.encode(heard).decode()


def find(conn: Connection, enterprise_id: str, call_id: str) -> HeardCall | None:
    """Return how the sides of a call of an enterprise heard each other; None when that is not known."""
    text = call_details.find(conn, "quality", enterprise_id, call_id)
    return None if text is None else _decoder.decode(text)
