"""Compares what a scenario asked for with what the books say of its call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kobza.call.durations import ringing_seconds, talk_seconds
from kobza.call.numbers import national
from kobza.sandbox.scenario import Expected
from kobza.store.calls import HistoryRow

BASIC = ("alerting", "established", "finished")
EXACT = 1.0
"""Seconds by which a duration may differ, at any speed."""
LATENESS = 0.25
"""Seconds of the wall by which the server's own timers may be late on a busy machine; of the clock it is `speed` times
as many."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as asked."""

    what: str
    asked: Any
    happened: Any

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON wants it."""
        return {"what": self.what, "asked": self.asked, "happened": self.happened}


def tolerance(speed: float, *, server_ends: bool) -> float:
    """Return by how many seconds a duration may differ from what was asked.

    The clock, of that speed, stands for what the phones do; the server's timers run on (`server_ends`).
    """
    return EXACT + LATENESS * speed if server_ends else EXACT


def happened(row: HistoryRow | None, states: Sequence[Mapping[str, Any]], owners: Sequence[str]) -> dict[str, Any]:
    """Return what the history and the call states say; `owners` are E.164. Without a record all of it is None."""
    said: dict[str, Any] = dict.fromkeys(("cause", "sip_status", "released_by", "call_duration", "ringing"))
    if row is not None:
        said["cause"], said["sip_status"], said["released_by"] = row.cause, row.sip_status, row.released_by
        said["call_duration"] = talk_seconds(row.answered_at, row.ended_at)
        said["ringing"] = ringing_seconds(row.ringing_at, row.answered_at, row.ended_at)
    said["states"] = {national(owner): _types(states, national(owner)) for owner in owners}
    return said


def differences(
    expected: Expected, said: Mapping[str, Any], owners: Sequence[str], *, within: float
) -> list[Difference]:
    """Return everything that is not as it was asked; durations may differ `within` so many seconds."""
    found = []
    for name in ("cause", "sip_status", "released_by"):
        asked = getattr(expected, name)
        if asked is not None and said[name] != asked:
            found.append(Difference(name, asked, said[name]))
    for name in ("call_duration", "ringing"):
        asked = getattr(expected, name)
        if asked is not None and not _near(asked, said[name], within):
            found.append(Difference(name, asked, said[name]))
    for owner in owners:
        types = said["states"][national(owner)]
        if types != list(expected.states):
            found.append(Difference(f"states of {national(owner)}", list(expected.states), types))
    return found


def _near(asked: int, is_: int | None, within: float) -> bool:
    return is_ is not None and abs(asked - is_) <= within


def _types(states: Sequence[Mapping[str, Any]], owner: str) -> list[str]:
    """Return the types of an owner's states; those of extended endpoints are no scenario's business."""
    return [state["state_type"] for state in states if state["state_owner"] == owner and state["state_type"] in BASIC]
