"""The time as the store keeps it."""

import time


def now_ms() -> int:
    """Return the time in whole milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000
