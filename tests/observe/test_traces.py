"""Traces: ids that follow from ours, spans of unusual calls, and what is said when the packages are missing."""

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from kobza.app.tracing import TracesMissing, open_traces
from kobza.call.events import CallAnswered, CallEnded, CallFact, CallHeld, CallRinging, CallStarted
from kobza.call.routing import Party
from kobza.config.loading import load
from kobza.observe import traces as module
from kobza.observe.spans import Spans
from kobza.observe.trace_ids import is_traced, span_id, trace_id, traceparent
from kobza.observe.traces import Traces
from kobza.store.ids import IdMaker
from kobza.webhooks.outcome import Outcome
from kobza.webhooks.queue import Delivery

NOW = 1_790_000_000.0
IDS = IdMaker()


class Desk:
    """Traces whose spans are kept here."""

    def __init__(self, ratio: float = 1.0) -> None:
        self.exporter = InMemorySpanExporter()
        self.traces = Traces(Spans("http://127.0.0.1:1", "0", self.exporter), now=lambda: NOW + 100, ratio=ratio)

    def spans(self) -> dict[str, ReadableSpan]:
        self.traces.stop()
        return {span.name: span for span in self.exporter.get_finished_spans()}

    def call(self, call_id: str, *facts: CallFact) -> None:
        """Begin a call and feed it facts; a hold is nothing to be stored."""
        caller, callee = Party("+380671000001", "ent-1"), Party("+380441234567")
        started = CallStarted(call_id, NOW, caller, callee.number, callee, "phone", "leg-1", "leg-2")
        for each in (started, *facts):
            if isinstance(each, CallHeld):
                self.traces.happened([each])
            else:
                self.traces.writing([each], 1, None)()


def delivery(call_id: str, attempts: int = 0) -> Delivery:
    return Delivery("event", "ent-1", call_id, "leg-1", 3, b'{"state_type":"finished"}', attempts)


@given(st.text(max_size=40) | st.integers(0, 2**140).map(lambda number: f"{number:x}"))
def test_any_text_gives_a_trace_or_none(text: str) -> None:
    assert 0 <= trace_id(text) < 1 << 128


def test_ids_of_calls_are_ids_of_traces() -> None:
    call_id = IDS.id()
    assert f"{trace_id(call_id):032x}" == call_id
    header = traceparent(trace_id(call_id), span_id(call_id))
    assert re.fullmatch(rf"00-{call_id}-[0-9a-f]{{16}}-01", header)
    assert span_id(call_id) != span_id(call_id, "talk") != span_id(call_id, "ringing")


def test_the_part_that_is_traced_is_as_large_as_asked() -> None:
    traced = sum(is_traced(trace_id(IDS.id()), 0.25) for _ in range(4000))
    assert 800 < traced < 1200
    assert not is_traced(0, 1.0)


def test_a_call_that_fails() -> None:
    desk, call_id = Desk(), IDS.id()
    desk.call(call_id, CallRinging(call_id, NOW + 1, "leg-2"), CallEnded(call_id, NOW + 3, 41, 503, "network"))
    spans = desk.spans()
    assert set(spans) == {"call", "ringing", "journal commit"}
    call = spans["call"]
    assert call.attributes is not None
    assert (call.status.status_code, call.attributes["kobza.outcome"]) == (StatusCode.ERROR, "failed")
    assert (call.start_time, call.end_time) == (int(NOW * 1e9), int((NOW + 3) * 1e9))
    assert call.attributes["kobza.caller.enterprise_id"] == "ent-1"
    assert "kobza.callee.enterprise_id" not in call.attributes


def test_what_is_not_stored_is_an_event_all_the_same() -> None:
    desk, call_id = Desk(), IDS.id()
    held = CallHeld(call_id, NOW + 5, "leg-1")
    desk.call(
        call_id, CallAnswered(call_id, NOW + 2, "", "leg-2"), held, CallEnded(call_id, NOW + 9, 16, 200, "caller")
    )
    call = desk.spans()["call"]
    assert [event.name for event in call.events] == ["INVITE received", "answered", "held", "ended"]
    assert call.status.status_code is StatusCode.UNSET


def test_attempts_say_what_they_came_to() -> None:
    desk, call_id = Desk(), IDS.id()
    one = delivery(call_id)
    header = desk.traces.headers(one)["traceparent"]
    one.attempts += 1
    failed = Outcome(NOW, 250, "https://user@crm.example/hook?token=t", status_code=503, error="the answer was 503")
    desk.traces.attempted(one, failed, "retried")
    [span] = desk.spans().values()
    assert (span.name, span.status.description) == ("POST finished", "the answer was 503")
    assert span.attributes is not None
    assert span.attributes["server.address"] == "crm.example"
    assert (span.attributes["kobza.outcome"], span.attributes["kobza.attempt"]) == ("retried", 1)
    assert span.context is not None
    assert f"{span.context.span_id:016x}" in header
    assert "token" not in str(span.attributes)


def test_calls_beyond_the_part_leave_nothing() -> None:
    desk = Desk(ratio=1e-9)
    call_id = IDS.id()[:-14] + "f" * 14
    called: list[str] = []
    desk.traces.writing([CallAnswered(call_id, NOW, "", "")], 1, lambda: called.append("then"))()
    desk.call(call_id, CallEnded(call_id, NOW + 1, 16, 200, "caller"))
    assert desk.traces.headers(delivery(call_id)) == {}
    desk.traces.attempted(delivery(call_id, 1), Outcome(NOW, 1, "http://crm"), "delivered")
    assert (desk.spans(), called) == ({}, ["then"])


def test_calls_that_never_end_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CALLS", 2)
    desk, ids = Desk(), [IDS.id() for _ in range(3)]
    for call_id in ids:
        desk.call(call_id)
    for call_id in ids:
        desk.traces.writing([CallEnded(call_id, NOW + 1, 16, 200, "caller")], 1, None)()
    desk.traces.stop()
    assert [span.name for span in desk.exporter.get_finished_spans()].count("call") == 2


def test_without_the_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("kobza.observe.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(TracesMissing, match=r"pip install 'kobza\[otel\]'"):
        open_traces(load(environment={"KOBZA_OTLP_URL": "http://127.0.0.1:4318"}).settings, lambda: NOW)
    assert open_traces(load(environment={}).settings, lambda: NOW) is None
