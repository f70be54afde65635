"""Carrying out of operations with httpx, blocking and on asyncio: the only place of the client that does I/O."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from functools import partial
from importlib.metadata import version
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from kobza.client.account import Account
from kobza.client.effects import Answer, Emit, Head, Open, Operation, Pause, Read, Request, Send, Work
from kobza.client.errors import AnswerNotUnderstood, ClientError, ConnectionLost, Unreachable

T = TypeVar("T")

CONNECT_SECONDS: Final = 10.0
KEPT_OPEN: Final = 2.0
"""Seconds for which an unused connection is kept: less than servers keep it (uvicorn: 5), so that no command goes into
one that is just being closed."""
_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
_TOKEN: Final = "kobza.token_in_query"  # noqa: S105 - the name of an extension


class _Transport(httpx.HTTPTransport):
    """Adds the token to the query below everything that logs or shows a request."""

    def __init__(self, token: str, **options: Any) -> None:
        super().__init__(**options)
        self._token = token

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        return super().handle_request(_with_token(request, self._token))


class _AsyncTransport(httpx.AsyncHTTPTransport):
    """Adds the token to the query below everything that logs or shows a request."""

    def __init__(self, token: str, **options: Any) -> None:
        super().__init__(**options)
        self._token = token

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        return await super().handle_async_request(_with_token(request, self._token))


def _with_token(request: httpx.Request, token: str) -> httpx.Request:
    if not request.extensions.get(_TOKEN):
        return request
    url = request.url.copy_add_param("token", token)
    return httpx.Request(
        request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
    )


def _proxy(base_url: str) -> str | None:
    """Return the proxy that the environment names for a server (HTTPS_PROXY and so on), None for a direct way.

    Raises ValueError for one that cannot be used.
    """
    parts = urlsplit(base_url)
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if found is None or proxy_bypass(parts.hostname or ""):
        return None
    if urlsplit(found).scheme not in ("http", "https"):  # SOCKS would need a package that is not among ours
        raise ValueError("the proxy that the environment names must be http or https; NO_PROXY passes it by")
    return found


def _client_options(timeout: float) -> dict[str, Any]:
    return {
        "timeout": httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
        "headers": {"user-agent": f"kobza-client/{version('kobza')}"},
        "follow_redirects": False,  # the token must not go elsewhere
    }


def _transport_options(base_url: str, tls: ssl.SSLContext | None) -> dict[str, Any]:
    try:
        httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ValueError(f"the base URL must be like https://pbx.example.com: {error}") from None
    if tls is None and base_url.startswith("http:"):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used, and 20 ms cheaper than one with all roots
    return {
        "verify": True if tls is None else tls,
        "proxy": _proxy(base_url),
        "limits": httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=KEPT_OPEN),
    }


def _build(client: httpx.Client | httpx.AsyncClient, account: Account, request: Request) -> httpx.Request:
    headers = dict(request.headers)
    if not request.token_in_query:
        headers["authorization"] = f"Bearer {account.token}"
    return client.build_request(
        request.method,
        account.base_url + request.path,
        params=list(request.query),
        headers=headers,
        content=request.body,
        timeout=_timeout(client.timeout, request.silence),
        extensions={_TOKEN: True} if request.token_in_query else None,
    )


def _timeout(usual: httpx.Timeout, silence: float) -> httpx.Timeout:
    if usual.read is None or silence <= usual.read:
        return usual
    return httpx.Timeout(connect=usual.connect, read=silence, write=usual.write, pool=usual.pool)


def _failure(error: httpx.HTTPError | httpx.StreamError, account: Account) -> ClientError:
    """Say what went wrong without the URL, whose query may hold something secret."""
    words = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        words = "no answer in time" if not isinstance(error, _NOT_SENT) else "no connection in time"
    if isinstance(error, _NOT_SENT):
        return Unreachable(f"cannot reach {account.base_url}: {words}")
    if isinstance(error, httpx.DecodingError):
        return AnswerNotUnderstood(f"{account.base_url} sent a body that cannot be decoded")
    return ConnectionLost(f"the connection to {account.base_url} was lost: {words}")


class SyncDriver:
    """Carries operations out and blocks. May be used by several threads."""

    def __init__(self, account: Account, *, timeout: float, tls: ssl.SSLContext | None) -> None:
        self._account = account
        transport = _Transport(account.token, **_transport_options(account.base_url, tls))
        self._client = httpx.Client(transport=transport, **_client_options(timeout))

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def run(self, operation: Operation[T]) -> T:
        """Return the result of an operation that emits nothing."""
        items = self._carry_out(operation)
        try:
            next(items)
        except StopIteration as end:
            result: T = end.value
            return result
        raise RuntimeError("the operation emits")

    def iterate(self, operation: Operation[None]) -> Iterator[Any]:
        """Return an iterator over what an operation emits; nothing is asked of the server before its first item."""
        return self._carry_out(operation)

    def _carry_out(self, operation: Operation[T]) -> Generator[Any, None, T]:
        opened: list[httpx.Response] = []
        pieces: Iterator[bytes] = iter(())
        advance: Callable[[], Any] = partial(next, operation)
        try:
            while True:
                try:
                    effect = advance()
                except StopIteration as end:
                    result: T = end.value
                    return result
                value: Any = None
                try:
                    match effect:
                        case Send(request):
                            value = self._send(request)
                        case Open(request):
                            _close_all(opened)
                            opened.append(self._open(request))
                            pieces = opened[0].iter_bytes()
                            value = Head(opened[0].status_code, dict(opened[0].headers))
                        case Read():
                            value = self._read(pieces)
                        case Pause(seconds):
                            time.sleep(seconds)
                        case Work(function):
                            value = function()
                        case Emit(item):
                            yield item
                except Exception as error:  # noqa: BLE001 - the operation decides, and raises it again
                    advance = partial(operation.throw, error)
                else:
                    advance = partial(operation.send, value)
        finally:
            operation.close()
            _close_all(opened)

    def _send(self, request: Request) -> Answer:
        try:
            answer = self._client.send(_build(self._client, self._account, request))
        except httpx.HTTPError as error:
            raise _failure(error, self._account) from error
        return Answer(answer.status_code, dict(answer.headers), answer.content)

    def _open(self, request: Request) -> httpx.Response:
        try:
            return self._client.send(_build(self._client, self._account, request), stream=True)
        except httpx.HTTPError as error:
            raise _failure(error, self._account) from error

    def _read(self, pieces: Iterator[bytes]) -> bytes:
        try:
            return next(pieces, b"")
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise _failure(error, self._account) from error


def _close_all(answers: list[httpx.Response]) -> None:
    while answers:
        answers.pop().close()


class AsyncDriver:
    """Carries operations out on asyncio."""

    def __init__(self, account: Account, *, timeout: float, tls: ssl.SSLContext | None) -> None:
        self._account = account
        transport = _AsyncTransport(account.token, **_transport_options(account.base_url, tls))
        self._client = httpx.AsyncClient(transport=transport, **_client_options(timeout))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def run(self, operation: Operation[T]) -> T:
        """Return the result of an operation that emits nothing."""
        result: list[T] = []
        async for _ in self._carry_out(operation, result.append):
            raise RuntimeError("the operation emits")
        return result[0]

    def iterate(self, operation: Operation[None]) -> AsyncGenerator[Any, None]:
        """Return an iterator over what an operation emits; nothing is asked of the server before its first item."""
        return self._carry_out(operation, lambda _: None)

    async def _carry_out(self, operation: Operation[T], done: Callable[[T], None]) -> AsyncGenerator[Any, None]:
        opened: list[httpx.Response] = []
        pieces: AsyncIterator[bytes] | None = None
        advance: Callable[[], Any] = partial(next, operation)
        try:
            while True:
                try:
                    effect = advance()
                except StopIteration as end:
                    done(end.value)
                    return
                value: Any = None
                try:
                    match effect:
                        case Send(request):
                            value = await self._send(request)
                        case Open(request):
                            await _aclose_all(opened)
                            opened.append(await self._open(request))
                            pieces = opened[0].aiter_bytes()
                            value = Head(opened[0].status_code, dict(opened[0].headers))
                        case Read():
                            value = b"" if pieces is None else await self._read(pieces)
                        case Pause(seconds):
                            await asyncio.sleep(seconds)
                        case Work(function):
                            value = await asyncio.to_thread(function)
                        case Emit(item):
                            yield item
                except Exception as error:  # noqa: BLE001 - the operation decides, and raises it again
                    advance = partial(operation.throw, error)
                else:
                    advance = partial(operation.send, value)
        finally:
            operation.close()
            await _aclose_all(opened)

    async def _send(self, request: Request) -> Answer:
        try:
            answer = await self._client.send(_build(self._client, self._account, request))
        except httpx.HTTPError as error:
            raise _failure(error, self._account) from error
        return Answer(answer.status_code, dict(answer.headers), answer.content)

    async def _open(self, request: Request) -> httpx.Response:
        try:
            return await self._client.send(_build(self._client, self._account, request), stream=True)
        except httpx.HTTPError as error:
            raise _failure(error, self._account) from error

    async def _read(self, pieces: AsyncIterator[bytes]) -> bytes:
        try:
            return await anext(pieces, b"")
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise _failure(error, self._account) from error


async def _aclose_all(answers: list[httpx.Response]) -> None:
    while answers:
        await answers.pop().aclose()
