"""The last minute of a server, by counters that only grow."""

import asyncio
import math
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kobza.measures import Histogram
from kobza.observe import recent
from kobza.observe.recent import Recent
from kobza.observe.sources import Sources


async def test_the_last_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    began, passed = loop.time(), 0.0
    monkeypatch.setattr(loop, "time", lambda: began + passed)
    lag, attempts = Histogram((0.001, 0.01)), {"incoming": 5}
    parts: Any = SimpleNamespace(
        books=SimpleNamespace(meter=SimpleNamespace(attempts=attempts)), lag=SimpleNamespace(seconds=lag)
    )
    last = Recent(cast("Sources", parts))

    def told() -> list[float | None]:
        return [last.calls_per_second, last.lag]

    last.start()
    assert told() == [0.0, None]
    attempts["incoming"] += 30
    for _ in range(99):
        lag.observe(0.0005)
    passed = 10.0
    assert told() == [3.0, 0.001]
    lag.observe(0.005)
    lag.observe(0.005)
    assert told() == [3.0, 0.01]
    for _ in range(5):
        lag.observe(1.0)
    assert told() == [3.0, math.inf]
    for _ in range(int(recent.WINDOW / recent.EVERY) + 1):
        await last.stop()
        last.start()
        passed += recent.EVERY
    assert told() == [0.0, None], "what is older is forgotten"
    await last.stop()
