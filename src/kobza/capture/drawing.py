"""The SIP messages of a call as a drawing: who stands where, and an arrow for each message. For text, SVG and pages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kobza.store.messages import SipLadder

CALLER: Final = "caller"
"""The lane of who began the call; "caller trunk NAME" when a trunk brought it."""
TRUNK: Final = "trunk "
OURSELVES: Final = "Kobza"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a dialog."""

    is_caller: bool
    trunk: str
    """The name of the trunk; "": a phone."""
    number: int
    """Its place among those of its kind, from 1."""
    alone: bool
    """Whether it is the only one of its kind."""

    @classmethod
    def all_of(cls, lanes: list[str]) -> "list[Peer]":
        """Return who is in each lane of a stored ladder."""
        kinds = [(lane.startswith(CALLER), TRUNK in f" {lane}") for lane in lanes]
        peers = []
        for place, (lane, kind) in enumerate(zip(lanes, kinds, strict=True)):
            trunk = f" {lane}".partition(f" {TRUNK}")[2]
            peers.append(cls(kind[0], trunk, kinds[: place + 1].count(kind), kinds.count(kind) == 1))
        return peers


@dataclass(frozen=True, slots=True)
class Arrow:
    """One message. Columns are counted from the left."""

    at_ms: int
    """The moment, milliseconds since the epoch."""
    after_ms: int
    """Since the first message."""
    from_column: int
    to_column: int
    what: str
    """The method of a request, the status of a response with its phrase."""
    about: str
    """Its session description in short, "" without one."""

    @property
    def failed(self) -> bool:
        """Whether it says that something did not work out."""
        return self.what[:1] in "456"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A ladder: who stands in the columns, from left to right, and what was said, in its order."""

    columns: list[str]
    arrows: list[Arrow]


def drawn(said: SipLadder, name: Callable[[Peer], str]) -> Drawing:
    """Place who spoke: the caller on the left of Kobza, whoever was called on its right. `name` says what they are."""
    peers = Peer.all_of(said.lanes)
    places: list[int | None] = [place for place, peer in enumerate(peers) if peer.is_caller]
    places.append(None)
    places += [place for place, peer in enumerate(peers) if not peer.is_caller]
    column_of = {place: column for column, place in enumerate(places)}
    arrows = []
    for message in said.messages:
        ends = (column_of[None], column_of[message.lane])
        from_column, to_column = ends if message.sent else ends[::-1]
        at = said.began_at + message.after_ms
        arrows.append(Arrow(at, message.after_ms, from_column, to_column, message.what, message.about))
    return Drawing([OURSELVES if place is None else name(peers[place]) for place in places], arrows)
