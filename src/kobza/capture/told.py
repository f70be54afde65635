"""From messages to a ladder: one way for those that are kept short and those that are whole."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kobza.capture.message import Seen
from kobza.capture.reading import description_in, what_it_says
from kobza.store.messages import Message, SipLadder


class Said(NamedTuple):
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
    said: list[tuple[Said, int]] = []
    for name, messages in dialogs:
        if messages:
            said += [(each, len(lanes)) for each in messages]
            lanes.append(name)
    if not said:
        return None
    said.sort(key=lambda each: each[0].at)
    began = said[0][0].at
    told = [Message(round((each.at - began) * 1000), lane, each.sent, each.what, each.about) for each, lane in said]
    return SipLadder(round(began * 1000), lanes, told)
