"""Traces: each call as spans, from its INVITE to the POSTs of its states. See docs/observability.md for their shape."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import msgspec
from opentelemetry.trace import SpanKind

from kobza.call.events import (
    CallAnswered,
    CallEnded,
    CallFact,
    CallForwarded,
    CallHeld,
    CallPickedUp,
    CallResumed,
    CallRinging,
    CallStarted,
    CallTransferred,
    MemberCalled,
    MemberLeft,
    OriginatorRang,
    RecordingStarted,
    TransferAnswered,
)
from kobza.observe.spans import Attributes, Spans
from kobza.observe.trace_ids import is_traced, span_id, trace_id, traceparent
from kobza.pbx.call_meter import outcome_of
from kobza.pbx.journal import Then
from kobza.webhooks.counts import Result
from kobza.webhooks.outcome import Outcome
from kobza.webhooks.queue import Delivery

MAX_CALLS: Final = 20_000
"""Calls followed at a time; beyond, the oldest is forgotten: a call that was cut off has no end to be heard of."""

_EVENTS: Final[Mapping[type[CallFact], str]] = {
    CallStarted: "INVITE received",
    OriginatorRang: "the originator's phone rings",
    CallRinging: "ringing",
    CallAnswered: "answered",
    CallHeld: "held",
    CallResumed: "resumed",
    CallForwarded: "forwarded",
    CallPickedUp: "picked up",
    MemberCalled: "a member is called",
    MemberLeft: "a member rings no longer",
    CallTransferred: "transferred",
    TransferAnswered: "the transfer is answered",
    RecordingStarted: "recording",
    CallEnded: "ended",
}


@dataclass(slots=True)
class _Call:
    """What is known of a call that is on."""

    started: CallStarted
    events: list[tuple[str, float]] = field(default_factory=list)
    rang_at: float | None = None
    answered_at: float | None = None


class _Body(msgspec.Struct):
    """What a trace says of a call state."""

    state_type: str


class Traces:
    """Makes the spans. It is the watch of calls and of deliveries; its methods belong into the loop's thread."""

    def __init__(self, spans: Spans, *, now: Callable[[], float], ratio: float) -> None:
        """`ratio` is the part of all calls that is traced, 1 for all."""
        self._spans = spans
        self._now = now
        self._ratio = ratio
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._states = msgspec.json.Decoder(_Body)

    def stop(self) -> None:
        """Send what waits; blocks."""
        self._spans.stop()

    # calls

    def admitted(
        self, call_id: str, *, received_at: float, identified_at: float | None, status: int | None, trunk: str | None
    ) -> None:
        """See CallWatch."""
        trace = self._trace(call_id)
        if not trace:
            return
        now = self._now()
        admission = span_id(call_id, "admission")
        attributes: dict[str, str | int | bool] = {"kobza.call_id": call_id}
        if trunk is not None:
            attributes["kobza.trunk"] = trunk
        error = None
        if status is not None:
            attributes["sip.response.status_code"] = status
            error = f"refused with {status}"
        parent = span_id(call_id)
        self._spans.add("admission", trace, admission, parent, received_at, now, attributes, error=error)
        if identified_at is not None:
            routing = span_id(call_id, "routing")
            self._spans.add("routing", trace, routing, admission, identified_at, now, {"kobza.call_id": call_id})

    def happened(self, facts: Sequence[CallFact]) -> None:
        """See CallWatch."""
        trace = self._trace(facts[0].call_id)
        if trace:
            for fact in facts:
                self._take(trace, fact)

    def writing(self, facts: Sequence[CallFact], entries: int, then: Then | None) -> Then:
        """See CallWatch."""
        call_id = facts[0].call_id
        trace = self._trace(call_id)
        if not trace:
            return then or _nothing
        began = self._now()
        names = ", ".join(_EVENTS.get(type(fact), type(fact).__name__) for fact in facts)
        commit = span_id(call_id, "commit", names, began)
        attributes: Attributes = {"kobza.call_id": call_id, "kobza.journal.entries": entries, "kobza.facts": names}
        self.happened(facts)

        def stored() -> None:
            self._spans.add("journal commit", trace, commit, span_id(call_id), began, self._now(), attributes)
            if then is not None:
                then()

        return stored

    def _take(self, trace: int, fact: CallFact) -> None:
        call_id = fact.call_id
        if isinstance(fact, CallStarted):
            self._calls[call_id] = _Call(fact)
            if len(self._calls) > MAX_CALLS:
                self._calls.popitem(last=False)
        call = self._calls.get(call_id)
        if call is None:
            return
        name = _EVENTS.get(type(fact), type(fact).__name__)
        if isinstance(fact, CallStarted) and fact.origin == "api":
            name = "click"
        call.events.append((name, fact.at))
        if isinstance(fact, CallRinging) and call.rang_at is None:
            call.rang_at = fact.at
        elif isinstance(fact, CallAnswered):
            call.answered_at = fact.at
            self._ringing(trace, call_id, call, fact.at)
        elif isinstance(fact, CallEnded):
            del self._calls[call_id]
            self._end(trace, call, fact)

    def _ringing(self, trace: int, call_id: str, call: _Call, until: float) -> None:
        if call.rang_at is not None:
            about = {"kobza.call_id": call_id}
            span = span_id(call_id, "ringing")
            self._spans.add("ringing", trace, span, span_id(call_id), call.rang_at, until, about)

    def _end(self, trace: int, call: _Call, end: CallEnded) -> None:
        call_id, started = end.call_id, call.started
        about: dict[str, str | int | bool] = {"kobza.call_id": call_id}
        if call.answered_at is None:
            self._ringing(trace, call_id, call, end.at)
        else:
            span = span_id(call_id, "talk")
            self._spans.add("talk", trace, span, span_id(call_id), call.answered_at, end.at, about)
        outcome = outcome_of(end.cause, answered=call.answered_at is not None)
        attributes = about | {
            "kobza.origin": started.origin,
            "kobza.outcome": outcome,
            "kobza.cause": end.cause,
            "kobza.released_by": end.released_by,
            "sip.response.status_code": end.sip_status,
        }
        for side, party in (("caller", started.caller), ("callee", started.callee)):
            if party.enterprise_id is not None:
                attributes[f"kobza.{side}.enterprise_id"] = party.enterprise_id
        error = f"cause {end.cause}" if outcome == "failed" else None
        self._spans.add(
            "call",
            trace,
            span_id(call_id),
            None,
            started.at,
            end.at,
            attributes,
            events=call.events,
            kind=SpanKind.SERVER,
            error=error,
        )

    # deliveries

    def headers(self, delivery: Delivery) -> Mapping[str, str]:
        """See DeliveryWatch: the receiver may go on with the trace."""
        trace = self._trace(delivery.call_id)
        return {"traceparent": traceparent(trace, _attempt(delivery, delivery.attempts + 1))} if trace else {}

    def attempted(self, delivery: Delivery, outcome: Outcome, result: Result) -> None:
        """See DeliveryWatch."""
        trace = self._trace(delivery.call_id)
        if not trace:
            return
        attributes: dict[str, str | int | bool] = {
            "kobza.call_id": delivery.call_id,
            "kobza.leg": delivery.call_control_id,
            "kobza.event_id": delivery.event_id,
            "kobza.enterprise_id": delivery.enterprise_id,
            "kobza.sequence": delivery.sequence,
            "kobza.attempt": delivery.attempts,
            "kobza.outcome": result,
            "http.request.method": "POST",
            "server.address": urlsplit(outcome.url).hostname or "",
        }
        if outcome.status_code is not None:
            attributes["http.response.status_code"] = outcome.status_code
        self._spans.add(
            f"POST {self._states.decode(delivery.body).state_type}",
            trace,
            _attempt(delivery, delivery.attempts),
            span_id(delivery.call_id),
            outcome.started_at,
            outcome.started_at + outcome.duration_ms / 1000,
            attributes,
            kind=SpanKind.CLIENT,
            error=outcome.error,
        )

    def _trace(self, call_id: str) -> int:
        """Return the trace of a call; 0 when it is not traced."""
        trace = trace_id(call_id)
        return trace if is_traced(trace, self._ratio) else 0


def _attempt(delivery: Delivery, number: int) -> int:
    return span_id(delivery.call_id, delivery.event_id, number)


def _nothing() -> None:
    """Follows a commit for which nobody waits."""
