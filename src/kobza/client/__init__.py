"""A typed client of the HTTP interface, for Python programs: `Kobza` (blocking) and `AsyncKobza` (asyncio).

Works against Kobza and against any server that speaks the same contract. `kobza.client.receiver` takes call states.
See docs/client.md. Knows nothing of the server's packages.
"""

from kobza.client.account import Retries
from kobza.client.aio import AsyncCall, AsyncKobza
from kobza.client.blocking import Call, Kobza
from kobza.client.errors import (
    AnswerNotUnderstood,
    ApiError,
    BadRequest,
    ClientError,
    Conflict,
    ConnectionLost,
    DownloadFailed,
    Forbidden,
    Gone,
    NotFound,
    RecordingNotReady,
    ServerFailed,
    TooManyRequests,
    TransportFailed,
    Unauthorized,
    Unreachable,
)
from kobza.client.models import (
    Attempt,
    CallState,
    Clip,
    Controlled,
    Delivery,
    Dnd,
    Download,
    Event,
    HistoryCall,
    Originated,
    Phone,
    StatisticsRow,
    Webhook,
    WebhookTest,
)
from kobza.client.quality import CallQuality, LegQuality, WayQuality
from kobza.client.wall import KYIV

__all__ = [
    "KYIV",
    "AnswerNotUnderstood",
    "ApiError",
    "AsyncCall",
    "AsyncKobza",
    "Attempt",
    "BadRequest",
    "Call",
    "CallQuality",
    "CallState",
    "ClientError",
    "Clip",
    "Conflict",
    "ConnectionLost",
    "Controlled",
    "Delivery",
    "Dnd",
    "Download",
    "DownloadFailed",
    "Event",
    "Forbidden",
    "Gone",
    "HistoryCall",
    "Kobza",
    "LegQuality",
    "NotFound",
    "Originated",
    "Phone",
    "RecordingNotReady",
    "Retries",
    "ServerFailed",
    "StatisticsRow",
    "TooManyRequests",
    "TransportFailed",
    "Unauthorized",
    "Unreachable",
    "WayQuality",
    "Webhook",
    "WebhookTest",
]
