"""The transaction layer: which one a message belongs to, and how many there may be (RFC 3261 17.1.3, 17.2.3)."""

from __future__ import annotations

from collections.abc import Callable

from kobza.sip.flow import Flow, Transmit
from kobza.sip.headers import Via
from kobza.sip.message import MAX_MESSAGE_BYTES, SipRequest, SipResponse
from kobza.sip.timers import TimerQueue, Timers
from kobza.sip.traffic import SipTraffic
from kobza.sip.transaction import ClientTransaction, ClientUser, ServerTransaction, Transaction
from kobza.sip.transaction_tables import Input

BRANCH_COOKIE = "z9hG4bK"
"""Begins the branch of every RFC 3261 element (8.1.1.7)."""
MAX_SERVER_TRANSACTIONS = 50_000
"""Live server transactions before new requests are refused with 503. One lives 32 s after its answer and holds about
2 kB, so this is 100 MB, or 1,500 requests a second: more than one process can answer."""
DIALOG_RESERVE = 10_000
"""Above that bound, for requests of dialogs (BYE first of all) and CANCEL: running calls must be able to end."""
MAX_CLIENT_TRANSACTIONS = 50_000
"""Live client transactions before new requests outside dialogs fail with 503 at once."""
RETRY_AFTER = 5
"""Seconds told to who is refused at the bound."""

Key = tuple[object, ...]

StreamFor = Callable[[Flow], Flow | None]
"""Gives the way over a connection to the peer of a flow of datagrams; None when there is none."""


class TransactionLayer:
    """Tables of the live transactions, their timers, and what they want sent."""

    __slots__ = (
        "clients",
        "datagram_limit",
        "merged",
        "queue",
        "servers",
        "stream_for",
        "timers",
        "traffic",
        "transmits",
    )

    def __init__(self, timers: Timers, queue: TimerQueue) -> None:
        self.timers = timers
        self.queue = queue
        self.clients: dict[Key, ClientTransaction] = {}
        self.servers: dict[Key, ServerTransaction] = {}
        self.merged: dict[Key, ServerTransaction] = {}
        """Server transactions outside dialogs by what a merged request has in common with the first (8.2.2.2)."""
        self.transmits: list[Transmit] = []
        """To be taken after each input; one input adds a handful."""
        self.traffic = SipTraffic()
        self.datagram_limit = MAX_MESSAGE_BYTES
        """Bytes of the longest request that is sent as a datagram, where there is another way."""
        self.stream_for: StreamFor = _no_stream

    def transmit(self, flow: Flow, data: bytes) -> None:
        """Have a message sent."""
        self.transmits.append(Transmit(flow, data))

    def start_client(
        self, request: SipRequest, branch: str, flow: Flow, user: ClientUser, now: float
    ) -> ClientTransaction:
        """Send a request that has its Via with `branch`."""
        transaction = ClientTransaction(self, (branch, request.method), flow, request, user)
        self.clients[transaction.key] = transaction
        self.traffic.requests_sent[request.method] += 1
        transaction.start(now)
        return transaction

    def client_for(self, response: SipResponse) -> ClientTransaction | None:
        """Find whose response this is (17.1.3); None for a stray one, and for one that did not come straight to us."""
        transaction = self.clients.get((response.branch, response.cseq.method))
        if transaction is None:
            return None
        via = response.sent_by
        host, port = transaction.sent_by
        if via.port != port or via.host != host:
            return None
        lines = response.get_all("via")
        return transaction if len(lines) == 1 and "," not in lines[0] else None

    def start_server(
        self,
        request: SipRequest,
        key: Key,
        flow: Flow,
        merge_key: Key | None,
        now: float,
        fallback: Flow | None = None,
    ) -> ServerTransaction:
        """Take a request that has no transaction yet; `flow` is where its responses go, `fallback` where they go when
        that connection is gone. An INVITE is answered 100, unless its user answers within 200 ms."""
        transaction = ServerTransaction(self, key, flow, request.method, merge_key, fallback)
        self.servers[key] = transaction
        if merge_key is not None:
            self.merged[merge_key] = transaction
        transaction.feed(Input.START, request, now)
        return transaction

    def has_room_for(self, request: SipRequest, in_dialog: bool) -> bool:
        """Whether a new server transaction is within the bound."""
        bound = MAX_SERVER_TRANSACTIONS
        if in_dialog or request.method == "CANCEL":
            bound += DIALOG_RESERVE
        return len(self.servers) < bound

    @property
    def has_room_for_client(self) -> bool:
        """Whether a new request outside a dialog is within the bound."""
        return len(self.clients) < MAX_CLIENT_TRANSACTIONS

    def transport_failed(self, flow: Flow, now: float) -> None:
        """Tell every transaction of a flow. Later responses on a broken connection go over a new one (18.2.2).

        Looks at all transactions: flows break seldom, and an index would cost at every message.
        """
        for client in [one for one in self.clients.values() if one.flow == flow]:
            if not client.fall_back(now):
                client.feed(Input.TRANSPORT_ERROR, None, now)
        for server in [one for one in self.servers.values() if one.flow == flow]:
            server.feed(Input.TRANSPORT_ERROR, None, now)
            if flow.connection:
                server.flow = server.fallback

    def forget(self, transaction: Transaction) -> None:
        """Drop a transaction that ended."""
        if isinstance(transaction, ServerTransaction):
            self.servers.pop(transaction.key, None)
            if transaction.merge_key is not None and self.merged.get(transaction.merge_key) is transaction:
                del self.merged[transaction.merge_key]
        else:
            self.clients.pop(transaction.key, None)


def _no_stream(_flow: Flow) -> None:
    """Leave every request to datagrams."""


def server_key(request: SipRequest, via: Via, method: str) -> Key:
    """Key of a request's server transaction; `method` is INVITE for an ACK and for what a CANCEL cancels (17.2.3).

    A branch without the cookie comes from an RFC 2543 element and says nothing: then Request-URI, From tag, Call-ID,
    CSeq number and the whole Via count. The To tag, which 17.2.3 compares too, does not: an ACK has one that the
    INVITE had not, and the others suffice to tell transactions apart.
    """
    branch = via.branch
    if branch is not None and branch.startswith(BRANCH_COOKIE):
        return (branch, via.host.lower(), via.port, method)
    return (request.uri_text, request.from_.tag, request.call_id, request.cseq.number, str(via), method)
