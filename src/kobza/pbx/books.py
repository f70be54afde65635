"""The books of a call: facts become call records and states, stored in one commit before anybody hears of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from kobza.call.cdr import CdrFold
from kobza.call.directory import Endpoint
from kobza.call.durations import whole_seconds
from kobza.call.events import CallEnded, CallFact, CallStarted, RecordingStarted
from kobza.call.states import OwnerState, OwnerStates
from kobza.pbx.call_meter import CallMeter, MeteredCall
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.journal import Journal, JournalFull, JournalStopped, Then
from kobza.pbx.watch import CallWatch
from kobza.store.entries import CdrClosed, CdrOpened, CdrUpdated, Entry, RecordingStored, StateStored
from kobza.store.recordings import remarks_of
from kobza.webhooks import payload

Owed = Callable[[Sequence[StateStored]], None]
"""Takes over states that are stored: the dispatcher's."""

PATIENCE: Final = 0.025
"""Seconds that facts of a call wait for others to be stored with, when no endpoint is owed a state of them."""


class CallBooks:
    """What has been written of one call."""

    __slots__ = ("_call_id", "_office", "_records", "_states", "meter")

    def __init__(self, office: "BookKeeper", states: OwnerStates) -> None:
        self._office = office
        self._states = states
        self._records = CdrFold()
        self._call_id: str | None = None
        self.meter = MeteredCall(office.meter)
        """Counts what becomes of the call."""

    def write(self, facts: Sequence[CallFact], promised: Sequence[Entry] = (), then: Then | None = None) -> None:
        """Store what follows from the next facts of the call, and what was promised; `then` is called after the commit.

        Raises:
            JournalFull: nothing was stored; for a call that begins: refuse it.
            JournalStopped: as above.

        """
        office, first = self._office, facts[0]
        begins, ends = type(first) is CallStarted, type(facts[-1]) is CallEnded
        states: list[StateStored] = []
        changed = False
        for fact in facts:
            changed |= self._records.feed(fact)
            states += [office.stored(state) for state in self._states.feed(fact)]
        entries: list[Entry] = self._record_entries(facts, begins, ends) if changed else []
        entries += states
        entries += promised
        watch = office.watch
        if not begins:  # it happened, whether or not it can be written down
            self.meter.feed(facts)
        if ends:  # before it may fail: whatever follows takes its place behind this
            self.close()
        if entries or then is not None:  # a call of no enterprise has none
            if watch is not None:
                then = watch.writing(facts, len(entries), then)
            office.append(entries, states, then)
        elif watch is not None:
            watch.happened(facts)
        if begins:
            self.meter.feed(facts)
        if begins and not ends:
            self._call_id = first.call_id
            office.on[first.call_id] = self

    def record_ready(self, result: RecordingStored) -> list[StateStored]:
        """Return the states that a recording which is ready makes while the call is on."""
        duration = record_seconds(result)
        remarks = remarks_of(result.remarks).document()
        states = self._states.record_ready(result.enterprise_id, result.record_id, duration, result.at, remarks)
        return [self._office.stored(state) for state in states]

    @property
    def tells_quality(self) -> bool:
        """Whether an endpoint is told, when the call ends, how it was heard."""
        return self._states.tells_quality

    def close(self) -> None:
        """Take no more facts: the call has ended, or was cut off."""
        self.meter.cut_off()
        if self._call_id is not None:
            self._office.on.pop(self._call_id, None)

    def _record_entries(self, facts: Sequence[CallFact], begins: bool, ends: bool) -> list[Entry]:
        records = self._records.records
        entries: list[Entry] = []
        if begins:
            entries += [CdrOpened(record) for record in records if record.ended_at is None]
        elif not ends:
            entries += [CdrUpdated(record) for record in records]
        if ends:
            entries += [CdrClosed(record) for record in records]
        for fact in facts:
            if type(fact) is RecordingStarted:
                entries.append(RecordingStored(fact.record_id, fact.enterprise_id, fact.call_id, "recording", fact.at))
        return entries


class BookKeeper:
    """Opens the books of calls and hands what is stored to the dispatcher."""

    def __init__(
        self,
        journal: Journal,
        view: DirectoryView,
        owed: Owed,
        new_id: Callable[[], str],
        watch: CallWatch | None = None,
    ) -> None:
        self.watch = watch
        self.meter = CallMeter()
        """Counts what becomes of all calls."""
        self._journal = journal
        self._view = view
        self._owed: Final = owed
        self.new_id = new_id
        self.on: Final[dict[str, CallBooks]] = {}
        """By call id: the books of calls that are on."""
        self._endpoints: Mapping[str, Endpoint] = {}
        self._extended: frozenset[str] = frozenset()
        """The enterprises that get extended states by these endpoints: there may be thousands, and a call begins."""

    def open(self) -> CallBooks:
        """Begin the books of a call. Which enterprises get extended states is fixed for the call's life."""
        endpoints = self._view.snapshot.endpoints
        if endpoints is not self._endpoints:
            self._endpoints = endpoints
            self._extended = frozenset(key for key, endpoint in endpoints.items() if endpoint.extended)
        return CallBooks(self, OwnerStates(self.new_id, extended_for=self._extended))

    def stored(self, state: OwnerState) -> StateStored:
        """Return the entry of a state: owed when its enterprise has an endpoint that is switched on."""
        endpoint = self._view.snapshot.endpoints.get(state.enterprise_id)
        return StateStored(state, endpoint is not None and endpoint.active, payload.body(state))

    def wants_extended(self, enterprise_id: str) -> bool:
        """Tell whether an enterprise's endpoint asks for the extended states now."""
        endpoint = self._view.snapshot.endpoints.get(enterprise_id)
        return endpoint is not None and endpoint.extended

    def append(self, entries: Sequence[Entry], states: Sequence[StateStored], then: Then | None = None) -> None:
        """Store entries; then tell the dispatcher of the states among them.

        What nobody waits for, and no endpoint is owed, may wait for company: a commit costs more than what is in it.

        Raises JournalFull, JournalStopped.
        """

        def told() -> None:
            self._owed(states)
            if then is not None:
                then()

        patience = PATIENCE if then is None else 0.0
        for state in states:
            if state.owed_to_endpoint:
                patience = 0.0
        try:
            self._journal.append(entries, told if states else then, patience=patience)
        except (JournalFull, JournalStopped):
            self.meter.refused += any(isinstance(entry, CdrOpened) for entry in entries)
            raise


def record_seconds(result: RecordingStored) -> int:
    """Return the length of a recording that is ready, in whole seconds, rounded up as all durations are."""
    return whole_seconds(0, result.duration_ms or 0)
