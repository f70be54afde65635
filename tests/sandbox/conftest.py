"""A sandbox as a program meets it: a process of its own, one for the tests of a file, at the greatest pace."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.ports import free_ports

KOBZA = str(Path(sys.executable).with_name("kobza"))
SPEED = 60


class Running:
    """A sandbox that runs: its ready line, and a client of its HTTP interface."""

    def __init__(self, process: "subprocess.Popen[str]", ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready
        self.numbers: list[str] = [one["number"] for one in ready["numbers"]]
        self.http = httpx.Client(base_url=ready["http"], timeout=120)

    def begin(self, scenario: str | dict[str, Any]) -> dict[str, Any]:
        """Begin a scenario; it must be taken."""
        body = scenario if isinstance(scenario, str) else json.dumps(scenario)
        answer = self.http.post("/sandbox/scenarios", content=body)
        assert answer.status_code == 202, answer.text
        return self.show(answer.json()["id"])

    def show(self, run_id: str, wait: int = 0) -> dict[str, Any]:
        """Return a run, at its end when `wait` is long enough."""
        answer = self.http.get(f"/sandbox/scenarios/{run_id}", params={"wait": wait})
        assert answer.status_code == 200, answer.text
        run: dict[str, Any] = answer.json()
        return run

    def play(self, scenario: str | dict[str, Any]) -> dict[str, Any]:
        """Play a scenario to its end."""
        return self.show(self.begin(scenario)["id"], wait=50)

    def fmc(self, path: str, **parameters: str) -> httpx.Response:
        """Ask the FMC API."""
        asked = {"integrator_id": self.ready["integrator_id"], **parameters}
        headers = {"Authorization": f"Bearer {self.ready['fmc_token']}"}
        return self.http.get(f"/api/fmc/v1/{path}", params=asked, headers=headers)


@contextmanager
def sandbox(*options: str, speed: float = SPEED, **environment: str) -> Iterator[Running]:
    """Start a sandbox, and see it end cleanly."""
    http, sip, rtp = free_ports(3)
    command = [KOBZA, "sandbox", "--json", "--speed", str(speed), "--http", f"127.0.0.1:{http}"]
    command += ["--sip", f"udp:127.0.0.1:{sip}", "--rtp-ports", f"{rtp}-{rtp + 199}", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                assert process.stderr is not None
                raise AssertionError(process.stderr.read())
            running = Running(process, json.loads(line))
            with running.http:
                yield running
        finally:
            process.terminate()
            output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert output == ""
    assert "Traceback" not in errors, errors


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """One sandbox for the tests of a file."""
    with sandbox("--numbers", "20") as started:
        yield started
