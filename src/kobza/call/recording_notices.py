"""What an enterprise has those told who talk in a call that it records."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

Audience = Literal["nobody", "outside", "caller", "called", "both"]
"""Who hears the announcement. outside: whoever is none of the enterprise's own."""
AUDIENCES: Final[tuple[Audience, ...]] = get_args(Audience)
Voice = Literal["uk", "en"]
"""The language of the announcement that comes with Kobza."""
VOICES: Final[tuple[Voice, ...]] = get_args(Voice)
BEEP_AT_LEAST, BEEP_AT_MOST = 5, 120
"""Seconds from one beep to the next."""
USUAL_BEEP: Final = 15


@dataclass(frozen=True, slots=True)
class RecordingNotices:
    """The choice of an enterprise."""

    announced_to: Audience = "nobody"
    voice: Voice = "uk"
    beep_every: int = 0
    """Seconds, 0: there is no beep."""
    sound: str = ""
    """The hash of the announcement that the enterprise brought; "": that of `voice` is heard."""
