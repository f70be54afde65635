"""A call that is on: the machine with what it has outside, its dialogs, timers, books and commands under way."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from kobza.call.actions import SideName
from kobza.call.b2bua import Call
from kobza.call.errors import KobzaError
from kobza.call.leg import RecordingState
from kobza.call.routing import Identity, Party
from kobza.call.states import Direction, direction_of
from kobza.media.plane import Side
from kobza.pbx.books import CallBooks
from kobza.sip.diversion import Diversion
from kobza.sip.invite import InviteDialog
from kobza.values import NO_ENTRIES


@dataclass(frozen=True, slots=True)
class LiveLeg:
    """One leg of an enterprise's number that is in a call now."""

    call_id: str
    call_control_id: str
    number: str
    phone_number: str
    direction: Direction
    state: str
    """alerting, established or held."""
    since: float
    recording: RecordingState | None = None
    """Of its enterprise; None: there is none."""
    not_heard: bool = False
    """Nothing comes from its phone, although the other side is heard: one-way audio."""
    hears_nothing: bool = False
    """The same of the other side."""


Key = TypeVar("Key")
Kept = TypeVar("Kept")


def without(kept: Mapping[Key, Kept], key: Key) -> Mapping[Key, Kept]:
    """Return what is kept but for a key, if it is there."""
    return {each: value for each, value in kept.items() if each != key} or NO_ENTRIES


def branch_of(dialog: InviteDialog) -> str:
    """Return the branch that a dialog of a call is."""
    return cast("tuple[LiveCall, str]", dialog.tag)[1]


class LiveCall:
    """One running call. The mappings that it has are replaced, never changed."""

    __slots__ = (
        "absent",
        "asks_quality",
        "asserted",
        "books",
        "call",
        "call_id",
        "callee",
        "callee_leg_id",
        "caller",
        "caller_calls",
        "caller_leg_id",
        "commands",
        "dialogs",
        "diverted",
        "ended",
        "is_settling",
        "max_forwards",
        "mixed",
        "not_heard",
        "present",
        "ringing",
        "seats",
        "shown_to_callee",
        "shown_to_caller",
        "silences",
        "stored",
        "taken",
        "taking",
        "timers",
    )

    def __init__(
        self,
        call: Call,
        books: CallBooks,
        *,
        caller: Party,
        callee: Party,
        caller_leg_id: str,
        callee_leg_id: str,
        shown: Mapping[SideName, Identity],
        max_forwards: int | None = None,
        diverted: Sequence[Diversion] = (),
    ) -> None:
        self.call = call
        self.call_id = call.call_id
        self.books = books
        self.caller = caller
        self.callee = callee
        self.caller_leg_id = caller_leg_id
        self.caller_calls = True
        """False once a transfer has put somebody who is called on the caller's side."""
        self.callee_leg_id = callee_leg_id
        self.show(shown)
        self.max_forwards = max_forwards
        """Of the caller's INVITE: what is left for ours."""
        self.diverted = diverted
        """What the caller's INVITE said of diversions before it came here, the last one first."""
        self.asserted: str | None = None
        """Whose number carriers are told from now on (E.164); None: that of the side which calls."""
        self.dialogs: tuple[InviteDialog, ...] = ()
        """Each has the call and its branch as its tag."""
        self.absent: tuple[str, ...] = ()
        """Legs whose owners are not on this line themselves, so that it makes them not busy."""
        self.seats: Mapping[str, SideName] = NO_ENTRIES
        """By branch id: the sides that are no phones, but seats in a mix."""
        self.mixed = False
        """Whether its voices are in a mix, or will be when it is answered."""
        self.taken: InviteDialog | None = None
        """The dialog of another call that this one takes over, until it has a branch here."""
        self.taking: tuple[str, ...] = ()
        """Branches of dialogs that were taken over, until their phones have answered our offer."""
        self.timers: Mapping[str, asyncio.TimerHandle] = NO_ENTRIES
        self.commands: Mapping[str, asyncio.Future[str]] = NO_ENTRIES
        """By token: who waits for the outcome of a command."""
        self.present: tuple[str, ...] = ()
        """The legs whose numbers count as busy because of this call."""
        self.ringing: Mapping[str, Party] = NO_ENTRIES
        """The members of a ringing group that are called now, by leg."""
        self.is_settling = False
        self.stored = False
        """Whether its beginning is in the store: before, nobody hears of the call."""
        self.ended = False
        """Whether the end of the call is in the books."""
        self.asks_quality = False
        """Whether its end waits for how it was heard."""
        self.not_heard: Mapping[Side, float] = NO_ENTRIES
        """The sides that are not heard now, and since when."""
        self.silences: Mapping[Side, float] = NO_ENTRIES
        """For how many seconds sides were not heard that are by now."""

    def add_dialog(self, branch_id: str, dialog: InviteDialog) -> None:
        """Note the dialog of a branch."""
        dialog.tag = (self, branch_id)
        self.dialogs += (dialog,)

    def dialog(self, branch_id: str) -> InviteDialog | None:
        """Return the dialog of a branch; None for a seat, and for what is no branch of the call."""
        for dialog in self.dialogs:
            if branch_of(dialog) == branch_id:
                return dialog
        return None

    def give_away(self, dialog: InviteDialog) -> None:
        """Let a dialog be one of no call, until it has a branch in another one."""
        self.dialogs = tuple([each for each in self.dialogs if each is not dialog])
        dialog.tag = None

    def leave_dialogs(self) -> None:
        """Let all dialogs be of no call: what comes of them once this one has ended is no concern of it."""
        for dialog in self.dialogs:
            dialog.tag = None
        self.dialogs = ()

    def show(self, shown: Mapping[SideName, Identity]) -> None:
        """Note, by the side that is dialled, what it may learn of the other one."""
        self.shown_to_caller = shown.get("caller")
        self.shown_to_callee = shown.get("callee")

    def shown_to(self, side: SideName) -> Identity | None:
        """Return what a side may learn of the other one when it is dialled; None: it is not to be dialled."""
        return self.shown_to_caller if side == "caller" else self.shown_to_callee

    def wait(self, name: str, timer: asyncio.TimerHandle) -> None:
        """Note a timer that runs."""
        self.timers = {**self.timers, name: timer}

    def take_timer(self, name: str) -> asyncio.TimerHandle | None:
        """Return a timer, which is not kept any longer; None: there is none of that name."""
        timer = self.timers.get(name)
        if timer is not None:
            self.timers = without(self.timers, name)
        return timer

    def expect(self, token: str) -> asyncio.Future[str]:
        """Return what will have the outcome of a command."""
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.commands = {**self.commands, token: waiting}
        return waiting

    def take_command(self, token: str) -> asyncio.Future[str] | None:
        """Return who waits for the outcome of a command, and is not to be told again; None: nobody."""
        waiting = self.commands.get(token)
        if waiting is not None:
            self.commands = without(self.commands, token)
        return waiting

    def end_taking(self, branch_id: str) -> None:
        """Note that a phone which was taken over has answered our offer, or never will."""
        self.taking = tuple([each for each in self.taking if each != branch_id])

    @property
    def about(self) -> dict[str, str | None]:
        """The fields of a log line about this call."""
        return {"call_id": self.call_id, "enterprise_id": self.caller.enterprise_id or self.callee.enterprise_id}

    def replace(self, side: SideName, leg_id: str, party: Party) -> None:
        """Note that a side is another party's, under another leg id."""
        if side == "caller":
            self.caller, self.caller_leg_id, self.caller_calls = party, leg_id, False
        else:
            self.callee, self.callee_leg_id = party, leg_id
            self.ringing = without(self.ringing, leg_id)

    def leg_at(self, side: Side) -> str:
        """Return the id of the leg that a side has now."""
        return self.caller_leg_id if side is Side.CALLER else self.callee_leg_id

    def asserted_by(self, side: SideName) -> str:
        """Return the number that carriers are told when a side is dialled: whoever is responsible for that call."""
        if self.asserted is not None:
            return self.asserted
        return self.caller.number if side == "callee" else self.callee.number

    def parties(self) -> Iterator[tuple[str, Party, Party]]:
        """Yield for each side: the id of its leg, who it is, who the other one is."""
        yield self.caller_leg_id, self.caller, self.callee
        yield self.callee_leg_id, self.callee, self.caller
        for leg_id, party in self.ringing.items():
            yield leg_id, party, self.caller

    def legs_of(self, enterprise_id: str) -> Iterator[LiveLeg]:
        """Yield the legs of an enterprise's numbers."""
        views = self.call.legs
        for leg_id, own, other in self.parties():
            if own.enterprise_id == enterprise_id:
                view = views.get(leg_id)
                if view is None:  # the call has gone on, and what follows from it waits for the store
                    continue
                calls = leg_id == self.caller_leg_id and self.caller_calls
                direction = direction_of(own, other, calls=calls)
                seen = other.seen_by(enterprise_id)
                recording = self.call.recording_of(leg_id)
                yield LiveLeg(
                    self.call_id,
                    leg_id,
                    own.number,
                    seen,
                    direction,
                    view.state.value,
                    view.since,
                    None if recording is None else recording[1],
                    *self._silence_at(leg_id),
                )

    def _silence_at(self, leg_id: str) -> tuple[bool, bool]:
        """Return whether the side of a leg is not heard, and whether it does not hear the other one."""
        if not self.not_heard:
            return False, False
        own = Side.CALLER if leg_id == self.caller_leg_id else Side.CALLEE
        return own in self.not_heard, own.other in self.not_heard

    def fail_commands(self, error: KobzaError) -> None:
        """Give up what is waited for."""
        for waiting in self.commands.values():
            if not waiting.done():
                waiting.set_exception(error)
        self.commands = NO_ENTRIES


Enter = Callable[[LiveCall, Callable[[], None]], None]
"""Gives a call an input, and does what follows from it."""
