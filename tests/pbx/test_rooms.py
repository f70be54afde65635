"""Who is in which mix, and that no more are than can be mixed."""

from typing import Any

import pytest

from kobza.call.errors import ConferenceFullError
from kobza.call.events import CallEnded
from kobza.media.embedded import EmbeddedPlane
from kobza.media.plane import Side
from kobza.pbx.live_call import LiveCall
from kobza.pbx.rooms import MAX_VOICES, Guest, Mode, Room, Rooms
from tests.pbx.test_live_call import ANNA_PARTY, BOHDAN_PARTY, VERA_PARTY, live_call

HOST = live_call(ANNA_PARTY, BOHDAN_PARTY)
CALLER, CALLEE = (HOST.call_id, Side.CALLER), (HOST.call_id, Side.CALLEE)


def guest_call(name: str) -> LiveCall:
    made = live_call(VERA_PARTY, ANNA_PARTY)
    made.call._core.call_id = made.call_id = name
    made.caller_leg_id, made.callee_leg_id = f"{name}-caller", f"{name}-callee"
    return made


def guest(name: str, mode: Mode, near: str = "") -> Guest:
    made = guest_call(name)
    return Guest(made, made.caller_leg_id, Side.CALLEE, mode, near, since=1.0)


def room_with(*guests: Guest, announced: bool = True) -> Room:
    return Room("room", HOST, {each.live.call_id: each for each in guests}, announced=announced)


def heard_by(room: Room) -> dict[tuple[str, Side], Any]:
    return {(seat.call_id, seat.side): seat.heard_by for seat in room.seats()[0]}


def plane() -> EmbeddedPlane:
    """A plane that is not started: nothing is connected here."""
    return EmbeddedPlane(host="127.0.0.1", ports=range(20000, 20010), timeout=60)


def test_who_comes_when_the_first_call_is_over_joins_those_who_talk_on() -> None:
    host = live_call(ANNA_PARTY, BOHDAN_PARTY)
    rooms = Rooms(plane(), lambda _: None)
    rooms.invite(rooms.for_guest(host), guest("first", "join"))
    room = rooms.of("first")
    assert room is not None
    host.ended = True
    room.guests["second"] = guest("second", "join")
    rooms.noted(host, [CallEnded(host.call_id, 2.0, 16, 200, "caller")])
    rooms.invite(rooms.for_guest(room.guests["first"].live), guest("third", "join"))
    assert rooms.of(host.call_id) is None, "nothing is kept of what is over"
    assert [seat.call_id for seat in room.seats()[0]] == ["first", "second", "third"]


def test_the_eleventh_phone_is_refused() -> None:
    rooms = Rooms(plane(), lambda _: None)
    for count in range(MAX_VOICES - 2):
        ringing = guest(f"guest-{count}", "join")
        ringing.since = None
        rooms.invite(rooms.for_guest(HOST), ringing)
    with pytest.raises(ConferenceFullError, match="10 phones"):
        rooms.for_guest(HOST)
    assert rooms.of("guest-3") is rooms.of(HOST.call_id)


@pytest.mark.parametrize(
    ("mode", "near", "hearing"),
    [
        ("listen", "leg-1", ()),
        ("whisper", "leg-1", (CALLER,)),
        ("whisper", "leg-2", (CALLEE,)),
        ("join", "leg-1", None),
    ],
)
def test_who_hears_a_supervisor(mode: Mode, near: str, hearing: Any) -> None:
    room = room_with(guest("boss", mode, near))
    assert heard_by(room) == {CALLER: None, CALLEE: None, ("boss", Side.CALLEE): hearing}


def test_a_supervisor_may_whisper_to_a_guest() -> None:
    member = guest("member", "join")
    room = room_with(member, guest("boss", "whisper", "member-caller"))
    assert heard_by(room)["boss", Side.CALLEE] == (("member", Side.CALLEE),)


def test_who_talks_is_told_of_those_who_are_not_heard_by_all() -> None:
    member, boss = guest("member", "join"), guest("boss", "listen", "leg-1")
    everybody = [CALLER, CALLEE, ("member", Side.CALLEE)]
    assert room_with(member, boss).seats()[1] == everybody
    assert room_with(member, boss, announced=False).seats()[1] == []
    boss.mode = "join"
    assert room_with(member, boss).seats()[1] == []
