"""From messages to a ladder: one way for those that are kept short and those that are whole."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from kobza.capture.message import Seen
from kobza.capture.reading import description_in, what_it_says
from kobza.store.messages import Message, SipLadder
from kobza.values import Value

_REMEMBERED: Final = 1024
"""Messages in short. Those of most calls say one of some fifty things, and are then one object."""


class Said(Value, frozen=True):
    """A message in short."""

    sent: bool
    what: str
    about: str


@lru_cache(_REMEMBERED)
def said(sent: bool, what: str, about: str) -> Said:
    """Return the one message in short that says this: many are kept, and little differs."""
    return Said(sent, what, about)


def said_in(seen: Seen) -> tuple[float, Said]:
    """Return when a whole message was and what it says in short, with the address in its session description."""
    text = seen.text
    return seen.at, Said(seen.sent, what_it_says(text), description_in(text, address=True))


def ladder(dialogs: Iterable[tuple[str, Sequence[tuple[float, Said]]]]) -> SipLadder | None:
    """Put the dialogs of a call together: who is at the other end, and what was said when (seconds since the epoch).

    None when nothing was.
    """
    lanes: list[str] = []
    told: list[tuple[float, int, int, Said]] = []
    for name, messages in dialogs:
        if messages:
            lane, before = len(lanes), len(told)
            told += [(at, before + number, lane, each) for number, (at, each) in enumerate(messages)]
            lanes.append(name)
    if not told:
        return None
    told.sort()
    began = told[0][0]
    written = [
        Message(int((at - began) * 1000 + 0.5), lane, each.sent, each.what, each.about) for at, _, lane, each in told
    ]
    return SipLadder(round(began * 1000), lanes, written)
