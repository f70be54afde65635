"""What became of recordings, written down; of one that is ready its owners are told in the same commit."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from kobza.call.states import OwnerState, StateType
from kobza.pbx.books import BookKeeper, record_seconds
from kobza.pbx.journal import Journal, JournalFull
from kobza.store import Store, events
from kobza.store.entries import RecordingStored, StateStored
from kobza.store.events import TalkedLeg
from kobza.store.recordings import remarks_of

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 2.0
"""Seconds until a result is offered again to a journal that is full."""


class RecordBooks:
    """Stores results of the encoder. Those of one recording belong into one call of `write`."""

    def __init__(self, store: Store, journal: Journal, books: BookKeeper) -> None:
        self._store = store
        self._journal = journal
        self._books = books

    async def write(self, results: Sequence[RecordingStored]) -> None:
        """Store the results of one recording, one for each enterprise; returns once they are stored.

        Each owner of an enterprise with extended states that talked in the call is told `record_ready`. While the call
        is on its books know the next number of a leg; afterwards the store does, also of a call from before a crash.

        Raises JournalStopped.
        """
        states: list[StateStored] = []
        ready = [result for result in results if result.status == "ready"]
        if ready and ready[0].call_id not in self._books.on:
            ready = [result for result in ready if self._books.wants_extended(result.enterprise_id)]
            for result in ready:
                states += await self._of_the_past(result)
        else:
            for result in ready:
                states += self._books.on[result.call_id].record_ready(result)
        stored = asyncio.Event()
        while True:
            try:
                self._books.append([*results, *states], states, stored.set)
                break
            except JournalFull:
                await asyncio.sleep(RETRY_SECONDS)
        await stored.wait()

    async def _of_the_past(self, result: RecordingStored) -> list[StateStored]:
        """Return the states for a call that is over, behind what the store has of it."""
        written = asyncio.Event()
        self._journal.append((), written.set)  # the end of the call may still be on its way there
        await written.wait()

        def read() -> list[TalkedLeg]:
            with self._store.read() as conn:
                return events.talked(conn, result.enterprise_id, result.call_id)

        return [self._books.stored(self._state(leg, result)) for leg in await asyncio.to_thread(read)]

    def _state(self, leg: TalkedLeg, result: RecordingStored) -> OwnerState:
        return OwnerState(
            event_id=self._books.new_id(),
            call_id=result.call_id,
            call_control_id=leg.call_control_id,
            sequence=leg.sequence + 1,
            state_type=StateType.RECORD_READY,
            enterprise_id=result.enterprise_id,
            state_owner=leg.state_owner,
            phone_number=leg.phone_number,
            call_direction=leg.call_direction,
            at=result.at,
            client_state=leg.client_state,
            extended=True,
            record_id=result.record_id,
            record_duration=record_seconds(result),
            record_remarks=remarks_of(result.remarks).document(),
        )
