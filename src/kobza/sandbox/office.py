"""The sandbox's enterprise as scenarios use it: commands to its calls, and what its books say of them."""

import asyncio
from typing import Any, Final

import msgspec

from kobza.net.clock import Clock
from kobza.pbx.commands import Commands, ControlAction
from kobza.store import Store, calls, events
from kobza.store.calls import HistoryRow

LOOK: Final = 0.02
"""Seconds of the wall between two looks for a call."""
NEWEST: Final = 50
"""Calls looked at to find one whose id nobody saw: it was refused before it was one."""


class LiveOffice:
    """Acts through the same commands as the HTTP interface does, and reads the same tables."""

    def __init__(self, store: Store, commands: Commands, enterprise_id: str, clock: Clock) -> None:
        self._store = store
        self._commands = commands
        self._clock = clock
        self.enterprise_id = enterprise_id

    async def originate(self, caller: str, called: str) -> str:
        """Begin a click2dial call; return call_id. Raises KobzaError."""
        return (await self._commands.originate(self.enterprise_id, caller, called)).call_id

    async def control(
        self, call_control_id: str, action: ControlAction, *, digits: str = "", destination: str = ""
    ) -> None:
        """Act on a leg. Raises KobzaError."""
        await self._commands.control(
            self.enterprise_id, call_control_id, action, digits=digits, destination=destination
        )

    async def leg(self, number: str, other: str, within: float) -> str:
        """Return the call_control_id of a number in its call with another, or that of the other if it has none.

        Raises TimeoutError when there is no such call within so many seconds of the wall.
        """
        async with asyncio.timeout(within):
            while (found := self.live(number, other)) is None:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(LOOK)
        legs = found[1]
        return legs.get(number) or legs[other]

    async def set_dnd(self, number: str, on: bool) -> None:
        """Switch Do Not Disturb. Raises NotFoundError."""
        await self._commands.set_dnd(self.enterprise_id, number, on, None)

    def live(self, caller: str, called: str) -> tuple[str, dict[str, str]] | None:
        """Return call_id, and by owner call_control_id, of the call between two numbers that is on."""
        found = [
            leg
            for leg in self._commands.live_calls(self.enterprise_id)
            if (leg.number, leg.phone_number) in ((caller, called), (called, caller))
        ]
        if not found:
            return None
        call_id = found[0].call_id
        return call_id, {leg.number: leg.call_control_id for leg in found if leg.call_id == call_id}

    async def row(self, call_id: str | None, caller: str, called: str, since: float) -> HistoryRow | None:
        """Return the record of a call once it has ended; without an id that of the newest one between two numbers."""

        def read() -> HistoryRow | None:
            with self._store.read() as conn:
                if call_id is not None:
                    found = calls.find(conn, self.enterprise_id, call_id)
                    return found if found is not None and found.ended_at is not None else None
                for row in calls.latest(conn, self.enterprise_id, int(since * 1000), limit=NEWEST):
                    if (row.calling_number, row.called_number) == (caller, called):
                        return row
                return None

        return await asyncio.to_thread(read)

    async def states(self, call_id: str) -> list[dict[str, Any]]:
        """Return the call states of a call, as they are posted, in order."""

        def read() -> list[dict[str, Any]]:
            with self._store.read() as conn:
                found = events.of_call(conn, self.enterprise_id, call_id)
            return [msgspec.json.decode(event.payload, type=dict[str, Any]) for event in found]

        return await asyncio.to_thread(read)
