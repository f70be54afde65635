"""What is inside a served Kobza, by its metrics: what must be nothing at rest, and what must not grow."""

import re
import time
from dataclasses import dataclass
from typing import Final

import httpx

from kobza.media.port_stock import STOCK

AT_REST: Final = (
    *("kobza_calls_active", "kobza_calls_talking", "kobza_calls_carried", "kobza_call_legs", "kobza_trunk_calls"),
    *("kobza_media_ports_used", "kobza_recordings_active", "kobza_recording_spools_waiting"),
    *(
        "kobza_sip_subscriptions",
        "kobza_sip_subscriptions_waiting",
        "kobza_sip_tcp_connections",
        "kobza_sip_websockets",
    ),
    *("kobza_journal_waiting_entries", "kobza_webhook_in_flight", "kobza_exports_running"),
)
"""0 once calls are over and phones are gone."""
LATER: Final = ("kobza_sip_transactions", "kobza_sip_timers")
"""0 half a minute after that."""
NEVER: Final = (
    *("kobza_sip_exceptions_total", "kobza_media_deaths_total", "kobza_journal_rejected_entries_total"),
    *("kobza_calls_refused_total", "kobza_sip_malformed_messages_total", "kobza_sip_overload_refusals_total"),
    "kobza_sip_dropped_datagrams_total",
)
"""0 whatever happens."""
SLACK: Final = {
    "kobza_loop_tasks": 2,
    "kobza_threads": 4,
    "kobza_media_process_open_fds": 2 * STOCK + 6,
}
"""How much more there may be at the end than in the beginning: a look at the metrics, a thread that reads the store,
ports that are bound for the next calls."""
MEMORY: Final = {"process_resident_memory_bytes": 40 << 20, "kobza_media_process_resident_memory_bytes": 12 << 20}
"""Bytes by which a process may grow after its first calls: memory in pieces, caches that have a bound."""
KNOWN: Final = re.compile(r"^# TYPE (\w+) ", re.MULTILINE)
SAMPLE: Final = re.compile(r"^(\w+)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Inside:
    """The metrics of a moment; those with labels added up."""

    values: dict[str, float]

    def __getitem__(self, name: str) -> float:
        """Return one."""
        return self.values[name]

    def unrest(self, *, later: bool, before: "Inside | None" = None) -> list[str]:
        """Return in words what is there and should not be at rest, or was not there before."""
        names = (*AT_REST, *LATER) if later else AT_REST
        return [f"{name} is {self[name]:g}" for name in names if self[name] > (before[name] if before else 0)]

    def wrong(self) -> list[str]:
        """Return in words what should never be."""
        return [f"{name} is {self[name]:g}" for name in NEVER if self[name]]

    def grown(self, before: "Inside") -> list[str]:
        """Return in words what has grown more than it may."""
        bounds = {**SLACK, **MEMORY}
        return [
            f"{name} grew from {before[name]:,.0f} to {self[name]:,.0f}"
            for name, slack in bounds.items()
            if self[name] > before[name] + slack
        ]

    def __str__(self) -> str:
        megabytes = [f"{self[name] / 2**20:.1f}" for name in MEMORY]
        counts = [f"{name.removeprefix('kobza_')} {self[name]:g}" for name in SLACK]
        return f"{', '.join(counts)}, {' and '.join(megabytes)} MB"


def look(http: str) -> Inside:
    """Read the metrics of a server."""
    text = httpx.get(f"http://{http}/metrics", timeout=60).text
    values = dict.fromkeys(KNOWN.findall(text), 0.0)  # one whose labels have no values yet has no sample
    for name, value in SAMPLE.findall(text):
        values[name] = values.get(name, 0.0) + float(value)
    return Inside(values)


def at_rest(http: str, within: float, *, later: bool, before: Inside | None = None) -> tuple[Inside, list[str]]:
    """Wait until a server is at rest, or as it was before.

    Returns what is inside then, and in words what still is not as it should be.
    """
    deadline = time.monotonic() + within
    while True:
        inside = look(http)
        unrest = inside.unrest(later=later, before=before)
        if not unrest or time.monotonic() > deadline:
            return inside, unrest
        time.sleep(0.5)
