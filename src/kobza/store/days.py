"""For how many days what is kept. Apart from the statements, for the settings: they need no SQLAlchemy."""

from typing import Final, NamedTuple


class Terms(NamedTuple):
    """Days for which things are kept, each counted from when it happened."""

    history_days: int
    """Calls."""
    recording_days: int
    """The sound of calls; never longer than the call itself."""
    event_days: int
    """Call states, what is owed of them, and the attempts."""
    payload_days: int
    """The persons in call states and what receivers answered; never longer than the call states themselves."""


LEAST: Final = Terms(30, 1, 1, 1)
"""The least that can be set. The basic call information reaches back 30 days (contract, section 2)."""
MOST: Final = 36_500


class OwnTerms(NamedTuple):
    """What an enterprise has of its own; None is as the settings say."""

    history_days: int | None = None
    recording_days: int | None = None
    event_days: int | None = None
    payload_days: int | None = None

    def over(self, settings: Terms) -> Terms:
        """Return what is in force."""
        found = Terms._make(mine if mine is not None else theirs for mine, theirs in zip(self, settings, strict=True))
        return found._replace(
            recording_days=min(found.recording_days, found.history_days),
            payload_days=min(found.payload_days, found.event_days),
        )
