"""The announcements that come with Kobza: what they say is in `tools/make_voices.py`, which makes them."""

from pathlib import Path
from typing import Final

from kobza.media.sound_files import SUFFIX

_FOLDER: Final = Path(__file__).parent / "voices"
USUAL: Final = "uk"
ANNOUNCEMENTS: Final = {voice: _FOLDER / f"recorded.{voice}{SUFFIX}" for voice in (USUAL, "en")}
"""By language: that the call is recorded; as files that the relay plays."""
