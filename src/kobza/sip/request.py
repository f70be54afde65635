"""Requests outside INVITE, both ways: ours with digest, and those received with what their response copies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kobza.sip.dialog import Dialog, RawLine, via_line
from kobza.sip.digest import authorize
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow
from kobza.sip.headers import parse_auth
from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.responses import reason_phrase
from kobza.sip.traffic import method_label
from kobza.sip.transaction import ClientTransaction, ServerTransaction
from kobza.sip.ua_core import UaCore
from kobza.sip.ua_events import RequestFailed, ResponseReceived

if TYPE_CHECKING:
    from kobza.sip.invite import InviteDialog

_CHALLENGES = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
_COPIED: Final = frozenset({"via", "from", "call-id", "cseq", "to"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """Name and password for digest."""

    username: str
    password: str = field(repr=False)


class Authorizer:
    """Answers the challenges to one request: each kind (401, 407) once, and once more when its nonce was stale."""

    __slots__ = ("_credentials", "_new_token", "_tries", "headers")

    def __init__(self, credentials: Credentials, new_token: Callable[[], str]) -> None:
        self._credentials = credentials
        self._new_token = new_token
        self._tries: dict[int, int] = {}
        self.headers: dict[str, str] = {}
        """Authorization, Proxy-Authorization: for the next try, and for the ACK to its 2xx (RFC 3261 22.1)."""

    def answers(self, response: SipResponse, request: SipRequest) -> bool:
        """Take a response; True when it was a challenge and `headers` now answer it."""
        names = _CHALLENGES.get(response.status)
        if names is None:
            return False
        tries = self._tries.get(response.status, 0)
        challenges = response.get_all(names[0])
        if tries > 1 or (tries == 1 and not _is_stale(challenges)):
            return False
        self._tries[response.status] = tries + 1
        try:
            self.headers[names[1]] = authorize(
                challenges,
                method=request.method,
                uri=request.uri_text,
                username=self._credentials.username,
                password=self._credentials.password,
                cnonce=self._new_token(),
                body=request.body,
            )
        except MalformedMessage:
            return False
        return True


def _is_stale(challenges: Sequence[str]) -> bool:
    try:
        return any(parse_auth(text).params.get("stale", "").lower() == "true" for text in challenges)
    except MalformedMessage:
        return False


def again(request: SipRequest, cseq: int, branch: str, flow: Flow, headers: dict[str, str]) -> SipRequest:
    """Copy a request of ours for a new transaction: it is new but for From, To and Call-ID (RFC 3261 8.1.3.5)."""
    copy = request.copy()
    name, _, value = via_line(flow, branch).partition(": ")
    copy.set(name, value)
    copy.set("CSeq", f"{cseq} {request.method}")
    for header, text in headers.items():
        copy.set(header, text)
    return copy


class ClientRequest:
    """A request of ours, from the first try to its final response; the same object for its repetition with digest.

    `counter` is the dialog whose CSeq numbers it takes, None outside dialogs.
    """

    __slots__ = ("_authorizer", "_branch", "_counter", "core", "dialog", "flow", "request", "tag", "transaction")

    def __init__(
        self,
        core: UaCore,
        request: SipRequest,
        branch: str,
        flow: Flow,
        credentials: Credentials | None,
        dialog: InviteDialog | None = None,
        counter: Dialog | None = None,
    ) -> None:
        self.core = core
        self.request = request
        """What was sent last."""
        self.flow = flow
        self.dialog = dialog
        self.tag: object | None = None
        """Free for the owner's use."""
        self.transaction: ClientTransaction | None = None
        """That of the last try, as long as its outcome is awaited."""
        self._branch = branch
        self._counter = counter
        self._authorizer = None if credentials is None else Authorizer(credentials, core.new_token)

    @property
    def method(self) -> str:
        """Method."""
        return self.request.method

    def send(self, now: float) -> None:
        """Send it."""
        self.transaction = self.core.send(self.request, self._branch, self.flow, self, now)

    def response_received(self, _transaction: ClientTransaction, response: SipResponse, now: float) -> None:
        """Take a response (called by the transaction)."""
        if response.status < 200:
            return
        if self._authorizer is not None and self._authorizer.answers(response, self.request):
            self._branch = self.core.new_branch()
            cseq = self.request.cseq.number + 1 if self._counter is None else self._counter.next_cseq()
            self.request = again(self.request, cseq, self._branch, self.flow, self._authorizer.headers)
            self.send(now)
            return
        self.transaction = None
        self.answered(response, now)

    def transaction_failed(self, _transaction: ClientTransaction, status: int, now: float) -> None:
        """Take a failure (called by the transaction)."""
        self.transaction = None
        self.failed(status, now)

    def answered(self, response: SipResponse, _now: float) -> None:
        """Pass on the final response."""
        self.core.events.append(ResponseReceived(self, response))

    def failed(self, status: int, _now: float) -> None:
        """Pass on that there will be none."""
        self.core.events.append(RequestFailed(self, status))


class IncomingRequest:
    """A request received, with its transaction. `dialog` is the one it belongs to, None outside dialogs."""

    __slots__ = ("_copied", "core", "dialog", "flow", "request", "tag", "to_tag", "transaction")

    def __init__(
        self,
        core: UaCore,
        request: SipRequest,
        flow: Flow,
        transaction: ServerTransaction,
        dialog: InviteDialog | None = None,
    ) -> None:
        self.core = core
        self.request = request
        self.flow = flow
        """Where it came from."""
        self.dialog = dialog
        self.tag: object | None = None
        """Free for the owner's use."""
        self.transaction = transaction
        self.to_tag = ""
        """Our tag, given with the first response that has one."""
        self._copied: tuple[list[str], list[str]] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still waits for its final response."""
        return self.transaction.is_open

    def respond(
        self,
        status: int,
        reason: str | None = None,
        *,
        lines: Iterable[RawLine] = (),
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        now: float,
    ) -> bytes:
        """Answer (RFC 3261 8.2.6); returns the response. Nothing is sent when the state allows none any more."""
        keys, text = self._copied or self._copy()
        response = SipResponse(status, reason_phrase(status) if reason is None else reason, keys[:], text[:], body)
        response.extend(lines)
        response.extend((self.core.server_line,))
        for name, value in headers:
            response.add(name, value)
        data = response.to_bytes()
        if self.transaction.respond(status, data, now):
            self.core.layer.traffic.responses_sent[method_label(self.request.method), status] += 1
        return data

    def _copy(self) -> tuple[list[str], list[str]]:
        """What every response has of the request, To with a tag (8.2.6.2)."""
        request = self.request
        keys, lines = [], []
        tagged = request.to.tag is not None
        for key, line in request.lines_of(_COPIED):
            keys.append(key)
            if key == "to" and not tagged:
                self.to_tag = self.to_tag or self.core.new_token()
                line = f"{line};tag={self.to_tag}"
            lines.append(line)
        self._copied = keys, lines
        return self._copied
