"""A call that is on: the machine with what it has outside, its dialogs, timers, books and commands under way."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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


class LiveCall:
    """One running call."""

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
        "shown",
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
        self.shown = shown
        """By the side that is dialled: what it may learn of the other one."""
        self.max_forwards = max_forwards
        """Of the caller's INVITE: what is left for ours."""
        self.diverted = diverted
        """What the caller's INVITE said of diversions before it came here, the last one first."""
        self.asserted: str | None = None
        """Whose number carriers are told from now on (E.164); None: that of the side which calls."""
        self.dialogs: dict[str, InviteDialog] = {}
        """By branch id."""
        self.absent: set[str] = set()
        """Legs whose owners are not on this line themselves, so that it makes them not busy."""
        self.seats: dict[str, SideName] = {}
        """By branch id: the sides that are no phones, but seats in a mix."""
        self.mixed = False
        """Whether its voices are in a mix, or will be when it is answered."""
        self.taken: InviteDialog | None = None
        """The dialog of another call that this one takes over, until it has a branch here."""
        self.taking: set[str] = set()
        """Branches of dialogs that were taken over, until their phones have answered our offer."""
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.commands: dict[str, asyncio.Future[str]] = {}
        """By token: who waits for the outcome of a command."""
        self.present: set[str] = set()
        """The legs whose numbers count as busy because of this call."""
        self.ringing: dict[str, Party] = {}
        """The members of a ringing group that are called now, by leg."""
        self.is_settling = False
        self.stored = False
        """Whether its beginning is in the store: before, nobody hears of the call."""
        self.ended = False
        """Whether the end of the call is in the books."""
        self.asks_quality = False
        """Whether its end waits for how it was heard."""
        self.not_heard: dict[Side, float] = {}
        """The sides that are not heard now, and since when."""
        self.silences: dict[Side, float] = {}
        """For how many seconds sides were not heard that are by now."""

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
            self.ringing.pop(leg_id, None)

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
        self.commands.clear()
