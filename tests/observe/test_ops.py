"""The files for Prometheus and Grafana: valid, about metrics and labels that exist, each alert with its paragraph."""

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kobza.observe.exposition import METRICS

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "ops" / "prometheus"
PAGE = (ROOT / "docs" / "observability.md").read_text("utf-8")
ALERTS: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
BOARD: dict[str, Any] = json.loads((ROOT / "ops" / "grafana" / "kobza.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = BOARD["panels"]
LABELS = {metric.name: set(metric.labels) for metric in METRICS}
OF_PROMETHEUS = {"instance", "job"}
SELECTOR = re.compile(r"(kobza_[a-z0-9_]*[a-z0-9])(?:\{([^}]*)\})?")
QUERIES = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]
promtool = shutil.which("promtool", path=f"{ROOT / 'build'}:{os.environ['PATH']}")
needs_promtool = pytest.mark.skipif(promtool is None, reason="promtool is not there (tools/install-promtool)")


def expressions() -> list[str]:
    return [alert["expr"] for alert in ALERTS] + QUERIES


def base(series: str) -> str:
    """Return the metric of a series: a histogram has three."""
    name = re.sub(r"_(bucket|sum|count)$", "", series)
    return name if name in LABELS else series


@pytest.mark.docs
@pytest.mark.parametrize("expression", expressions())
def test_metrics_and_labels_exist(expression: str) -> None:
    known: set[str] = set(OF_PROMETHEUS)
    for series, matchers in SELECTOR.findall(expression):
        if series.startswith("kobza_media_process_"):
            continue
        labels = LABELS[base(series)] | OF_PROMETHEUS | ({"le"} if series.endswith("_bucket") else set())
        assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= labels, series
        known |= labels
    for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
        assert set(grouped.split(", ")) <= known, grouped


@pytest.mark.docs
def test_every_alert_says_what_to_do_and_is_tested() -> None:
    names = [alert["alert"] for alert in ALERTS]
    assert re.findall(r"^### (Kobza\w+)$", PAGE, re.MULTILINE) == names
    for alert in ALERTS:
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert alert["annotations"]["summary"]
    cases = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text("utf-8"))["tests"]
    fired = {check["alertname"] for case in cases for check in case["alert_rule_test"] if check.get("exp_alerts")}
    assert fired == set(names)


@pytest.mark.docs
def test_every_panel_says_how_to_read_it() -> None:
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)
    for panel in PANELS:
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
            for named in re.findall(r"Runbook: (\w+)", panel["description"]):
                assert named in {alert["alert"] for alert in ALERTS}
    for first, second in itertools.combinations(PANELS, 2):
        assert not overlap(first["gridPos"], second["gridPos"]), (first["title"], second["title"])
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in PANELS)


@pytest.mark.docs
def test_the_dashboard_shows_every_metric_that_an_operator_needs() -> None:
    shown = {base(series) for query in QUERIES for series, _ in SELECTOR.findall(query)}
    left_out = {
        *("kobza_build_info", "kobza_call_duration_seconds", "kobza_calls_refused_total", "kobza_hep_sent_total"),
        *("kobza_http_requests_in_progress", "kobza_journal_entries_total", "kobza_journal_rejected_entries_total"),
        *("kobza_media_deaths_total", "kobza_media_instance_calls", "kobza_media_instance_up"),
        *("kobza_recorded_seconds_total", "kobza_recording_encode_seconds"),
        *("kobza_recording_upload_bytes_total", "kobza_recordings_room", "kobza_recordings_without_room_total"),
        *("kobza_recordings_encoded_total", "kobza_rtp_bytes_total", "kobza_sip_requests_sent_total"),
        *("kobza_sip_sockets", "kobza_sip_stray_messages_total", "kobza_trunk_answers_total"),
        *("kobza_trunk_servers", "kobza_trunk_stale", "kobza_webhook_in_flight"),
        *("kobza_calls_carried", "kobza_loop_tasks", "kobza_sip_timers", "kobza_threads"),
    }
    assert set(LABELS) - shown == left_out


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h"))
    )


def rules() -> Iterator[dict[str, str]]:
    for number, query in enumerate(QUERIES):
        plain = query.replace("$__rate_interval", "1m").replace("$instance", ".*")
        yield {"record": f"kobza:panel:{number}", "expr": plain}


def run_promtool(*words: str | Path) -> None:
    assert promtool is not None
    done = subprocess.run([promtool, *words], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_the_configuration_and_the_alerts() -> None:
    run_promtool("check", "config", PROMETHEUS / "scrape.yml")  # with the alerts, which it names


@needs_promtool
def test_alerts_fire_when_they_should() -> None:
    run_promtool("test", "rules", PROMETHEUS / "alerts_test.yml")


@needs_promtool
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": list(rules())}]}))
    run_promtool("check", "rules", tmp_path / "queries.yml")
