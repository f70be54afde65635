"""What an enterprise may bring and choose to be heard, for who asks its people: the portal knows nothing of media."""

from typing import Final

from kobza.media.ringback import CADENCES
from kobza.media.sound_process import read_sound
from kobza.media.sound_reading import MAX_SECONDS, UnfitSound

__all__ = ["COUNTRIES", "MAX_SECONDS", "UnfitSound", "read_sound"]

COUNTRIES: Final = tuple(CADENCES)
"""Whose ringback is known."""
