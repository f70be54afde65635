"""One POST of a call state, and what came of it in words that an administrator understands."""

import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, Self

import aiohttp

from kobza.call.directory import Endpoint
from kobza.webhooks.address import AddressRefused, Network, Resolver, SocketFactory
from kobza.webhooks.endpoint import callstate_url
from kobza.webhooks.exchange import Exchange, Headers, kept_headers, masked, sent_headers
from kobza.webhooks.schedule import parse_retry_after
from kobza.webhooks.signing import signature_headers

if TYPE_CHECKING:
    from aiohttp.connector import Connection

CONNECT_SECONDS: Final = 5.0
"""Longest time for one address to take the connection, TLS included."""
ANSWER_SECONDS: Final = 10.0
"""Longest silence of a receiver that has the request."""
KEPT_RESPONSE: Final = 4096
"""Bytes of the answer that are kept for the administrator; the rest is not read."""
IDLE_SECONDS: Final = 30.0
"""How long an unused connection is kept for the next state."""

HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "Kobza"}
GONE: Final = 410
BUSY: Final = frozenset({408, 425, 429})
"""Statuses of a receiver that cannot take anything now."""
TARGET_HEADER: Final = "X-Kobza-Target"
"""Where a request is meant to go, when it goes by way of `via`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. `started_at` is in seconds since the Unix epoch."""

    started_at: float
    duration_ms: int
    url: str
    address: str | None = None
    """The address that was connected to, if it came to that."""
    status_code: int | None = None
    error: str | None = None
    """Why it is a failure, in words; None when the state was taken."""
    response: str | None = None
    """The beginning of the answer's body."""
    retry_after: float | None = None
    """The seconds that the receiver asks to wait."""
    exchange: Exchange | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver has taken the state (any 2xx)."""
        return self.error is None

    @property
    def dead(self) -> bool:
        """Whether the failure says that the receiver does not work, not that it minds this one state."""
        return not self.taken and (self.status_code is None or self.status_code >= 500 or self.status_code in BUSY)

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more states, ever."""
        return self.status_code == GONE


class Client:
    """The HTTP client of all endpoints: one pool of connections and one TLS context (making one costs 16 ms)."""

    def __init__(
        self,
        *,
        allowed: Sequence[Network],
        total_seconds: float,
        now: Callable[[], float],
        tls: ssl.SSLContext | None = None,
        via: str | None = None,
        signed_at: Callable[[], float] | None = None,
    ) -> None:
        """`via` is a URL that takes every request in the receiver's place and knows it by `TARGET_HEADER`: a sandbox's.

        `signed_at` tells the moment that a signature names, `now` unless it is given: receivers compare it with theirs.
        """
        self._now = now
        self._via = via
        self._signed_at = signed_at or now
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=Resolver(),
                socket_factory=SocketFactory(allowed),
                ssl=tls or ssl.create_default_context(),
                limit=0,  # the dispatcher limits what is under way, for each endpoint
                keepalive_timeout=IDLE_SECONDS,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=total_seconds, sock_connect=CONNECT_SECONDS, sock_read=ANSWER_SECONDS, ceil_threshold=3600
            ),
            skip_auto_headers=("User-Agent",),
            response_class=_Answer,
            trace_configs=[_connect_trace()],
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def post(
        self, endpoint: Endpoint, event_id: str, body: bytes, more: Mapping[str, str] | None = None
    ) -> Outcome:
        """Send a state once, with `more` headers. Every failure is an outcome; nothing is raised."""
        started_at, started = self._now(), time.monotonic()
        url = str(callstate_url(endpoint.url))
        headers = {**HEADERS, "Authorization": f"Bearer {endpoint.token}", **(more or {})}
        address = status = response = retry_after = None
        phases = Phases(started)
        http: str | None = None
        answered: Headers = []
        try:
            if endpoint.secret is not None:
                headers |= signature_headers(endpoint.secret, event_id, body, self._signed_at())
            if self._via is not None:
                headers[TARGET_HEADER] = url
            async with self._session.post(
                self._via or callstate_url(endpoint.url),
                data=body,
                headers=headers,
                allow_redirects=False,
                trace_request_ctx=phases,
            ) as answer:
                phases.first_byte_ms = phases.passed()
                http = _version(answer)
                answered = kept_headers(answer.headers.items())
                status = answer.status
                address = answer.peer if isinstance(answer, _Answer) else None
                retry_after = parse_retry_after(answer.headers.get("Retry-After"), self._now())
                response = masked(await _beginning(answer), endpoint.token)
            error = _status_error(status)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as caught:
            # The status decides: an answer whose body breaks off has been given all the same.
            error = _words(caught) if status is None else _status_error(status)
        return Outcome(
            started_at=started_at,
            duration_ms=round((time.monotonic() - started) * 1000),
            url=url,
            address=address,
            status_code=status,
            error=error,
            response=response,
            retry_after=retry_after,
            exchange=Exchange(sent_headers(headers), answered, http, phases.connect_ms, phases.first_byte_ms),
        )


class Phases:
    """How long what took in one attempt, in milliseconds."""

    __slots__ = ("_started", "connect_ms", "first_byte_ms")

    def __init__(self, started: float) -> None:
        self._started = started
        self.connect_ms: int | None = None
        self.first_byte_ms: int | None = None

    def passed(self) -> int:
        """Return the time since the beginning."""
        return round((time.monotonic() - self._started) * 1000)


def _connect_trace() -> aiohttp.TraceConfig:
    """Return what notes when a new connection is there; of one that was kept nothing is told."""

    async def connected(_session: object, context: SimpleNamespace, _what: object) -> None:
        phases = context.trace_request_ctx
        phases.connect_ms = phases.passed()

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(connected)
    return trace


def _version(answer: aiohttp.ClientResponse) -> str | None:
    version = answer.version
    return None if version is None else f"{version.major}.{version.minor}"


def _status_error(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"the receiver redirects (HTTP {status}), and a call state is never sent elsewhere"
    if status == GONE:
        return "the receiver wants no more call states (HTTP 410)"
    return f"the receiver answered HTTP {status}"


class _Answer(aiohttp.ClientResponse):
    """An answer that knows who gave it, also when its connection is in the pool again before anybody asks."""

    peer: str | None = None

    async def start(self, connection: "Connection") -> Self:
        """Read the head."""
        peer = None if connection.transport is None else connection.transport.get_extra_info("peername")
        self.peer = str(peer[0]) if peer else None
        await super().start(connection)
        return self


async def _beginning(answer: aiohttp.ClientResponse) -> str:
    """Read the beginning of the body, and its end if that is near: only then the connection can be used again."""
    kept = bytearray()
    while len(kept) < KEPT_RESPONSE:
        chunk = await answer.content.read(KEPT_RESPONSE - len(kept))
        if not chunk:
            break
        kept += chunk
    else:
        answer.close()
    return kept.decode("utf-8", "replace").replace("\0", "\ufffd")


def _words(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"the receiver's certificate is not good: {_reason(error.certificate_error)}"
        case aiohttp.ClientConnectorDNSError():
            return "the receiver's name has no address"
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return f"TLS failed: {_reason(error)}"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, AddressRefused):
            return str(error.os_error)
        case aiohttp.ClientConnectorError():
            return f"no connection: {error.os_error.strerror or error.os_error}"
        case aiohttp.ConnectionTimeoutError():
            return f"no connection within {CONNECT_SECONDS:g} s"
        case aiohttp.SocketTimeoutError():
            return f"no answer within {ANSWER_SECONDS:g} s"
        case TimeoutError():
            return "the attempt took too long"
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return "the receiver closed the connection without an answer"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "the receiver's answer is not HTTP"
        case socket.gaierror():
            return "the receiver's name has no address"
        case _:
            return f"the attempt failed: {_reason(error)}"


def _reason(error: BaseException) -> str:
    inner = getattr(error, "verify_message", None) or getattr(error, "reason", None) or str(error)
    return str(inner) or type(error).__name__
