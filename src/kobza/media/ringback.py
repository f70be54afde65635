"""What ringback sounds like in which country (ITU-T E.180, supplement 2, and the national plans it lists). No I/O."""

from typing import Final, NamedTuple


class Cadence(NamedTuple):
    """Frequencies in Hz that sound together, and seconds of sound and silence in turn."""

    frequencies: tuple[float, ...]
    times: tuple[float, ...]


_EUROPE: Final = Cadence((425.0,), (1.0, 4.0))
_LONG_PAUSE: Final = Cadence((425.0,), (1.0, 5.0))
_BRITISH: Final = Cadence((400.0, 450.0), (0.4, 0.2, 0.4, 2.0))
_NORTH_AMERICA: Final = Cadence((440.0, 480.0), (2.0, 4.0))

CADENCES: Final = {
    **dict.fromkeys(("ua", "pl", "de", "cz", "sk", "bg", "ch", "dk", "ee", "fi", "gr", "it", "lt", "lv"), _EUROPE),
    **dict.fromkeys(("md", "nl", "no"), _EUROPE),
    **dict.fromkeys(("pt", "se"), _LONG_PAUSE),
    **dict.fromkeys(("uk", "ie", "nz"), _BRITISH),
    **dict.fromkeys(("us", "ca"), _NORTH_AMERICA),
    "at": Cadence((420.0,), (1.0, 5.0)),
    "be": Cadence((425.0,), (1.0, 3.0)),
    "es": Cadence((425.0,), (1.5, 3.0)),
    "fr": Cadence((440.0,), (1.5, 3.5)),
    "hu": Cadence((425.0,), (1.25, 3.75)),
    "il": Cadence((400.0,), (1.0, 3.0)),
    "tr": Cadence((450.0,), (2.0, 4.0)),
}
"""By country, as people write it: `uk` is Great Britain. The first one is where nothing is said."""

USUAL: Final = "ua"
