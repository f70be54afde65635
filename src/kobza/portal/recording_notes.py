"""What a listener should know of a recording, in words and in its picture: its pauses, and what is not decoded."""

from typing import NamedTuple

from kobza.portal.formats import span_text
from kobza.portal.texts import Say
from kobza.store.recordings import READY, Recording


class Shade(NamedTuple):
    """A part of a waveform in which nothing was recorded, in units of its width."""

    x: float
    width: float


def notes(recording: Recording, say: Say) -> list[str]:
    """Return sentences."""
    noted, said = recording.noted, list[str]()
    for side, codecs in noted.undecoded.items():
        key = "recording_side_undecoded" if recording.status == READY else "recording_undecoded"
        said.append(say(key, side=say(f"recording_{side}"), codecs=", ".join(codecs)))
    if noted.no_room:
        said.append(say("recording_was_cut" if recording.status == READY else "recording_had_no_room"))
    if noted.paused:
        spans = ", ".join(f"{span_text(begin)}–{span_text(end)}" for begin, end in noted.paused)
        said.append(say("recording_paused", spans=spans))
    for side, at in noted.announced:
        said.append(say("recording_announced", side=say(f"recording_{side}"), at=span_text(at)))
    for side in noted.unannounced:
        said.append(say("recording_unannounced", side=say(f"recording_{side}")))
    return said


def shades(recording: Recording, width: int) -> list[Shade]:
    """Return where a recording was paused, for a waveform that is so wide."""
    length = recording.duration_ms or 0
    if not length:
        return []
    return [
        Shade(round(begin * width / length, 2), round((end - begin) * width / length, 2))
        for begin, end in recording.noted.paused
    ]
