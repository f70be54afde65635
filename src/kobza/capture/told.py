"""From messages to a ladder: one way for those that are kept short and those that are whole."""

from collections.abc import Iterable, Sequence

from kobza.capture.message import Seen
from kobza.capture.reading import description_in, what_it_says
from kobza.store.messages import Message, SipLadder
from kobza.values import Value


class Said(Value, frozen=True):
    """A message in short."""

    at: float
    """Seconds since the epoch."""
    sent: bool
    what: str
    about: str


def said_in(seen: Seen) -> Said:
    """Return a whole message in short, with the address in its session description."""
    return Said(seen.at, seen.sent, what_it_says(seen.data), description_in(seen.data, address=True))


def ladder(dialogs: Iterable[tuple[str, Sequence[Said]]]) -> SipLadder | None:
    """Put the dialogs of a call together: who is at the other end, and what was said. None when nothing was."""
    lanes: list[str] = []
    said: list[tuple[float, int, int, Said]] = []
    for name, messages in dialogs:
        if messages:
            lane, before = len(lanes), len(said)
            said += [(each.at, before + number, lane, each) for number, each in enumerate(messages)]
            lanes.append(name)
    if not said:
        return None
    said.sort()
    began = said[0][0]
    told = [Message(round((at - began) * 1000), lane, each.sent, each.what, each.about) for at, _, lane, each in said]
    return SipLadder(round(began * 1000), lanes, told)
