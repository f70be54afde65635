"""`make impair`: the same stories over ever worse networks must come to the same.

    make impair                                   # 300 rounds of ten stories
    make impair ARGS="--rounds 20 --seed 7"

In virtual time, where an hour of calls takes seconds; then a minute of sound over bad networks, in real time.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.soak.exchange import played
from tests.soak.sound import NETWORKS as SOUND_NETWORKS
from tests.soak.sound import bad_calls
from tests.soak.stories import WITHOUT_SOUND, Story
from tests.soak.verdict import TRIES, Verdict
from tests.support.impairment import Impairment

Played = Sequence[tuple[Story, Verdict]]
BAD: Final = Impairment.of(0.15, delay=0.3)
NETWORKS: Final = (
    *(Impairment.of(share) for share in (0.01, 0.05, 0.1)),
    Impairment(loss=0.2),
    Impairment(duplication=0.2, delay=0.2),
    Impairment(reordering=0.2, delay=0.2),
    Impairment(delay=1.0),
    Impairment.of(0.2, delay=0.5),
)
"""From a line that is a little worse than good to one over which nobody could talk."""


@dataclass
class Difference:
    """How stories over a bad network compare with the same over a good one."""

    wrong: list[str] = field(default_factory=list)
    excused: int = 0
    """Those that came to something else, as every copy of a message may have been lost."""


def differing(good: Played, bad: Played) -> Difference:
    """Compare the same stories over two networks."""
    found = Difference()
    for (story, wanted), (_, came) in zip(good, bad, strict=True):
        found.wrong += [f"{story}: {words}" for words in (*wanted.wrong, *came.wrong)]
        if (came.told, came.records, came.states) == (wanted.told, wanted.records, wanted.states):
            continue
        if came.tried >= TRIES:
            found.excused += 1
        else:
            found.wrong.append(f"{story}:\n  over a good network {wanted}\n  over a bad one     {came}")
    return found


def _virtual(rounds: int, seed: int) -> list[str]:
    """Play in virtual time; return what is wrong."""
    began = time.monotonic()
    good = _played(Impairment(), seed, rounds)
    wrong = [f"{story}: {verdict}" for story, verdict in good if verdict.told != "done"]
    print(f"{len(good)} stories over a good network, {time.monotonic() - began:.0f} s", flush=True)
    for impairment in NETWORKS:
        began = time.monotonic()
        found = differing(good, _played(impairment, seed, rounds))
        wrong += found.wrong
        print(
            f"{impairment}: {len(found.wrong)} wrong, {found.excused} in which SIP gave up, "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )
    for share in (0.0, 0.05, 0.2):
        began = time.monotonic()
        wild = _played(Impairment.of(share, delay=2 * share), seed, max(1, rounds // 10), ("wild",))
        wrong += [words for _, verdict in wild for words in verdict.wrong]
        calls = sum(len(verdict.records) for _, verdict in wild)
        print(f"{calls} wild calls over {Impairment.of(share, delay=2 * share)}, {time.monotonic() - began:.0f} s")
    return wrong


def _played(impairment: Impairment, seed: int, rounds: int, kinds: Sequence[str] = WITHOUT_SOUND) -> Played:
    with tempfile.TemporaryDirectory(prefix="kobza-impair-") as folder:
        return played(Path(folder), impairment, seed=seed, rounds=rounds, kinds=kinds)


def _sound(seconds: float, seed: int) -> list[str]:
    """Play sound, over all networks at once; return what is wrong."""
    with tempfile.TemporaryDirectory(prefix="kobza-impair-") as folder:
        calls = asyncio.run(bad_calls(Path(folder), seconds=seconds, seed=seed, networks=SOUND_NETWORKS))
    for call in calls:
        print(f"sound over {call.impairment}: {call.lost} packets lost, {call.told} told, {len(call.wrong)} wrong")
    return [f"sound over {call.impairment}: {words}" for call in calls for words in call.wrong]


def main() -> int:
    """Play as asked; return the exit status: 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="make impair")
    parser.add_argument("--rounds", type=int, default=300, help="rounds of ten stories over each network (300)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of sound over each network, all at once (60)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="what is drawn from")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    wrong = _virtual(options.rounds, options.seed)
    wrong += _sound(options.seconds, options.seed)
    for words in wrong:
        print(f"    WRONG {words}")
    print(f"seed {options.seed}: {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
