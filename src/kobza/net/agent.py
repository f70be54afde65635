"""What the network driver wants of a user agent: that of `kobza.sip.ua`, or a scripted one of a test."""

from typing import Protocol

from kobza.sip.flow import Flow, Transmit
from kobza.sip.layer import StreamFor
from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.ua_events import UaEvent


class Agent(Protocol):
    """Takes what arrives and says what is to be sent; see `UserAgent` for each."""

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take one datagram, or one message of a stream that could not be read."""

    def receive_message(self, message: SipRequest | SipResponse, flow: Flow, now: float) -> None:
        """Take a message of a stream."""

    def transport_failed(self, flow: Flow, now: float) -> None:
        """Take that a connection broke, or that nothing can be sent to a UDP peer."""

    def send_large_by(self, stream_for: StreamFor, limit: int) -> None:
        """Have requests of more than `limit` bytes sent the way that `stream_for` gives."""

    def handle_timers(self, now: float) -> None:
        """Do what is due."""

    def next_deadline(self) -> float | None:
        """When `handle_timers` wants to be called; None: not before something arrives."""

    def take_transmits(self) -> list[Transmit]:
        """What is to be sent, in order."""

    def take_events(self) -> list[UaEvent]:
        """What happened, in order."""
