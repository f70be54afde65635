"""Metrics of HTTP, of the process as a whole, and which program this is."""

import asyncio
import platform
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Final

from kobza.observe.metrics.metric import Metric, by_label, one
from kobza.observe.sources import Sources


def _build(of: Sources) -> dict[tuple[str, ...], float]:
    store = "sqlite" if isinstance(of.store.place, Path) else "postgresql"
    return {(version("kobza"), platform.python_version(), store): 1}


SERVICE: Final = (
    Metric(
        "kobza_build_info",
        "gauge",
        "Always 1; the labels say which program this is.",
        lambda of: by_label(_build(of)),
        ("version", "python", "store"),
    ),
    Metric(
        "kobza_loop_lag_seconds",
        "histogram",
        "How late the loop that carries calls is, twice a second: so long phones and requests wait, in seconds.",
        lambda of: one(of.lag.seconds),
    ),
    Metric(
        "kobza_loop_tasks",
        "gauge",
        "Tasks of the loop: some for the parts of the server, one or a few for each connection and request.",
        lambda _: one(len(asyncio.all_tasks())),
    ),
    Metric(
        "kobza_threads",
        "gauge",
        "Threads of the server's process.",
        lambda _: one(threading.active_count()),
    ),
    Metric(
        "kobza_http_requests_total",
        "counter",
        "HTTP requests that are over, by the route's path; `other` has none; status 0: the client left before it.",
        lambda of: by_label(of.requests.requests),
        ("method", "route", "status"),
    ),
    Metric(
        "kobza_http_response_start_seconds",
        "histogram",
        "Time from a request until its answer begins, in seconds.",
        lambda of: one(of.requests.seconds),
    ),
    Metric(
        "kobza_http_requests_in_progress",
        "gauge",
        "HTTP requests that are under way, live streams included.",
        lambda of: one(of.requests.in_progress),
    ),
    Metric(
        "kobza_http_rate_limited_total",
        "counter",
        "HTTP requests answered 429, by the rate that was used up (`failures`: wrong tokens from one address).",
        lambda of: by_label(of.gate.limits.limited),
        ("rate",),
    ),
    Metric(
        "kobza_event_streams",
        "gauge",
        "Live streams of call states that are open.",
        lambda of: one(of.streams.count),
    ),
    Metric(
        "kobza_exports_running",
        "gauge",
        "Exports of history that are under way.",
        lambda of: one(of.exports.running),
    ),
)
