"""The media plane, where it is not Kobza's own process: whether the rtpengines answer, and what they have left."""

from collections.abc import Iterable
from typing import Final

from kobza.app.doctor.findings import Finding, bad, good, look
from kobza.config.settings import Settings
from kobza.media.rtpengine import words
from kobza.media.rtpengine.ng import NgError
from kobza.media.rtpengine.probe import ask_once

CHECK: Final = "rtpengine"
FEW: Final = 0.1
"""The part of an instance's ports that should be free."""


def rtpengines(settings: Settings) -> Iterable[Finding]:
    """Ask each; nothing where they are not used."""
    if settings.media_plane != "rtpengine":
        return
    gone = []
    for each in settings.rtpengine:
        try:
            counts = words.counts_in(ask_once(each.host, each.port, words.STATISTICS))
        except NgError as error:
            gone.append(f"{each} does not answer ({error.reason})")
            continue
        said = f"{each} answers: {counts.sessions} calls, {counts.ports_used} of {counts.ports} ports used"
        if counts.ports - counts.ports_used < FEW * counts.ports:
            yield look(CHECK, said, "give it a wider range (port-min, port-max), or add an instance")
        else:
            yield good(CHECK, said)
    advice = "start it (listen-ng), or correct the setting rtpengine"
    if len(gone) == len(settings.rtpengine):
        yield bad(CHECK, "; ".join(gone), advice)
    elif gone:
        yield look(CHECK, "; ".join(gone), f"{advice}: calls go to the others")
