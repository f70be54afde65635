"""Provisional responses that the caller acknowledges: sent again until its PRACK comes, one at a time (RFC 3262, 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kobza.sip.dialog import RawLine
from kobza.sip.reliable import MAX_FIRST_RSEQ, OPTION_TAG, RAck
from kobza.sip.timers import Timer

if TYPE_CHECKING:
    from kobza.sip.invite_server import ReceivedInvite

Headers = tuple[tuple[str, str], ...]

SERVER_TIMEOUT = 504
"""How a call is refused whose caller does not acknowledge that it rings."""

_REQUIRE: RawLine = ("require", f"Require: {OPTION_TAG}")


class ReliableResponses:
    """Those to one INVITE that requires them. Our SDP goes out once, with the first that has some (section 5)."""

    __slots__ = (
        "_data",
        "_end",
        "_interval",
        "_received",
        "_rseq",
        "_sdp_in",
        "_status",
        "_timer",
        "_unacknowledged",
        "_waiting",
        "final",
        "is_offered",
        "sdp",
    )

    def __init__(self, received: ReceivedInvite) -> None:
        self._received = received
        self._rseq = received.core.random_below(MAX_FIRST_RSEQ)
        self._unacknowledged: set[int] = set()
        self._status = 0
        self._data = b""
        self._interval = 0.0
        self._end = 0.0
        self._timer: Timer | None = None
        self._waiting: tuple[int, Headers, bytes] | None = None
        """What is to be sent when the one that is out is acknowledged: only the newest, each says how things stand."""
        self.sdp = b""
        """Our answer to the offer of the INVITE, or our offer when that had none, once it has gone out."""
        self._sdp_in = 0
        self.final: tuple[Headers, bytes] | None = None
        """The 200 that waits until our SDP is acknowledged."""
        self.is_offered = False
        """The caller has offered anew and waits for the owner's answer: no 2xx may overtake that either."""

    @property
    def holds_back_200(self) -> bool:
        """Whether a response with our SDP is not acknowledged, or an offer not answered: no 2xx may overtake it."""
        return self._sdp_in in self._unacknowledged or self.is_offered

    @property
    def may_be_offered(self) -> bool:
        """Whether the caller may offer anew before the call is answered: the first offer, whosever, has its answer."""
        return bool(self.sdp) and not self.holds_back_200

    @property
    def is_settled(self) -> bool:
        """Whether all are acknowledged."""
        return not self._unacknowledged

    def brings_answer(self, rack: RAck) -> bool:
        """Whether a PRACK owes us the answer to our offer: it acknowledges the response that had it."""
        return self._received.asks_for_offer and rack.rseq == self._sdp_in

    def send(self, status: int, headers: Headers, body: bytes, now: float) -> None:
        """Send a 101 to 199, or keep it until the one before is acknowledged."""
        if self._timer is not None:
            if self._waiting is not None and not body:
                body = self._waiting[2]
            self._waiting = status, headers, body
            return
        self._rseq += 1
        if self.sdp:
            body = b""
        elif body:
            self.sdp = body
            self._sdp_in = self._rseq
        lines = (_REQUIRE, ("rseq", f"RSeq: {self._rseq}"))
        self._status, self._data = status, self._received.write(status, headers, body, now, lines)
        self._unacknowledged.add(self._rseq)
        timers = self._received.core.timers
        self._interval = timers.t1
        self._end = now + timers.timeout
        self._start(now)

    def take(self, rack: RAck) -> bool:
        """Take what a PRACK acknowledges; False when nothing of ours waits for it. `go_on` sends what waited for it."""
        if rack.method != "INVITE" or rack.cseq != self._received.cseq or rack.rseq not in self._unacknowledged:
            return False
        self._unacknowledged.discard(rack.rseq)
        self.stop()
        return True

    def go_on(self, now: float) -> None:
        """Send what has waited for the PRACK."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.send(*waiting, now)

    def stop(self) -> None:
        """Repeat nothing any more; a PRACK may still come."""
        self._received.core.queue.stop(self._timer)
        self._timer = None

    def timer_fired(self, _kind: int, now: float) -> None:
        """Send again, in twice the time each time, or see that no PRACK came for 64*T1."""
        self._timer = None
        if now >= self._end:
            self._received.reject(SERVER_TIMEOUT, None, (), now)
            self._received.owner.prack_missing()
            return
        core = self._received.core
        core.layer.traffic.retransmitted += 1
        self._received.incoming.transaction.respond(self._status, self._data, now)
        self._interval *= 2
        self._start(now)

    def _start(self, now: float) -> None:
        self._timer = self._received.core.queue.start(min(now + self._interval, self._end), self, 0)
