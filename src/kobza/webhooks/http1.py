"""One POST over HTTP/1.1, through aiohttp, on connections that are kept and opened by `kobza.webhooks.connecting`."""

import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Self

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from kobza.webhooks.connecting import Opener, peer_of
from kobza.webhooks.limits import Phase
from kobza.webhooks.progress import KEPT_RESPONSE, Failed, Progress

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

IDLE_SECONDS: Final = 30.0
"""How long an unused connection is kept for the next state."""

_progress: ContextVar[Progress] = ContextVar("progress")
"""The attempt for which aiohttp opens a connection and reads an answer; it does so in the task that asks for it."""


class Http1:
    """A pool of connections."""

    def __init__(self, opener: Opener, tls: ssl.SSLContext) -> None:
        self._connector = _Connector(opener, tls)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # Progress limits each phase
            skip_auto_headers=("User-Agent",),
            response_class=_Answer,
            auto_decompress=False,
            trust_env=False,
        )

    async def post(self, url: URL, headers: Mapping[str, str], body: bytes, progress: Progress) -> None:
        """Send a request and note its answer; raises Failed."""
        _progress.set(progress)
        try:
            async with self._session.post(
                url, data=_Body(body, progress), headers=headers, allow_redirects=False
            ) as answer:
                fields = answer.headers
                progress.answered(answer.status, fields.items(), _version(answer), fields.get("Retry-After"))
                await _read_beginning(answer, progress)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Failed(_words(error)) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await self._connector.close(abort_ssl=True)


class _Connector(aiohttp.BaseConnector):
    """aiohttp's pool over our connections."""

    def __init__(self, opener: Opener, tls: ssl.SSLContext) -> None:
        # The dispatcher limits what is under way, for each endpoint.
        super().__init__(limit=0, keepalive_timeout=IDLE_SECONDS)
        self._opener = opener
        self._tls = tls

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: "list[Trace]",  # noqa: ARG002 - as aiohttp calls it
        timeout: aiohttp.ClientTimeout,  # noqa: ARG002, ASYNC109 - as aiohttp calls it
    ) -> ResponseHandler:
        """Open a connection: the one method that aiohttp leaves to each kind of connector."""
        tls = self._tls if req.is_ssl() else None
        host, port = req.url.raw_host or "", req.url.port or 0
        _, protocol = await self._opener.open(self._factory, host, port, tls, _progress.get())
        return protocol


class _Body(aiohttp.BytesPayload):
    """A request's body that tells when it is sent."""

    def __init__(self, body: bytes, progress: Progress) -> None:
        super().__init__(body)
        self._progress = progress

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write all of it."""
        self._progress.enter(Phase.SEND)
        await super().write_with_length(writer, content_length)
        await writer.drain()
        self._progress.enter(Phase.ANSWER)


class _Answer(aiohttp.ClientResponse):
    """An answer that notes who gives it, also when its connection is in the pool again before anybody asks."""

    async def start(self, connection: "Connection") -> Self:
        """Read the head."""
        _progress.get().address = peer_of(connection.transport)
        await super().start(connection)
        return self


async def _read_beginning(answer: aiohttp.ClientResponse, progress: Progress) -> None:
    """Read the beginning of the body, and its end if that is near: only then the connection can be used again."""
    while chunk := await answer.content.read(KEPT_RESPONSE):
        if not progress.take(chunk):
            answer.close()
            return


def _version(answer: aiohttp.ClientResponse) -> str | None:
    version = answer.version
    return None if version is None else f"{version.major}.{version.minor}"


def _words(error: Exception) -> str:
    match error:
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return "the receiver closed the connection without an answer"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "the receiver's answer is not HTTP"
        case _:
            return f"the attempt failed: {error or type(error).__name__}"
