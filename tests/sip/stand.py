"""One user agent against messages written by hand."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any, TypeVar

from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow, Transport
from kobza.sip.invite import InviteDialog, InviteState
from kobza.sip.message import SipRequest, SipResponse, parse_message
from kobza.sip.responses import response_to
from kobza.sip.ua import InviteReceived, UaEvent, UserAgent
from tests.sip.network import ALICE, ANSWER, BOB, OFFER, word_of

US = ("192.0.2.1", 5060)
PEER = ("192.0.2.9", 5080)
UDP = Flow(Transport.UDP, US, PEER)
TCP = Flow(Transport.TCP, US, PEER, 7)
Headers = Sequence[tuple[str, str]]
Told = TypeVar("Told")

CONTACT = ("Contact", "<sip:peer@192.0.2.9:5080>")
SDP_TYPE = ("Content-Type", "application/sdp")


def state_of(dialog: InviteDialog) -> InviteState:
    """The state; asked anew each time, which a type checker does not expect of an attribute."""
    return dialog.state


class Stand:
    """A user agent, its clock, what it sent and told."""

    def __init__(self, flow: Flow = UDP, **options: Any) -> None:
        numbers = count(1)
        self.ua = UserAgent(new_token=lambda: f"t{next(numbers):06d}", **options)
        self.flow = flow
        self.now = 100.0
        self.raw: list[bytes] = []
        self.sent: list[SipRequest | SipResponse] = []
        self.flows: list[Flow] = []
        self.events: list[UaEvent] = []
        self._branches = count(1)

    # the peer

    def receive(self, message: SipRequest | SipResponse | bytes, flow: Flow | None = None) -> None:
        """Let a message arrive."""
        data = message if isinstance(message, bytes) else message.to_bytes()
        self.ua.receive(data, flow or self.flow, self.now)
        self.drain()

    def request(
        self,
        method: str,
        *,
        uri: str = "sip:us@192.0.2.1",
        to_tag: str | None = None,
        from_tag: str = "peer",
        call_id: str = "call",
        number: int = 1,
        branch: str | None = None,
        via: str = "SIP/2.0/UDP 192.0.2.9:5080",
        headers: Headers = (),
        body: bytes = b"",
    ) -> SipRequest:
        """A request of the peer."""
        branch = branch or f"z9hG4bKpeer{next(self._branches)}"
        to = "<sip:us@192.0.2.1>" + ("" if to_tag is None else f";tag={to_tag}")
        needed = [
            ("Via", f"{via};branch={branch};rport"),
            ("From", f"<sip:peer@192.0.2.9>;tag={from_tag}"),
            ("To", to),
            ("Call-ID", call_id),
            ("CSeq", f"{number} {method}"),
        ]
        return SipRequest.create(method, uri, [*needed, *headers], body)

    def invited(self, *, headers: Headers = (CONTACT, SDP_TYPE), body: bytes = OFFER, **options: Any) -> InviteDialog:
        """Let an INVITE arrive; returns the dialog."""
        self.receive(self.request("INVITE", headers=headers, body=body, **options))
        return self.told(InviteReceived)[-1].dialog

    def established(self, **options: Any) -> InviteDialog:
        """A call from the peer that was answered and acknowledged; our 200 had CSeq 1."""
        dialog = self.invited(**options)
        dialog.accept(ANSWER, now=self.now)
        self.drain()
        self.receive(self.within(dialog, "ACK", number=1))
        self.forget()
        return dialog

    def within(self, dialog: InviteDialog, method: str, *, number: int, **options: Any) -> SipRequest:
        """A request of the peer in a dialog."""
        values = {"to_tag": dialog.local_tag, "from_tag": dialog.remote_tag, "call_id": dialog.sip_call_id}
        return self.request(method, number=number, **(values | options))

    def answer(
        self,
        request: SipRequest,
        status: int,
        *,
        tag: str | None = "peer",
        headers: Headers = (CONTACT,),
        body: bytes = b"",
        flow: Flow | None = None,
    ) -> SipResponse:
        """Let the peer answer a request of ours."""
        if body:
            headers = [*headers, SDP_TYPE]
        response = response_to(request, status, to_tag=tag, headers=headers, body=body)
        self.receive(response, flow)
        return response

    # us

    def invite(self, **options: Any) -> InviteDialog:
        """Call the peer."""
        values: dict[str, Any] = {"body": OFFER, "flow": self.flow, "now": self.now} | options
        dialog = self.ua.invite(values.pop("target", "sip:peer@192.0.2.9:5080"), from_=ALICE, to=BOB, **values)
        self.drain()
        return dialog

    def called(self, **options: Any) -> InviteDialog:
        """A call to the peer that was answered."""
        dialog = self.invite(**options)
        self.answer(self.one("INVITE"), 200, body=ANSWER)
        self.forget()
        return dialog

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while (deadline := self.ua.next_deadline()) is not None and deadline <= until:
            self.now = max(deadline, self.now)
            self.ua.handle_timers(self.now)
            self.drain()
        self.now = until

    def drain(self) -> None:
        """Note what was sent and told."""
        for transmit in self.ua.take_transmits():
            self.raw.append(transmit.data)
            with suppress(MalformedMessage):  # the 400 to a broken request copies what is broken in it
                self.sent.append(parse_message(transmit.data))
            self.flows.append(transmit.flow)
        self.events += self.ua.take_events()

    def forget(self) -> None:
        """Look only at what comes from now on."""
        self.drain()
        self.sent.clear()
        self.flows.clear()
        self.events.clear()

    # looking

    @property
    def words(self) -> list[str]:
        """What was sent."""
        self.drain()
        return [word_of(message) for message in self.sent]

    @property
    def news(self) -> list[str]:
        """Names of the events."""
        self.drain()
        return [type(event).__name__ for event in self.events]

    def told(self, kind: type[Told]) -> list[Told]:
        """All events of a kind."""
        self.drain()
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, method: str) -> SipRequest:
        """The last request of ours with that method."""
        self.drain()
        return [m for m in self.sent if isinstance(m, SipRequest) and m.method == method][-1]

    def response(self) -> SipResponse:
        """The last response of ours."""
        self.drain()
        return [message for message in self.sent if isinstance(message, SipResponse)][-1]

    def finish(self) -> None:
        """Let all timers run out, and see that nothing is left."""
        self.wait(300)
        assert self.ua.counts.is_idle, self.ua.counts
