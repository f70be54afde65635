"""The live stream of `kobza serve` beside the webhook: the same states of real calls, byte for byte."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kobza.client import AsyncKobza, Event, Retries
from kobza.client.sse import EventStream, ServerSentEvent
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from tests.interop.conftest import NUMBERS, SinkThread
from tests.interop.outcome import Ledger
from tests.interop.server import Server, Site
from tests.phone.terminal import KOBZA
from tests.support.waiting import until

A, B, C, _ = NUMBERS
CALLS = 3
PATIENT = Retries(most=100, longest_wait=2.0)
"""A server that is restarted may take its time."""


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[tuple[SoftPhone, SoftPhone]]:
    def phone(number: str, **options: Any) -> SoftPhone:
        site = kobza_server.site
        password = site.lines[number].password
        return SoftPhone(number, site.sip, password=password, sound=Sound.tone(440), **options)

    async with phone(A, answer_after=0.05) as a, phone(B, answer_after=0.05) as b:
        yield a, b


async def follow(server: Server, after: str, got: list[ServerSentEvent], cut_after: int | None = None) -> None:
    """Read the stream into a list for ever; with `cut_after` the connection is broken off every so many events."""
    headers = {"authorization": server.api.headers["authorization"], "accept": "text/event-stream"}
    query = {"integrator_id": server.site.enterprise["integrator_id"], "after": after}
    async with httpx.AsyncClient(base_url=f"http://{server.site.http}", timeout=120) as client:
        last: str | None = None
        while True:
            resumed = headers if last is None else headers | {"last-event-id": last}
            stream = EventStream(last_id=last)
            async with client.stream("GET", "/api/fmc/v1/events", params=query, headers=resumed) as answer:
                assert answer.status_code == 200
                fresh = 0
                async for piece in answer.aiter_bytes():
                    for event in stream.feed(piece):
                        got.append(event)
                        last, fresh = event.id, fresh + 1
                    if cut_after is not None and fresh >= cut_after:
                        break


@asynccontextmanager
async def running(*tasks: "asyncio.Task[None]") -> AsyncIterator[Callable[[], bool]]:
    """Give a look at whether all tasks still run; they are ended afterwards."""
    try:
        yield lambda: not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_two_readers_get_what_the_webhook_gets(
    phones: tuple[SoftPhone, SoftPhone], kobza_server: Server, sink: SinkThread, ledger: Ledger
) -> None:
    async with AsyncKobza(
        f"http://{kobza_server.site.http}",
        kobza_server.site.enterprise["fmc_token"],
        kobza_server.site.enterprise["integrator_id"],
    ) as kobza:
        after = await kobza.newest_cursor() or "0"
        whole: list[ServerSentEvent] = []
        cut: list[ServerSentEvent] = []
        states: list[Event] = []

        async def client() -> None:
            async with aclosing(kobza.events(after, follow=True)) as events:
                async for event in events:
                    states.append(event)  # noqa: PERF401 - watched while it grows

        tasks = (
            asyncio.create_task(follow(kobza_server, after, whole)),
            asyncio.create_task(follow(kobza_server, after, cut, cut_after=1)),
            asyncio.create_task(client()),
        )
        calls: list[str] = []
        async with running(*tasks) as alive:
            for number in range(CALLS):
                begun = await kobza.originate(A, B, client_state=f"замовлення\n{number}")
                leg = begun.call_control_id
                await until(
                    lambda leg=leg: any(  # type: ignore[misc]
                        (told := json.loads(event.data))["call_control_id"] == leg
                        and told["state_type"] == "established"
                        for event in whole
                    ),
                    "the call in the stream",
                )
                await kobza.call(leg).clear()
                outcome = await ledger.call(A, B, owners=(A, B))
                calls.append(outcome.row["call_id"])
            bodies = {
                request.json["event_id"]: request.body
                for request in sink.sink.requests
                if request.json is not None and request.json.get("call_id") in calls
            }
            assert len(bodies) >= CALLS * 6
            await until(lambda: min(len(whole), len(cut), len(states)) >= len(bodies), "all states in the streams")
            assert alive()
    assert {json.loads(event.data)["event_id"]: event.data.encode() for event in whole} == bodies
    assert [(event.id, event.data) for event in whole] == [(event.id, event.data) for event in cut]
    assert len(whole) == len(bodies)
    assert [event.state.event_id for event in states] == [json.loads(event.data)["event_id"] for event in whole]
    assert [event.cursor for event in states] == [event.id for event in whole]
    assert all(event.event == json.loads(event.data)["state_type"] for event in whole)


async def test_the_client_follows_across_a_restart(new_site: Site, tmp_path: Path) -> None:
    site = new_site.copy(tmp_path / "kobza")
    server = site.start()
    url = f"http://{site.http}"
    account = site.enterprise["fmc_token"], site.enterprise["integrator_id"]
    seen: list[str] = []

    async def client() -> None:
        async with (
            AsyncKobza(url, *account, retries=PATIENT) as kobza,
            aclosing(kobza.events("0", follow=True)) as events,
        ):
            async for event in events:
                seen.append(f"{event.state.phone_number} {event.state.state_type}")  # noqa: PERF401

    def phone(number: str, **options: Any) -> SoftPhone:
        return SoftPhone(number, site.sip, password=site.lines[number].password, sound=Sound.tone(440), **options)

    async def call() -> None:
        async with phone(A, answer_after=0.05), phone(C, answer_after=0.05), AsyncKobza(url, *account) as kobza:
            ended = seen.count(f"{A} finished")
            begun = await kobza.originate(A, C)
            await until(lambda: seen.count(f"{A} established") > ended, "the call in the stream", 20)
            await kobza.call(begun.call_control_id).clear()
            await until(lambda: seen.count(f"{A} finished") > ended, "its end in the stream", 20)

    shown = tmp_path / "shown"
    with shown.open("wb") as out:
        where = ("--url", url, "--token", account[0], "--integrator", account[1])
        command = await asyncio.create_subprocess_exec(
            KOBZA, "events", "--follow", "--after", "0", "--json", *where, stdout=out, stderr=subprocess.PIPE
        )
    async with running(asyncio.create_task(client())) as alive:
        await call()
        await until(lambda: shown.read_bytes().count(b"\n") >= len(seen), "the states on the terminal", 30)
        await asyncio.to_thread(server.stop)  # clean, within its time and without an error in its log
        server = await asyncio.to_thread(site.start)
        try:
            await call()
            assert alive()
            await until(lambda: shown.read_bytes().count(b"\n") >= len(seen), "all states on the terminal", 20)
            assert command.returncode is None
        finally:
            if command.returncode is None:
                command.send_signal(signal.SIGINT)
            _, complaints = await command.communicate()
            await asyncio.to_thread(server.stop)
    assert await command.wait() == 130
    assert b"Traceback" not in complaints
    lines = [json.loads(line) for line in shown.read_text().splitlines()]
    assert [f"{line['phone_number']} {line['state_type']}" for line in lines] == seen
    assert len({line["event_id"] for line in lines}) == len(lines)
    for owner in (A, C):
        assert [state for state in seen if state.startswith(owner)] == [
            f"{owner} alerting",
            f"{owner} established",
            f"{owner} finished",
        ] * 2
