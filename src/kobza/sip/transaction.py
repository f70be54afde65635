"""Transactions: what runs the tables of `transaction_tables` (RFC 3261 17, RFC 6026).

A transaction owns its last message as bytes, at most two timers (one to send again, one to end) and a user, who is told
by direct calls. It is gone from the layer's tables the moment it reaches TERMINATED.
"""

# ruff: noqa: SLF001 (the acts at the end are methods of the classes before them)

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from kobza.sip.dialog import via_line
from kobza.sip.flow import Flow, Transport
from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.timers import Timer
from kobza.sip.transaction_tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Input,
    State,
    Table,
)

if TYPE_CHECKING:
    from kobza.sip.layer import TransactionLayer

REQUEST_TIMEOUT = 408
"""Status told to a user for timers B, F and H (RFC 3261 8.1.3.1)."""
TRANSPORT_FAILURE = 503
"""Status told to a user for a transport error (RFC 3261 8.1.3.1)."""

_TERMINATED: Final = State.TERMINATED

Act = Callable[[Any, Any, float], None]
Step = tuple[State, tuple[Act, ...]]
Steps = tuple[tuple[Step | None, ...], ...]


class ClientUser(Protocol):
    """Who sent a request."""

    def response_received(self, transaction: ClientTransaction, response: SipResponse, now: float) -> None:
        """Take a response: each provisional one, one final one; to an INVITE every 2xx, repeated ones too."""

    def transaction_failed(self, transaction: ClientTransaction, status: int, now: float) -> None:
        """Take 408 (timeout) or 503 (transport error): no response will come."""


class ServerUser(Protocol):
    """Who answers a request."""

    def ack_received(self, request: SipRequest, now: float) -> None:
        """Take an ACK to a 2xx that matched the INVITE's transaction (a peer that reuses the branch)."""

    def transaction_failed(self, transaction: ServerTransaction, status: int, now: float) -> None:
        """Take 408 (no ACK to a final response) or 503 (transport error)."""


class SilentUser:
    """In the place of a user whom no outcome concerns: of a CANCEL, of the BYE to a fork, of what has its outcome."""

    __slots__ = ()

    def response_received(self, transaction: ClientTransaction, response: SipResponse, now: float) -> None:
        """Nothing."""

    def transaction_failed(self, transaction: ClientTransaction, status: int, now: float) -> None:
        """Nothing."""


SILENT: Final = SilentUser()


class Transaction:
    """What the four machines share."""

    __slots__ = ("_again", "_end", "_interval", "_steps", "data", "flow", "key", "layer", "state")

    def __init__(self, layer: TransactionLayer, key: tuple[object, ...], flow: Flow, steps: Steps) -> None:
        self.layer = layer
        self.key = key
        self.flow = flow
        self.state = State.INITIAL
        self.data = b""
        """The message that is sent again."""
        self._steps = steps
        self._again: Timer | None = None
        self._end: Timer | None = None
        self._interval = 0.0

    def feed(self, what: Input, message: SipRequest | SipResponse | None, now: float) -> bool:
        """Do what the table says; False when it says nothing and the input was absorbed."""
        step = self._steps[self.state][what]
        if step is None:
            return False
        self.state = step[0]
        if step[0] is _TERMINATED:
            self.stop_timers(None, now)
            self.layer.forget(self)
        for act in step[1]:
            act(self, message, now)
        if step[0] is _TERMINATED:
            self.let_go()
        return True

    def let_go(self) -> None:
        """Refer to nobody any more who refers to this: what is over is given back at once, without the collector."""

    def timer_fired(self, kind: int, now: float) -> None:
        """Timers are inputs."""
        self.feed(Input(kind), None, now)

    def stop_timers(self, _: object, _now: float) -> None:
        """Stop both timers."""
        queue = self.layer.queue
        if self._again is not None:
            queue.stop(self._again)
            self._again = None
        if self._end is not None:
            queue.stop(self._end)
            self._end = None

    def _send(self, _: object, _now: float) -> None:
        self.layer.transmit(self.flow, self.data)

    def _repeat_after(self, interval: float, kind: Input, now: float) -> None:
        self._interval = interval
        self._again = self.layer.queue.start(now + interval, self, kind)

    def _end_after(self, delay: float, kind: Input, now: float) -> None:
        self._end = self.layer.queue.start(now + delay, self, kind)

    def _forget_after(self, delay: float, kind: Input, now: float) -> None:
        """Start a timer after which nobody hears of the transaction again: a little later is as good."""
        self._end = self.layer.queue.share(self.layer.timers.on_the_beat(now + delay), self, kind)

    def _linger(self, delay: float, kind: Input, now: float) -> None:
        """Start a timer that absorbs what the network repeats: zero where it repeats nothing."""
        if self.flow.transport.reliable:
            self.feed(kind, None, now)
        else:
            self._forget_after(delay, kind, now)


class ClientTransaction(Transaction):
    """Sends a request, which must have its Via."""

    __slots__ = ("_ack", "_datagrams", "request", "sent_by", "user")

    def __init__(
        self, layer: TransactionLayer, key: tuple[object, ...], flow: Flow, request: SipRequest, user: ClientUser
    ) -> None:
        steps = INVITE_CLIENT_STEPS if request.method == "INVITE" else NON_INVITE_CLIENT_STEPS
        super().__init__(layer, key, flow, steps)
        self.request: SipRequest | None = request
        """Kept until it has a final response. Thousands of transactions wait half a minute for what the network may
        repeat, and most of what they knew would be cold memory by then."""
        self.user = user
        self.data = request.to_bytes()
        self.sent_by = flow.local
        self._ack = b""
        self._datagrams: Flow | None = None
        """The way that was asked for, of a request that goes over a connection because of its size."""

    def start(self, now: float) -> None:
        """Send the request, over a connection when it is too long for a datagram and there may be one (18.1.1)."""
        layer = self.layer
        if len(self.data) > layer.datagram_limit and self.flow.transport is Transport.UDP:
            stream = layer.stream_for(self.flow)
            if stream is not None:
                self._datagrams = self.flow
                self._go_by(stream)
        self.feed(Input.START, None, now)

    def fall_back(self, now: float) -> bool:
        """Take that the connection cannot be had: go by datagrams after all (18.1.1). False: this is no such request.

        Nor is it one that has been responded to.
        """
        flow, self._datagrams = self._datagrams, None
        if flow is None or self.state not in (State.CALLING, State.TRYING):
            return False
        self.stop_timers(None, now)
        self._go_by(flow)
        self.state = State.INITIAL
        self.feed(Input.START, None, now)
        return True

    def _go_by(self, flow: Flow) -> None:
        request = self.request
        assert request is not None  # noqa: S101 - it has no response yet
        name, _, value = via_line(flow, request.via.branch or "").partition(": ")
        request.set(name, value)
        self.flow, self.sent_by = flow, flow.local
        self.data = request.to_bytes()

    def receive(self, response: SipResponse, now: float) -> None:
        """Take a response that matched."""
        status = response.status
        if status < 200:
            self.feed(Input.RECEIVE_1XX, response, now)
        elif status < 300:
            self.feed(Input.RECEIVE_2XX, response, now)
        else:
            self.feed(Input.RECEIVE_300_699, response, now)

    def give_up(self, now: float) -> None:
        """Forget the request; nothing more is told to the user."""
        self.feed(Input.GIVE_UP, None, now)

    def _pass_response(self, response: SipResponse, now: float) -> None:
        user = self.user
        if self.request is None and self._steps is NON_INVITE_CLIENT_STEPS:  # that was the final one
            self.user = SILENT
        user.response_received(self, response, now)

    def _report_timeout(self, _: object, now: float) -> None:
        self.layer.traffic.timeouts += 1
        self.user.transaction_failed(self, REQUEST_TIMEOUT, now)

    def _report_transport_error(self, _: object, now: float) -> None:
        self.user.transaction_failed(self, TRANSPORT_FAILURE, now)

    def _send_ack(self, response: SipResponse, _now: float) -> None:
        if self.request is not None:  # the first time
            self._ack = ack_for_refusal(self.request, response)
            self.layer.traffic.requests_sent["ACK"] += 1
        self.layer.transmit(self.flow, self._ack)

    def _start_a(self, _: object, now: float) -> None:
        if not self.flow.transport.reliable:
            self._repeat_after(self.layer.timers.t1, Input.TIMER_A, now)

    def _double_a(self, _: object, now: float) -> None:
        self.layer.traffic.retransmitted += 1
        self._repeat_after(self._interval * 2, Input.TIMER_A, now)

    def _start_b(self, _: object, now: float) -> None:
        self._end_after(self.layer.timers.timeout, Input.TIMER_B, now)

    def _start_d(self, _: object, now: float) -> None:
        self._let_go_of_request()
        self._linger(self.layer.timers.timeout, Input.TIMER_D, now)

    def _start_e(self, _: object, now: float) -> None:
        if not self.flow.transport.reliable:
            self._repeat_after(self.layer.timers.t1, Input.TIMER_E, now)

    def _double_e(self, _: object, now: float) -> None:
        self.layer.traffic.retransmitted += 1
        self._repeat_after(min(self._interval * 2, self.layer.timers.t2), Input.TIMER_E, now)

    def _slow_e(self, _: object, now: float) -> None:
        self.layer.traffic.retransmitted += 1
        self._repeat_after(self.layer.timers.t2, Input.TIMER_E, now)

    def _start_f(self, _: object, now: float) -> None:
        self._end_after(self.layer.timers.timeout, Input.TIMER_F, now)

    def _start_k(self, _: object, now: float) -> None:
        self._let_go_of_request()
        self._linger(self.layer.timers.t4, Input.TIMER_K, now)

    def _start_m(self, _: object, now: float) -> None:
        self._let_go_of_request()
        self._forget_after(self.layer.timers.timeout, Input.TIMER_M, now)

    def _let_go_of_request(self) -> None:
        self.request = None
        self.data = b""


class ServerTransaction(Transaction):
    """Answers a request. `user` is set by who takes the request on, before anything is answered."""

    __slots__ = ("_unanswered", "fallback", "merge_key", "user")

    def __init__(
        self,
        layer: TransactionLayer,
        key: tuple[object, ...],
        flow: Flow,
        method: str,
        merge_key: tuple[object, ...] | None,
        fallback: Flow | None = None,
    ) -> None:
        super().__init__(layer, key, flow, INVITE_SERVER_STEPS if method == "INVITE" else NON_INVITE_SERVER_STEPS)
        self.user: ServerUser | None = None
        self.fallback = fallback or flow
        """Where responses go when the connection they should take is gone (RFC 3261 18.2.2)."""
        self.merge_key = merge_key
        """Names the request whatever its way here (RFC 3261 8.2.2.2); None inside a dialog."""
        self._unanswered: SipRequest | None = None
        """The INVITE, as long as a 100 may have to be written."""

    @property
    def is_open(self) -> bool:
        """Whether a final response can still be sent."""
        return self.state is State.PROCEEDING or self.state is State.TRYING

    def let_go(self) -> None:
        """See Transaction. A client's user lets go of its transaction itself, with the final response."""
        self.user = None

    def respond(self, status: int, data: bytes, now: float) -> bool:
        """Send a response; False when the state allows none."""
        if status < 200:
            what = Input.RESPOND_1XX
        elif status < 300:
            what = Input.RESPOND_2XX
        else:
            what = Input.RESPOND_300_699
        if self._steps[self.state][what] is None:
            return False
        self.data = data
        self._unanswered = None
        return self.feed(what, None, now)

    def _start_trying(self, request: SipRequest, now: float) -> None:
        self._unanswered = request
        self._again = self.layer.queue.start(now + self.layer.timers.trying, self, Input.TRYING_DUE)

    def _send_trying(self, _: object, _now: float) -> None:
        request, self._unanswered = self._unanswered, None
        assert request is not None  # noqa: S101 - the table sends it once, where nothing else was sent
        self.data = trying_for(request)
        self.layer.traffic.responses_sent["INVITE", 100] += 1
        self.layer.transmit(self.flow, self.data)

    def _pass_ack(self, request: SipRequest, now: float) -> None:
        if self.user is not None:
            self.user.ack_received(request, now)

    def _report_timeout(self, _: object, now: float) -> None:
        self.layer.traffic.timeouts += 1
        if self.user is not None:
            self.user.transaction_failed(self, REQUEST_TIMEOUT, now)

    def _report_transport_error(self, _: object, now: float) -> None:
        if self.user is not None:
            self.user.transaction_failed(self, TRANSPORT_FAILURE, now)

    def _start_g(self, _: object, now: float) -> None:
        if not self.flow.transport.reliable:
            self._repeat_after(self.layer.timers.t1, Input.TIMER_G, now)

    def _double_g(self, _: object, now: float) -> None:
        self.layer.traffic.retransmitted += 1
        self._repeat_after(min(self._interval * 2, self.layer.timers.t2), Input.TIMER_G, now)

    def _start_h(self, _: object, now: float) -> None:
        self._end_after(self.layer.timers.timeout, Input.TIMER_H, now)

    def _start_i(self, _: object, now: float) -> None:
        self._linger(self.layer.timers.t4, Input.TIMER_I, now)

    def _start_j(self, _: object, now: float) -> None:
        self._linger(self.layer.timers.timeout, Input.TIMER_J, now)

    def _start_l(self, _: object, now: float) -> None:
        self._forget_after(self.layer.timers.timeout, Input.TIMER_L, now)

    def _start_patience(self, _: object, now: float) -> None:
        self._end_after(self.layer.timers.timeout, Input.PATIENCE, now)


_ACK_KEEPS: Final = frozenset({"via", "from", "call-id", "max-forwards", "route"})
_TRYING_KEEPS: Final = frozenset({"via", "from", "to", "call-id", "cseq", "timestamp"})


def ack_for_refusal(request: SipRequest, response: SipResponse) -> bytes:
    """Write the ACK to a 300 to 699 (RFC 3261 17.1.1.3). Our INVITE has one Via line, its own."""
    head = [f"ACK {request.uri_text} SIP/2.0"]
    head += [line for _, line in request.lines_of(_ACK_KEEPS)]
    head += [line for _, line in response.lines_of(("to",))]
    head.append(f"CSeq: {request.cseq.number} ACK\r\nContent-Length: 0\r\n\r\n")
    return "\r\n".join(head).encode("utf-8", "surrogateescape")


def trying_for(request: SipRequest) -> bytes:
    """Write the 100 (RFC 3261 8.2.6.1, 8.2.6.2): it has no tag of ours."""
    head = ["SIP/2.0 100 Trying"]
    head += [line for _, line in request.lines_of(_TRYING_KEEPS)]
    head.append("Content-Length: 0\r\n\r\n")
    return "\r\n".join(head).encode("utf-8", "surrogateescape")


def compile_steps(table: Table, acts: Mapping[Action, Act]) -> Steps:
    """Turn a table into tuples that state and input index: a look-up without hashing."""
    return tuple(
        tuple(
            (table[state, what][0], tuple(acts[action] for action in table[state, what][1]))
            if (state, what) in table
            else None
            for what in Input
        )
        for state in State
    )


_CLIENT_ACTS: Mapping[Action, Act] = {
    Action.SEND_REQUEST: ClientTransaction._send,
    Action.SEND_ACK: ClientTransaction._send_ack,
    Action.DELIVER_RESPONSE: ClientTransaction._pass_response,
    Action.REPORT_TIMEOUT: ClientTransaction._report_timeout,
    Action.REPORT_TRANSPORT_ERROR: ClientTransaction._report_transport_error,
    Action.STOP_TIMERS: ClientTransaction.stop_timers,
    Action.START_A: ClientTransaction._start_a,
    Action.DOUBLE_A: ClientTransaction._double_a,
    Action.START_B: ClientTransaction._start_b,
    Action.START_D: ClientTransaction._start_d,
    Action.START_E: ClientTransaction._start_e,
    Action.DOUBLE_E: ClientTransaction._double_e,
    Action.SLOW_E: ClientTransaction._slow_e,
    Action.START_F: ClientTransaction._start_f,
    Action.START_K: ClientTransaction._start_k,
    Action.START_M: ClientTransaction._start_m,
}
_SERVER_ACTS: Mapping[Action, Act] = {
    Action.SEND_TRYING: ServerTransaction._send_trying,
    Action.START_TRYING: ServerTransaction._start_trying,
    Action.SEND_RESPONSE: ServerTransaction._send,
    Action.SEND_RESPONSE_AGAIN: ServerTransaction._send,
    Action.DELIVER_ACK: ServerTransaction._pass_ack,
    Action.REPORT_TIMEOUT: ServerTransaction._report_timeout,
    Action.REPORT_TRANSPORT_ERROR: ServerTransaction._report_transport_error,
    Action.STOP_TIMERS: ServerTransaction.stop_timers,
    Action.START_G: ServerTransaction._start_g,
    Action.DOUBLE_G: ServerTransaction._double_g,
    Action.START_H: ServerTransaction._start_h,
    Action.START_I: ServerTransaction._start_i,
    Action.START_J: ServerTransaction._start_j,
    Action.START_L: ServerTransaction._start_l,
    Action.START_PATIENCE: ServerTransaction._start_patience,
}

INVITE_CLIENT_STEPS = compile_steps(INVITE_CLIENT, _CLIENT_ACTS)
NON_INVITE_CLIENT_STEPS = compile_steps(NON_INVITE_CLIENT, _CLIENT_ACTS)
INVITE_SERVER_STEPS = compile_steps(INVITE_SERVER, _SERVER_ACTS)
NON_INVITE_SERVER_STEPS = compile_steps(NON_INVITE_SERVER, _SERVER_ACTS)
