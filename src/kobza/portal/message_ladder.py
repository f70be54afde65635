"""The SIP messages of a call as a ladder: Kobza in its place, an arrow for each message, drawn by the server."""

from dataclasses import dataclass
from typing import Final

from kobza.portal.formats import clock_text
from kobza.portal.texts import Say
from kobza.store.messages import SipLadder

WIDTH: Final = 720
TOP: Final = 34
"""Units above the first message, for the names."""
ROW: Final = 26
TIMES: Final = 76
"""Units on the left, for the times."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One who speaks: an upright line."""

    name: str
    x: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """One message."""

    at: str
    what: str
    from_x: int
    to_x: int
    y: int
    failed: bool
    words: str
    """All of it for those who hear the page."""

    @property
    def middle(self) -> int:
        """Where its words stand."""
        return (self.from_x + self.to_x) // 2


@dataclass(frozen=True, slots=True)
class MessageLadder:
    """The whole drawing."""

    lanes: list[Lane]
    arrows: list[Arrow]
    height: int


def message_ladder(said: SipLadder, say: Say) -> MessageLadder:
    """Draw what was said. The caller is on the left of Kobza, whoever was called on its right."""
    callers = [place for place, name in enumerate(said.lanes) if name == "caller"]
    called = [place for place, name in enumerate(said.lanes) if name != "caller"]
    columns = [*callers, None, *called]
    step = (WIDTH - TIMES) // len(columns)
    places = {place: TIMES + step * at + step // 2 for at, place in enumerate(columns)}
    names = {place: say("ladder_caller") for place in callers}
    names |= {place: say("ladder_phone", number=number) for number, place in enumerate(called, 1)}
    arrows = []
    for at, message in enumerate(said.messages):
        ends = (places[None], places[message.lane])
        from_x, to_x = ends if message.sent else ends[::-1]
        who, whom = ("Kobza", names[message.lane]) if message.sent else (names[message.lane], "Kobza")
        moment = said.began_at + message.after_ms
        time = f"{clock_text(moment, seconds=True)}.{moment % 1000:03}"
        words = f"{time} {who} → {whom}: {message.what}"
        arrows.append(Arrow(time, message.what, from_x, to_x, TOP + ROW * (at + 1), message.what[:1] in "456", words))
    lanes = [Lane("Kobza" if place is None else names[place], places[place]) for place in columns]
    return MessageLadder(lanes, arrows, TOP + ROW * (len(arrows) + 1))
