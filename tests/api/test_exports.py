"""The export process: what it makes, what it costs when a client stalls or leaves, what happens when it dies."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from kobza.api.callstat_formats import Shown
from kobza.api.exports import link
from kobza.api.exports.jobs import CallstatJob, HistoryJob, Job, from_wire, to_wire
from kobza.api.exports.link import ExportFailed, ExportProcess
from kobza.api.exports.process import MESSAGE
from kobza.api.problems import ApiError
from kobza.store.export import Cursor
from kobza.store.fill import fill
from tests.api.test_callstat import DAY, PATHS, assert_problem
from tests.api.world import World
from tests.support.waiting import PATIENCE

ALL = Shown(names=True, departments=True, ownership=True, direction=True)


def callstat(world: World, shown: Shown = ALL, enterprise_id: str | None = None) -> CallstatJob:
    return CallstatJob(enterprise_id or world.own.enterprise_id, 0, 2**53, "json", shown)


def history(world: World, **changes: object) -> HistoryJob:
    values = {"number": None, "direction": None, "limit": None, "after": None, "language": "uk", **changes}
    return HistoryJob(world.own.enterprise_id, 0, 2**53, **values)  # type: ignore[arg-type]


async def whole(chunks: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.01)


def fill_own(world: World, calls: int) -> None:
    fill(world.store, world.own.enterprise_id, calls, 7, now_ms=int(world.at * 1000))


def open_sockets(*pids: int) -> int:
    """Return how many sockets processes have open."""
    count = 0
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                count += str(entry.readlink()).startswith("socket:")
    return count


def is_running(pid: int | None) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    "job",
    [
        CallstatJob("e", 1, 2, "csv", Shown(names=True), bom=True),
        HistoryJob("e", 1, 2, None, None, None, None, "en"),
        HistoryJob("e", 1, 2, "+380671111111", "local", 10, Cursor(5, "c-1"), "uk"),
    ],
)
def test_a_job_arrives_as_it_was_sent(job: Job) -> None:
    assert from_wire(to_wire(job)) == job


async def test_answers_come_whole_in_chunks_of_a_bounded_size(world: World) -> None:
    fill_own(world, 3000)
    chunks = [chunk async for chunk in world.exports.stream(callstat(world))]
    assert len(chunks) > 3
    assert max(map(len, chunks)) <= MESSAGE
    calls = json.loads(b"".join(chunks))["calls"]
    assert len(calls) == 3000
    document = json.loads(await whole(world.exports.stream(history(world))))
    assert len(document["calls"]) == 3000
    assert document["next_cursor"] is None
    assert world.exports.running == 0


async def test_many_at_once_are_each_right(world: World) -> None:
    fill_own(world, 1500)
    alone = [await whole(world.exports.stream(callstat(world))), await whole(world.exports.stream(history(world)))]
    jobs: list[Job] = [callstat(world), history(world)] * 25
    assert await asyncio.gather(*(whole(world.exports.stream(job)) for job in jobs)) == alone * 25


async def test_who_stalls_holds_up_nobody_and_leaves_nothing_behind(world: World) -> None:
    fill_own(world, 3000)
    expected = await whole(world.exports.stream(callstat(world)))
    both = os.getpid(), world.exports.pid or 0
    before = open_sockets(*both)
    stalled = [world.exports.stream(callstat(world)) for _ in range(50)]
    for chunks in stalled:
        await anext(chunks)
    assert world.exports.running == 50
    assert open_sockets(*both) > before + 90
    assert await whole(world.exports.stream(callstat(world))) == expected
    # One of them goes on, the others leave.
    for chunks in stalled[1:]:
        await chunks.aclose()
    assert (await whole(stalled[0])) == expected[MESSAGE:]
    assert world.exports.running == 0
    await until(lambda: open_sockets(*both) <= before)


async def test_when_the_process_dies_answers_break_off_and_another_is_started(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_own(world, 20_000)
    monkeypatch.setattr(link, "STEADY_AFTER", 0.0)
    async with aclosing(world.exports.stream(callstat(world))) as chunks:
        await anext(chunks)
        first = world.exports.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        with pytest.raises(ExportFailed, match="died"):
            await whole(chunks)
    await until(lambda: not world.exports.alive)
    assert len(json.loads(await whole(world.exports.stream(callstat(world))))["calls"]) == 20_000
    assert world.exports.pid != first
    assert "the export process died (exit code -9): started anew" in caplog.text


async def test_a_process_that_cannot_work_is_not_started_again_and_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "STEADY_AFTER", 60.0)
    lost = ExportProcess(tmp_path / "nothing.db")
    with pytest.raises(ExportFailed, match="died"):
        await whole(lost.stream(callstat(world)))
    await until(lambda: not lost.alive)
    with pytest.raises(ApiError) as caught:
        await whole(lost.stream(callstat(world)))
    assert (caught.value.http_status, caught.value.code) == (503, "unavailable")
    await lost.stop()


async def test_after_its_end_nothing_is_made(world: World) -> None:
    await whole(world.exports.stream(callstat(world)))
    pid = world.exports.pid
    await world.exports.stop()
    assert not is_running(pid)
    with pytest.raises(ApiError):
        await whole(world.exports.stream(callstat(world)))


async def test_it_ends_with_the_server(world: World) -> None:
    world.exports.start()
    pid = world.exports.pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)  # of a service manager that signals all: what is under way is finished
    assert world.exports.alive
    await world.exports.stop()
    assert not is_running(pid)


@pytest.mark.database("sqlite")  # PostgreSQL takes any number
async def test_an_answer_that_cannot_be_made_is_an_incident_and_harms_no_other(world: World) -> None:
    fill_own(world, 10)
    broken = HistoryJob(world.own.enterprise_id, 0, 2**80, None, None, None, None, "en")  # more than the driver takes
    with pytest.raises(ExportFailed, match="OverflowError"):
        await whole(world.exports.stream(broken))
    assert len(json.loads(await whole(world.exports.stream(callstat(world))))["calls"]) == 10


@pytest.mark.parametrize("limit", ["AT_ONCE", "OF_ONE"])
async def test_beyond_the_bound_503_with_retry_after(world: World, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    fill_own(world, 2000)
    monkeypatch.setattr(link, limit, 2)
    held = [world.exports.stream(callstat(world)) for _ in range(2)]
    for chunks in held:
        await anext(chunks)
    async with world.client() as client:
        for path in PATHS:
            answer = await client.get(path, params={"token": world.own.fmc_token, **DAY})
            assert_problem(answer, 503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
        other = callstat(world, enterprise_id=world.other.enterprise_id)
        if limit == "OF_ONE":
            assert json.loads(await whole(world.exports.stream(other))) == {"calls": []}
        await held[0].aclose()
        assert (await client.get(PATHS[0], params={"token": world.own.fmc_token, **DAY})).status_code == 200
    await held[1].aclose()
    assert world.exports.running == 0
