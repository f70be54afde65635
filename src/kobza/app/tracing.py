"""Traces, if the settings ask for them: only then is anything of OpenTelemetry imported."""

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

from kobza.config.settings import Settings

if TYPE_CHECKING:
    from kobza.observe.traces import Traces


class TracesMissing(Exception):
    """Traces are asked for, and the packages that send them are not installed; one line for people."""


def open_traces(settings: Settings, now: Callable[[], float]) -> "Traces | None":
    """Return what makes the traces, or None; blocks for the moment that the imports take. Raises TracesMissing."""
    if settings.otlp_url is None:
        return None
    try:
        from kobza.observe.spans import Spans
        from kobza.observe.traces import Traces
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("opentelemetry"):
            raise
        raise TracesMissing("otlp_url asks for traces, which need more packages: pip install 'kobza[otel]'") from error
    return Traces(Spans(settings.otlp_url, version("kobza")), now=now, ratio=settings.trace_ratio)
