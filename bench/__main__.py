"""Measure and print one table: `python -m bench [--quick] [NAME …]`, `make bench ARGS="codec relay"`.

Each name is a module of this folder: `codec`, `signalling_core`, `journal`, `journal_postgres`, `export`, `history`,
`statistics`, `phonestatus`, `board`, `relay`, `media`, `calls`, `standing`, `events`, `memory`, `registrations`,
`hostile`. Without names all of them run, some minutes in all, each in a process of its own, one after the other.
`python -m bench.NAME` prints one alone with more detail. `--quick` only shows that they run: its figures are worth
nothing.

The table is Markdown and goes to stdout as it stands in the README between `<!-- bench -->` and `<!-- /bench -->`
(`--readme FILE` puts it there); what happens meanwhile goes to stderr. `against` is what was measured beside in the
same run: the floor that this machine allows, or what somebody would use instead; `ratio` is the one to the other.

A module has `measure(*, quick: bool) -> Sequence[Row]` and raises `Unavailable` when a tool that it needs is missing.
"""

import argparse
import importlib.util
import os
import platform
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bench.rows import Row, Unavailable, markdown, measure_module
from kobza import BUILD

NAMES = (
    "codec",
    "signalling_core",
    "journal",
    "journal_postgres",
    "export",
    "history",
    "statistics",
    "phonestatus",
    "board",
    "relay",
    "media",
    "calls",
    "standing",
    "events",
    "memory",
    "registrations",
    "hostile",
)
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def machine() -> str:
    """Say in one line where the figures come from."""
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{cores} cores of {name}, {system}; Kobza is {BUILD}"


def run(names: Sequence[str], *, quick: bool) -> list[Row]:
    """Run modules one after the other; leave out those that cannot run here, and say so."""
    rows: list[Row] = []
    for name in names:
        started = time.monotonic()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            try:
                rows += alone.submit(measure_module, name, quick).result()
            except Unavailable as error:
                say(f"{name}: left out: {error}")
                continue
        say(f"{name}: {time.monotonic() - started:.0f} s")
    return rows


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def put_into(readme: Path, text: str) -> None:
    """Replace what stands between the markers of a file."""
    old = readme.read_text()
    between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not between.search(old):
        raise SystemExit(f"{readme} has no {BEGIN} … {END}")
    readme.write_text(between.sub(lambda _: f"{BEGIN}\n{text}\n{END}", old, count=1))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; all without one")
    parser.add_argument("--quick", action="store_true", help="run each for a moment only")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="put the table there as well")
    options = parser.parse_args(arguments)
    there = [name for name in NAMES if importlib.util.find_spec(f"bench.{name}") is not None]
    unknown = [name for name in options.names if name not in there]
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)}; there are {', '.join(there)}")
    rows = run([name for name in there if not options.names or name in options.names], quick=options.quick)
    text = f"{markdown(rows)}\n\nMeasured by `make bench` on {machine()}."
    print(text)
    if options.readme is not None:
        put_into(options.readme, text)


if __name__ == "__main__":
    main()
