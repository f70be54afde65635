"""One POST of a call state, and what came of it in words that an administrator understands."""

import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from yarl import URL

from kobza.call.directory import Endpoint
from kobza.webhooks.address import Network
from kobza.webhooks.connecting import Opener
from kobza.webhooks.endpoint import callstate_url
from kobza.webhooks.exchange import Exchange, masked, sent_headers
from kobza.webhooks.http1 import Http1
from kobza.webhooks.http2 import Http2, NotSpoken
from kobza.webhooks.limits import Limits
from kobza.webhooks.outcome import Outcome, status_words
from kobza.webhooks.progress import Failed, Progress
from kobza.webhooks.schedule import parse_retry_after
from kobza.webhooks.signing import signature_headers

HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "Kobza"}
TARGET_HEADER: Final = "X-Kobza-Target"
"""Where a request is meant to go, when it goes by way of `via`."""


class Client:
    """The HTTP client of all endpoints: one pool of connections and one TLS context (making one costs 16 ms)."""

    def __init__(
        self,
        *,
        allowed: Sequence[Network],
        now: Callable[[], float],
        limits: Limits | None = None,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        via: str | None = None,
        signed_at: Callable[[], float] | None = None,
        http2: bool = False,
    ) -> None:
        """`http2` offers HTTP/2 to receivers that are reached over TLS.

        `via` is a URL that takes every request in the receiver's place and knows it by `TARGET_HEADER`: a sandbox's.

        `signed_at` tells the moment that a signature names, `now` unless it is given: receivers compare it with theirs.
        """
        self._now = now
        self._limits = limits or Limits()
        self._via = None if via is None else URL(via)
        self._signed_at = signed_at or now
        self._opener = Opener(allowed)
        self._http1 = Http1(self._opener, tls())
        self._http2 = Http2(self._opener, tls()) if http2 else None

    async def close(self) -> None:
        """Close all connections."""
        if self._http2 is not None:
            self._http2.close()
        await self._http1.close()
        self._opener.close()

    async def post(
        self, endpoint: Endpoint, event_id: str, body: bytes, more: Mapping[str, str] | None = None
    ) -> Outcome:
        """Send a state once, with `more` headers. Every failure is an outcome; nothing is raised."""
        started_at, started = self._now(), time.monotonic()
        url = callstate_url(endpoint.url)
        headers = {**HEADERS, "Authorization": f"Bearer {endpoint.token}", **(more or {})}
        progress = Progress(self._limits)
        error: str | None = None
        try:
            if endpoint.secret is not None:
                headers |= signature_headers(endpoint.secret, event_id, body, self._signed_at())
            if self._via is not None:
                headers[TARGET_HEADER] = str(url)
            async with progress:
                await self._send(self._via or url, headers, body, progress)
        except (Failed, ValueError) as failed:
            error = str(failed)
        if progress.status is not None:
            error = _error_of(progress.status, error)
        return Outcome(
            started_at=started_at,
            duration_ms=round((time.monotonic() - started) * 1000),
            url=str(url),
            address=progress.address,
            status_code=progress.status,
            error=error,
            response=None if progress.status is None else _text(progress.body, endpoint.token),
            retry_after=parse_retry_after(progress.retry_after, self._now()),
            exchange=Exchange(
                sent_headers(headers), progress.headers, progress.http, progress.connect_ms, progress.first_byte_ms
            ),
        )

    async def _send(self, url: URL, headers: Mapping[str, str], body: bytes, progress: Progress) -> None:
        if self._http2 is not None and url.scheme == "https":
            with suppress(NotSpoken):
                return await self._http2.post(url, headers, body, progress)
        return await self._http1.post(url, headers, body, progress)


def _error_of(status: int, broken: str | None) -> str | None:
    """Return why an answer is a failure. The status decides: one whose body breaks off has been given all the same."""
    error = status_words(status)
    return error if error is None or broken is None else f"{error}; then {broken}"


def _text(body: bytes | bytearray, token: str) -> str:
    """Return the beginning of a body as it may be shown."""
    return masked(body.decode("utf-8", "replace").replace("\0", "\ufffd"), token)
