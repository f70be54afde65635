"""Sending a recording: whole or a part of it, only when it changed; shared by the FMC API and the portal."""

import logging
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from kobza.api.context import ApiContext
from kobza.api.problems import ApiError, not_found
from kobza.api.ranges import ByteRange, RangeNotSatisfiableError, matches_etag, parse_range
from kobza.api.streaming import Chunks, StreamedResponse
from kobza.store import audit, recordings
from kobza.store.audit import By
from kobza.store.recordings import Recording

logger = logging.getLogger(__name__)

CONTENT_TYPE: Final = "audio/mpeg"
RETRY_AFTER: Final = "2"
"""Seconds: what encoding an ordinary call takes, generously."""
MAX_RECORD_ID: Final = 64
CHUNK: Final = 128 * 1024
"""Bytes read at a time."""


async def recording_response(
    request: Request, context: ApiContext, enterprise_id: str, record_id: str, *, by: By, action: str
) -> Response:
    """Answer GET or HEAD of a recording of the enterprise; who gets it is in the audit before anything is sent.

    Raises ApiError: 404 unknown or another enterprise's, 410 erased, 409 while it is being made, 416.
    """
    found = None
    if 0 < len(record_id) <= MAX_RECORD_ID:
        found = await context.read(lambda conn: recordings.find(conn, enterprise_id, record_id))
    if found is None:
        raise not_found()
    if found.status in ("recording", "encoding"):
        raise ApiError("recording_not_ready", "The recording is being made.", headers={"retry-after": RETRY_AFTER})
    if found.status in (recordings.ERASED, recordings.ERASING):
        raise ApiError("recording_erased", "The recording was erased: its time was over, or somebody asked for it.")
    if found.status != "ready" or found.path is None:
        raise ApiError("recording_erased", "The recording is gone.")
    path = context.recordings / found.path
    size = await anyio.to_thread.run_sync(_size, path)
    if size is None:
        logger.error("the file of recording %s is missing", record_id)
        raise ApiError("recording_erased", "The recording is gone.")
    if request.method == "GET":
        await _note(context, by, action, found)
    etag = f'"{found.sha256}"'
    headers = {
        "etag": etag,
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "content-disposition": f'inline; filename="{record_id}.mp3"',
    }
    if matches_etag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    condition = request.headers.get("if-range")
    wanted = request.headers.get("range") if condition is None or condition.strip() == etag else None
    try:
        part = parse_range(wanted, size) if request.method == "GET" else None
    except RangeNotSatisfiableError:
        raise ApiError(
            "range_not_satisfiable", "The range lies behind the end.", headers={"content-range": f"bytes */{size}"}
        ) from None
    status = 200
    if part is None:
        part = ByteRange(0, size - 1)
    else:
        status = 206
        headers["content-range"] = f"bytes {part.first}-{part.last}/{size}"
    headers["content-length"] = str(part.length)
    sent = part

    return StreamedResponse(lambda: _chunks_of(path, sent), content_type=CONTENT_TYPE, headers=headers, status=status)


async def _note(context: ApiContext, by: By, action: str, found: Recording) -> None:
    """Note who hears a recording, once for all the parts that a player asks for. Raises StoreAway: then nobody does."""
    now, now_ms = context.now(), context.now_ms()
    hearing = (*by, action, found.enterprise_id, found.record_id)
    if not context.hearings.is_new(hearing, now):
        return
    await context.write(
        lambda conn: audit.note(conn, by, action, found.enterprise_id, found.record_id, now_ms, label=found.call_id)
    )
    context.hearings.remember(hearing, now)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


async def _chunks_of(path: Path, part: ByteRange) -> Chunks:
    """Read a part of a file, each chunk in a thread: none waits while the client takes its time."""
    with anyio.CancelScope(shield=True):  # a client that leaves meanwhile would leave the file open
        file = await anyio.open_file(path, "rb")
    try:
        await file.seek(part.first)
        remaining = part.length
        while remaining > 0:
            chunk = await file.read(min(CHUNK, remaining))
            if not chunk:
                raise OSError(f"{path.name} became shorter while it was sent")
            remaining -= len(chunk)
            yield chunk
    finally:
        file.wrapped.close()  # at once: what waits is cut off with the rest
