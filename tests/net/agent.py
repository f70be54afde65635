"""A user agent by script: keeps what the endpoint tells it, and gives out what a test wants sent."""

from collections.abc import Callable
from typing import Any

from kobza.sip.flow import Flow, Transmit


class ScriptedAgent:
    """Has the methods of `UserAgent` that `SipEndpoint` calls."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Flow]] = []
        self.messages: list[tuple[Any, Flow]] = []
        self.failed: list[Flow] = []
        self.fired: list[float] = []
        self.transmits: list[Transmit] = []
        self.events: list[Any] = []
        self.deadline: float | None = None
        self.on_receive: Callable[[bytes, Flow], None] = lambda _data, _flow: None
        self.on_message: Callable[[Any, Flow], None] = lambda _message, _flow: None
        self.on_timers: Callable[[float], None] = lambda _now: None

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        self.received.append((data, flow))
        self.on_receive(data, flow)

    def receive_message(self, message: Any, flow: Flow, now: float) -> None:
        self.messages.append((message, flow))
        self.on_message(message, flow)

    def transport_failed(self, flow: Flow, now: float) -> None:
        self.failed.append(flow)

    def handle_timers(self, now: float) -> None:
        self.fired.append(now)
        self.deadline = None
        self.on_timers(now)

    def next_deadline(self) -> float | None:
        return self.deadline

    def take_transmits(self) -> list[Transmit]:
        taken, self.transmits = self.transmits, []
        return taken

    def take_events(self) -> list[Any]:
        taken, self.events = self.events, []
        return taken

    def send(self, flow: Flow, data: bytes) -> None:
        self.transmits.append(Transmit(flow, data))
