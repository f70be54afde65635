"""Commands of integrators and people to live calls, and to the settings that act on the next call."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from kobza.call.actions import SideName
from kobza.call.causes import UNALLOCATED
from kobza.call.controls import RecordCommand
from kobza.call.directory import Package, Subscriber
from kobza.call.errors import (
    DestinationUnreachableError,
    KobzaError,
    NoRouteError,
    NotFoundError,
    NumberError,
    OriginatorBusyError,
    OriginatorUnreachableError,
    ServiceNotEnabledError,
    WrongStateError,
)
from kobza.call.leg import RecordingState
from kobza.call.phases import Phase
from kobza.call.routing import Identity, Party, Refused, ToSubscriber, identity_of, party_of, route
from kobza.call.states import Direction, direction_of
from kobza.call.transfer import Destination
from kobza.pbx.admission import Admission
from kobza.pbx.dialling import Target
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.journal import JournalFull, JournalStopped
from kobza.pbx.live_call import LiveCall, LiveLeg
from kobza.pbx.presence import PhoneStatus, Presence
from kobza.pbx.switch import Switch
from kobza.store import NotInStore, Store, numbers
from kobza.store.entries import LegPromised

ControlAction = Literal["clear", "hold", "unhold", "mute", "unmute", "dtmf", "transfer"] | RecordCommand
FINISHED: Final = "finished"
NEEDED: Final = frozenset({Package.CONVERGENT, Package.API_FMC})
HIDDEN_NUMBER: Final = "anonymous"
"""The number of a caller from outside who hides it."""


@dataclass(frozen=True, slots=True)
class Originated:
    """A click2dial call that was begun: its id and that of the originator's leg."""

    call_id: str
    call_control_id: str


@dataclass(frozen=True, slots=True)
class Controlled:
    """What a leg is after a command."""

    state: str
    """alerting, established, held or finished."""
    muted: bool
    recording: tuple[str, RecordingState] | None
    """The recording of the leg's enterprise: its id, and on, paused or stopped; None: it has none."""


class Commands:
    """What the HTTP layer may do. Belongs into the loop's thread."""

    def __init__(
        self,
        *,
        store: Store,
        view: DirectoryView,
        switch: Switch,
        admission: Admission,
        presence: Presence,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._view = view
        self._switch = switch
        self._admission = admission
        self._presence = presence
        self._now = now

    async def originate(
        self,
        enterprise_id: str,
        originator: str,
        destination: str,
        *,
        timeout: int = 60,  # noqa: ASYNC109 - how long phones ring, not how long we wait
        clip: str | None = None,
        client_state: str | None = None,
    ) -> Originated:
        """Ring the originator's phones, then call the destination; return once the call is stored.

        Raises:
            KobzaError: OriginatorBusyError, OriginatorUnreachableError, NoRouteError, NumberError, WrongStateError
                (Do Not Disturb), NotFoundError for a number that is not the enterprise's, KobzaError 503 when the
                store takes no new calls.

        """
        now = self._now()
        subscriber = self._subscriber(enterprise_id, originator)
        if self._presence.is_busy(subscriber.number):
            raise OriginatorBusyError("The originator is in a call.", parameter="originator")
        devices = self._admission.targets_of(subscriber, now)
        if not devices:
            raise OriginatorUnreachableError("No phone of the originator is registered.", parameter="originator")
        caller = party_of(subscriber)
        callee, targets = self._destination(destination, caller, now)
        identity = identity_of(subscriber, now)
        if clip is not None:
            identity = Identity(clip, identity.display_name, identity.restricted)
        stored = asyncio.Event()

        def promised(call_id: str, leg_id: str, at: float) -> LegPromised:
            direction: Direction = direction_of(caller, callee, calls=True)
            return LegPromised(
                call_id, leg_id, enterprise_id, caller.number, callee.number, direction, client_state, at
            )

        try:
            live = self._switch.originate(
                caller=caller,
                callee=callee,
                dialled=destination,
                originator_targets=devices,
                targets=targets,
                shown={"caller": Identity(callee.number, callee.display_name, False), "callee": identity},
                timeout=timeout,
                client_state=client_state,
                promised=promised,
                then=stored.set,
            )
        except (JournalFull, JournalStopped):
            raise KobzaError(
                "The server takes no new calls at the moment.", code="unavailable", http_status=503
            ) from None
        originated = Originated(live.call_id, live.caller_leg_id)
        await stored.wait()
        return originated

    async def control(
        self,
        enterprise_id: str,
        call_control_id: str,
        action: ControlAction,
        *,
        digits: str = "",
        destination: str = "",
    ) -> Controlled:
        """Act on a leg; return what it is afterwards, for hold and unhold once the phone has confirmed it.

        `digits` are those of `dtmf`, `destination` (normalized) is that of `transfer`.

        Raises:
            KobzaError: NotFoundError, ServiceNotEnabledError, WrongStateError, NoAnswerFromPhoneError,
                CommandRefusedError, MediaFailedError; for a transfer also NumberError, NoRouteError,
                DestinationUnreachableError.

        """
        now = self._now()
        live, own, other = self._leg(enterprise_id, call_control_id)
        call = live.call
        state: str | None = None
        match action:
            case "clear":
                call.clear(call_control_id, now)
                state = FINISHED
            case "hold":
                state = await self._outcome(live, call.hold(call_control_id, now))
            case "unhold":
                state = await self._outcome(live, call.unhold(call_control_id, now))
            case "dtmf":
                state = await self._outcome(live, call.digits(call_control_id, digits, now))
            case "transfer":
                token = self._transfer(live, call_control_id, own, other, destination, now)
                state = await self._outcome(live, token)
            case "mute" | "unmute":
                call.mute(call_control_id, now, on=action == "mute")
            case _:
                call.record(call_control_id, action, now)
        self._switch.feed(live, _nothing)
        view = call.legs.get(call_control_id)
        if view is None:
            return Controlled(FINISHED, muted=False, recording=None)
        return Controlled(state or view.state.value, view.muted, call.recording_of(call_control_id))

    async def _outcome(self, live: LiveCall, token: str) -> str:
        """Let a call do what a command asked for, and wait for what comes of it."""
        outcome = live.commands[token] = asyncio.get_running_loop().create_future()
        self._switch.feed(live, _nothing)
        return str(await outcome)

    def _transfer(self, live: LiveCall, leg_id: str, own: Party, other: Party, destination: str, now: float) -> str:
        """Begin a transfer; return its token."""
        if destination in (own.number, other.number):
            raise NumberError("A call cannot be transferred to one who takes part in it.", parameter="destination")
        if live.call.phase is not Phase.TALKING:  # before the destination is looked at: this is the nearer fault
            raise WrongStateError("The call is not established, or is being transferred.")
        party, targets = self._destination(destination, own, now)
        if not targets:
            raise DestinationUnreachableError("No phone of the destination is registered.", parameter="destination")
        side: SideName = "caller" if leg_id == live.caller_leg_id else "callee"
        own_subscriber = self._view.snapshot.subscribers.get(own.number)
        own_targets = [] if own_subscriber is None else self._admission.targets_of(own_subscriber, now)
        token = live.call.transfer(
            leg_id,
            Destination(party, targets),
            Destination(own, own_targets),
            now,
            ring_timeout=self._switch.ring_timeout,
        )
        live.shown = {side: live.shown.get(side) or self._identity_of(other, now)}
        live.asserted = own.number if other.enterprise_id is None else None
        return token

    def _identity_of(self, party: Party, now: float) -> Identity:
        """Return what those may learn of a party to whom it is transferred."""
        subscriber = self._view.snapshot.subscribers.get(party.number)
        if subscriber is not None:
            return identity_of(subscriber, now)
        return Identity(party.number, party.display_name, restricted=party.number == HIDDEN_NUMBER)

    def phone_status(self, enterprise_id: str, numbers: Sequence[str] | None) -> list[PhoneStatus]:
        """Return the presence of numbers of an enterprise, all of them for None. Raises NotFoundError."""
        if numbers is None:
            every = self._view.snapshot.subscribers.values()
            return [self._presence.of(one) for one in every if one.enterprise_id == enterprise_id]
        return [self._presence.of(self._subscriber(enterprise_id, number)) for number in numbers]

    async def set_dnd(self, enterprise_id: str, number: str, on: bool, until_ms: int | None) -> None:
        """Switch Do Not Disturb, until a moment in ms or until it is switched off. Raises NotFoundError."""
        await self._change(numbers.set_dnd, enterprise_id, number, on, until_ms)

    async def set_clip(
        self,
        enterprise_id: str,
        number: str,
        presentation_number: str | None,
        restricted: bool,
        until_ms: int | None,
    ) -> None:
        """Set what those see whom the number calls. Raises NotFoundError."""
        await self._change(numbers.set_clip, enterprise_id, number, presentation_number, restricted, until_ms)

    def live_calls(self, enterprise_id: str) -> list[LiveLeg]:
        """Return the legs of the enterprise's numbers that are in a call now."""
        return [leg for live in self._switch for leg in live.legs_of(enterprise_id) if leg.state != FINISHED]

    def _destination(self, destination: str, caller: Party, now: float) -> tuple[Party, list[Target]]:
        where = route(self._view.snapshot, destination, caller=caller, now=now)
        if isinstance(where, ToSubscriber):
            return where.party, self._admission.targets_of(where.subscriber, now)
        if isinstance(where, Refused):
            if where.status == 484:
                raise NumberError(where.text, parameter="destination")
            if where.cause == UNALLOCATED:
                raise NoRouteError("Nothing leads to the destination.", parameter="destination")
            raise WrongStateError(where.text, parameter="destination")
        targets = self._admission.targets_by(where.trunk, where.dial)
        if not targets:
            raise NoRouteError("The trunk to the destination cannot be reached.", parameter="destination")
        return where.party, targets

    def _subscriber(self, enterprise_id: str, number: str) -> Subscriber:
        subscriber = self._view.snapshot.subscribers.get(number)
        if subscriber is None or subscriber.enterprise_id != enterprise_id:
            raise NotFoundError("The enterprise has no such number.", parameter="number")
        return subscriber

    def _leg(self, enterprise_id: str, leg_id: str) -> tuple[LiveCall, Party, Party]:
        """Return the call of a leg, whose it is, and the other side; the number must have the packages now."""
        live = self._switch.by_leg(leg_id)
        if live is not None and not live.ended:
            for own_leg_id, own, other in live.parties():
                if own_leg_id == leg_id and own.enterprise_id == enterprise_id:
                    subscriber = self._view.snapshot.subscribers.get(own.number)
                    if subscriber is None or not subscriber.packages >= NEEDED:
                        raise ServiceNotEnabledError("The number needs the packages Convergent and API FMC.")
                    return live, own, other
        raise NotFoundError("There is no such call.", parameter="call_control_id")

    async def _change(self, change: Callable[..., None], *values: str | bool | int | None) -> None:
        """Call a function of the store that changes a setting, and see the change before anybody asks."""

        def write() -> None:
            with self._store.write() as conn:
                change(conn, *values)

        try:
            await asyncio.to_thread(write)
        except NotInStore:
            raise NotFoundError("The enterprise has no such number.", parameter="number") from None
        await self._view.refresh()


def _nothing() -> None:
    """Give a call no input: only what it says already is to be done."""
