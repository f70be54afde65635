"""Hearing a recording: whose calls somebody may hear."""

from starlette.requests import Request
from starlette.responses import Response

from kobza.api.context import Connection
from kobza.api.problems import not_found
from kobza.api.recordings import recording_response
from kobza.portal.access import Portal, Visitor
from kobza.portal.call_page import takes_part
from kobza.store import calls, events, recordings


async def recording(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """A recording, for the player."""
    record_id = request.path_params["record_id"]
    await require_audible(portal, visitor, record_id)
    action = "recording.downloaded" if "download" in request.query_params else "recording.heard"
    return await recording_response(
        request, portal.context, visitor.enterprise_id, record_id, by=visitor.by, action=action
    )


async def require_audible(portal: Portal, visitor: Visitor, record_id: str) -> None:
    """Raise ApiError 404 for a recording of a call in which somebody with their own calls alone took no part."""
    only = visitor.only_number
    if only is None:
        return

    def audible(conn: Connection) -> bool:
        found = recordings.find(conn, visitor.enterprise_id, record_id)
        if found is None:
            return False
        call = calls.find(conn, visitor.enterprise_id, found.call_id)
        return takes_part(only, call, events.of_call(conn, visitor.enterprise_id, found.call_id))

    if not await portal.context.read(audible):
        raise not_found()
