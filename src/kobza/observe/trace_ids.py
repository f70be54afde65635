"""The ids of traces. They follow from ours, so nothing has to be remembered for them, not even across a restart.

The trace of a call is its `call_id`: 32 hex digits are both. A span's id is made from what it is the span of. Whoever
has a call state therefore knows its trace, and a delivery after a restart still belongs to it.
"""

from hashlib import blake2b

CHANCE_BITS = 56
"""The right end of a trace id is random (W3C Trace Context 2, section 3.2): which calls are traced is decided by it."""


def trace_id(call_id: str) -> int:
    """Return the trace of a call; 0, which is none, for an id that is not one of ours."""
    try:
        number = int(call_id, 16)
    except ValueError:
        return 0
    return number if number < 1 << 128 else 0


def span_id(*of: object) -> int:
    """Return the id of a span: the same for the same, never 0."""
    digest = blake2b("\0".join(map(str, of)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1


def is_traced(trace: int, ratio: float) -> bool:
    """Tell whether a call belongs to the part that is traced; every process decides alike."""
    return trace != 0 and trace % (1 << CHANCE_BITS) < ratio * (1 << CHANCE_BITS)


def traceparent(trace: int, span: int) -> str:
    """Write the header that lets a receiver go on with a trace (W3C Trace Context, section 3.2)."""
    return f"00-{trace:032x}-{span:016x}-01"
