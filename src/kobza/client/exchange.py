"""One request and its answer: repeated where that is safe, its refusal made an exception. Without I/O."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from kobza.client.account import Account
from kobza.client.effects import Answer, Head, Open, Operation, Pairs, Pause, Read, Request, Send
from kobza.client.errors import AnswerNotUnderstood, ApiError, TransportFailed, Unreachable, error_class

FMC: Final = "/api/fmc"
MAX_PROBLEM: Final = 64 * 1024
"""Bytes of a refusal that are read; a problem has a few hundred."""
PASSING: Final = frozenset({502, 503, 504})
"""Statuses that may be gone in a moment …"""
LASTING: Final = frozenset({"no_route", "media_failed", "refused_by_phone", "no_answer_from_phone"})
"""… but not with these codes: the phone or the way out will not be another one in a second."""


def fmc_request(
    account: Account,
    method: str,
    path: str,
    *query: tuple[str, str | None],
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """Return a request of section 3. Parameters that are None and fields of the body that are UNSET are left out."""
    pairs: Pairs = tuple((name, value) for name, value in query if value is not None)
    all_headers = {"accept": "application/json", "accept-language": account.language, **(headers or {})}
    encoded = None
    if body is not None:
        encoded = msgspec.json.encode({name: value for name, value in body.items() if value is not msgspec.UNSET})
        all_headers["content-type"] = "application/json"
    return Request(method, FMC + path, (("integrator_id", account.integrator()), *pairs), all_headers, encoded)


def exchange(account: Account, request: Request, *, safe: bool | None = None) -> Operation[Answer]:
    """Send a request and return the answer, which is a 2xx. `safe`: it may be sent twice; by default GET and HEAD."""
    answer: Answer = yield from _patiently(account, Send(request), safe)
    return answer


def opened(account: Account, request: Request) -> Operation[Head]:
    """Send a GET whose body is to be read by the caller; returns the head of the 2xx or 206 answer."""
    head: Head = yield from _patiently(account, Open(request), None)
    return head


def _patiently(account: Account, effect: Send | Open, safe: bool | None) -> Operation[Any]:
    safe = effect.request.method in ("GET", "HEAD") if safe is None else safe
    retries = account.retries
    repetition = 0
    while True:
        repetition += 1
        wait = retries.wait(repetition)
        try:
            answer: Answer | Head = yield effect
        except TransportFailed as failure:
            if repetition > retries.most or not (safe or isinstance(failure, Unreachable)):
                raise
        else:
            if 200 <= answer.status < 300:
                return answer
            error = yield from _refusal(account, answer)
            if repetition > retries.most or not _may_pass(error, safe):
                raise error
            wait = wait if error.retry_after is None else error.retry_after
            if wait > retries.longest_wait:
                raise error
        yield Pause(wait)


def _may_pass(error: ApiError, safe: bool) -> bool:
    if error.status == 429:  # refused before anything was done
        return True
    return safe and error.status in PASSING and error.code not in LASTING


def _refusal(account: Account, answer: Answer | Head) -> Operation[ApiError]:
    """Return the exception for an answer that is no 2xx."""
    body = answer.body if isinstance(answer, Answer) else (yield from _short_body())
    if 300 <= answer.status < 400:
        to = answer.headers.get("location", "").partition("?")[0]
        raise AnswerNotUnderstood(
            f"the server redirects (HTTP {answer.status}) to {to or 'somewhere'}; set that as the base URL"
        )
    return error_of(answer.status, answer.headers, body, account.now())


def _short_body() -> Operation[bytes]:
    body = b""
    while len(body) < MAX_PROBLEM and (piece := (yield Read())):
        body += piece
    return body


def error_of(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ApiError:
    """Return the exception for a refusal, whatever its body is: a problem, other JSON, a proxy's HTML."""
    try:
        problem = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        problem = None
    fields = problem if isinstance(problem, dict) else {}
    code = _text(fields, "code") or ""
    detail = _text(fields, "detail", "title", "message", "error") or "the server refused without saying why"
    return error_class(status, code)(
        status,
        code,
        detail,
        parameter=_text(fields, "parameter"),
        incident=_text(fields, "incident"),
        retry_after=retry_after(headers.get("retry-after"), now),
    )


def _text(fields: Mapping[str, Any], *names: str) -> str | None:
    found = (fields.get(name) for name in names)
    return next((value for value in found if isinstance(value, str) and value), None)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds or a date; None when it is absent or neither."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
