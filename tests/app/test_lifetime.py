import asyncio
import logging

import pytest

from kobza.app.lifetime import Lifetime


async def test_what_started_last_stops_first_and_one_that_cannot_keeps_no_other_from_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lifetime = Lifetime()
    stopped: list[str] = []

    def part(name: str, error: Exception | None = None) -> None:
        async def stop() -> None:
            stopped.append(name)
            if error is not None:
                raise error

        lifetime.stop_with(stop)

    part("store")
    part("journal", OSError("disk full"))
    part("http")
    with caplog.at_level(logging.ERROR):
        await lifetime.stop()
    assert stopped == ["http", "journal", "store"]
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info and record.exc_info[1]] == [
        ("disk full",)
    ]
    await lifetime.stop()
    assert len(stopped) == 3


async def test_the_first_part_to_die_is_told_of() -> None:
    lifetime = Lifetime()
    waiting = asyncio.create_task(lifetime.failed())

    async def part(error: Exception | None = None) -> None:
        if error is not None:
            raise error

    ended, ended_by_us = asyncio.create_task(part()), asyncio.create_task(asyncio.sleep(3600))
    for task in (ended, ended_by_us):
        task.add_done_callback(lifetime.part_ended)
    ended_by_us.cancel()
    await asyncio.wait((ended, ended_by_us))
    await asyncio.sleep(0)
    assert not waiting.done()
    for word in ("first", "second"):
        died = asyncio.create_task(part(OSError(word)))
        died.add_done_callback(lifetime.part_ended)
        await asyncio.wait((died,))
    assert str(await waiting) == "first"
    assert str(await lifetime.failed()) == "first"
