"""A call as a trace: from its INVITE to the POSTs of its states, at a collector that speaks OTLP."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.interop.conftest import NUMBERS, SinkThread
from tests.interop.outcome import Ledger
from tests.interop.server import Server, Site
from tests.interop.sipp import Sipp
from tests.support.otlp import Collector, attributes

A, B = NUMBERS[:2]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


async def test_a_call_is_one_trace(new_site: Site, tmp_path: Path, sink: SinkThread, collector: Collector) -> None:
    server = new_site.copy(tmp_path / "kobza", KOBZA_OTLP_URL=collector.url).start()
    try:
        site, ledger, sipp = server.site, Ledger(server, sink), Sipp(tmp_path, server.site.sip)
        async with sipp.phone(site.lines[B], "uas_answer", "-rtp_echo") as phone:
            await sipp.run("uac_call", line=site.lines[A], dial=B, pause_ms=300)
            await phone.success()
        outcome = await ledger.call(A, B, owners=(A, B))
        await sipp.run("uac_refused", line=site.lines[A], dial="sales", status=484, cause=28)
    finally:
        await asyncio.to_thread(server.stop)  # sends what is left
    call_id = outcome.row["call_id"]
    trace = bytes.fromhex(call_id)
    spans = [span for span in collector.spans if span.trace_id == trace]
    [root] = [span for span in spans if not span.parent_span_id]
    assert collector.resource["service.name"] == "kobza"
    about = attributes(root.attributes)
    assert (root.name, about["kobza.outcome"], about["kobza.cause"]) == ("call", "answered", "16")
    events = [event.name for event in root.events]
    assert events[0] == "INVITE received"
    assert set(events) == {"INVITE received", "ringing", "answered", "recording", "ended"}
    assert events[-1] == "ended"
    by_name = {span.name: span for span in spans}
    below = {name: span for name, span in by_name.items() if span.parent_span_id == root.span_id}
    assert set(below) == {
        *("admission", "ringing", "talk", "journal commit"),
        *("POST alerting", "POST established", "POST finished"),
    }
    assert by_name["routing"].parent_span_id == below["admission"].span_id
    assert root.start_time_unix_nano == below["admission"].start_time_unix_nano
    assert below["ringing"].end_time_unix_nano == below["talk"].start_time_unix_nano
    assert below["talk"].end_time_unix_nano == root.end_time_unix_nano
    posts = [span for span in spans if span.name.startswith("POST ")]
    assert len(posts) == 6
    for post in posts:
        about = attributes(post.attributes)
        assert (about["kobza.outcome"], about["http.response.status_code"]) == ("delivered", "200")
        assert post.kind == Span.SPAN_KIND_CLIENT
        assert commit_before(post, spans), "nobody hears of what is not stored"
    told = [request for request in sink.sink.requests if request.json and request.json["call_id"] == call_id]
    parents = {request.headers["traceparent"] for request in told if request.json["state_type"] != "record_ready"}
    assert parents == {f"00-{call_id}-{post.span_id.hex()}-01" for post in posts}
    others = {span.trace_id: span for span in collector.spans if span.trace_id != trace and span.name == "call"}
    [refused] = others.values()
    assert attributes(refused.attributes)["kobza.outcome"] == "wrong_number"
    text = str(collector.spans)
    assert not re.search(rf"{A.lstrip('0')}|{B.lstrip('0')}", text), "no telephone number leaves"


def commit_before(post: Span, spans: list[Span]) -> bool:
    commits = [span for span in spans if span.name == "journal commit"]
    return any(span.end_time_unix_nano <= post.start_time_unix_nano for span in commits)


def test_without_a_collector_nothing_of_it_is_loaded(kobza_server: Server) -> None:
    loaded = Path(f"/proc/{kobza_server.process.pid}/maps").read_text()
    assert "httptools" in loaded  # a library with a part in C is seen there
    assert "google/_upb" not in loaded
