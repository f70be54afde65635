"""What became of a call: its row in the history and the states its owners were told."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.interop.server import Server
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from tests.interop.conftest import SinkThread


@dataclass
class Outcome:
    """A finished call. `states` has those of each owner in the order they arrived."""

    row: dict[str, Any]
    states: dict[str, list[dict[str, Any]]]

    def types(self, owner: str) -> list[str]:
        """Return the names of the states that an owner was told, in order."""
        return [state["state_type"] for state in self.states.get(owner, [])]

    def has(self, *, cause: int, status: int, released_by: str) -> None:
        """Assert how the call ended: in the history, and in every owner's `finished`."""
        assert (self.row["cause"], self.row["sip_status"], self.row["released_by"]) == (cause, status, released_by)
        for states in self.states.values():
            final = states[-1]
            assert (final["cause"], final["released_by"]) == (cause, released_by)

    @property
    def talk_seconds(self) -> float:
        """Seconds from the answer to the end; 0 for a call that was not answered."""
        if not self.row["answered_at"]:
            return 0.0
        began, ended = (datetime.fromisoformat(self.row[name]) for name in ("answered_at", "ended_at"))
        return (ended - began).total_seconds()


class Ledger:
    """Finds the calls that a test made among all of the server's."""

    def __init__(self, server: Server, sink: "SinkThread") -> None:
        self._server = server
        self._sink = sink
        self._known = {row["call_id"] for row in server.history()}

    async def call(self, caller: str, called: str, owners: Sequence[str] = (), within: float = PATIENCE) -> Outcome:
        """Wait for the end of a new call between two numbers, and until each owner has heard of it.

        Checks what holds of every call: nobody but the owners is told, and each owner the whole story in order.
        """
        row = await self._row(caller, called, within)
        assert row["call_duration"] >= 0
        arrived = await self._sink.finished(row["call_id"], len(owners), within)
        states: dict[str, list[dict[str, Any]]] = {}
        for state in arrived:
            states.setdefault(str(state["state_owner"]), []).append(state)
        assert set(states) == set(owners), states
        for owner, told in states.items():
            assert [state["sequence"] for state in told] == list(range(1, len(told) + 1)), told
            assert len({state["call_control_id"] for state in told}) == 1, told
            assert [state["state_type"] for state in told].count("finished") == 1, told
            if told[-1]["state_type"] == "record_ready":  # comes when the mp3 is there, to who asked for it
                told.pop()
            assert told[-1]["state_type"] == "finished", told
            assert {state["call_direction"] for state in told} == {row["direction"]}, told
            other = row["called_number"] if owner == row["calling_number"] else row["calling_number"]
            assert {state["phone_number"] for state in told} == {other}, told
            final = told[-1]
            assert final["record_id"] == row["record_id"]
            assert final["call_duration"] == row["call_duration"]
        return Outcome(row, states)

    async def _row(self, caller: str, called: str, within: float) -> dict[str, Any]:
        deadline = time.monotonic() + within
        while True:
            rows = [row for row in self._server.history() if row["call_id"] not in self._known]
            for row in rows:
                if (row["calling_number"], row["called_number"]) == (caller, called) and row.get("ended_at"):
                    self._known.add(row["call_id"])
                    return row
            assert time.monotonic() < deadline, f"no finished call {caller} to {called}: {rows}\n{self._server.log}"
            await asyncio.sleep(0.1)
