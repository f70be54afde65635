"""What commands that move recordings could not do."""

from typing import NamedTuple

from kobza.store.recordings import Recording


class Wrong(NamedTuple):
    """A recording that is left as it is."""

    recording: Recording
    found: str
    """missing, damaged, unread or under way."""
    why: str
