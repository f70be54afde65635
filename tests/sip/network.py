"""User agents in virtual time with a network between them that may lose, repeat, delay and reorder."""

import heapq
import random
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple, TypeVar

from kobza.sip.flow import Address, Flow, Transport
from kobza.sip.headers import NameAddr
from kobza.sip.invite import InviteDialog
from kobza.sip.message import SipRequest, SipResponse, parse_message
from kobza.sip.ua import InviteReceived, UaEvent, UserAgent

OFFER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"
ANSWER = b"v=0\r\no=- 9 1 IN IP4 192.0.2.2\r\n"
START = 1_000_000.0
Told = TypeVar("Told")


class Wire(NamedTuple):
    """A message that was sent, and when (seconds after the start)."""

    at: float
    sender: str
    flow: Flow
    data: bytes

    @property
    def word(self) -> str:
        """Method of a request, status and CSeq method of a response."""
        return word_of(self.message)

    @property
    def message(self) -> SipRequest | SipResponse:
        return parse_message(self.data)


def word_of(message: SipRequest | SipResponse) -> str:
    if isinstance(message, SipRequest):
        return message.method
    return f"{message.status} {message.cseq.method}"


class End:
    """One user agent: its events, and what it does at them."""

    def __init__(self, network: "Network", name: str, address: Address, **options: Any) -> None:
        self.network = network
        self.name = name
        self.address = address
        numbers = count(1)
        self.ua = UserAgent(new_token=lambda: f"{name}{next(numbers):06d}", **options)
        self.events: list[UaEvent] = []
        self.reactions: dict[type, Callable[[Any], None]] = {}

    @property
    def now(self) -> float:
        return self.network.now

    @property
    def words(self) -> list[str]:
        """Names of the events."""
        return [type(event).__name__ for event in self.events]

    def told(self, kind: type[Told]) -> list[Told]:
        """All events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]


class Network:
    """Carries what its ends send. Without chance (`loss` and the others 0) it is in order and takes no time."""

    def __init__(
        self,
        *,
        transport: Transport = Transport.UDP,
        seed: int = 0,
        loss: float = 0.0,
        duplication: float = 0.0,
        delay: float = 0.0,
        caller: dict[str, Any] | None = None,
        called: dict[str, Any] | None = None,
    ) -> None:
        self.now = START
        self.transport = transport
        self.random = random.Random(seed)
        self.loss = loss
        self.duplication = duplication
        self.delay = delay
        self.drop: Callable[[Wire], bool] = lambda _wire: False
        """What is lost for certain."""
        self.wire: list[Wire] = []
        self._order = count()
        self._flying: list[tuple[float, int, Wire]] = []
        self.caller = End(self, "a", ("192.0.2.1", 5060), **(caller or {}))
        self.called = End(self, "b", ("192.0.2.2", 5070), **(called or {}))
        self.ends = {end.address: end for end in (self.caller, self.called)}
        self.out = Flow(transport, self.caller.address, self.called.address, 1 if transport.reliable else 0)
        self.back = Flow(transport, self.called.address, self.caller.address, self.out.connection)

    # acting

    def invite(self, **options: Any) -> InviteDialog:
        """The caller calls the called."""
        values: dict[str, Any] = {"body": OFFER, "flow": self.out, "now": self.now} | options
        dialog = self.caller.ua.invite("sip:bob@192.0.2.2:5070", from_=ALICE, to=BOB, **values)
        self.settle()
        return dialog

    def ring(self, **options: Any) -> tuple[InviteDialog, InviteDialog]:
        """Call, and let it ring. Returns both sides' dialogs."""
        mine = self.invite(**options)
        theirs = self.arrived()
        theirs.provisional(180, now=self.now)
        self.settle()
        return mine, theirs

    def talk(self, **options: Any) -> tuple[InviteDialog, InviteDialog]:
        """Call, and have it answered."""
        mine, theirs = self.ring(**options)
        theirs.accept(ANSWER, now=self.now)
        self.settle()
        return mine, theirs

    def arrived(self) -> InviteDialog:
        """The called's dialog of the last call."""
        return [event.dialog for event in self.called.events if isinstance(event, InviteReceived)][-1]

    # time

    def settle(self) -> None:
        """Carry everything that arrives now."""
        self._collect()
        while self._flying and self._flying[0][0] <= self.now:
            self._deliver(heapq.heappop(self._flying)[2])
            self._collect()

    def wait(self, seconds: float) -> None:
        """Let time pass, from one thing that happens to the next."""
        until = self.now + seconds
        self.settle()
        while (due := min(self._dues(), default=until + 1)) <= until:
            self.now = max(self.now, due)
            for end in self.ends.values():
                end.ua.handle_timers(self.now)
            self.settle()
        self.now = until

    def finish(self) -> None:
        """Let all timers run out, and see that nothing is left."""
        self.wait(300)
        for end in self.ends.values():
            assert end.ua.counts.is_idle, (end.name, end.ua.counts)
            assert end.ua.next_deadline() is None

    # looking

    @property
    def ladder(self) -> list[str]:
        """What was sent, as "a INVITE", "b 180 INVITE"."""
        return [f"{wire.sender} {wire.word}" for wire in self.wire]

    def sent(self, sender: str, word: str) -> list[Wire]:
        """All messages of a kind that one end sent."""
        return [wire for wire in self.wire if wire.sender == sender and wire.word == word]

    def times(self, sender: str, word: str) -> list[float]:
        """When they were sent, in seconds after the first."""
        found = self.sent(sender, word)
        return [round(wire.at - found[0].at, 3) for wire in found]

    def words(self) -> tuple[list[str], list[str]]:
        """Names of the events of caller and called."""
        return self.caller.words, self.called.words

    # inside

    def _dues(self) -> Iterator[float]:
        if self._flying:
            yield self._flying[0][0]
        for end in self.ends.values():
            deadline = end.ua.next_deadline()
            if deadline is not None:
                yield deadline

    def _collect(self) -> None:
        """Take what the ends want sent and told, until they want no more."""
        moved = True
        while moved:
            moved = False
            for end in self.ends.values():
                for transmit in end.ua.take_transmits():
                    moved = True
                    self._send(Wire(self.now - START, end.name, transmit.flow, transmit.data))
                for event in end.ua.take_events():
                    moved = True
                    end.events.append(event)
                    reaction = end.reactions.get(type(event))
                    if reaction is not None:
                        reaction(event)

    def _send(self, wire: Wire) -> None:
        self.wire.append(wire)
        if self.drop(wire):
            return
        for _ in range(1 + (self.random.random() < self.duplication)):
            if self.random.random() >= self.loss:
                at = self.now + self.delay * self.random.random()
                heapq.heappush(self._flying, (at, next(self._order), wire))

    def _deliver(self, wire: Wire) -> None:
        end = self.ends.get(wire.flow.remote)
        if end is not None:
            flow = wire.flow
            end.ua.receive(wire.data, Flow(flow.transport, flow.remote, flow.local, flow.connection), self.now)


ALICE = NameAddr.parse('"Аліса" <sip:alice@192.0.2.2>')
BOB = NameAddr.parse("<sip:bob@192.0.2.2>")
