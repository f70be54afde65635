"""What a user agent has sent and received, in numbers. All only grow; labels are bounded whatever peers write."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

METHODS: Final = frozenset(
    {
        "ACK",
        "BYE",
        "CANCEL",
        "INFO",
        "INVITE",
        "MESSAGE",
        "NOTIFY",
        "OPTIONS",
        "PRACK",
        "PUBLISH",
        "REFER",
        "REGISTER",
        "SUBSCRIBE",
        "UPDATE",
    }
)
"""The registered methods. Any other is counted as OTHER: peers may make up as many as they like."""
OTHER = "other"

Response = tuple[str, int]
"""The method of the request and the status."""


class SipTraffic:
    """The counters of one user agent.

    What is sent again, and a request that comes again, is counted as a retransmission only; a response that comes again
    is counted each time.
    """

    __slots__ = (
        "repeated",
        "requests_received",
        "requests_sent",
        "responses_received",
        "responses_sent",
        "retransmitted",
        "timeouts",
    )

    def __init__(self) -> None:
        self.requests_received: defaultdict[str, int] = defaultdict(int)
        self.requests_sent: defaultdict[str, int] = defaultdict(int)
        self.responses_received: defaultdict[Response, int] = defaultdict(int)
        self.responses_sent: defaultdict[Response, int] = defaultdict(int)
        self.retransmitted = 0
        """Messages of ours that were sent again because nothing came back in time."""
        self.repeated = 0
        """Requests and 2xx to INVITE that a peer sent again."""
        self.timeouts = 0
        """Transactions that ended because nothing came back at all (timers B, F and H)."""


def method_label(method: str) -> str:
    """Return a method as it is counted."""
    return method if method in METHODS else OTHER
