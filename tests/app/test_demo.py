"""The demo as a program meets it: one line of JSON, calls that happen by themselves, a clean end."""

import json
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from tests.support.command import kobza_here
from tests.support.ports import free_ports

KOBZA = str(Path(sys.executable).with_name("kobza"))


def start_demo(data: Path, *options: str) -> "subprocess.Popen[str]":
    http, sip, rtp = free_ports(3)
    command = [KOBZA, "demo", "--data", str(data), "--http", f"127.0.0.1:{http}", "--sip", f"udp:127.0.0.1:{sip}"]
    command += ["--rtp-ports", f"{rtp}-{rtp + 99}", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_demo_says_where_it_is_and_calls_happen(tmp_path: Path) -> None:
    with start_demo(tmp_path / "demo", "--json", "--duration", "9") as demo:
        assert demo.stdout is not None
        ready = json.loads(demo.stdout.readline())
        assert {"http", "sip", "enterprise_id", "fmc_token", "integrator_id", "numbers"} == set(ready)
        assert len(ready["numbers"]) == 4
        assert all(set(one) == {"number", "name", "sip_password"} for one in ready["numbers"])
        asked = {
            "integrator_id": ready["integrator_id"],
            "from": f"{datetime.now(ZoneInfo('Europe/Kyiv')) - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}",
        }
        calls: list[dict[str, object]] = []
        deadline = time.monotonic() + 8.0
        with httpx.Client(base_url=ready["http"], headers={"Authorization": f"Bearer {ready['fmc_token']}"}) as client:
            while not calls and time.monotonic() < deadline:
                answer = client.get("/api/fmc/v1/events", params={"integrator_id": ready["integrator_id"]})
                assert answer.status_code == 200, answer.text
                calls = answer.json()["events"]
                time.sleep(0.2)
            assert client.get("/api/fmc/v1/callhistory", params=asked).status_code == 200
        assert calls
        output, errors = demo.communicate(timeout=120)
    assert output == ""
    assert demo.returncode == 0, errors
    assert "Traceback" not in errors


def test_demo_is_found_again_and_shows_people_what_to_try(tmp_path: Path) -> None:
    tokens = []
    for _ in range(2):
        with start_demo(tmp_path / "demo", "--duration", "4") as demo:
            output, errors = demo.communicate(timeout=120)
        assert demo.returncode == 0, errors
        assert output.count("curl -s") >= 5
        assert "alerting" in output.split("Call states as they come:")[1]
        tokens.append(next(line for line in output.splitlines() if "FMC token" in line))
    assert tokens[0] == tokens[1]


def test_store_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    kobza_here("init", "--data", str(tmp_path / "own"))
    with start_demo(tmp_path / "own") as demo:
        _, errors = demo.communicate(timeout=120)
    assert demo.returncode == 1
    assert "not the demo's" in errors
