"""A common beat: what may wait a little waits for the same moment, so that the loop is woken once for all of it.

To be woken costs a server that has little to do more than what it is woken for: what it needs is no longer in the
processor's caches (docs/adr/0016-cost-of-a-call.md). Moments are those of the loop's clock.
"""

from typing import Final

BEAT_MS: Final = 10
"""Milliseconds between two beats: what nobody hears or sees in the setting up of a call."""


def next_beat(after: float) -> float:
    """Return the first beat after a moment, both in seconds; the loop's clock counts milliseconds."""
    return (round(after * 1000) // BEAT_MS + 1) * BEAT_MS / 1000
