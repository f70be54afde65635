"""`python -m tests.fuzz`: see the package."""

import argparse
import gc
import hashlib
import logging
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from tests.fuzz.target import ROUND, Fault, Outcome, Target, play
from tests.fuzz.targets import BY_NAME

FOUND: Final = Path(__file__).parents[2] / "build" / "fuzz"
SAY_EVERY: Final = 30.0
"""Seconds between two lines that say how far it is."""
KEPT: Final = 20
"""Faults of a target that are kept; one of the code is found by thousands of inputs."""
Job = tuple[str, int, int]
"""Target, seed, round."""


def main() -> int:
    """Play rounds as asked; return the exit status: 1 when something was found."""
    options = _options()
    targets = [BY_NAME[name] for name in options.only or BY_NAME]
    began, outcomes = time.monotonic(), {target.name: Outcome() for target in targets}
    until = began + 60 * options.minutes if options.minutes else None
    said = began
    with multiprocessing.Pool(options.processes, _prepare) as pool:
        for name, outcome in pool.imap_unordered(_play, _jobs(targets, options)):
            outcomes[name].add(outcome)
            for fault in outcome.faults:
                _keep(name, fault, options.seed, outcomes[name])
            now = time.monotonic()
            done = sum(each.inputs for each in outcomes.values())
            if now > said + SAY_EVERY:
                said = now
                print(f"{done:,} inputs, {done / (now - began):,.0f}/s", flush=True)
            if until is not None and now > until:
                pool.terminate()
                break
    return _tell(outcomes, options.seed, time.monotonic() - began)


def _jobs(targets: list[Target], options: argparse.Namespace) -> Iterator[Job]:
    """Deal rounds to targets by their shares."""
    if options.rounds:
        for target in targets:
            yield from ((target.name, options.seed, options.first + number) for number in range(options.rounds))
        return
    shares, due = sum(target.share for target in targets), dict.fromkeys((target.name for target in targets), 0.0)
    numbers = {target.name: count(options.first) for target in targets}
    dealt = 0
    while options.minutes or dealt * ROUND < options.count:
        for target in targets:
            due[target.name] += target.share / shares
        name = max(due, key=lambda each: due[each])
        due[name] -= 1
        dealt += 1
        yield name, options.seed, next(numbers[name])


def _prepare() -> None:
    """Make a process ready: what is fuzzed must not stand in the way of anybody's work, nor be slow by its garbage."""
    os.nice(19)
    gc.set_threshold(50_000, 50, 100)
    warnings.simplefilter("error")
    logging.disable()


def _play(job: Job) -> tuple[str, Outcome]:
    name, seed, number = job
    return name, play(BY_NAME[name], seed, number)


def _keep(name: str, fault: Fault, seed: int, outcome: Outcome) -> None:
    """Say what was found, and keep the input."""
    if len(outcome.faults) > KEPT:
        return
    FOUND.mkdir(parents=True, exist_ok=True)
    path = FOUND / f"{name}-{hashlib.sha256(fault.data).hexdigest()[:12]}.bin"
    path.write_bytes(fault.data)
    print(f"FOUND in {name}: {fault.what}\n    {path}", flush=True)
    print(f"    again: make fuzz ARGS='--only {name} --seed {seed} --first {fault.round} --rounds 1'", flush=True)


def _tell(outcomes: dict[str, Outcome], seed: int, took: float) -> int:
    print(f"{'target':<12}{'inputs':>12}{'read':>8}  {'longest':>9}  {'bytes':>7}  faults")
    for name, outcome in outcomes.items():
        seconds, length = outcome.slowest
        share = outcome.read / max(1, outcome.inputs)
        print(
            f"{name:<12}{outcome.inputs:>12,}{share:>8.0%}  {seconds * 1000:>6.1f} ms  {length:>7,}  "
            f"{len(outcome.faults)}"
        )
    done = sum(each.inputs for each in outcomes.values())
    found = sum(len(each.faults) for each in outcomes.values())
    print(f"seed {seed}: {done:,} inputs in {took / 60:.1f} min, {done / took:,.0f}/s; {found} found")
    return 1 if found else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000_000, help="inputs in all (10,000,000)")
    parser.add_argument("--minutes", type=float, help="how long, in the place of a count")
    parser.add_argument("--seed", type=int, default=1, help="what the inputs are drawn from (1)")
    parser.add_argument("--only", nargs="+", choices=list(BY_NAME), metavar="TARGET", help=f"of {', '.join(BY_NAME)}")
    parser.add_argument("--first", type=int, default=1, help="the first round of each target (1)")
    parser.add_argument("--rounds", type=int, help=f"so many rounds of {ROUND:,} inputs of each target, no more")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many at a time (all processors)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
