"""The sandbox over HTTP: what it takes, what it tells, where its bounds are, and that only it has these paths."""

import subprocess
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from kobza.cli.main import run_command
from kobza.sandbox.runs import AT_ONCE
from tests.sandbox.conftest import KOBZA, SPEED, Running, sandbox
from tests.support.ports import free_ports

LONG = {"caller": "0671230001", "called": "0671230002", "talk_for": 3000}


@pytest.fixture(autouse=True)
def clean(running: Running) -> None:
    assert running.http.post("/sandbox/reset").status_code == 204


def until(running: Running, run_id: str, step: str) -> None:
    """Wait for a step of a run."""
    deadline = time.monotonic() + 20
    while all(one["what"] != step for one in running.show(run_id)["steps"]):
        assert time.monotonic() < deadline, running.show(run_id)
        time.sleep(0.02)


def test_it_says_where_it_is(running: Running) -> None:
    assert {"http", "sip", "enterprise_id", "fmc_token", "integrator_id", "numbers"} == set(running.ready)
    about = running.http.get("/sandbox").json()
    assert about["speed"] == SPEED
    assert {key: about[key] for key in running.ready} == running.ready
    statuses = {phone["status"] for phone in running.fmc("phonestatus").json()["phones"]}
    assert statuses == {"available"}


def test_ten_minutes_of_talk_pass_in_seconds_and_are_ten_minutes_in_every_book(running: Running) -> None:
    run = running.play({"caller": "0671230001", "called": "0671230002", "ring_for": 10, "talk_for": 600})
    assert run["as_asked"] is True, run
    assert abs(run["happened"]["call_duration"] - 600) <= 1
    assert abs(run["happened"]["ringing"] - 10) <= 1
    steps = {step["what"]: datetime.fromisoformat(step["at"]) for step in run["steps"]}
    talk = steps["the caller ends it"] - steps["both talk"]
    assert abs(talk.total_seconds() - 600) < 2
    # The recording is as long as the talk, also when the packets are sixty times as far apart.
    since = datetime.now(ZoneInfo("Europe/Kyiv")) - timedelta(hours=1)
    calls = running.fmc("callhistory", **{"from": f"{since:%Y-%m-%dT%H:%M:%S}"}).json()["calls"]
    record_id = next(call["record_id"] for call in calls if call["call_id"] == run["call_id"])
    deadline = time.monotonic() + 30
    while (record := running.fmc("callrecord", record_id=record_id)).status_code == 409:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert record.status_code == 200, record.text
    seconds = len(record.content) * 8 / 1000 / bit_rate(record.content)
    assert abs(seconds - 600) < 3


def bit_rate(mp3: bytes) -> int:
    """Return the kbit/s that the first frame of an MPEG 2.5 layer III file names."""
    return [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160][mp3[2] >> 4]


def test_what_does_not_go_as_asked_is_told(running: Running) -> None:
    run = running.play({"scenario": "busy", "expect": {"cause": 21, "states": ["finished"]}})
    assert run["state"] == "finished"
    assert run["as_asked"] is False
    assert {"what": "cause", "asked": 21, "happened": 17} in run["differences"]
    assert {one["what"] for one in run["differences"]} == {"cause", "states of 0671230001", "states of 0671230002"}


def test_a_call_that_the_integrator_ends_is_told(running: Running) -> None:
    run_id = running.begin(LONG)["id"]
    until(running, run_id, "both talk")
    call_id = running.show(run_id)["call_id"]
    events = running.fmc("events", limit="1000").json()["events"]
    leg = next(event["call_control_id"] for event in events if event["call_id"] == call_id)
    clear = {"call_control_id": leg, "action": "clear"}
    answer = running.http.post(
        "/api/fmc/v1/callcontrol",
        json=clear,
        params={"integrator_id": running.ready["integrator_id"]},
        headers={"Authorization": f"Bearer {running.ready['fmc_token']}"},
    )
    assert answer.status_code == 200, answer.text
    run = running.show(run_id, wait=20)
    assert run["as_asked"] is False
    assert {"what": "released_by", "asked": "caller", "happened": "api"} in run["differences"]


def test_a_click2dial_of_the_integrators_own_is_waited_for(running: Running) -> None:
    run_id = running.begin({**LONG, "start": "wait", "talk_for": 3, "called": "0501112233"})["id"]
    answer = running.http.post(
        "/api/fmc/v1/originate",
        json={"originator": "0671230001", "destination": "0501112233"},
        params={"integrator_id": running.ready["integrator_id"]},
        headers={"Authorization": f"Bearer {running.ready['fmc_token']}"},
    )
    assert answer.status_code == 200, answer.text
    run = running.show(run_id, wait=20)
    assert run["as_asked"] is True, run
    assert run["call_id"] == answer.json()["call_id"]


def test_a_call_that_no_scenario_made_is_answered(running: Running) -> None:
    answer = running.http.post(
        "/api/fmc/v1/originate",
        json={"originator": "0671230003", "destination": "0671230004"},
        params={"integrator_id": running.ready["integrator_id"]},
        headers={"Authorization": f"Bearer {running.ready['fmc_token']}"},
    )
    deadline = time.monotonic() + 20
    while True:
        events = running.fmc("events", limit="1000").json()["events"]
        types = [one["state_type"] for one in events if one["call_id"] == answer.json()["call_id"]]
        if "established" in types:
            break
        assert time.monotonic() < deadline, types
        time.sleep(0.05)
    running.http.post("/sandbox/reset")


def test_wrong_scenarios_are_refused_with_the_line(running: Running) -> None:
    answer = running.http.post("/sandbox/scenarios", content="caller: 0671230001\ncalled: 0671230002\nthen: explode")
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["parameter"]) == (400, "invalid_scenario", "then")
    assert problem["detail"].startswith("line 3: then: expected answer, busy")
    assert answer.headers["content-type"] == "application/problem+json"


def test_unknown_runs_and_methods(running: Running) -> None:
    assert running.http.get("/sandbox/scenarios/nothing").json()["code"] == "not_found"
    assert running.http.delete("/sandbox/scenarios/nothing").status_code == 404
    assert running.http.get("/sandbox/reset").json()["code"] == "method_not_allowed"
    assert running.http.get("/sandbox/scenarios/x", params={"wait": "soon"}).status_code == 404


def test_a_number_takes_part_in_one_run_at_a_time(running: Running) -> None:
    first = running.begin(LONG)
    answer = running.http.post("/sandbox/scenarios", json={**LONG, "caller": "0671230003"})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["parameter"]) == (409, "number_in_use", "called")
    assert first["id"] in problem["detail"]
    assert "0671230002" in problem["detail"]


def test_so_many_runs_at_once_and_no_more(running: Running) -> None:
    """Customers call in, each another number; as many calls as the outside line takes."""
    scenarios = [
        {**LONG, "caller": f"05011122{place:02}", "called": f"06712300{place:02}", "ring_for": 250}
        for place in range(1, AT_ONCE + 2)
    ]
    runs = [running.begin(scenario) for scenario in scenarios[:AT_ONCE]]
    answer = running.http.post("/sandbox/scenarios", json=scenarios[AT_ONCE])
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_scenarios")
    assert "DELETE" in answer.json()["detail"]
    listed = running.http.get("/sandbox/scenarios").json()
    assert [run["state"] for run in listed["runs"]] == ["running"] * AT_ONCE
    until(running, runs[-1]["id"], "the called phone rings")
    cancelled = running.http.delete(f"/sandbox/scenarios/{runs[0]['id']}").json()
    assert (cancelled["state"], cancelled["as_asked"]) == ("cancelled", None)
    running.begin(scenarios[AT_ONCE])
    assert running.http.post("/sandbox/reset").status_code == 204
    assert running.http.get("/sandbox/scenarios").json()["runs"] == []
    deadline = time.monotonic() + 10
    while {phone["status"] for phone in running.fmc("phonestatus").json()["phones"]} != {"available"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_cancelled_scenario_leaves_nothing_behind(running: Running) -> None:
    run_id = running.begin({**LONG, "devices": 3, "ring_for": 200})["id"]
    until(running, run_id, "the called phone rings")
    assert {phone["devices"] for phone in running.fmc("phonestatus", number="0671230002").json()["phones"]} == {3}
    running.http.delete(f"/sandbox/scenarios/{run_id}")
    assert {phone["devices"] for phone in running.fmc("phonestatus", number="0671230002").json()["phones"]} == {1}
    assert running.play("scenario: busy")["as_asked"] is True


def test_it_ends_by_itself_and_takes_its_store_along(tmp_path: Path) -> None:
    http, sip, rtp = free_ports(3)
    command = [KOBZA, "sandbox", "--duration", "0.5", "--http", f"127.0.0.1:{http}", "--sip", f"tcp:127.0.0.1:{sip}"]
    command += ["--rtp-ports", f"{rtp}-{rtp + 9}"]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={"TMPDIR": str(tmp_path)}, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "The sandbox is running" in ran.stdout
    assert f"curl -s http://127.0.0.1:{http}/sandbox/scenarios -d 'scenario: busy'" in ran.stdout
    assert not list(tmp_path.glob("kobza-sandbox-*"))


def test_a_data_directory_is_kept_and_found_again(tmp_path: Path) -> None:
    tokens = []
    for _ in range(2):
        with sandbox("--data", str(tmp_path / "data")) as started:
            assert started.play("scenario: busy")["as_asked"] is True
            tokens.append(started.ready["fmc_token"])
    assert tokens[0] == tokens[1]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:8080"}, 200),
        ({"Host": "[::1]:8080", "Origin": "http://[::1]:8080"}, 200),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "evil.example:8080"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_pages_of_others_are_refused(running: Running, headers: dict[str, str], status: int) -> None:
    assert running.http.get("/sandbox", headers=headers).status_code == status
    assert running.http.post("/sandbox/reset", headers=headers).status_code == (204 if status == 200 else status)


def test_beyond_loopback_a_token_is_wanted() -> None:
    http, sip, rtp = free_ports(3)
    options = ("--http", f"0.0.0.0:{http}", "--sip", f"udp:127.0.0.1:{sip}", "--rtp-ports", f"{rtp}-{rtp + 9}")
    with sandbox(*options) as started:
        client = httpx.Client(base_url=f"http://127.0.0.1:{http}")
        refused = client.get("/sandbox")
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert client.get("/sandbox", headers={"Authorization": "Bearer nonsense"}).status_code == 401
        given = {"Authorization": f"Bearer {started.ready['fmc_token']}"}
        assert client.get("/sandbox", headers=given).status_code == 200
        client.close()


def test_no_other_server_has_these_paths(tmp_path: Path) -> None:
    http, sip, rtp = free_ports(3)
    command = [KOBZA, "demo", "--json", "--data", str(tmp_path / "demo"), "--http", f"127.0.0.1:{http}"]
    command += ["--sip", f"udp:127.0.0.1:{sip}", "--rtp-ports", f"{rtp}-{rtp + 99}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        demo.stdout.readline()
        for path in ("/sandbox", "/sandbox/scenarios"):
            assert httpx.get(f"http://127.0.0.1:{http}{path}").status_code == 404
        demo.terminate()
        demo.communicate(timeout=120)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--speed", "0.5"], "--speed"),
        (["--speed", "61"], "--speed"),
        (["--webhook", "http://127.0.0.1:1/x"], "--webhook-token"),
        (["--webhook", "ftp://x", "--webhook-token", "t"], "expected an http or https URL"),
    ],
)
def test_wrong_options_are_one_line(options: list[str], words: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["sandbox", *options]) == 2
    said = capfd.readouterr().err
    assert words in said
    assert said.count("\n") == 1
