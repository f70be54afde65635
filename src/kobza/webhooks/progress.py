"""How far one attempt has come, held to the limits of its phases, and what is known of its answer so far."""

import asyncio
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from kobza.webhooks.exchange import Headers, kept_headers
from kobza.webhooks.limits import Limits, Phase

KEPT_RESPONSE: Final = 4096
"""Bytes of the answer that are kept for the administrator; the rest is not read."""


class Failed(Exception):
    """A failed attempt; the text says in words what failed."""


class Progress:
    """One attempt under way, used inside the event loop only. Times are milliseconds since its start."""

    __slots__ = (
        "_last",
        "_limits",
        "_loop",
        "_phase",
        "_started",
        "_timer",
        "_whole",
        "address",
        "body",
        "connect_ms",
        "first_byte_ms",
        "headers",
        "http",
        "retry_after",
        "status",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._started = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time() + limits.total
        self._whole = True
        self._phase: Phase | None = None
        self._timer: asyncio.Timeout | None = None
        self.address: str | None = None
        """The address that was connected to."""
        self.connect_ms: int | None = None
        """How long it took to connect, TLS included; None: a connection was there, or none came about."""
        self.first_byte_ms: int | None = None
        self.status: int | None = None
        self.headers: Headers = []
        self.retry_after: str | None = None
        """The header of the answer as it came."""
        self.http: str | None = None
        self.body = bytearray()
        """The beginning of the answer's body, `KEPT_RESPONSE` bytes at most."""

    def passed(self) -> int:
        """Return the time since the start."""
        return round((time.monotonic() - self._started) * 1000)

    async def __aenter__(self) -> Self:
        """Hold what runs inside to the limits."""
        self._timer = asyncio.timeout_at(self._last)
        await self._timer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise Failed, which names the limit that has passed, if one has."""
        timer, self._timer = self._timer, None  # it knows the task, whose context knows this: a circle else
        if timer is not None:
            try:
                await timer.__aexit__(kind, error, trace)
            except TimeoutError as late:
                raise Failed(self.late) from late

    def enter(self, phase: Phase) -> None:
        """Begin a phase: its time runs from now."""
        self._phase = phase
        self._end_at(self._loop.time() + self._limits.of(phase))

    def wait_for_another(self) -> None:
        """Leave the phase: another attempt makes the connection for this one too, and only the total counts."""
        self._phase = None
        self._end_at(self._last)

    @property
    def over(self) -> bool:
        """Whether a limit has passed: what runs is being cancelled for it."""
        return self._timer is not None and self._timer.expired()

    @property
    def late(self) -> str:
        """Which limit has passed, in words."""
        if self._phase is None:
            return f"the attempt took longer than {self._limits.total:g} s"
        if self._whole:
            return f"the attempt took longer than {self._limits.total:g} s; the last of it was {self._phase.value}"
        return f"{self._phase.value} took longer than {self._limits.of(self._phase):g} s"

    def connected(self) -> None:
        """Note that a new connection is there."""
        self.connect_ms = self.passed()

    def answered(
        self, status: int, headers: Iterable[tuple[str, str]], http: str | None, retry_after: str | None
    ) -> None:
        """Note the head of the answer; its body is read next."""
        self.first_byte_ms = self.passed()
        self.status = status
        self.headers = kept_headers(headers)
        self.http = http
        self.retry_after = retry_after
        self.enter(Phase.BODY)

    def take(self, data: bytes) -> bool:
        """Keep what came of the body, as far as there is room; returns whether there is room for more."""
        self.body += data[: KEPT_RESPONSE - len(self.body)]
        return len(self.body) < KEPT_RESPONSE

    def _end_at(self, end: float) -> None:
        self._whole = end >= self._last
        if self._timer is not None and not self._timer.expired():
            self._timer.reschedule(min(end, self._last))
