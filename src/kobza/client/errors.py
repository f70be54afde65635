"""What can go wrong, as one hierarchy: `ClientError` catches all of it.

    ClientError
    ├── TransportFailed            no answer came
    │   ├── Unreachable            the request was never sent: nothing happened
    │   └── ConnectionLost         it was sent, perhaps carried out, and the answer did not come
    ├── AnswerNotUnderstood        an answer that does not speak the contract
    ├── DownloadFailed             a recording that arrived damaged or not at all
    └── ApiError                   the server refused: status, code, detail, parameter, incident
        ├── BadRequest 400, Unauthorized 401, Forbidden 403, NotFound 404, Gone 410, TooManyRequests 429
        ├── Conflict 409
        │   └── RecordingNotReady
        └── ServerFailed 5xx

Messages hold no secret: neither tokens nor the query of a request.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


class ClientError(Exception):
    """Base of everything that the client raises, but for wrong arguments (ValueError)."""


class TransportFailed(ClientError):
    """No answer came. The subclass says whether the server may have carried the request out."""


class Unreachable(TransportFailed):
    """No connection came about, so nothing was asked of the server."""


class ConnectionLost(TransportFailed):
    """The connection broke or fell silent after the request: it may have been carried out."""


class AnswerNotUnderstood(ClientError):
    """The answer is not what the contract says; often the base URL leads to something else."""


class DownloadFailed(ClientError):
    """A recording came incomplete again and again, or its SHA-256 is not the one that the server names."""


class ApiError(ClientError):
    """The server's refusal (RFC 9457 problem).

    `code` is stable and for programs ("" when the server gives none), `detail` one sentence for people, `parameter`
    the name of the parameter that is wrong, `incident` what to tell the server's people about a 500, `retry_after`
    the seconds after which the server wants to be asked again.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        parameter: str | None = None,
        incident: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.parameter = parameter
        self.incident = incident
        self.retry_after = retry_after

    def __str__(self) -> str:
        notes = [f"HTTP {self.status}"]
        if self.code:
            notes.append(self.code)
        if self.incident is not None:
            notes.append(f"incident {self.incident}")
        return f"{self.detail} ({', '.join(notes)})"


class BadRequest(ApiError):
    """400: something in the request is wrong; `parameter` says what."""


class Unauthorized(ApiError):
    """401: the header with the token is absent or malformed."""


class Forbidden(ApiError):
    """403: the token or the integrator is wrong, a service is not enabled, a number may not be presented."""


class NotFound(ApiError):
    """404: there is no such thing, or it belongs to somebody else."""


class Conflict(ApiError):
    """409: not in this state; `code` says why: originator_busy, originator_unreachable, wrong_state …"""


class RecordingNotReady(Conflict):
    """409: the recording is still being encoded; ask again after `retry_after` seconds."""


class Gone(ApiError):
    """410: the recording was erased."""


class TooManyRequests(ApiError):
    """429: ask again after `retry_after` seconds."""


class ServerFailed(ApiError):
    """5xx: the server, a phone behind it or a way out of it failed."""


_BY_STATUS: Final[Mapping[int, type[ApiError]]] = MappingProxyType(
    {
        400: BadRequest,
        401: Unauthorized,
        403: Forbidden,
        404: NotFound,
        409: Conflict,
        410: Gone,
        429: TooManyRequests,
    }
)
_BY_CODE: Final[Mapping[str, type[ApiError]]] = MappingProxyType({"recording_not_ready": RecordingNotReady})


def error_class(status: int, code: str) -> type[ApiError]:
    """Return the class for a refusal."""
    if status >= 500:
        return ServerFailed
    return _BY_CODE.get(code) or _BY_STATUS.get(status, ApiError)
