"""Commands of integrators and people to live calls, and to the settings that act on the next call."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from kobza.call.controls import RecordCommand
from kobza.call.directory import Directory, Package, Subscriber
from kobza.call.errors import (
    NotFoundError,
    OriginatorBusyError,
    OriginatorUnreachableError,
    PresentationNotAllowedError,
    ServiceNotEnabledError,
)
from kobza.call.forwarding import Forwarding
from kobza.call.leg import RecordingState
from kobza.call.outside import Allowance, OutsideLimits, Spent
from kobza.call.routing import Identity, identity_of, party_of
from kobza.call.states import Direction, direction_of
from kobza.pbx.admission import Admission, called
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.guests import Brought, GuestCalls
from kobza.pbx.live_call import LiveCall, LiveLeg
from kobza.pbx.opening import Origination
from kobza.pbx.outside_guard import OutsideGuard
from kobza.pbx.presence import PhoneStatus, Presence
from kobza.pbx.rooms import Mode
from kobza.pbx.starting import begun
from kobza.pbx.switch import Switch
from kobza.pbx.transfers import Transfers
from kobza.sip.digest import Algorithm, ha1
from kobza.store import NotInStore, NotPresentable, Store, address_book, audit, meta, numbers
from kobza.store.audit import By
from kobza.store.entries import Entry, KeyUsed, LegPromised

ControlAction = Literal["clear", "hold", "unhold", "mute", "unmute", "dtmf", "transfer"] | RecordCommand
FINISHED: Final = "finished"
NEEDED: Final = frozenset({Package.CONVERGENT, Package.API_FMC})
ALGORITHMS: Final[tuple[Algorithm, Algorithm]] = ("MD5", "SHA-256")
"""In which digests of a password are stored."""
KEY_SECONDS: Final = 24 * 3600.0
"""For how long an idempotency key counts (contract, section 3)."""


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


class SipAccount(NamedTuple):
    """What a phone needs beside the password to register."""

    username: str
    realm: str


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
        transfers: Transfers,
        guests: GuestCalls,
        guard: OutsideGuard | None = None,
        now: Callable[[], float],
    ) -> None:
        """`guard` knows what is spent outside; None: nobody does."""
        self._store = store
        self._view = view
        self._switch = switch
        self._admission = admission
        self._transfers = transfers
        self._guests = guests
        self._guard = guard
        self._presence = presence
        self._now = now
        self._sorted_out: Directory | None = None
        self._served_by: dict[str, list[Subscriber]] = {}

    async def originate(
        self,
        enterprise_id: str,
        originator: str,
        destination: str,
        *,
        timeout: int = 60,  # noqa: ASYNC109 - how long phones ring, not how long we wait
        clip: str | None = None,
        client_state: str | None = None,
        key: str | None = None,
        fingerprint: str = "",
    ) -> Originated:
        """Ring the originator's phones, then call the destination; return once the call is stored.

        `clip` is the number shown to the destination in this call, whatever the originator's settings say. An
        idempotency `key` is stored in one commit with the call, for `KEY_SECONDS`, with the `fingerprint` of the
        request: a call that is in the store has used it, and one that is not has not.

        The originator's phones show the destination, with its name in the enterprise's address book.

        A destination that is not to be disturbed, or has no phone registered, is no error here: where it is, is found
        out when the originator has answered.

        Raises:
            KobzaError: OriginatorBusyError, OriginatorUnreachableError, NoRouteError, NumberError, NotFoundError for a
                number that is not the enterprise's, KobzaError 503 when the store takes no new calls.

        """
        name = await asyncio.to_thread(self._name_of, enterprise_id, destination)
        now = self._now()
        subscriber = self._subscriber(enterprise_id, originator)
        if self._presence.is_busy(subscriber.number):
            raise OriginatorBusyError("The originator is in a call.", parameter="originator")
        devices = self._admission.devices_of(subscriber, now)
        if not devices:
            raise OriginatorUnreachableError("No phone of the originator is registered.", parameter="originator")
        identity = identity_of(subscriber, now)
        if clip is not None:
            identity = Identity(clip, subscriber.name if clip == subscriber.number else "", restricted=False)
        caller = party_of(subscriber, identity)
        callee = called(self._view.snapshot, destination, enterprise_id)
        self._transfers.find(destination, caller, now)
        reach = self._admission.reach(destination, caller)

        def promised(call_id: str, leg_id: str, at: float) -> list[Entry]:
            direction: Direction = direction_of(caller, callee, calls=True)
            leg = LegPromised(call_id, leg_id, enterprise_id, caller.number, callee.number, direction, client_state, at)
            if key is None:
                return [leg]
            return [leg, KeyUsed(enterprise_id, key, fingerprint, call_id, leg_id, at + KEY_SECONDS)]

        live = await begun(
            self._switch,
            self._now,
            Origination(
                caller=caller,
                callee=callee,
                dialled=destination,
                originator_targets=devices,
                find_destination=reach.first,
                onward=reach.after,
                shown={"caller": Identity(callee.number, name, restricted=False), "callee": identity},
                timeout=timeout,
                client_state=client_state,
            ),
            promised=promised,
        )
        return Originated(live.call_id, live.caller_leg_id)

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
        live = self._call_of(enterprise_id, call_control_id)
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
                token = self._transfers.begin(
                    live, call_control_id, destination, now, ring_timeout=self._switch.ring_timeout
                )
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

    @property
    def can_mix(self) -> bool:
        """Whether voices can be mixed here; else `supervise` and `add` are refused."""
        return self._guests.can_mix

    async def supervise(self, enterprise_id: str, call_control_id: str, number: str, mode: Mode, *, by: By) -> Brought:
        """Ring a supervisor's phones (E.164), and let it take part in a call on the side of a leg; see `GuestCalls`.

        Raises KobzaError: NotFoundError, ServiceNotEnabledError, WrongStateError, NumberError, OriginatorBusyError,
            OriginatorUnreachableError, ConferenceFullError, CommandRefusedError, NoAnswerFromPhoneError,
            MediaFailedError.
        """
        live = self._call_of(enterprise_id, call_control_id)
        return await self._guests.supervise(live, call_control_id, enterprise_id, number, mode, by)

    async def add(self, enterprise_id: str, call_control_id: str, destination: str) -> Brought:
        """Call one more number (normalized) for the owner of a leg, so that all talk together; see `GuestCalls`.

        Raises KobzaError: as `supervise`, and NoRouteError.
        """
        live = self._call_of(enterprise_id, call_control_id)
        return await self._guests.add(live, call_control_id, enterprise_id, destination)

    def state_of(self, call_control_id: str) -> Controlled:
        """Return what a leg is now."""
        live = self._switch.running.by_leg(call_control_id)
        view = None if live is None else live.call.legs.get(call_control_id)
        if live is None or view is None:
            return Controlled(FINISHED, muted=False, recording=None)
        return Controlled(view.state.value, view.muted, live.call.recording_of(call_control_id))

    async def _outcome(self, live: LiveCall, token: str) -> str:
        """Let a call do what a command asked for, and wait for what comes of it."""
        outcome = live.expect(token)
        self._switch.feed(live, _nothing)
        try:
            return str(await outcome)
        finally:  # an error in it holds this frame: they and the call would wait for the collector of circles
            del outcome

    def phone_status(self, enterprise_id: str, numbers: Sequence[str] | None) -> list[PhoneStatus]:
        """Return the presence of numbers of an enterprise; for None of all that have the packages for it.

        Raises NotFoundError. A status is the same object as the last time when nothing has changed.
        """
        if numbers is None:
            return self._presence.of_all(self._served(enterprise_id))
        return self._presence.of_all([self._subscriber(enterprise_id, number) for number in numbers])

    def _served(self, enterprise_id: str) -> Sequence[Subscriber]:
        """Return the numbers of an enterprise that the API serves; sorted out once for each directory."""
        snapshot = self._view.snapshot
        if self._sorted_out is not snapshot:
            self._sorted_out, self._served_by = snapshot, {}
            for each in snapshot.subscribers.values():
                if each.packages >= NEEDED:
                    self._served_by.setdefault(each.enterprise_id, []).append(each)
        return self._served_by.get(enterprise_id, ())

    async def set_dnd(
        self, enterprise_id: str, number: str, on: bool, until_ms: int | None, *, by: By | None = None
    ) -> None:
        """Switch Do Not Disturb, until a moment in ms or until it is switched off. Raises NotFoundError."""
        await self._change(by, "number.dnd", numbers.set_dnd, enterprise_id, number, on, until_ms)

    async def set_forwarding(
        self, enterprise_id: str, number: str, forwarding: Forwarding, *, by: By | None = None
    ) -> None:
        """Set where the calls of a number go, from the next one on. Raises NotFoundError."""
        await self._change(by, "number.forwarding", numbers.set_forwarding, enterprise_id, number, forwarding)

    async def set_clip(
        self,
        enterprise_id: str,
        number: str,
        presentation_number: str | None,
        restricted: bool,
        until_ms: int | None,
        *,
        by: By | None = None,
    ) -> None:
        """Set what those see whom the number calls. Raises NotFoundError, PresentationNotAllowedError."""
        values = (presentation_number, restricted, until_ms)
        await self._change(by, "number.clip", numbers.set_clip, enterprise_id, number, *values)

    def live_calls(self, enterprise_id: str) -> list[LiveLeg]:
        """Return the legs of the enterprise's numbers that are in a call now."""
        return [leg for live in self._switch for leg in live.legs_of(enterprise_id) if leg.state != FINISHED]

    def _name_of(self, enterprise_id: str, number: str) -> str:
        """Return what an enterprise's address book calls a number, its own numbers included; blocks."""
        with self._store.read() as conn:
            entry = address_book.find(conn, enterprise_id, number)
        return "" if entry is None else entry.name

    def _subscriber(self, enterprise_id: str, number: str) -> Subscriber:
        subscriber = self._view.snapshot.subscribers.get(number)
        if subscriber is None or subscriber.enterprise_id != enterprise_id:
            raise NotFoundError("The enterprise has no such number.", parameter="number")
        return subscriber

    def _call_of(self, enterprise_id: str, leg_id: str) -> LiveCall:
        """Return the call of a leg of an enterprise's number, which must have the packages now."""
        live = self._switch.running.by_leg(leg_id)
        if live is not None and not live.ended:
            for own_leg_id, own, _ in live.parties():
                if own_leg_id == leg_id and own.enterprise_id == enterprise_id:
                    subscriber = self._view.snapshot.subscribers.get(own.number)
                    if subscriber is None or not subscriber.packages >= NEEDED:
                        raise ServiceNotEnabledError("The number needs the packages Convergent and API FMC.")
                    return live
        raise NotFoundError("There is no such call.", parameter="call_control_id")

    async def sip_account(
        self, enterprise_id: str, number: str, password: str | None, *, by: By | None = None
    ) -> SipAccount:
        """Return the account of a number's phones, after giving it a password if there is one. Raises NotFoundError."""
        now_ms = int(self._now() * 1000)

        def change() -> SipAccount:
            with (
                self._store.write() as conn,
                audit.noted(conn, by, "number.changed", enterprise_id, number, now_ms),
            ):
                account = SipAccount(numbers.username(conn, enterprise_id, number), meta.sip_realm(conn))
                if password is not None:
                    md5, sha256 = (ha1(*account, password, algorithm) for algorithm in ALGORITHMS)
                    numbers.set_credentials(conn, enterprise_id, number, md5, sha256)
                return account

        try:
            account = await asyncio.to_thread(change)
        except NotInStore:
            raise NotFoundError("The enterprise has no such number.", parameter="number") from None
        if password is not None:
            await self._view.refresh_number(enterprise_id, number)
        return account

    def outside_allowance(self, enterprise_id: str, number: str = "") -> Allowance:
        """Return what a number may spend outside and has, or with "" all of the enterprise together."""
        if self._guard is None:
            return Allowance(OutsideLimits(), OutsideLimits(), Spent())
        return self._guard.allowance(enterprise_id, number, self._now())

    async def settings_changed(self) -> None:
        """See at once what was written to the store beside these commands, such as a webhook."""
        await self._view.refresh()

    async def _change(
        self,
        by: By | None,
        action: str,
        change: Callable[..., None],
        enterprise_id: str,
        number: str,
        *values: str | bool | int | Forwarding | None,
    ) -> None:
        """Change a setting by a function of the store, note who did it, and see the change before anybody asks."""
        now_ms = int(self._now() * 1000)

        def write() -> None:
            with self._store.write() as conn, audit.noted(conn, by, action, enterprise_id, number, now_ms):
                change(conn, enterprise_id, number, *values)

        try:
            await asyncio.to_thread(write)
        except NotInStore:
            raise NotFoundError("The enterprise has no such number.", parameter="number") from None
        except NotPresentable:
            raise PresentationNotAllowedError(
                "The enterprise may not present this number.", parameter="presentation_number"
            ) from None
        await self._view.refresh_number(enterprise_id, number)


def _nothing() -> None:
    """Give a call no input: only what it says already is to be done."""
