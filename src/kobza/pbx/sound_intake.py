"""What an enterprise may bring and choose to be heard, for who asks its people: the portal knows nothing of media."""

from typing import Final

from kobza.media.announcements import ANNOUNCEMENTS
from kobza.media.ringback import CADENCES
from kobza.media.sound_process import read_sound
from kobza.media.sound_reading import MAX_SECONDS, UnfitSound

__all__ = ["ANNOUNCEMENTS", "COUNTRIES", "MAX_ANNOUNCEMENT", "MAX_SECONDS", "UnfitSound", "read_sound"]

MAX_ANNOUNCEMENT: Final = 30
"""Seconds of an announcement: nobody listens to more, and voices are lower under it."""

COUNTRIES: Final = tuple(CADENCES)
"""Whose ringback is known."""
