"""The examples of docs/client.md run, from top to bottom, against a real Kobza API."""

import json
import re
import runpy
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from kobza.client import Kobza, errors
from kobza.webhooks.signing import signature_headers
from tests.api.world import ALICE, Leg, Phone, World
from tests.client.serving import served
from tests.client.test_recording import MP3, keep

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/client.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(tmp_path, now=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}")
    world.add_call(call_id="recorded", started_at=world.at - 3600, record_id="r1")
    world.add_call(started_at=world.at - 3600 * 24 * 60, cause=17)
    world.add_call(direction="incoming", started_at=world.at - 7200, answered_at=world.at - 7000, ended_at=world.at)
    world.commands.legs.append(Leg("call1", "leg1", ALICE, "", "outgoing", "established", 0))
    world.commands.phones = [Phone(ALICE, "busy", False, 1, None)]
    keep(world)
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    try:
        with served(world.app) as url:
            for name, value in (
                ("URL", url),
                ("TOKEN", world.own.fmc_token),
                ("INTEGRATOR_ID", world.own.integrator_id),
            ):
                monkeypatch.setenv(f"KOBZA_{name}", value)
            names: dict[str, object] = {}
            for number, example in enumerate(EXAMPLES, 1):
                exec(compile(example, f"docs/client.md, example {number}", "exec"), names)
            _post_a_state(names)
            names["kobza"].close()  # type: ignore[attr-defined]
    finally:
        world.close()
    printed = capsys.readouterr().out
    assert "User busy" in printed
    assert "116 minutes of incoming calls" in printed
    assert (folder / "recorded.mp3").read_bytes() == MP3
    assert names["busy"] == ["0671111111"]
    assert [told[0] for told in world.commands.told] == ["originate", "control", "control", "control"]
    assert "destination is wrong" in printed
    assert "0501112233 calls 0671111111" in printed
    assert "alerting c1" in printed


def _post_a_state(names: dict[str, Any]) -> None:
    """Post a signed state to the example's receiver, and to its view."""
    server = names["server"]
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    body = json.dumps(
        {
            "call_id": "c1",
            "call_control_id": "leg",
            "state_type": "alerting",
            "state_owner": "0671111111",
            "phone_number": "0501112233",
            "call_direction": "incoming",
        }
    ).encode()
    headers = signature_headers(names["secret"], "e1", body, time.time())
    authorized = headers | {"authorization": "Bearer remote-token"}
    answer = httpx.post(f"http://127.0.0.1:{server.server_port}/hooks/callstate", content=body, headers=authorized)
    thread.join(10)
    server.server_close()
    assert answer.status_code == 204
    assert names["view"](headers, body) == 204
    assert names["view"](headers, body + b" ") == 401


def test_the_example_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = ROOT / "docs/examples/callbacks.py"
    assert "(examples/callbacks.py)" in PAGE
    # Noon: whatever the clock of this machine shows, the calls of the test are all of one day.
    example = runpy.run_path(str(script))
    world = World(tmp_path, now="2026-04-20T12:00:00")
    incoming: dict[str, Any] = {"direction": "incoming", "called_number": ALICE, "answered_at": None}
    for ago, changes in (
        (3000, {**incoming, "calling_number": "+380501000001"}),  # called back
        (2900, {**incoming, "calling_number": "+380501000002"}),  # rang again, in vain
        (2800, {**incoming, "calling_number": "+380501000003"}),  # rang again, and was answered
        (2000, {"called_number": "+380501000001"}),
        (1900, {**incoming, "calling_number": "+380501000002"}),
        (1800, {"direction": "incoming", "calling_number": "+380501000003", "called_number": ALICE}),
    ):
        world.add_call(started_at=world.at - ago, **changes)
    try:
        with served(world.app) as url:
            now = datetime.fromtimestamp(world.at, UTC)
            with Kobza(url, world.own.fmc_token, world.own.integrator_id, now=lambda: now) as kobza:
                found = example["to_call_back"](kobza, now - timedelta(hours=2))
            assert [(call.calling_number, call.started_at.timestamp()) for call in found] == [
                ("0501000002", world.at - 1900)
            ]
            for name, value in (("URL", url), ("TOKEN", "ab" * 32), ("INTEGRATOR_ID", "I")):
                monkeypatch.setenv(f"KOBZA_{name}", value)
            ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    finally:
        world.close()
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "The token is not valid. (HTTP 403, forbidden)\n"


def test_every_error_is_on_the_page() -> None:
    named = [name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)]
    assert [name for name in named if f"`{name}`" not in PAGE] == []
