"""Transactions in virtual time: one end under test, or two ends with a bad network between them."""

import random
from collections.abc import Iterator

from kobza.sip.flow import Flow, Transport
from kobza.sip.layer import Key, TransactionLayer, server_key
from kobza.sip.message import SipRequest, SipResponse, parse_message
from kobza.sip.responses import response_to
from kobza.sip.timers import TimerQueue, Timers
from kobza.sip.transaction import ClientTransaction, ServerTransaction
from kobza.sip.transaction_tables import Input, State

HERE = ("192.0.2.1", 5060)
THERE = ("192.0.2.2", 5070)
UDP = Flow(Transport.UDP, HERE, THERE)
TCP = Flow(Transport.TCP, HERE, THERE, 7)
BRANCH = "z9hG4bKone"


def request(
    method: str = "INVITE",
    *,
    branch: str | None = BRANCH,
    via: str = "192.0.2.1:5060",
    uri: str = "sip:bob@192.0.2.2:5070",
    to: str = "<sip:bob@example.net>",
    number: int = 1,
    call_id: str = "call-1",
    from_tag: str = "alice",
) -> SipRequest:
    """A request as the network brings it or a user makes it."""
    value = f"SIP/2.0/UDP {via}" + ("" if branch is None else f";branch={branch}")
    return SipRequest.create(
        method,
        uri,
        [
            ("Via", value),
            ("Max-Forwards", "70"),
            ("From", f"<sip:alice@example.net>;tag={from_tag}"),
            ("To", to),
            ("Call-ID", call_id),
            ("CSeq", f"{number} {method}"),
        ],
    )


def state_of(transaction: ClientTransaction | ServerTransaction) -> State:
    """The state; asked anew each time, which a type checker does not expect of an attribute."""
    return transaction.state


class Recorder:
    """A user of transactions that writes down what it is told, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []

    @property
    def words(self) -> list[str]:
        return [word for _, word in self.told]

    def response_received(self, transaction: ClientTransaction, response: SipResponse, now: float) -> None:
        self.told.append((now, str(response.status)))

    def ack_received(self, request: SipRequest, now: float) -> None:
        self.told.append((now, request.method))

    def transaction_failed(self, transaction: ClientTransaction | ServerTransaction, status: int, now: float) -> None:
        self.told.append((now, f"failed {status}"))


class Laboratory:
    """One transaction layer, its clock, what it sent and what its users were told."""

    def __init__(self, flow: Flow = UDP, timers: Timers | None = None) -> None:
        self.flow = flow
        self.now = 0.0
        self.queue = TimerQueue()
        self.layer = TransactionLayer(timers or Timers(), self.queue)
        self.user = Recorder()
        self.sent: list[tuple[float, str]] = []
        """When, and the start line without its version and phrase."""
        self.wire: list[bytes] = []
        self.asked: dict[ClientTransaction, SipRequest] = {}
        """What was sent: a transaction knows it only until it has a final response."""

    def client(self, method: str = "INVITE", branch: str = BRANCH) -> ClientTransaction:
        """Send a request."""
        asked = request(method, branch=branch)
        transaction = self.layer.start_client(asked, branch, self.flow, self.user, self.now)
        self.asked[transaction] = asked
        self.drain()
        return transaction

    def server(self, method: str = "INVITE") -> ServerTransaction:
        """Receive a request for the first time."""
        received = request(method)
        key = server_key(received, received.via, method)
        transaction = self.layer.start_server(received, key, self.flow, None, self.now)
        transaction.user = self.user
        self.drain()
        return transaction

    def answer(self, transaction: ClientTransaction, status: int, to_tag: str = "bob") -> SipResponse:
        """Let the peer answer; the response finds its transaction by itself, or is lost."""
        response = response_to(self.asked[transaction], status, to_tag=to_tag)
        found = self.layer.client_for(response)
        if found is not None:
            assert found is transaction
            found.receive(response, self.now)
            self.drain()
        return response

    def respond(self, transaction: ServerTransaction, status: int) -> bool:
        """Let the user answer."""
        done = transaction.respond(status, response_to(request(), status, to_tag="bob").to_bytes(), self.now)
        self.drain()
        return done

    def feed(self, transaction: ServerTransaction | ClientTransaction, what: Input) -> bool:
        """Feed an input; an ACK comes with its message."""
        done = transaction.feed(what, request("ACK") if what is Input.RECEIVE_ACK else request(), self.now)
        self.drain()
        return done

    def wait(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        until = self.now + seconds
        while (deadline := self.queue.next_deadline()) is not None and deadline <= until:
            assert deadline >= self.now
            self.now = deadline
            self.queue.fire_due(deadline)
            self.drain()
        self.now = until

    def drain(self) -> None:
        """Write down what was sent."""
        for transmit in self.layer.transmits:
            assert transmit.flow == self.flow
            first, second, _ = transmit.data.decode().split(" ", 2)
            self.sent.append((self.now, second if first == "SIP/2.0" else first))
            self.wire.append(transmit.data)
        self.layer.transmits.clear()

    def times(self, word: str) -> list[float]:
        """When a message was sent."""
        return [at for at, sent in self.sent if sent == word]

    @property
    def is_empty(self) -> bool:
        """Whether no transaction and no timer is left."""
        return not (self.layer.clients or self.layer.servers or self.layer.merged or len(self.queue))


class Peers:
    """A client's and a server's layer; the network between them loses, doubles and delays what it carries.

    The server's user answers each request `after` its arrival with `status`. `answers` counts requests that reached it.
    """

    def __init__(self, chance: random.Random, loss: float, status: int, flow: Flow = UDP, after: float = 0.3) -> None:
        self.chance, self.loss, self.status, self.after = chance, loss, status, after
        self.near, self.far = Laboratory(flow), Laboratory(flow)
        self.under_way: list[tuple[float, int, bool, bytes]] = []
        self.due: list[tuple[float, ServerTransaction, SipRequest]] = []
        self.requests = 0
        self.carried = 0
        self.now = 0.0

    def run(self, until: float) -> None:
        """Let everything happen."""
        while (at := min(self._moments(), default=until)) < until:
            self.now = at
            for end in (self.near, self.far):
                end.wait(max(0.0, at - end.now))
                end.now = at
            self._deliver(at)
            self._answer(at)
            self._carry()
        self.now = until

    def _moments(self) -> Iterator[float]:
        yield from (entry[0] for entry in self.under_way)
        yield from (entry[0] for entry in self.due)
        for end in (self.near, self.far):
            if (deadline := end.queue.next_deadline()) is not None:
                yield deadline

    def _carry(self) -> None:
        for end in (self.near, self.far):
            for data in end.wire:
                while True:
                    self.carried += 1
                    if self.chance.random() >= self.loss:
                        delay = self.chance.uniform(0.01, 0.6)
                        self.under_way.append((self.now + delay, self.carried, end is self.near, data))
                    if self.chance.random() >= 0.2:
                        break
            end.wire.clear()

    def _deliver(self, now: float) -> None:
        arrived = [entry for entry in self.under_way if entry[0] <= now]
        self.under_way = [entry for entry in self.under_way if entry[0] > now]
        for _, _, forward, data in sorted(arrived):
            message = parse_message(data)
            if forward:
                assert isinstance(message, SipRequest)
                self._received(message, now)
            else:
                assert isinstance(message, SipResponse)
                found = self.near.layer.client_for(message)
                if found is not None:
                    found.receive(message, now)
        self.near.drain()
        self.far.drain()

    def _received(self, message: SipRequest, now: float) -> None:
        method = "INVITE" if message.method == "ACK" else message.method
        key: Key = server_key(message, message.via, method)
        transaction = self.far.layer.servers.get(key)
        if message.method == "ACK":
            if transaction is not None:
                transaction.feed(Input.RECEIVE_ACK, message, now)
        elif transaction is not None:
            transaction.feed(Input.RECEIVE_REQUEST, message, now)
        else:
            transaction = self.far.layer.start_server(message, key, self.far.flow, None, now)
            transaction.user = self.far.user
            self.requests += 1
            self.due.append((now + self.after, transaction, message))

    def _answer(self, now: float) -> None:
        ready = [entry for entry in self.due if entry[0] <= now]
        self.due = [entry for entry in self.due if entry[0] > now]
        for _, transaction, message in ready:
            transaction.respond(self.status, response_to(message, self.status, to_tag="bob").to_bytes(), now)
        self.far.drain()
