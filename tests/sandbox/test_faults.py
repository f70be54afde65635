"""Faults on the way to a receiver, on real sockets: what it gets, how often and in which order; what is told."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from kobza.sandbox.faults import MAX_FAULTS, Fault, Faults, Kind, TooManyFaults
from tests.sandbox.conftest import Running, sandbox
from tests.support.ports import free_port
from tests.support.sink import Received, Reset, Status, WebhookSink, retry_after

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PORT = free_port()


@pytest.fixture(scope="module")
def crm_sandbox() -> Iterator[Running]:
    options = ("--webhook", f"http://127.0.0.1:{PORT}/hooks", "--webhook-token", "T", "--webhook-secret", SECRET)
    with sandbox(*options, KOBZA_WEBHOOK_TIMEOUT="1") as started:
        yield started


@pytest.fixture
async def crm(crm_sandbox: Running) -> AsyncIterator[WebhookSink]:
    """The system under test, and a sandbox without a past."""
    async with WebhookSink(port=PORT) as sink:
        assert crm_sandbox.http.post("/sandbox/reset").status_code == 204
        yield sink


async def play(running: Running, scenario: str | dict[str, Any]) -> dict[str, Any]:
    """Play it while this loop serves the receiver."""
    return await asyncio.to_thread(running.play, scenario)


async def received(crm: WebhookSink, count: int) -> list[Received]:
    """Wait until the receiver has had so many requests."""
    return await crm.wait_for(count)


def states_of(running: Running, run: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the sandbox tells of a run's states, by owner and type."""
    told = running.http.get("/sandbox/states", params={"call_id": run["call_id"]}).json()["states"]
    return {(state["state_owner"], state["state_type"]): state for state in told}


async def settled(running: Running, run: dict[str, Any], count: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Wait until all states of a run were received."""
    deadline = time.monotonic() + 30
    while True:
        told = await asyncio.to_thread(states_of, running, run)
        if len(told) == count and all(state["received"] for state in told.values()):
            return told
        assert time.monotonic() < deadline, told
        await asyncio.sleep(0.05)


def incoming(**more: Any) -> dict[str, Any]:
    """One owner, three states."""
    return {"scenario": "answered_incoming", "talk_for": 30, **more}


async def test_without_faults_each_state_arrives_once_signed_by_the_walls_time(
    crm_sandbox: Running, crm: WebhookSink
) -> None:
    run = await play(crm_sandbox, incoming())
    requests = await received(crm, 3)
    assert [request.json["state_type"] for request in requests] == ["alerting", "established", "finished"]
    for request in requests:
        assert request.path == "/hooks/callstate"
        assert request.headers["authorization"] == "Bearer T"
        assert "x-kobza-target" not in request.headers
        assert Webhook(SECRET).verify(request.body, dict(request.headers))["call_id"] == run["call_id"]
    told = await settled(crm_sandbox, run, 3)
    assert all(state["url"] == f"{crm.url}/callstate" for state in told.values())
    attempt = {"fault": None, "forwarded": 1, "status": 200, "error": None}
    assert [{**attempt, "at": one["attempts"][0]["at"]} for one in told.values()] == [
        one["attempts"][0] for one in told.values()
    ]


async def test_a_duplicate_arrives_twice_byte_for_byte(crm_sandbox: Running, crm: WebhookSink) -> None:
    await play(crm_sandbox, incoming(faults=[{"fault": "duplicate", "state": "established"}]))
    requests = await received(crm, 4)
    assert [request.json["state_type"] for request in requests] == [
        "alerting",
        "established",
        "established",
        "finished",
    ]
    assert requests[1].body == requests[2].body
    assert requests[1].headers["webhook-id"] == requests[2].headers["webhook-id"]


async def test_a_delay_lets_other_owners_overtake(crm_sandbox: Running, crm: WebhookSink) -> None:
    faults = [{"fault": "delay", "seconds": 15, "state": "established"}]
    run = await play(crm_sandbox, {"scenario": "answered", "talk_for": 60, "faults": faults})
    requests = await received(crm, 6)
    late, early = [request for request in requests if request.json["state_type"] == "established"]
    assert late.json["state_owner"] != early.json["state_owner"]
    told = await settled(crm_sandbox, run, 6)
    delayed = [state for state in told.values() if state["attempts"][0]["fault"] == "delay"]
    assert [state["state_type"] for state in delayed] == ["established"]
    # Within a leg the order stays.
    for owner in ("0671230001", "0671230002"):
        types = [one.json["state_type"] for one in requests if one.json["state_owner"] == owner]
        assert types == ["alerting", "established", "finished"]


@pytest.mark.parametrize(
    ("fault", "copies"),
    [
        ({"fault": "error"}, 1),
        ({"fault": "error", "status": 503, "delivered": True}, 2),
        ({"fault": "timeout"}, 1),
        ({"fault": "timeout", "delivered": True}, 2),
        ({"fault": "disconnect"}, 1),
        ({"fault": "disconnect", "delivered": True}, 2),
    ],
)
async def test_what_fails_comes_again(
    crm_sandbox: Running, crm: WebhookSink, fault: dict[str, Any], copies: int
) -> None:
    """With `delivered` the receiver had it already: it sees the state twice, as after a lost answer."""
    run = await play(crm_sandbox, incoming(faults=[{**fault, "state": "alerting"}]))
    requests = await received(crm, 2 + copies)
    types = [request.json["state_type"] for request in requests]
    assert types == ["alerting"] * copies + ["established", "finished"]
    told = await settled(crm_sandbox, run, 3)
    first, second = told["0671230001", "alerting"]["attempts"]
    assert (first["fault"], first["forwarded"], second["fault"]) == (fault["fault"], copies - 1, None)


async def test_a_receiver_that_fails_by_itself_is_told_to_the_server(crm_sandbox: Running, crm: WebhookSink) -> None:
    crm.answer(Status(500), Reset(), retry_after("1"))
    run = await play(crm_sandbox, incoming())
    told = await settled(crm_sandbox, run, 3)
    answers = [one["status"] for one in told["0671230001", "alerting"]["attempts"]]
    assert answers == [500, None, 503, 200]


async def test_faults_for_all_wait_until_they_are_met_or_cleared(crm_sandbox: Running, crm: WebhookSink) -> None:
    asked = crm_sandbox.http.post("/sandbox/faults", content="fault: duplicate\nnext: 2")
    assert (asked.status_code, asked.json()) == (201, {"fault": "duplicate", "next": 2})
    crm_sandbox.http.post("/sandbox/faults", json={"fault": "delay", "seconds": 3, "state": "finished"})
    run = await play(crm_sandbox, incoming())
    await received(crm, 5)
    await settled(crm_sandbox, run, 3)
    assert crm_sandbox.http.get("/sandbox/faults").json() == {"faults": []}
    crm_sandbox.http.post("/sandbox/faults", content="fault: error")
    [waiting] = crm_sandbox.http.get("/sandbox/faults").json()["faults"]
    assert waiting == {"fault": "error", "next": 1, "status": 500, "delivered": False, "left": 1, "numbers": []}
    assert crm_sandbox.http.delete("/sandbox/faults").status_code == 204
    assert crm_sandbox.http.get("/sandbox/faults").json() == {"faults": []}


async def test_an_endpoint_set_by_the_api_goes_the_same_way(crm_sandbox: Running, crm: WebhookSink) -> None:
    async with WebhookSink() as other:
        answer = crm_sandbox.http.put(
            "/api/fmc/v1/webhook",
            json={"url": other.url, "token": "T2"},
            params={"integrator_id": crm_sandbox.ready["integrator_id"]},
            headers={"Authorization": f"Bearer {crm_sandbox.ready['fmc_token']}"},
        )
        assert answer.status_code == 200, answer.text
        await asyncio.sleep(1.5)  # the dispatcher looks once a second
        await play(crm_sandbox, incoming(faults=[{"fault": "duplicate", "state": "alerting"}]))
        requests = await received(other, 4)
        assert [request.headers["authorization"] for request in requests] == ["Bearer T2"] * 4
        assert not crm.requests


def test_without_a_receiver_of_ones_own_the_sandbox_is_one(running: Running) -> None:
    running.http.post("/sandbox/reset")
    run = running.play("scenario: busy\nring_for: 2\nfaults: [{fault: error}]")
    deadline = time.monotonic() + 20
    while True:
        told = states_of(running, run)
        if len(told) == 4 and all(state["received"] for state in told.values()):
            break
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    assert sorted(len(state["attempts"]) for state in told.values()) == [1, 1, 1, 2]
    running.http.post("/sandbox/reset")
    assert running.http.get("/sandbox/states").json() == {"states": []}


def test_wrong_faults_are_refused(running: Running) -> None:
    for body, words in (("fault: late", "line 1: fault: expected delay"), ("next: 2", "fault: is missing")):
        answer = running.http.post("/sandbox/faults", content=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_scenario")
        assert words in answer.json()["detail"]
    assert httpx.codes.is_success(running.http.get("/sandbox/faults").status_code)


def test_faults_are_met_in_order_by_those_they_are_for() -> None:
    faults = Faults()
    faults.add([Fault(Kind.DELAY, next=2)], ["1", "2"])
    faults.add([Fault(Kind.ERROR, state="finished")])
    alerting = {"state_type": "alerting", "state_owner": "1", "phone_number": "2"}
    finished = {"state_type": "finished", "state_owner": "2", "phone_number": "1"}
    other = {"state_type": "alerting", "state_owner": "1", "phone_number": "3"}
    assert faults.take(other) is None
    kinds = [taken and taken.kind for taken in map(faults.take, (alerting, finished, alerting, finished, finished))]
    assert kinds == [Kind.DELAY, Kind.DELAY, None, Kind.ERROR, None]
    faults.add([Fault(Kind.DELAY)], ["1", "2"])
    faults.drop(["2"])
    assert faults.listed() == []


def test_so_many_faults_wait_and_no_more() -> None:
    faults = Faults()
    faults.add([Fault(Kind.ERROR)] * MAX_FAULTS)
    with pytest.raises(TooManyFaults, match="DELETE"):
        faults.add([Fault(Kind.ERROR)])
    faults.clear()
    faults.add([Fault(Kind.ERROR)])
