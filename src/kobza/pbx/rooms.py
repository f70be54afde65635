"""Who is in which mix: calls that are supervised, and conferences.

Whoever comes to a live call, to listen or to talk, is rung in a call of its own, whose other side is a seat in the mix.
So its states, its record, its limits and its end are those of any call. A room keeps together the call that was there
first and those of its guests; the media plane is told the whole of a room whenever something in it changes.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from kobza.call.errors import ConferenceFullError
from kobza.call.events import CallAnswered, CallEnded, CallFact, CallTransferred
from kobza.call.phases import Phase
from kobza.call.routing import SEVERAL, Party
from kobza.call.step import Destination
from kobza.media.plane import MediaPlane, Seat, Side
from kobza.pbx.dialling import SeatTarget
from kobza.pbx.live_call import LiveCall
from kobza.pbx.seats import SIDES

log = logging.getLogger(__name__)

MAX_VOICES: Final = 10
"""Phones in one room, supervisors' and those that still ring included."""

Mode = Literal["listen", "whisper", "join"]
"""How a supervisor takes part: hears both; is heard by one of them, too; is heard by both."""

STAND_IN: Final = Destination(Party(SEVERAL), [SeatTarget()])
"""In the place of one who leaves a conference."""

Key = tuple[str, Side]


@dataclass(slots=True)
class Guest:
    """Somebody who has come to a live call, or is being rung for it."""

    live: LiveCall
    leg_id: str
    """The leg of its phone."""
    seat: Side
    """The side of its call that is the seat."""
    mode: Mode
    near: str = ""
    """The leg that it supervises: whom it whispers to; "": it is no supervisor but takes part."""
    number: str = ""
    since: float | None = None
    """When it was connected, seconds; None: it still rings."""
    left: Callable[["Guest", float], None] | None = None
    """Called when it has gone, with the moment."""

    @property
    def supervises(self) -> bool:
        """Whether it is a supervisor."""
        return bool(self.near)

    @property
    def key(self) -> Key:
        """Who it is in the mix."""
        return self.live.call_id, self.seat


@dataclass(slots=True)
class Room:
    """A mix: the call that was there first, and its guests by call id."""

    room_id: str
    host: LiveCall
    guests: dict[str, Guest] = field(default_factory=dict)
    announced: bool = True
    """Whether those who talk hear a tone while a supervisor hears them and is not heard."""

    @property
    def present(self) -> list[Guest]:
        """The guests that are connected."""
        return [guest for guest in self.guests.values() if guest.since is not None]

    def supervisor(self, number: str) -> Guest | None:
        """Return the supervisor with a number, if it is here or rings."""
        return next((guest for guest in self.guests.values() if guest.supervises and guest.number == number), None)

    def key_of(self, leg_id: str) -> Key | None:
        """Return who a leg is in the mix; None when it is not there any more."""
        for guest in self.guests.values():
            if leg_id in (guest.live.caller_leg_id, guest.live.callee_leg_id):
                return guest.key
        return next((key for leg, key in self._hosts() if leg == leg_id), None)

    def _hosts(self) -> list[tuple[str, Key]]:
        """Return leg and key of those who talk in the call that was there first."""
        host = self.host
        if host.ended:
            return []
        legs = {Side.CALLER: host.caller_leg_id, Side.CALLEE: host.callee_leg_id}
        seats = {SIDES[side] for side in host.seats.values()}
        # When one of the two has left, the other one's voice comes through the seat in its place.
        return [
            (leg_id, (host.call_id, side.other if seats else side))
            for side, leg_id in legs.items()
            if side not in seats
        ]

    def seats(self) -> tuple[list[Seat], list[Key]]:
        """Return who is in the mix and who hears whom, and who hears that somebody listens."""
        talking = [key for _, key in self._hosts()]
        seats = [Seat(*key) for key in talking]
        secret = False
        for guest in self.present:
            if guest.mode == "join":
                talking.append(guest.key)
                seats.append(Seat(*guest.key))
                continue
            secret = True
            near = self.key_of(guest.near) if guest.mode == "whisper" else None
            seats.append(Seat(*guest.key, () if near is None else (near,)))
        return seats, talking if secret and self.announced else []


class Rooms:
    """All rooms. `end(live)` ends a call because it has nobody to talk to any more; `now` is in seconds."""

    def __init__(self, plane: MediaPlane, end: Callable[[LiveCall], None]) -> None:
        self._plane = plane
        self._end = end
        self._rooms: dict[str, Room] = {}
        """By the id of each call that is in one."""

    def of(self, call_id: str) -> Room | None:
        """Return the room of a call."""
        return self._rooms.get(call_id)

    def for_guest(self, live: LiveCall) -> Room:
        """Return the room of a live call, made if there is none, with a place for one more.

        Raises ConferenceFullError.
        """
        room = self._rooms.get(live.call_id)
        if room is None:
            room = Room(live.call_id, live)
        if len(room.guests) + len(_phones(room)) >= MAX_VOICES:
            raise ConferenceFullError(f"The call has {MAX_VOICES} phones already, and no more can be mixed.")
        return room

    def invite(self, room: Room, guest: Guest) -> None:
        """Take somebody who is being rung."""
        room.guests[guest.live.call_id] = guest
        # The first call may be over while its guests talk on.
        for call_id in (room.host.call_id, *room.guests):
            self._plane.beside(guest.live.call_id, call_id)
        for live in (room.host, guest.live):
            if not live.ended:
                live.mixed = True
                self._rooms[live.call_id] = room

    def change(self, room: Room, guest: Guest, mode: Mode) -> None:
        """Let a supervisor take part in another way."""
        guest.mode = mode
        if guest.since is not None:
            self._arrange(room)

    def noted(self, live: LiveCall, facts: Sequence[CallFact]) -> None:
        """Take what has become known of a call that is in a room."""
        room = self._rooms.get(live.call_id)
        if room is None:
            return
        guest = room.guests.get(live.call_id)
        for fact in facts:
            if isinstance(fact, CallEnded):
                self._gone(room, live, guest, fact.at)
                return
            if isinstance(fact, CallAnswered) and guest is not None:
                guest.since = fact.at
            elif isinstance(fact, CallTransferred):
                self._left_by(room, fact.leg_id)
        if live.call.phase is Phase.TALKING:
            self._look(room)

    def _gone(self, room: Room, live: LiveCall, guest: Guest | None, at: float) -> None:
        del self._rooms[live.call_id]
        if guest is None:
            self._left_by(room, live.caller_leg_id, live.callee_leg_id)
            self._look(room)
            return
        del room.guests[live.call_id]
        if guest.left is not None:
            guest.left(guest, at)
        self._left_by(room, live.caller_leg_id, live.callee_leg_id)
        self._look(room)
        if not room.guests and room.host.call_id in self._rooms:
            self._rooms.pop(room.host.call_id).host.mixed = False

    def _left_by(self, room: Room, *legs: str) -> None:
        """End the supervision of those who have left."""
        for guest in list(room.guests.values()):
            if guest.near in legs:
                self._end(guest.live)

    def _look(self, room: Room) -> None:
        """See who is left: who is left alone goes, too."""
        members = [guest for guest in room.present if not guest.supervises]
        hosts = [] if room.host.ended else _phones(room)
        room.host.call.go_on_with(STAND_IN if members else None)
        if len(hosts) + len(members) < 2:
            for guest in list(room.guests.values()):
                self._end(guest.live)
            if hosts:
                self._end(room.host)
        self._arrange(room)

    def _arrange(self, room: Room) -> None:
        """Tell the media plane how things stand."""
        if room.present:
            self._plane.mix(room.room_id, *room.seats())
        else:
            self._plane.mix(room.room_id, ())


def _phones(room: Room) -> Sequence[str]:
    """Return the sides of the call that was there first that are phones."""
    host = room.host
    return () if host.ended else [side for side in SIDES if side not in host.seats.values()]
