"""The books of a call: facts become call records and states, stored in one commit before anybody hears of them."""

from collections.abc import Callable, Sequence
from typing import Final

from kobza.call.cdr import CdrFold
from kobza.call.events import CallEnded, CallFact, CallStarted, RecordingStarted
from kobza.call.states import OwnerState, OwnerStates
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.journal import Journal, Then
from kobza.store.entries import CdrClosed, CdrOpened, CdrUpdated, Entry, RecordingStored, StateStored
from kobza.webhooks import payload

Owed = Callable[[Sequence[StateStored]], None]
"""Takes over states that are stored: the dispatcher's."""


class CallBooks:
    """What has been written of one call."""

    __slots__ = ("_office", "_records", "_states")

    def __init__(self, office: "BookKeeper", states: OwnerStates) -> None:
        self._office = office
        self._states = states
        self._records = CdrFold()

    def write(self, facts: Sequence[CallFact], promised: Sequence[Entry] = (), then: Then | None = None) -> None:
        """Store what follows from the next facts of the call, and what was promised; `then` is called after the commit.

        Raises:
            JournalFull: nothing was stored; for a call that begins: refuse it.
            JournalStopped: as above.

        """
        states: list[StateStored] = []
        changed = False
        for fact in facts:
            changed |= self._records.feed(fact)
            states += [self._office.stored(state) for state in self._states.feed(fact)]
        entries: list[Entry] = self._record_entries(facts) if changed else []
        entries += states
        entries += promised
        if entries:
            self._office.append(entries, states, then)

    def _record_entries(self, facts: Sequence[CallFact]) -> list[Entry]:
        records = self._records.records
        entries: list[Entry] = []
        if isinstance(facts[0], CallStarted):
            entries += [CdrOpened(record) for record in records if record.ended_at is None]
        elif not isinstance(facts[-1], CallEnded):
            entries += [CdrUpdated(record) for record in records]
        if isinstance(facts[-1], CallEnded):
            entries += [CdrClosed(record) for record in records]
        for fact in facts:
            if isinstance(fact, RecordingStarted):
                entries.append(RecordingStored(fact.record_id, fact.enterprise_id, fact.call_id, "recording", fact.at))
        return entries


class BookKeeper:
    """Opens the books of calls and hands what is stored to the dispatcher."""

    def __init__(self, journal: Journal, view: DirectoryView, owed: Owed, new_id: Callable[[], str]) -> None:
        self._journal = journal
        self._view = view
        self._owed: Final = owed
        self._new_id = new_id

    def open(self) -> CallBooks:
        """Begin the books of a call. Which enterprises get `held` and `resumed` is fixed for the call's life."""
        extended = {key for key, endpoint in self._view.snapshot.endpoints.items() if endpoint.extended}
        return CallBooks(self, OwnerStates(self._new_id, extended_for=extended))

    def stored(self, state: OwnerState) -> StateStored:
        """Return the entry of a state: owed when its enterprise has an endpoint that is switched on."""
        endpoint = self._view.snapshot.endpoints.get(state.enterprise_id)
        return StateStored(state, endpoint is not None and endpoint.active, payload.body(state))

    def append(self, entries: Sequence[Entry], states: Sequence[StateStored], then: Then | None = None) -> None:
        """Store entries; then tell the dispatcher of the states among them. Raises JournalFull, JournalStopped."""

        def told() -> None:
            if states:
                self._owed(states)
            if then is not None:
                then()

        self._journal.append(entries, told if states or then is not None else None)
