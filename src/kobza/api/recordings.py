"""Sending a recording: whole or a part of it, only when it changed; shared by the FMC API and the portal."""

import logging
from typing import Final

from anyio import CancelScope, to_thread
from starlette.requests import Request
from starlette.responses import Response

from kobza.api.context import ApiContext, Connection
from kobza.api.problems import ApiError, not_found
from kobza.api.ranges import ByteRange, RangeNotSatisfiableError, matches_etag, parse_range
from kobza.api.recording_remarks import headers_of, why_failed
from kobza.api.streaming import Chunks, StreamedResponse
from kobza.archive.archive import Found
from kobza.archive.home import Changed, HomeError, NotThere
from kobza.archive.keys import KeyLost
from kobza.archive.sealing import Damaged
from kobza.store import audit, hearings, recordings
from kobza.store.audit import By
from kobza.store.errors import StoreAway
from kobza.store.recordings import Recording

logger = logging.getLogger(__name__)

CONTENT_TYPE: Final = "audio/mpeg"
RETRY_AFTER: Final = "2"
"""Seconds: what encoding an ordinary call takes, generously."""
AWAY_RETRY_AFTER: Final = "30"
"""Seconds: a bucket that does not answer is not back in two."""
MAX_RECORD_ID: Final = 64
CHUNK: Final = 128 * 1024
"""Bytes read at a time."""


async def recording_response(
    request: Request, context: ApiContext, enterprise_id: str, record_id: str, *, by: By, action: str
) -> Response:
    """Answer GET or HEAD of a recording of the enterprise; who gets it is in the audit before anything is sent.

    Raises ApiError: 404 unknown or another enterprise's, 410 erased or never made, 409 while it is being made,
    416, 503 while its place does not answer.
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
    if found.status == recordings.FAILED or found.path is None:
        raise ApiError("recording_failed", why_failed(found.noted))
    place = await _find(context, found)
    size = place.size
    heard = await _note(context, by, action, found, size) if request.method == "GET" else ""
    etag = f'"{found.sha256}"'
    headers = {
        **headers_of(found.noted),
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
            "range_not_satisfiable",
            "The range lies behind the end.",
            headers={"content-range": f"bytes */{size}"},
        ) from None
    status = 200
    if part is None:
        part = ByteRange(0, size - 1)
    else:
        status = 206
        headers["content-range"] = f"bytes {part.first}-{part.last}/{size}"
    headers["content-length"] = str(part.length)
    sent = part
    return StreamedResponse(
        lambda: _chunks_of(context, place, sent, heard), content_type=CONTENT_TYPE, headers=headers, status=status
    )


async def _find(context: ApiContext, recording: Recording) -> Found:
    """Return where a recording is. Raises ApiError: 410 when it is nowhere, 503 when nobody can tell now."""
    try:
        return await to_thread.run_sync(context.archive.find, recording, limiter=context.archive_readers)
    except NotThere:
        logger.error("the file of recording %s is missing", recording.record_id)  # noqa: TRY400 - where is no matter
        raise _gone() from None
    except HomeError as error:  # its home does not answer, its key is lost, or it is damaged
        raise _away(recording.record_id, error) from error


def _gone() -> ApiError:
    return ApiError("recording_erased", "The recording is gone.")


def _away(name: str, error: HomeError) -> ApiError:
    logger.warning("recording %s cannot be read now: %s", name, error)
    detail = "The place of the recording does not answer."
    if isinstance(error, KeyLost):
        detail = "The recording is encrypted, and its key is not here."
    elif isinstance(error, Damaged):
        detail = "The file of the recording is damaged."
    elif isinstance(error, Changed):
        detail = "The file of the recording has just been replaced by another form of it."
        return ApiError("unavailable", detail, headers={"retry-after": RETRY_AFTER})
    return ApiError("unavailable", detail, headers={"retry-after": AWAY_RETRY_AFTER})


async def _note(context: ApiContext, by: By, action: str, found: Recording, size: int) -> str:
    """Note who hears a recording, once for all the parts that a player asks for; return the entry of the audit.

    Raises StoreAway: then nobody hears it.
    """
    now, now_ms = context.now(), context.now_ms()
    hearing = (*by, action, found.enterprise_id, found.record_id)
    if (known := context.hearings.find(hearing, now)) is not None:
        return known

    def note(conn: Connection) -> str:
        enterprise_id, record_id = found.enterprise_id, found.record_id
        audit_id = audit.note(conn, by, action, enterprise_id, record_id, now_ms, label=found.call_id)
        hearings.begin(conn, audit_id, size, now_ms)
        return audit_id

    audit_id = await context.write(note)
    context.hearings.remember(hearing, audit_id, now)
    return audit_id


async def _chunks_of(context: ApiContext, place: Found, part: ByteRange, heard: str) -> Chunks:
    """Read a part of a recording, each chunk in a thread, and count what was sent.

    Readers of a slow home wait for each other, not the rest of the API for them.
    """
    limiter, sent = context.archive_readers, 0
    with CancelScope(shield=True):  # a client that leaves meanwhile would leave the file open
        try:
            reader = await to_thread.run_sync(place.open, part.first, part.length, limiter=limiter)
        except NotThere:
            logger.error("%s went while it was asked for", place.name)  # noqa: TRY400
            raise _gone() from None
        except HomeError as error:
            raise _away(place.name, error) from error
    try:
        while chunk := await to_thread.run_sync(reader.read, CHUNK, limiter=limiter):
            yield chunk
            sent += len(chunk)
    except HomeError as error:  # with the first bytes it is an answer of its own, behind them it breaks this one off
        raise _away(place.name, error) from error
    finally:
        reader.close()  # at once: what waits is cut off with the rest
        if sent:
            with CancelScope(shield=True):
                await _count(context, heard, sent)


async def _count(context: ApiContext, heard: str, sent: int) -> None:
    now_ms = context.now_ms()
    try:
        await context.write(lambda conn: hearings.add(conn, heard, sent, now_ms))
    except StoreAway as error:
        logger.warning("%d bytes of hearing %s are not counted: %s", sent, heard, error)
