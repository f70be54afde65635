"""docs/observability.md and the metrics say the same."""

import re
from pathlib import Path

import pytest

from kobza.observe.exposition import METRICS

pytestmark = pytest.mark.docs

PAGE = (Path(__file__).parents[2] / "docs/observability.md").read_text("utf-8")
ROW = re.compile(r"^\| `(kobza_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", re.MULTILINE)


def test_the_page_lists_every_metric_as_it_is() -> None:
    written = [row.groups() for row in ROW.finditer(PAGE)]
    real = [
        (metric.name, metric.kind, ", ".join(f"`{label}`" for label in metric.labels) or "–", metric.help)
        for metric in METRICS
    ]
    assert written == real


def test_names_follow_the_rules_of_prometheus() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert metric.name.endswith("_total") is (metric.kind == "counter"), metric.name
        assert metric.help.endswith("."), metric.name
        assert not {"number", "enterprise", "address", "call_id"} & set(metric.labels), metric.name
        if metric.kind == "histogram":
            assert metric.name.endswith(("_seconds", "_ratio", "_mos")), metric.name


def test_expressions_name_metrics_that_exist() -> None:
    series = {f"{metric.name}{end}" for metric in METRICS for end in ("", "_bucket", "_sum", "_count")}
    mentioned = set(re.findall(r"\bkobza_[a-z0-9_]+[a-z]\b", PAGE)) - {"kobza_media_process"}
    assert mentioned <= series, mentioned - series
