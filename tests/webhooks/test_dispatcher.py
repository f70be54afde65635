import asyncio
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from kobza.pbx.journal import Journal
from kobza.store import endpoints, replays
from kobza.store.entries import AttemptStored, Entry, StateStored
from kobza.store.erasure import Request, erase
from kobza.webhooks import circuit
from kobza.webhooks.dispatcher import Dispatcher
from kobza.webhooks.payload import body
from kobza.webhooks.schedule import wait_after
from tests.support.sink import (
    Answer,
    Hang,
    Received,
    Reset,
    Slow,
    Status,
    Until,
    WebhookSink,
    gone,
    redirect,
    retry_after,
)
from tests.webhooks.conftest import Pbx, store, until


def sequences(requests: list[Received]) -> dict[str, list[int]]:
    """Leg -> the sequence of its states as they came."""
    found: dict[str, list[int]] = defaultdict(list)
    for request in requests:
        found[request.json["call_control_id"]].append(request.json["sequence"])
    return found


async def test_states_go_out_as_stored(pbx: Pbx, journal: Journal, dispatcher: Dispatcher, sink: WebhookSink) -> None:
    enterprise = pbx.enterprise(sink.url)
    entries = [pbx.state(enterprise, "leg", sequence) for sequence in (1, 2, 3)]
    await store(journal, entries, dispatcher)
    requests = await sink.wait_for(3)
    assert [request.body for request in requests] == [entry.payload for entry in entries]
    assert {request.path for request in requests} == {"/hooks/callstate"}
    await until(lambda: {row[1] for row in pbx.rows()} == {"delivered"}, "the results in the store")
    assert pbx.rows() == [("leg-1", "delivered", 1), ("leg-2", "delivered", 1), ("leg-3", "delivered", 1)]
    assert pbx.attempts("leg-1") == [(1, 200, None)]
    assert dispatcher.held == 0


async def test_states_that_are_not_owed_are_left_alone(
    pbx: Pbx, journal: Journal, dispatcher: Dispatcher, sink: WebhookSink
) -> None:
    enterprise = pbx.enterprise(sink.url)
    await store(journal, [pbx.state(enterprise, "a", 1, owed=False), pbx.state(enterprise, "b", 1)], dispatcher)
    await sink.wait_for(1)
    await asyncio.sleep(0.1)
    assert list(sequences(sink.requests)) == ["b"]


@pytest.mark.parametrize(
    "failure", [Status(500), Status(404), Reset(), redirect("/elsewhere"), retry_after("1")], ids=str
)
async def test_a_failure_is_tried_again_until_it_is_taken_and_the_leg_waits(
    pbx: Pbx, journal: Journal, dispatcher: Dispatcher, sink: WebhookSink, failure: Answer
) -> None:
    enterprise = pbx.enterprise(sink.url)
    sink.answer(failure, failure)
    await store(journal, [pbx.state(enterprise, "leg", sequence) for sequence in (1, 2)], dispatcher)
    requests = await sink.wait_for(4)
    assert sequences(requests) == {"leg": [1, 1, 1, 2]}
    assert {request.path for request in requests} == {"/hooks/callstate"}
    await until(lambda: {row[1] for row in pbx.rows()} == {"delivered"}, "the results in the store")
    assert [attempt[0] for attempt in pbx.attempts("leg-1")] == [1, 2, 3]
    assert all(attempt[2] for attempt in pbx.attempts("leg-1")[:2])


async def test_after_the_last_attempt_the_leg_goes_on(
    pbx: Pbx, journal: Journal, dispatcher: Dispatcher, sink: WebhookSink
) -> None:
    enterprise = pbx.enterprise(sink.url)
    sink.choose = lambda request: Status(500) if request.json["sequence"] == 1 else None
    await store(journal, [pbx.state(enterprise, "leg", sequence) for sequence in (1, 2)], dispatcher)
    await sink.wait_until(lambda requests: any(request.json["sequence"] == 2 for request in requests))
    assert sequences(sink.requests) == {"leg": [1] * 9 + [2]}
    await until(lambda: pbx.rows() == [("leg-1", "failed", 9), ("leg-2", "delivered", 1)], "the results")


async def test_retry_after_reaches_the_schedule(pbx: Pbx, journal: Journal, sink: WebhookSink) -> None:
    asked: list[tuple[int, float | None]] = []

    def wait(attempts: int, jitter: float, asked_for: float | None) -> float | None:
        assert -1 <= jitter <= 1
        asked.append((attempts, asked_for))
        return 0.01

    dispatcher = pbx.dispatcher(journal, wait=wait)
    await dispatcher.start()
    enterprise = pbx.enterprise(sink.url)
    sink.answer(retry_after("7"), Status(500))
    await store(journal, [pbx.state(enterprise, "leg", 1)], dispatcher)
    await sink.wait_for(3)
    await dispatcher.stop()
    assert asked == [(1, 7.0), (2, None)]


async def test_the_second_attempt_is_due_five_seconds_later(pbx: Pbx, journal: Journal, sink: WebhookSink) -> None:
    dispatcher = pbx.dispatcher(journal, wait=wait_after)
    await dispatcher.start()
    enterprise = pbx.enterprise(sink.url)
    sink.answer(Status(500))
    await store(journal, [pbx.state(enterprise, "leg", 1)], dispatcher)
    await until(lambda: pbx.rows() == [("leg-1", "pending", 1)], "the first attempt")
    [(due_at,)] = pbx.rows("due_at")
    assert 4.5 <= due_at / 1000 - sink.requests[0].at <= 5.6
    await dispatcher.stop()


async def test_a_slow_leg_does_not_hold_another(
    pbx: Pbx, journal: Journal, dispatcher: Dispatcher, sink: WebhookSink
) -> None:
    enterprise = pbx.enterprise(sink.url)
    sink.choose = lambda request: Hang() if request.json["call_control_id"] == "slow" else None
    await store(journal, [pbx.state(enterprise, "slow", 1), pbx.state(enterprise, "slow", 2)], dispatcher)
    await sink.wait_for(1)
    await store(journal, [pbx.state(enterprise, "quick", sequence) for sequence in (1, 2, 3)], dispatcher)
    await sink.wait_for(4)
    assert sequences(sink.requests) == {"slow": [1], "quick": [1, 2, 3]}


async def test_endpoints_do_not_wait_for_each_other(
    pbx: Pbx, journal: Journal, dispatcher: Dispatcher, sink: WebhookSink
) -> None:
    async with WebhookSink() as dead:
        dead.otherwise = Hang()
        one, other = pbx.enterprise(dead.url), pbx.enterprise(sink.url)
        await store(journal, [pbx.state(one, f"dead{number}", 1) for number in range(100)], dispatcher)
        await store(journal, [pbx.state(other, f"live{number}", 1) for number in range(100)], dispatcher)
        await sink.wait_for(100)
        # Of 16 the backlog leaves 4 to what is live, which is what comes once the store has been looked through.
        await until(lambda: dead.in_flight >= 12, "the limit of the dead endpoint")
        await asyncio.sleep(0.1)
        assert 12 <= dead.most_in_flight <= 16


async def test_a_failing_endpoint_is_probed_not_hammered(
    pbx: Pbx, journal: Journal, dispatcher: Dispatcher, sink: WebhookSink
) -> None:
    enterprise = pbx.enterprise(sink.url)
    sink.otherwise = Status(503)
    await store(journal, [pbx.state(enterprise, f"before{number}", 1) for number in range(20)], dispatcher)
    await sink.wait_for(30)
    sink.otherwise = Slow(0.02, Status(503))
    sink.most_in_flight = 0
    seen = len(sink.requests)
    await sink.wait_for(seen + 10)
    assert sink.most_in_flight <= 1
    sink.otherwise = Status()
    await until(lambda: {row[1] for row in pbx.rows()} == {"delivered"}, "recovery")


async def test_410_switches_the_endpoint_off_and_setting_it_brings_what_was_missed(
    pbx: Pbx, journal: Journal, dispatcher: Dispatcher, sink: WebhookSink
) -> None:
    enterprise = pbx.enterprise(sink.url)
    sink.otherwise = gone()
    await store(journal, [pbx.state(enterprise, "leg", sequence) for sequence in (1, 2)], dispatcher)
    await until(lambda: not pbx.is_active(enterprise), "the endpoint to be switched off")
    # The PBX may not have heard of it yet.
    await store(journal, [pbx.state(enterprise, "leg", 3), pbx.state(enterprise, "other", 1)], dispatcher)
    await asyncio.sleep(1.3)
    assert sequences(sink.requests) == {"leg": [1]}
    assert [row[1] for row in pbx.rows()] == ["pending"] * 4
    sink.otherwise = Status()
    pbx.set_endpoint(enterprise, sink.url)
    await sink.wait_for(5)
    assert sequences(sink.requests) == {"leg": [1, 1, 2, 3], "other": [1]}


async def test_a_dead_endpoint_is_probed_and_not_hammered(
    pbx: Pbx, journal: Journal, sink: WebhookSink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for pause in ("FIRST_PAUSE", "LAST_PAUSE"):
        monkeypatch.setattr(circuit, pause, 1.0)
    caplog.set_level("INFO")
    dispatcher = pbx.dispatcher(journal, wait=lambda *_: 0.01)
    await dispatcher.start()
    enterprise = pbx.enterprise(sink.url)
    sink.otherwise = Status(503)
    await store(journal, [pbx.state(enterprise, f"leg{number}", 1) for number in range(40)], dispatcher)
    lane = dispatcher._lanes.of(enterprise)
    await until(lambda: lane.health.probed_at is not None and lane.queue.in_flight == 0, "the circuit to open")
    before = len(sink.requests)
    assert before <= 5 + dispatcher._in_flight
    await store(journal, [pbx.state(enterprise, "new", 1)], dispatcher)
    await asyncio.sleep(0.2)
    assert len(sink.requests) == before
    await until(lambda: len(sink.requests) > before, "the probe")
    assert len(sink.requests) == before + 1
    sink.otherwise = Status()
    await until(lambda: {row[1] for row in pbx.rows()} == {"delivered"}, "everything to be delivered")
    assert len(sink.requests) == before + 1 + 41
    assert "is dead and only probed" in caplog.text
    assert "works again" in caplog.text
    await dispatcher.stop()


async def test_long_failure_switches_off_and_switching_on_brings_what_was_missed_oldest_first(
    pbx: Pbx, journal: Journal, sink: WebhookSink, caplog: pytest.LogCaptureFixture
) -> None:
    passed = [0.0]
    options: dict[str, Any] = {"now": lambda: time.time() + passed[0], "off_after": 3600.0, "wait": lambda *_: 0.0}
    dispatcher = pbx.dispatcher(journal, **options)
    await dispatcher.start()
    enterprise = pbx.enterprise(sink.url)
    sink.answer(Status(500))
    await store(journal, [pbx.state(enterprise, "a", sequence) for sequence in (1, 2)], dispatcher)
    await until(lambda: {row[1] for row in pbx.rows()} == {"delivered"}, "a failure that passes")
    sink.otherwise = Status(404)
    await store(journal, [pbx.state(enterprise, "b", 1)], dispatcher)
    await until(lambda: pbx.status(enterprise).failing_since is not None, "what the store knows of it")
    await dispatcher.stop()
    passed[0] = 3601
    dispatcher = pbx.dispatcher(journal, **options)  # the next life remembers
    await dispatcher.start()
    await until(lambda: not pbx.is_active(enterprise), "the endpoint to be switched off")
    assert dispatcher.counts.switched_off == {"failing": 1}
    status = pbx.status(enterprise)
    assert status.inactive_reason is not None
    words = r"no call state was taken since \S+ \S+ UTC; the last time the receiver answered HTTP 404"
    assert re.fullmatch(words, status.inactive_reason)
    assert status.inactive_reason in caplog.text
    missed = [pbx.state(enterprise, f"c{number}", 1, owed=False) for number in range(30)]
    happened = [replace(entry.state, at=time.time() + number) for number, entry in enumerate(missed)]
    await store(journal, [StateStored(state, False, body(state)) for state in happened], dispatcher)
    await until(lambda: dispatcher.held == 0, "the queue to be empty")
    before = len(sink.requests)
    sink.otherwise = Status()
    with pbx.store.write() as conn:  # as the command does it, in another process
        assert replays.switch_on(conn, enterprise, int((time.time() + 3601) * 1000), missed=True) == (0, 30)
    await until(lambda: {row[1] for row in pbx.rows()} == {"delivered"}, "recovery")
    legs = [request.json["call_control_id"] for request in sink.requests[before:]]
    assert sorted(legs) == sorted(["b", *(f"c{number}" for number in range(30))])
    order = [0 if leg == "b" else 1 + int(leg[1:]) for leg in legs]
    assert all(abs(place - at) <= dispatcher._in_flight for at, place in enumerate(order))  # so many go at once
    assert pbx.status(enterprise).failing_since is None
    await dispatcher.stop()


async def test_a_replay_begins_the_schedule_anew_and_is_seen_without_a_word(
    pbx: Pbx, journal: Journal, dispatcher: Dispatcher, sink: WebhookSink
) -> None:
    enterprise = pbx.enterprise(sink.url)
    sink.otherwise = Status(400)
    await store(journal, [pbx.state(enterprise, "leg", 1)], dispatcher)
    await until(lambda: pbx.rows() == [("leg-1", "failed", 9)], "nine failures")
    sink.answer(Status(400), Status(400), Status())
    with pbx.store.write() as conn:
        assert replays.replay_since(conn, enterprise, 0, 2**50) == 1
    await until(lambda: pbx.rows() == [("leg-1", "delivered", 12)], "the replay")
    assert [attempt[1] for attempt in pbx.attempts("leg-1")] == [400] * 11 + [200]


async def test_a_changed_url_counts_for_what_is_owed(pbx: Pbx, journal: Journal, sink: WebhookSink) -> None:
    dispatcher = pbx.dispatcher(journal, wait=lambda *_: 0.5)
    await dispatcher.start()
    async with WebhookSink() as former:
        former.otherwise = Status(500)
        enterprise = pbx.enterprise(former.url)
        await store(journal, [pbx.state(enterprise, "leg", 1)], dispatcher)
        await former.wait_for(1)
        pbx.set_endpoint(enterprise, sink.url)
        await sink.wait_for(1)
        assert sequences(sink.requests) == {"leg": [1]}
    await dispatcher.stop()


async def test_what_was_pending_goes_out_after_a_start(pbx: Pbx, journal: Journal, sink: WebhookSink) -> None:
    one, other = pbx.enterprise(sink.url), pbx.enterprise(None)
    entries = [pbx.state(one, leg, sequence) for sequence in (1, 2, 3) for leg in ("a", "b")]
    await store(journal, [*entries, pbx.state(other, "nobody's", 1)], None)
    dispatcher = pbx.dispatcher(journal)
    await dispatcher.start()
    await sink.wait_for(6)
    assert sequences(sink.requests) == {"a": [1, 2, 3], "b": [1, 2, 3]}
    await dispatcher.stop()


async def test_an_endpoint_that_was_off_at_the_start_gets_what_is_owed_when_it_is_switched_on(
    pbx: Pbx, journal: Journal, sink: WebhookSink
) -> None:
    enterprise = pbx.enterprise(sink.url)
    await store(journal, [pbx.state(enterprise, "leg", 1)], None)
    with pbx.store.write() as connection:
        endpoints.deactivate(connection, enterprise, "an outage", 0)
    dispatcher = pbx.dispatcher(journal)
    await dispatcher.start()
    await asyncio.sleep(0.1)
    assert not sink.requests
    with pbx.store.write() as connection:  # by another process: nobody tells the dispatcher
        endpoints.activate(connection, enterprise, 0)
    await sink.wait_for(1)
    await dispatcher.stop()


async def test_an_attempt_that_was_due_later_waits_after_a_start_too(
    pbx: Pbx, journal: Journal, sink: WebhookSink
) -> None:
    enterprise = pbx.enterprise(sink.url)
    sink.answer(Status(500))
    former = pbx.dispatcher(journal, wait=lambda *_: 0.8)
    await former.start()
    await store(journal, [pbx.state(enterprise, "leg", 1), pbx.state(enterprise, "leg", 2)], former)
    await until(lambda: pbx.rows()[0] == ("leg-1", "pending", 1), "the failure")
    await former.stop()
    dispatcher = pbx.dispatcher(journal)
    await dispatcher.start()
    await sink.wait_for(3)
    await dispatcher.stop()
    first, again, _ = sink.requests
    assert again.at - first.at >= 0.75
    assert sequences(sink.requests) == {"leg": [1, 1, 2]}


async def test_memory_is_bounded_and_the_rest_comes_from_the_store(
    pbx: Pbx, journal: Journal, sink: WebhookSink
) -> None:
    dispatcher = pbx.dispatcher(journal, held=100, in_flight=4)
    await dispatcher.start()
    enterprise = pbx.enterprise(sink.url)
    sink.otherwise = Hang()
    await store(journal, [pbx.state(enterprise, "first", 1)], dispatcher)
    await sink.wait_for(1)
    most = 0
    for sequence in range(1, 6):
        entries = [pbx.state(enterprise, f"leg{number}", sequence) for number in range(60)]
        await store(journal, entries, dispatcher)
        most = max(most, dispatcher.held)
    assert most <= 100 // 4 + 4
    sink.otherwise = Status()
    pbx.set_endpoint(enterprise, sink.url)
    await sink.wait_until(lambda requests: len({request.json["event_id"] for request in requests}) == 301, 20)
    found = sequences(sink.requests)
    for number in range(60):
        assert list(dict.fromkeys(found[f"leg{number}"])) == [1, 2, 3, 4, 5]
        assert found[f"leg{number}"] == sorted(found[f"leg{number}"])
    await dispatcher.stop()


async def test_what_calls_owe_does_not_wait_for_a_backlog(pbx: Pbx, journal: Journal, sink: WebhookSink) -> None:
    """A leg that began before and of which all is taken goes ahead as well; one that is in the backlog waits for it."""
    dispatcher = pbx.dispatcher(journal, held=400, in_flight=4)
    await dispatcher.start()
    enterprise = pbx.enterprise(sink.url)
    await store(journal, [pbx.state(enterprise, "on", 1)], dispatcher)
    await until(lambda: {row[1] for row in pbx.rows()} == {"delivered"}, "a call that is on")
    missed = [pbx.state(enterprise, f"old{number}", 1, owed=False) for number in range(300)]
    await store(journal, missed, dispatcher)
    works = asyncio.Event()
    sink.choose = lambda request: Until(works) if request.json["call_control_id"].startswith("old") else None
    with pbx.store.write() as conn:
        assert replays.recover(conn, enterprise, 0, extended=False) == (0, 300)
    dispatcher.recheck(enterprise)
    await sink.wait_for(4)

    async def come(leg: str, *after: int) -> None:
        for sequence in after:
            await store(journal, [pbx.state(enterprise, leg, sequence)], dispatcher)
        taken = {(f"{leg}-{sequence}", "delivered", 1) for sequence in range(1, after[-1] + 1)}
        await until(lambda: taken <= set(pbx.rows()), "the call's states")
        assert len(sequences(sink.requests).keys() - {"on", "new", "newer"}) == 3  # one attempt is kept for calls

    await store(journal, [pbx.state(enterprise, "old299", 2)], dispatcher)
    await come("on", 2)
    await come("new", 1, 2)
    with pbx.store.write() as conn:  # the lane is read anew; what is on goes ahead all the same
        assert replays.replay_chosen(conn, enterprise, [2]) == 1
    dispatcher.recheck(enterprise)
    await come("new", 3)
    await come("newer", 1, 2, 3)
    works.set()
    await until(lambda: {row[1] for row in pbx.rows()} == {"delivered"}, "all of it")
    found = sequences(sink.requests)
    assert (found["on"], found["new"], found["newer"], found["old299"]) == ([1, 2], [1, 2, 3], [1, 2, 3], [1, 2])
    assert len(found) == 303
    await dispatcher.stop()


async def test_results_wait_while_the_journal_takes_nothing(
    pbx: Pbx, journal: Journal, sink: WebhookSink, caplog: pytest.LogCaptureFixture
) -> None:
    class Stubborn:
        """A journal that is full of running calls."""

        full = True

        def append(
            self, entries: Sequence[Entry], then: Callable[[], None] | None = None, *, patience: float = 0.0
        ) -> None:
            if self.full and any(isinstance(entry, AttemptStored) for entry in entries):
                raise RuntimeError("200000 entries wait to be written")
            journal.append(entries, then, patience=patience)

    stubborn = Stubborn()
    dispatcher = pbx.dispatcher(stubborn)
    await dispatcher.start()
    enterprise = pbx.enterprise(sink.url)
    await store(journal, [pbx.state(enterprise, "leg", sequence) for sequence in (1, 2, 3)], dispatcher)
    await sink.wait_for(3)
    assert {row[1] for row in pbx.rows()} == {"pending"}
    assert "wait for the journal" in caplog.text
    stubborn.full = False
    await until(lambda: {row[1] for row in pbx.rows()} == {"delivered"}, "the results in the store")
    assert sequences(sink.requests) == {"leg": [1, 2, 3]}
    await dispatcher.stop()


async def test_a_store_that_cannot_be_read_is_read_again(
    pbx: Pbx, journal: Journal, sink: WebhookSink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dispatcher = pbx.dispatcher(journal)
    await dispatcher.start()
    enterprise = pbx.enterprise(sink.url)
    real = dispatcher._backlog.page
    failures = iter([True, True])

    async def unreliable(*arguments: Any) -> Any:
        if next(failures, False):
            raise OSError("disk I/O error")
        return await real(*arguments)

    monkeypatch.setattr(dispatcher._backlog, "page", unreliable)
    await store(journal, [pbx.state(enterprise, "leg", 1)], dispatcher)
    await sink.wait_for(1)
    assert "disk I/O error" in caplog.text
    await dispatcher.stop()


async def test_stopping_leaves_what_is_under_way_to_the_next_start(
    pbx: Pbx, journal: Journal, sink: WebhookSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kobza.webhooks.dispatcher.STOP_SECONDS", 0.1)
    dispatcher = pbx.dispatcher(journal)
    await dispatcher.start()
    enterprise = pbx.enterprise(sink.url)
    sink.answer(Hang())
    await store(journal, [pbx.state(enterprise, "leg", 1)], dispatcher)
    await sink.wait_for(1)
    await dispatcher.stop()
    assert pbx.rows() == [("leg-1", "pending", 0)]
    following = pbx.dispatcher(journal)
    await following.start()
    await sink.wait_for(2)
    await following.stop()


@pytest.mark.parametrize("seed", range(4))
async def test_chaos(pbx: Pbx, journal: Journal, sink: WebhookSink, seed: int) -> None:
    """Errors, resets, slowness, restarts and little memory: everything arrives, in order within each leg."""
    chance = random.Random(seed)
    answers: list[Answer | None] = [Status(500), Reset(), Slow(0.02), Slow(0.02, Status(503)), None, None, None, None]
    sink.choose = lambda _request: chance.choice(answers)
    options = {"held": 100, "in_flight": 3, "wait": lambda _attempts, _jitter, _asked: chance.random() * 0.05}
    dispatcher = pbx.dispatcher(journal, **options)
    await dispatcher.start()
    enterprise = pbx.enterprise(sink.url)
    legs = 50
    for sequence in (1, 2, 3):
        for number in range(legs):
            await store(journal, [pbx.state(enterprise, f"leg{number}", sequence)], dispatcher)
            if chance.random() < 0.02:
                await dispatcher.stop()
                dispatcher = pbx.dispatcher(journal, **options)
                await dispatcher.start()
    await until(lambda: {row[1] for row in pbx.rows()} == {"delivered"}, "everything to be delivered", 30)
    await dispatcher.stop()
    found = sequences(sink.requests)
    assert set(found) == {f"leg{number}" for number in range(legs)}
    for leg, seen in found.items():
        assert seen == sorted(seen), leg
        assert set(seen) == {1, 2, 3}, leg


async def test_what_is_erased_is_not_sent_any_more(pbx: Pbx, journal: Journal, sink: WebhookSink) -> None:
    """Also what is held in memory, and what was under way when it was erased; all else goes on, in order."""
    dispatcher = pbx.dispatcher(journal, wait=lambda *_: 0.1)
    await dispatcher.start()
    enterprise = pbx.enterprise(sink.url)
    works = False
    sink.choose = lambda request: None if works else Status(500)
    other = [
        replace(pbx.state(enterprise, "two", n).state, state_owner="+380671111111", phone_number="+380672222222")
        for n in (1, 2)
    ]
    entries = [pbx.state(enterprise, "one", 1), *(StateStored(state, True, body(state)) for state in other)]
    await store(journal, entries, dispatcher)
    await sink.wait_until(lambda requests: {"one", "two"} <= sequences(requests).keys())
    request = Request(enterprise, "+380671234568", "olena")
    done = await asyncio.to_thread(erase, pbx.store, request, lambda: 1, erase_file=print, pause=0.0)
    assert done.tally.went["events"].count == 1
    # The dispatcher looks for changes once a second; from then on nothing of it comes.
    await sink.wait_until(lambda requests: len(requests) > 8 and "one" not in sequences(requests[-8:]), 30)
    works = True
    await until(lambda: {row[1] for row in pbx.rows()} == {"delivered"}, "the other ones")
    assert [row[0] for row in pbx.rows()] == ["two-1", "two-2"]
    assert sequences(sink.requests[-2:]) == {"two": [1, 2]}
    assert dispatcher.held == 0
    await dispatcher.stop()
