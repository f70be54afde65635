"""What a monitoring system sees of a served Kobza: metrics of a call, readiness part by part."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from kobza.observe.exposition import METRICS
from kobza.store import STORE_FILE
from kobza.store.driver import connect
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.scrape import Scrape
from tests.interop.server import Server, Site
from tests.interop.sipp import Line, Sipp
from tests.support.waiting import PATIENCE

A, B = NUMBERS[:2]
UP = "kobza_media_instance_up"


async def test_a_call_is_counted_on_its_whole_way(
    sipp: Sipp, kobza_server: Server, ledger: Ledger, lines: list[Line]
) -> None:
    before = Scrape(kobza_server)
    async with sipp.phone(lines[1], "uas_answer", "-rtp_echo") as phone:
        async with sipp.start("uac_call", line=lines[0], dial=B, pause_ms=1200) as caller:
            eventually(lambda: Scrape(kobza_server)("kobza_calls_talking", direction="local") == 1)
            during = Scrape(kobza_server)
            await caller.success()
        await phone.success()
    outcome = await ledger.call(A, B, owners=(A, B))
    eventually(lambda: kobza_server.recording(str(outcome.row["record_id"])) != b"")
    eventually(lambda: Scrape(kobza_server)("kobza_webhook_deliveries_owed", endpoint="on") == 0)
    after = Scrape(kobza_server)

    grown = partial(after.grown, before)
    assert grown("kobza_calls_attempts_total", direction="local", origin="phone") == 1
    assert grown("kobza_calls_answers_total", direction="local") == 1
    assert grown("kobza_calls_ended_total", direction="local", outcome="answered", cause="16") == 1
    assert grown("kobza_call_setup_seconds_count", direction="local") == 1
    assert 1.0 <= grown("kobza_call_duration_seconds_sum", direction="local") < 10.0
    assert during("kobza_calls_active", direction="local") == 1
    assert during("kobza_call_legs") >= 2
    assert during("kobza_media_ports_used") >= 2
    assert during("kobza_recordings_active") >= 1
    assert after("kobza_calls_active", direction="local") == after("kobza_calls_talking", direction="local") == 0
    assert during("kobza_registrations") >= 1
    assert grown("kobza_sip_requests_received_total", method="INVITE") == 2  # without and with credentials
    assert grown("kobza_sip_responses_sent_total", method="INVITE", status="407") == 1
    assert grown("kobza_sip_requests_sent_total", method="INVITE") == 1
    assert grown("kobza_sip_responses_received_total", method="INVITE", status="200") >= 1
    assert grown("kobza_recordings_encoded_total", outcome="ready") == 1
    assert grown("kobza_journal_entries_total") >= 8  # two records thrice, six states, the recording
    assert grown("kobza_journal_commit_seconds_count") >= 1
    assert grown("kobza_webhook_attempts_total", outcome="delivered", status="2xx") == 6
    assert grown("kobza_webhook_delay_seconds_count") == 6
    assert grown("kobza_http_requests_total", method="GET", route="/metrics", status="200") >= 2
    assert after("kobza_webhook_oldest_owed_seconds", endpoint="on") == 0
    assert after("kobza_store_up") == after("kobza_media_up") == 1
    assert min(after.each("kobza_media_process_resident_memory_bytes", "process").values()) > 0
    assert {metric.name for metric in METRICS} <= {name_of(family.name, family.type) for family in after.families}
    assert not [number for number in (A, B, A.lstrip("0")) if number in after.text]


def test_the_metrics_are_for_this_machine(kobza_server: Server) -> None:
    url = f"http://{kobza_server.site.http}/metrics"
    passed_on = httpx.get(url, headers={"x-forwarded-for": "127.0.0.1"})
    assert (passed_on.status_code, passed_on.json()["code"]) == (403, "address_not_allowed")
    assert httpx.get(url.replace("/metrics", "/health")).json() == {"status": "ok"}


def test_what_alerts_and_the_dashboard_name_is_there(kobza_server: Server) -> None:
    scrape = Scrape(kobza_server)
    ends = ("", "_total", "_bucket", "_sum", "_count")
    known = {f"{family.name}{end}" for family in scrape.families for end in ends} | {"up"}
    ops = Path(__file__).parents[2] / "ops"
    board = json.loads((ops / "grafana" / "kobza.json").read_text("utf-8"))
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    text = "\n".join([*queries, (ops / "prometheus" / "alerts.yml").read_text("utf-8")])
    named = set(re.findall(r"\b(?:kobza|process|python)_[a-z0-9_]+\b", text)) | set(re.findall(r"\bup\b(?=\{)", text))
    assert len(named) > 50
    assert named - known == set()


@pytest.mark.database("sqlite")
def test_readiness_names_the_part_that_fails(new_site: Site, tmp_path: Path) -> None:
    server = new_site.copy(tmp_path / "kobza", KOBZA_MEDIA_PROCESSES="2").start()
    try:
        assert readiness(server) == (200, set())
        both = [pid for pid in server.children() if b"kobza.media.relay" in command_of(pid)]
        kill(both[0])
        eventually(lambda: sorted(Scrape(server).each(UP, "instance").values()) == [0, 1], pause=0.0)
        assert readiness(server) == (200, set())  # calls may begin: the other one takes them
        kill(both[1])
        eventually(lambda: readiness(server) == (503, {"media"}), pause=0.0)
        eventually(lambda: Scrape(server).each(UP, "instance") == {"process 1": 1, "process 2": 1})
        assert readiness(server) == (200, set())
        after = Scrape(server)
        assert after("kobza_media_deaths_total") == 2
        assert set(after.each("kobza_media_process_resident_memory_bytes", "process")) == {"1", "2"}
        writer = connect(server.site.folder / STORE_FILE)
        writer.execute("BEGIN IMMEDIATE")
        eventually(lambda: readiness(server) == (503, {"store"}))
        writer.execute("ROLLBACK")
        writer.close()
        eventually(lambda: readiness(server) == (200, set()))
        assert Scrape(server)("kobza_journal_failures_total") >= 1
    finally:
        server.kill()


def kill(media: int) -> None:
    os.kill(media, signal.SIGSTOP)  # it is away, and nobody knows yet
    os.kill(media, signal.SIGKILL)


def readiness(server: Server) -> tuple[int, set[str]]:
    """Return the status and the parts that fail, each of which says why."""
    answer = httpx.get(f"http://{server.site.http}/ready", timeout=120)
    checks = answer.json()["checks"]
    failing = {name for name, check in checks.items() if check["state"] == "failing"}
    assert all(checks[name]["reason"] for name in failing)
    assert set(checks) == {"store", "journal", "sip", "media"}
    return answer.status_code, failing


def name_of(family: str, kind: str) -> str:
    return f"{family}_total" if kind == "counter" else family


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def eventually(holds: Callable[[], bool], pause: float = 0.1) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(pause)
