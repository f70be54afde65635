"""Schemathesis at a served Kobza that has calls, a recording and registered phones: nothing it sends finds a fault.

Makes requests that fit the OpenAPI document, and ones that do not, from the document as it is served; checks every
answer against the document. SCHEMATHESIS_SECONDS makes a longer run (`make schemathesis`).
"""

import asyncio
import json
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kobza.api.app import documented_routes
from tests.interop.conftest import NUMBERS, RECORDED, SinkThread
from tests.interop.outcome import Ledger
from tests.interop.server import KYIV, Server, Site
from tests.phone.terminal import kobza_phone

SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "0"))
EXTENT = (
    ("--max-examples", str(SECONDS), "--max-time", str(SECONDS))
    if SECONDS
    else ("--max-examples", "4", "--seed", "1715")
)
"""The short run makes the same requests each time, so that it fails by what was changed; the long one looks further."""
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
OPERATIONS = [f"{method} {route.path}" for route in documented_routes() for method in route.methods or ()]
BY_CHANCE = {
    "POST /api/fmc/v1/callcontrol",
    "POST /api/fmc/v1/webhook/deliveries/{delivery_id}/replay",
    "GET /api/onebox/v1/originate",
    "POST /api/onebox/v1/originate",
    "GET /api/fmc/v1/webhook",
    "DELETE /api/fmc/v1/webhook",
    "GET /api/fmc/v1/webhook/deliveries/{delivery_id}",
    "POST /api/fmc/v1/webhook/activate",
    "POST /api/fmc/v1/webhook/recover",
    "POST /api/fmc/v1/webhook/test",
}
"""Whether these succeed depends on what was called before: a call that is on, a free phone, a webhook that is set."""
COMMAND = str(Path(sys.executable).with_name("schemathesis"))


def configuration(server: Server, record_id: str) -> str:
    """Return the command's configuration: who asks, and values that exist; most tests take those, some take others."""
    enterprise = server.site.enterprise
    now = datetime.now(KYIV)
    times = [f"{now - timedelta(days=days):%Y-%m-%dT%H:%M:%S}" for days in (0, 1, 2, 4, 6, 20)]
    known: dict[str, list[str]] = {"numbers": [*NUMBERS, "0501112233"], "times": times, "records": [record_id]}
    bound = {
        "from": "times",
        "to": "times",
        "number": "numbers",
        "calling_number": "numbers",
        "called_number": "numbers",
        "record_id": "records",
    }
    lines = [
        f"hooks = {json.dumps(str(HOOKS))}",
        "cache.enabled = false",
        "output.sanitization.enabled = true",
        f'auth.openapi.fmcToken.bearer = "{enterprise["fmc_token"]}"',
        f'auth.openapi.integratorId.api_key = "{enterprise["integrator_id"]}"',
        f'auth.openapi.token.api_key = "{enterprise["fmc_token"]}"',
        # 400: see the check in the hooks. 410 and 416 depend on what is stored.
        'checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, 410, 416, "5xx"]',
        *(f"dictionaries.{name}.values = {json.dumps(values)}" for name, values in known.items()),
        *(f'parameters.{name} = {{ dictionary = "{words}", probability = 0.7 }}' for name, words in bound.items()),
    ]
    # The operator's interface answers 400 to a request without the parameter `token`.
    lines += ["[[operations]]", 'include-path-regex = "^/api/(cdr|onebox)/"', "checks.ignored_auth.enabled = false"]
    return "\n".join(lines) + "\n"


def statuses(har: Path) -> dict[str, set[int]]:
    """Return the statuses that each path and method was answered with."""
    found: dict[str, set[int]] = {}
    for entry in json.loads(har.read_bytes())["log"]["entries"]:
        path = urlsplit(entry["request"]["url"]).path
        found.setdefault(f"{entry['request']['method']} {path}", set()).add(entry["response"]["status"])
    return found


async def fill(site: Site, server: Server, sink: SinkThread) -> str:
    """Make a real call that is recorded; return the id of its recording, once it is encoded."""
    caller, called = RECORDED
    ledger = Ledger(server, sink)
    options = ("--dial", called, "--duration", "1", "--play", "tone:440")
    async with kobza_phone(site.sip, caller, site.lines[caller].password, *options) as phone:
        status, complaint = await phone.end()
        assert status == 0, complaint
    outcome = await ledger.call(caller, called, owners=(caller, called))
    record_id = outcome.row["record_id"]
    assert isinstance(record_id, str)
    await asyncio.to_thread(server.recording, record_id)
    return record_id


@pytest.mark.database("postgresql")  # the stricter of the two: what it takes, SQLite takes
@pytest.mark.timeout(600 + 2 * SECONDS)
async def test_schemathesis_finds_nothing(new_site: Site, sink: SinkThread, tmp_path: Path) -> None:
    # Thousands of requests a minute, many of them without a proper token, are what limits are there to refuse.
    unlimited = {f"KOBZA_RATE_{kind}": "1000000/60" for kind in ("READ", "EXPORT", "CONTROL", "FAILURES")}
    site = new_site.copy(tmp_path / "kobza", KOBZA_RING_TIMEOUT="5", **unlimited)
    site.prepare("dev", "fill", "--enterprise", site.enterprise["enterprise_id"], "--calls", "400", "--days", "25")
    server = site.start()
    try:
        phones: list[Any] = [
            kobza_phone(site.sip, number, site.lines[number].password, "--answer-after", "0.1", "--duration", "2")
            for number in NUMBERS[1:]
        ]
        for phone in phones:
            await (await phone.__aenter__()).event("registered")
        record_id = await fill(site, server, sink)
        (tmp_path / "schemathesis.toml").write_text(configuration(server, record_id))
        process = await asyncio.create_subprocess_exec(
            *(COMMAND, "--config-file", str(tmp_path / "schemathesis.toml")),
            *("run", f"http://{site.http}/manual/genericfmcapi.yaml"),
            *("--report", "har", "--report-har-path", str(tmp_path / "run.har")),
            *EXTENT,
            *("--no-shrink", "--continue-on-failure"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,
            env={**os.environ, "TEST_SINK": sink.url, "TEST_NUMBERS": " ".join(NUMBERS), "NO_COLOR": "1"},
        )
        out, _ = await process.communicate()
        report = out.decode()
        assert process.returncode == 0, report
        met = statuses(tmp_path / "run.har")
        failing = {name for name in OPERATIONS if not any(status < 300 for status in met.get(name, ()))}
        assert failing <= BY_CHANCE, {name: met.get(name) for name in failing}
        for phone in phones:
            await phone.__aexit__(None, None, None)
    finally:
        server.stop()
