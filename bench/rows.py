"""What a bench says: rows of one table, and what else its modules share."""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


class Row(NamedTuple):
    """One figure, and the one of something else that was measured in the same run beside it."""

    what: str
    figure: float
    unit: str
    against: str = ""
    """What it is compared with: a floor, or what somebody would use instead."""
    reference: float | None = None
    """The figure of that, in the same unit."""


class Unavailable(Exception):
    """A bench cannot run here: a tool is missing. The message is one line that says which."""


def measure_module(name: str, quick: bool) -> list[Row]:
    """Run one module of this folder: in another process, which finds this function by its name."""
    rows: Sequence[Row] = importlib.import_module(f"bench.{name}").measure(quick=quick)
    return list(rows)


def markdown(rows: Sequence[Row]) -> str:
    """Return the table as Markdown."""
    lines = ["| what | figure | unit | ratio | against |", "| --- | ---: | --- | ---: | --- |"]
    for row in rows:
        against, ratio = row.against, ""
        if row.reference is not None:
            against = f"{row.against}: {digits(row.reference)}"
            ratio = f"{row.figure / row.reference:.2f}" if row.reference else ""
        lines.append(f"| {row.what} | {digits(row.figure)} | {row.unit} | {ratio} | {against} |")
    return "\n".join(lines)


def digits(figure: float) -> str:
    """Write a figure with as many digits as it is worth: three."""
    if abs(figure) >= 1000:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_ms(pid: int, thread: int | None = None) -> float:
    """Return the CPU of a process or of one of its threads since its start, as the scheduler counts it: exactly."""
    threads = Path(f"/proc/{pid}/task").iterdir() if thread is None else [Path(f"/proc/{pid}/task/{thread}")]
    return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e6


def memory_kib(pid: int) -> int:
    """Return the resident memory of a process in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)
