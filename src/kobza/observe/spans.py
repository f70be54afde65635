"""Finished spans to an OpenTelemetry collector by OTLP over HTTP. Imported only when traces are switched on.

The span of a step is made when the step is over and both its moments are known; nothing is open meanwhile. The library
sends them in batches from a thread of its own, keeps a bounded number, and drops what is beyond.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

Attributes = Mapping[str, str | int | bool]

HELD: Final = 8192
"""Spans that wait for the collector, some 8 MB: 800 calls."""
AT_ONCE: Final = 512
SEND_EVERY: Final = 2000
"""Milliseconds after which a batch that is not full is sent."""
TIMEOUT: Final = 5.0
"""Seconds for one batch, tries included: a stop waits as long."""
SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class Spans:
    """Takes finished spans."""

    def __init__(self, url: str, version: str, exporter: SpanExporter | None = None) -> None:
        """`url` is the collector's, without `/v1/traces`."""
        self._resource = Resource.create({"service.name": "kobza", "service.version": version})
        self._scope = InstrumentationScope("kobza", version)
        self._processor = BatchSpanProcessor(
            exporter or OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=TIMEOUT),
            max_queue_size=HELD,
            max_export_batch_size=AT_ONCE,
            schedule_delay_millis=SEND_EVERY,
        )
        logging.getLogger("opentelemetry").addFilter(_Seldom())

    def add(
        self,
        name: str,
        trace: int,
        span: int,
        parent: int | None,
        began: float,
        ended: float,
        attributes: Attributes,
        *,
        events: Sequence[tuple[str, float]] = (),
        kind: SpanKind = SpanKind.INTERNAL,
        error: str | None = None,
    ) -> None:
        """Take a span; moments are in seconds since the epoch, `events` have a name and a moment."""
        context = SpanContext(trace, span, is_remote=False, trace_flags=SAMPLED)
        above = None if parent is None else SpanContext(trace, parent, is_remote=False, trace_flags=SAMPLED)
        self._processor.on_end(
            ReadableSpan(
                name=name,
                context=context,
                parent=above,
                resource=self._resource,
                attributes=attributes,
                events=[Event(what, timestamp=_nanoseconds(at)) for what, at in events],
                kind=kind,
                status=Status(StatusCode.UNSET) if error is None else Status(StatusCode.ERROR, error),
                start_time=_nanoseconds(began),
                end_time=_nanoseconds(max(began, ended)),
                instrumentation_scope=self._scope,
            )
        )

    def stop(self) -> None:
        """Send what waits, as far as the collector takes it, and end the thread; blocks."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]  # the library's has no types


class _Seldom(logging.Filter):
    """Lets one line a minute of the library pass: a collector that is away must not fill the log."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line may be written."""
        if record.created < self._next:
            return False
        self._next = record.created + 60.0
        return True


def _nanoseconds(moment: float) -> int:
    return int(moment * 1_000_000_000)
