"""What docs/sandbox.md shows is run: its curl lines against a sandbox, the commands of its CI job as they stand."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sandbox.conftest import Running
from tests.support.ports import free_ports

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/sandbox.md").read_text("utf-8")
JOB: dict[str, Any] = yaml.safe_load((ROOT / "docs/examples/sandbox-ci.yml").read_text("utf-8"))
STEPS: list[dict[str, Any]] = JOB["jobs"]["calls"]["steps"]
BLOCKS = [block for block in re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) if "curl" in block]
SHELL = ("bash", "-e", "-o", "pipefail", "-c")

needs_tools = pytest.mark.skipif(
    shutil.which("jq") is None or shutil.which("curl") is None, reason="jq or curl is not installed (make test-tools)"
)


@needs_tools
@pytest.mark.parametrize("block", BLOCKS)
def test_the_pages_curl_lines_work(running: Running, block: str) -> None:
    running.http.post("/sandbox/reset")
    ran = subprocess.run(
        [*SHELL, block],
        env={**os.environ, "SANDBOX": running.ready["http"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    answers, rest = [], ran.stdout
    while rest:
        answer, end = json.JSONDecoder().raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].strip()
    assert len(answers) == block.count("curl")
    assert all("code" not in answer for answer in answers), answers
    for run in answers:
        if "id" in run:
            assert running.show(run["id"], wait=60)["as_asked"] is True


@pytest.mark.docs
def test_the_page_shows_curl_and_names_the_job() -> None:
    assert len(BLOCKS) >= 2
    assert "(examples/sandbox-ci.yml)" in PAGE
    assert "(examples/crm.py)" in PAGE


@needs_tools
def test_the_ci_job_runs_as_it_stands(tmp_path: Path) -> None:
    """Every `run` but the installation, each in a shell of its own as a runner has it."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    http, sip, rtp, crm = free_ports(4)
    ports = {"HTTP": f"127.0.0.1:{http}", "SIP": f"udp:127.0.0.1:{sip}", "RTP_PORTS": f"{rtp}-{rtp + 99}"}
    assert JOB["env"].keys() >= {*ports, "CRM_PORT"}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, **JOB["env"], **ports, "CRM_PORT": str(crm), "PATH": path}
    environment["KOBZA_RING_TIMEOUT"] = "30"
    ran: list[str] = []

    def run(commands: str) -> int:
        with (tmp_path / "step.log").open("w") as log:  # a file: what stays behind would hold a pipe open
            done = subprocess.run(
                [*SHELL, commands], cwd=tmp_path, env=environment, stdout=log, stderr=log, check=False, timeout=90
            )
        return done.returncode

    try:
        for step in STEPS:
            if "run" not in step or step.get("name") == "Install Kobza" or step.get("if"):
                continue
            assert run(step["run"]) == 0, (step["name"], (tmp_path / "step.log").read_text(), _logs(tmp_path))
            ran.append(step["name"])
        calls = next(step["run"] for step in STEPS if step.get("name") == "Calls of every kind happen as they should")
        other = calls.replace("scenario: $scenario", "{scenario: $scenario, expect: {cause: 1}}")
        assert run(other) != 0, "the job does not see a call that went another way"
    finally:
        for step in STEPS:
            if step.get("if") == "always()":
                subprocess.run([*SHELL, step["run"]], cwd=tmp_path, env=environment, check=True, timeout=120)
    assert len(ran) == 6


def _logs(folder: Path) -> str:
    return "\n".join((folder / name).read_text() for name in ("sandbox.log", "crm.log") if (folder / name).exists())
