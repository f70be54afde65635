"""The waveform of a recording as a part of a page: the caller above, the called below."""

import json
from contextlib import aclosing

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from kobza.api.exports.jobs import PeaksJob
from kobza.api.exports.link import ExportFailed
from kobza.api.problems import not_found
from kobza.archive.home import HomeError
from kobza.portal.access import Portal, Visitor
from kobza.portal.known_peaks import Peaks
from kobza.portal.listening import require_audible
from kobza.portal.recording_notes import shades
from kobza.store import recordings
from kobza.store.recordings import READY, Recording


def path_of(peaks: list[int], middle: int) -> str:
    """Return bars around a middle line as the path of an SVG: one a unit wide for each peak, silence a dot."""
    heights = (max(2, peak) / 2 for peak in peaks)
    return "".join(f"M{at}.5 {middle - height / 2:g}v{height:g}" for at, height in enumerate(heights))


async def waveform(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The waveform of a recording, which a page asks for when it is there itself. Raises ApiError 404 without one."""
    record_id = request.path_params["record_id"]
    await require_audible(portal, visitor, record_id)
    found = await portal.context.read(lambda conn: recordings.find(conn, visitor.enterprise_id, record_id))
    if found is None or found.status != READY or found.path is None:
        raise not_found()
    known_as = found.sha256 or record_id
    peaks = portal.peaks.find(known_as)
    if peaks is None:
        peaks = await _drawn(portal, found)
        portal.peaks.keep(known_as, peaks)
    left, right = peaks
    width = max(1, len(left))
    return portal.pages.page(
        request,
        "waveform.html",
        width=width,
        left=path_of(left, 25),
        right=path_of(right, 75),
        shades=shades(found, width),
    )


async def _drawn(portal: Portal, recording: Recording) -> Peaks:
    """Have the peaks of a recording counted. Raises ApiError 404 when its sound cannot be had."""
    context = portal.context
    file = context.archive.as_file(recording)
    try:
        path = await to_thread.run_sync(file.__enter__, limiter=context.archive_readers)
    except HomeError:  # the player says so when it is asked to play
        raise not_found() from None
    try:
        job = PeaksJob(recording.enterprise_id, str(path))
        async with aclosing(context.exports.stream(job)) as chunks:
            peaks: Peaks = json.loads(b"".join([chunk async for chunk in chunks]))
    except ExportFailed:  # there is no sound in it
        raise not_found() from None
    finally:
        file.__exit__(None, None, None)
    return peaks
