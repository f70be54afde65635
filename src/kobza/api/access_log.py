"""The access log, with the token masked: secrets never reach a log."""

import logging
import re
import time
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("kobza.access")

QUIET: Final = frozenset({"/health", "/metrics", "/ready"})
"""Asked for every few seconds by machines: seen at the level debug only."""
MASK: Final = "***"
_SECRET: Final = re.compile(r"(?i)((?:^|[?&;\s])(?:t|%74)(?:o|%6f)(?:k|%6b)(?:e|%65)(?:n|%6e)=)[^&;\s\"]*")
"""The parameter `token`, also with its letters percent-encoded: a server decodes those all the same."""
_TOKEN_LIKE: Final = re.compile(r"[0-9A-Fa-f]{64}")
"""A token where none belongs: in the path, or under another name by mistake. Nothing of ours in a target looks so."""
_UNPRINTABLE: Final = re.compile(r"[^\x21-\x7e]")


def mask_query(query: str) -> str:
    """Return a query string or a request target with the value of every `token` masked, and all that looks like one."""
    return _TOKEN_LIKE.sub(MASK, _SECRET.sub(lambda match: match[1] + MASK, query))


class MaskTokens(logging.Filter):
    """For loggers of others, such as `uvicorn.access`: masks tokens in the arguments of every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask; let every record pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(mask_query(item) if isinstance(item, str) else item for item in record.args)
        if isinstance(record.msg, str):
            record.msg = mask_query(record.msg)
        return True


def mask_server_log() -> None:
    """Mask tokens in uvicorn's own logs, for whoever leaves it switched on."""
    for name in ("uvicorn.access", "uvicorn.error"):  # the latter names WebSockets with their query
        server = logging.getLogger(name)
        if not any(isinstance(item, MaskTokens) for item in server.filters):
            server.addFilter(MaskTokens())


class AccessLog:
    """ASGI middleware: one line for each request with its status and the time until its end."""

    def __init__(self, app: ASGIApp, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http" or not logger.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        began = self._clock()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            took = (self._clock() - began) * 1000
            client = scope.get("client")
            logger.log(
                logging.DEBUG if scope["path"] in QUIET else logging.INFO,
                "%s %s %s %d %.1f ms",
                client[0] if client else "-",
                scope["method"],
                _target(scope),
                status,
                took,
            )


def _target(scope: Scope) -> str:
    """Return the request target as it may be logged: no secret, and no control character that forges a line."""
    path = _UNPRINTABLE.sub(lambda match: f"%{ord(match[0]):02X}", mask_query(scope["path"]))
    query = scope.get("query_string", b"").decode("latin-1")
    return path if not query else f"{path}?{_UNPRINTABLE.sub('?', mask_query(query))}"
