"""The generators of RTP streams count what was sent after their warm-up, and nothing else."""

import os
from collections.abc import AsyncIterator, Callable, Set
from contextlib import asynccontextmanager

import pytest

from bench import generator, media
from bench.compiled import program
from bench.generator import Counts, generate
from bench.media import Calls, measure_one, through_nothing

CALLS, SECONDS, FRAMES = 4, 0.2, 10

pytestmark = pytest.mark.skipif(program("bare_forwarder") is None, reason="there is no C compiler")


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("warm_up", [0.0, 0.2])
async def test_packets_after_the_warm_up_are_counted(
    monkeypatch: pytest.MonkeyPatch, compiled: bool, warm_up: float
) -> None:
    told: list[bool] = []
    async with through_nothing(CALLS) as (_, pairs):
        if not compiled:
            monkeypatch.setattr(generator, "program", lambda _name: None)
        counts = await generate(pairs, SECONDS, warm_up, lambda: told.append(True))
    assert told == [True]
    assert (counts.sent, counts.received) == (2 * CALLS * FRAMES,) * 2
    assert 0 < counts.delay_p50_ms <= counts.delay_p99_ms


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor")
async def test_a_relay_shares_no_processor_with_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    before, seen = os.sched_getaffinity(0), list[Set[int]]()

    @asynccontextmanager
    async def relay(calls: int) -> AsyncIterator[Calls]:
        async with through_nothing(calls) as (pids, pairs):
            seen.append(os.sched_getaffinity(pids[0]))
            yield pids, pairs

    async def load(_pairs: object, _seconds: float, _warm_up: float, on_counting: Callable[[], None]) -> Counts:
        on_counting()
        seen.append(os.sched_getaffinity(0))
        return Counts(sent=1, received=1, seconds=1.0, delay_p50_ms=1.0, delay_p99_ms=1.0)

    monkeypatch.setattr(media, "generate", load)
    await measure_one(relay, 1, 1.0)
    assert len(seen) == 2
    assert seen[0].isdisjoint(seen[1])
    assert os.sched_getaffinity(0) == before
