"""Commands that bring somebody to a live call: a supervisor, or one more for a conference."""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kobza.call.directory import Subscriber
from kobza.call.errors import (
    MediaFailedError,
    NoAnswerFromPhoneError,
    NotFoundError,
    NumberError,
    OriginatorBusyError,
    OriginatorUnreachableError,
    WrongStateError,
)
from kobza.call.leg import Rejection
from kobza.call.phases import Phase
from kobza.call.routing import SEVERAL, Identity, Party, Refused, identity_of, party_of
from kobza.call.states import direction_of
from kobza.call.step import Step
from kobza.media.plane import MediaPlane, Side
from kobza.pbx.admission import Admission, called
from kobza.pbx.dialling import SeatTarget
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.live_call import LiveCall
from kobza.pbx.opening import Origination
from kobza.pbx.presence import Presence
from kobza.pbx.rooms import Guest, Mode, Room
from kobza.pbx.starting import begun
from kobza.pbx.switch import Switch
from kobza.pbx.transfers import Transfers
from kobza.store import Store, audit, enterprises
from kobza.store.audit import By
from kobza.store.entries import Entry, LegPromised

log = logging.getLogger(__name__)

NARROWED_WITHIN: Final = 25.0
"""Seconds that two phones have to change their codec, one after the other."""
NEEDS_MIXING: Final = (
    "rtpengine cannot mix voices: supervision and conferences need the media plane of Kobza (media_plane = embedded)."
)
RING_SECONDS: Final = 30.0
"""For which a supervisor's phone rings."""

SUPERVISED: Final = "call.supervised"
SUPERVISION_ENDED: Final = "call.supervision_ended"


@dataclass(frozen=True, slots=True)
class Brought:
    """Who was brought to a call: the ids of the call that their phone is in, and of its leg."""

    call_id: str
    call_control_id: str


class GuestCalls:
    """Brings people to live calls. Belongs into the loop's thread."""

    def __init__(
        self,
        *,
        store: Store,
        view: DirectoryView,
        plane: MediaPlane,
        switch: Switch,
        admission: Admission,
        presence: Presence,
        transfers: Transfers,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._view = view
        self._plane = plane
        self._switch = switch
        self._admission = admission
        self._presence = presence
        self._transfers = transfers
        self._now = now
        self._notes: set[asyncio.Task[None]] = set()

    @property
    def can_mix(self) -> bool:
        """Whether the media plane mixes voices; else nobody can be brought to a call."""
        return self._plane.can_mix

    async def stop(self) -> None:
        """Wait until what has to be noted is noted."""
        await asyncio.gather(*self._notes, return_exceptions=True)

    async def supervise(
        self, live: LiveCall, leg_id: str, enterprise_id: str, number: str, mode: Mode, by: By
    ) -> Brought:
        """Ring a supervisor's phones (E.164), and let it take part in a call on the side of a leg.

        A supervisor who is there, or rings, only takes part in another way from now on. It is noted in the audit who
        wanted it before anybody rings. Raises KobzaError.
        """
        room = self._switch.rooms.of(live.call_id)
        guest = None if room is None else room.supervisor(number)
        near = _owner(live, leg_id)
        if room is not None and guest is not None:
            await self._noted(by, SUPERVISED, enterprise_id, live, near, {"supervisor": number, "mode": mode})
            guest.near = leg_id
            self._switch.rooms.change(room, guest, mode)
            return Brought(guest.live.call_id, guest.leg_id)
        self._may_begin(live)
        subscriber = self._subscriber(enterprise_id, number)
        if any(own.number == number for _, own, _ in live.parties()):
            raise NumberError("This number takes part in the call already.", parameter="number")
        if self._presence.is_busy(number):
            raise OriginatorBusyError("The supervisor is in a call.", parameter="number")
        devices = self._admission.devices_of(subscriber, self._now())
        if not devices:
            raise OriginatorUnreachableError("No phone of the supervisor is registered.", parameter="number")
        await self._narrow(live, leg_id)
        await self._noted(by, SUPERVISED, enterprise_id, live, near, {"supervisor": number, "mode": mode})
        announced = await asyncio.to_thread(self._announced, enterprise_id)
        room = self._room(live)
        room.announced = announced
        own = party_of(subscriber, identity_of(subscriber, self._now()))
        caller = Party(own.number, own.enterprise_id, own.owner, own.convergent, display_name=own.display_name)
        shown = Identity(near.number, near.display_name, restricted=False)

        def made(begun: LiveCall) -> None:
            guest = Guest(begun, begun.caller_leg_id, Side.CALLEE, mode, leg_id, number)
            guest.left = lambda gone, at: self._left(by, enterprise_id, live, near, gone, at)
            self._switch.rooms.invite(room, guest)

        guest_call = await begun(
            self._switch,
            self._now,
            Origination(
                caller=caller,
                callee=Party(SEVERAL),
                dialled=SEVERAL,
                originator_targets=devices,
                find_destination=lambda _: Step([SeatTarget()]),
                onward=_nowhere,
                shown={"caller": shown},
                timeout=RING_SECONDS,
            ),
            promised=self._promise(enterprise_id, caller, Party(SEVERAL)),
            made=made,
        )
        return Brought(guest_call.call_id, guest_call.caller_leg_id)

    async def add(self, live: LiveCall, leg_id: str, enterprise_id: str, destination: str) -> Brought:
        """Call one more number (normalized), for the owner of a leg, who talks to all the others then.

        Raises KobzaError, for what makes a call impossible; that it is not answered ends only the call to it.
        """
        self._may_begin(live)
        owner = _owner(live, leg_id)
        now = self._now()
        subscriber = self._subscriber(enterprise_id, owner.number)
        room = self._switch.rooms.of(live.call_id)
        taking_part = {own.number for _, own, _ in live.parties()}
        taking_part |= set() if room is None else {guest.number for guest in room.guests.values()}
        if destination in taking_part:
            raise NumberError("This number takes part in the call already.", parameter="destination")
        identity = identity_of(subscriber, now)
        caller = party_of(subscriber, identity)
        callee = called(self._view.snapshot, destination, enterprise_id)
        if isinstance(found := self._transfers.find(destination, caller, now), Refused):
            raise WrongStateError(found.text, parameter="destination")
        reach = self._admission.reach(destination, caller)
        await self._narrow(live, leg_id)
        room = self._room(live)

        def made(begun: LiveCall) -> None:
            guest = Guest(begun, begun.callee_leg_id, Side.CALLER, "join", number=destination)
            self._switch.running.leave_line(begun, begun.caller_leg_id)  # who calls talks in the first call
            self._switch.rooms.invite(room, guest)

        guest_call = await begun(
            self._switch,
            self._now,
            Origination(
                caller=caller,
                callee=callee,
                dialled=destination,
                originator_targets=[SeatTarget()],
                find_destination=reach.first,
                onward=reach.after,
                shown={"caller": identity, "callee": identity},
                timeout=self._switch.ring_timeout,
            ),
            promised=self._promise(enterprise_id, caller, callee),
            made=made,
        )
        return Brought(guest_call.call_id, guest_call.caller_leg_id)

    # what both need

    def _may_begin(self, live: LiveCall) -> None:
        if live.call.phase is not Phase.TALKING:
            raise WrongStateError("The call is not established, or is being transferred.")
        if not self.can_mix:
            raise MediaFailedError(NEEDS_MIXING)

    def _subscriber(self, enterprise_id: str, number: str) -> Subscriber:
        subscriber = self._view.snapshot.subscribers.get(number)
        if subscriber is None or subscriber.enterprise_id != enterprise_id:
            raise NotFoundError("The enterprise has no such number.", parameter="number")
        return subscriber

    def _room(self, live: LiveCall) -> Room:
        """Return the room of a call with a place for one more; from here to the invitation nothing may wait."""
        if live.ended:
            raise WrongStateError("The call has ended.")
        return self._switch.rooms.for_guest(live)

    async def _narrow(self, live: LiveCall, leg_id: str) -> None:
        """Let the phones of a call send what can be mixed."""
        self._switch.rooms.for_guest(live)  # is there a place at all?
        room = self._switch.rooms.of(live.call_id)
        host = live if room is None else room.host
        if host.call.phase is not Phase.TALKING:  # one of the first two has left, and the guests send G.711 anyway
            return
        token = host.call.narrow(leg_id if host is live else host.caller_leg_id, self._now())
        outcome = host.expect(token)
        self._switch.feed(host, lambda: None)
        try:
            async with asyncio.timeout(NARROWED_WITHIN):
                await outcome
        except TimeoutError:
            host.take_command(token)
            raise NoAnswerFromPhoneError("A phone did not answer in time whether it sends G.711.") from None
        finally:
            del outcome  # see `Commands._outcome`

    @staticmethod
    def _promise(enterprise_id: str, caller: Party, callee: Party) -> Callable[[str, str, float], Sequence[Entry]]:
        def promised(call_id: str, leg_id: str, at: float) -> list[Entry]:
            direction = direction_of(caller, callee, calls=True)
            return [LegPromised(call_id, leg_id, enterprise_id, caller.number, callee.number, direction, None, at)]

        return promised

    # the audit

    async def _noted(
        self, by: By, action: str, enterprise_id: str, live: LiveCall, near: Party, after: dict[str, Any]
    ) -> None:
        """Note who hears whose call."""
        now_ms = int(self._now() * 1000)

        def write() -> None:
            with self._store.write() as conn:
                audit.note(conn, by, action, enterprise_id, live.call_id, now_ms, label=near.number, after=after)

        await asyncio.to_thread(write)

    def _left(self, by: By, enterprise_id: str, live: LiveCall, near: Party, gone: Guest, at: float) -> None:
        """Note for how long a supervisor heard a call; not for one that was never connected."""
        if gone.since is None:
            return
        after = {"supervisor": gone.number, "mode": gone.mode, "seconds": math.ceil(at - gone.since)}
        note = asyncio.create_task(self._noted(by, SUPERVISION_ENDED, enterprise_id, live, near, after))
        self._notes.add(note)
        note.add_done_callback(self._is_noted)

    def _is_noted(self, note: asyncio.Task[None]) -> None:
        self._notes.discard(note)
        if not note.cancelled() and (error := note.exception()) is not None:
            log.error("the end of a supervision could not be noted in the audit", exc_info=error)

    def _announced(self, enterprise_id: str) -> bool:
        with self._store.read() as conn:
            return enterprises.announces_supervision(conn, enterprise_id)


def _owner(live: LiveCall, leg_id: str) -> Party:
    """Return whose a leg is."""
    return next(own for own_leg_id, own, _ in live.parties() if own_leg_id == leg_id)


def _nowhere(_rejection: Rejection, _now: float) -> None:
    """Nobody else is called."""
