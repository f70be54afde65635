"""Rate limits: how often a token may ask, and how often an address may fail to prove who it is.

Answers say it in the fields `RateLimit-Policy` and `RateLimit` in the structured form of
draft-ietf-httpapi-ratelimit-headers-11: `"read";q=6000;w=60` and `"read";r=5999;t=1`. Each process counts for itself.
"""

from collections import defaultdict
from collections.abc import MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kobza.api.buckets import Buckets, Policy, Taken
from kobza.api.problems import ApiError
from kobza.defence.source import source_of


class Quota(StrEnum):
    """What a request counts as; for each of these a token has a bucket of its own."""

    READ = "read"
    EXPORT = "export"
    """Answers as long as the history: `callstat` and `callhistory`."""
    CONTROL = "control"
    """Calls made and acted on, settings changed."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests at once, and as many again in so many seconds."""

    requests: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates in force; None: no limit."""

    read: Rate | None = Rate(6000, 60)
    export: Rate | None = Rate(600, 60)
    control: Rate | None = Rate(1200, 60)
    failures: Rate | None = Rate(60, 60)
    """Of one address (IPv6: of one /64): wrong tokens, wrong integrators, addresses that a token does not allow."""


class RateLimits:
    """The buckets of one process."""

    def __init__(self, rates: Rates | None = None) -> None:
        rates = rates or Rates()
        self._buckets = {
            quota: Buckets(Policy(quota, rate.requests, rate.seconds))
            for quota, rate in ((Quota.READ, rates.read), (Quota.EXPORT, rates.export), (Quota.CONTROL, rates.control))
            if rate is not None
        }
        self.limited: defaultdict[str, int] = defaultdict(int)
        """Requests that were refused, by the policy's name; all are there from the start, so that growth is seen."""
        for name in (*Quota, "failures"):
            self.limited[name] = 0
        self._failures: Buckets | None = None
        if rates.failures is not None:
            self._failures = Buckets(Policy("failures", rates.failures.requests, rates.failures.seconds))

    def take(self, scope: MutableMapping[str, Any], quota: Quota, token_id: str, now: float) -> None:
        """Count a request of a token; what is left goes into the answer's header. Raises ApiError 429."""
        buckets = self._buckets.get(quota)
        if buckets is None:
            return
        taken = buckets.take(token_id, now)
        scope[ANSWER_FIELDS] = fields(buckets.policy, taken)
        if not taken.allowed:
            self.limited[quota] += 1
            raise _rate_limited(f"The token has made too many requests of the kind {quota}", buckets, taken)

    def failed(self, address: str, now: float) -> None:
        """Count a failed proof of an address. Raises ApiError 429 when there were too many.

        Only what failed is refused: a valid token is never asked how others behind its address behave. Its 256 bits
        cannot be guessed at any rate; the limit bounds the work and the noise that guessing makes.
        """
        if self._failures is None:
            return
        taken = self._failures.take(source_of(address), now)
        if not taken.allowed:
            self.limited[self._failures.policy.name] += 1
            raise _rate_limited("From this address came too many requests without a valid token", self._failures, taken)


def _rate_limited(what: str, buckets: Buckets, taken: Taken) -> ApiError:
    return ApiError(
        "rate_limited",
        f"{what} (at most {buckets.policy.quota} in {buckets.policy.window} s); try again in {taken.wait} s.",
        headers={"retry-after": str(taken.wait)},
    )


ANSWER_FIELDS: Final = "kobza.ratelimit"
"""The place in the ASGI scope where the fields of the answer wait for it to begin."""

Fields = tuple[tuple[bytes, bytes], tuple[bytes, bytes]]


def fields(policy: Policy, taken: Taken) -> Fields:
    """Return the two fields. After `t` seconds `r` grows; with `r=0` that is also Retry-After, as the draft wants."""
    return (
        (b"ratelimit-policy", f'"{policy.name}";q={policy.quota};w={policy.window}'.encode()),
        (b"ratelimit", f'"{policy.name}";r={taken.remaining};t={taken.wait}'.encode()),
    )


class RateLimitFields:
    """ASGI middleware: puts the fields that a route has left in the scope into its answer, whatever its status is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return

        async def with_fields(message: Message) -> None:
            if message["type"] == "http.response.start" and ANSWER_FIELDS in scope:
                message = {**message, "headers": [*message.get("headers", ()), *scope[ANSWER_FIELDS]]}
            await send(message)

        await self._app(scope, receive, with_fields)
