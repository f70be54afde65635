"""Where in the journal of call states a client is: cursors, as they are asked for."""

import re
from typing import Final

from starlette.requests import Request

from kobza.api.fmc.event_following import FROM_NOW, FROM_THE_OLDEST
from kobza.api.problems import ApiError
from kobza.api.query import Query

NOW: Final = "now"
LAST_EVENT_ID: Final = "Last-Event-ID"
PATTERN: Final = "^[0-9]{1,18}$"
AFTER_PATTERN: Final = "^([0-9]{1,18}|now)$"
_CURSOR: Final = re.compile(r"[0-9]{1,18}")


def asked_position(query: Query, request: Request | None = None) -> int | None:
    """Return the cursor behind which the client wants to go on: 0 for all, None for what happens from now on.

    The header Last-Event-ID of a request goes before `after`. Raises ApiError.
    """
    asked = query.get("after")
    position: int | None = FROM_THE_OLDEST
    if asked is not None:
        position = FROM_NOW if asked == NOW else _cursor(asked, "after", f"a cursor (1 to 18 digits) or {NOW}")
    for value in () if request is None else request.headers.getlist(LAST_EVENT_ID):
        position = _cursor(value, LAST_EVENT_ID, "a cursor: 1 to 18 digits")
    return position


def _cursor(text: str, parameter: str, right: str) -> int:
    if not _CURSOR.fullmatch(text):
        raise ApiError("invalid_parameter", f"{parameter} must be {right}.", parameter=parameter)
    return int(text)
