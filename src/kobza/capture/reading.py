"""What a SIP message says at a glance: a look at its bytes, as every message of every call gets one."""

import re
from functools import lru_cache
from typing import Final

from kobza.sdp.summary import summary_of

MAX_LINE: Final = 60
"""Characters of what a message says."""

_CALL_ID: Final = re.compile(rb"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE)
_USUAL: Final = b"\r\nCall-ID: "
_USUAL_LENGTH: Final = len(_USUAL)


def call_id_in(data: bytes) -> bytes | None:
    """Return the Call-ID in a message; None without one."""
    start = data.find(_USUAL)
    if start >= 0:
        start += _USUAL_LENGTH
        end = data.find(b"\r\n", start)
        return data[start : end if end >= 0 else None].strip()
    found = _CALL_ID.search(data)
    return None if found is None else found[1].strip()


def what_it_says(data: bytes) -> str:
    """Return the method of a request, or the status of a response with its phrase."""
    line = data[: data.find(b"\r\n")]
    return _known((line[8:] if line.startswith(b"SIP/2.0 ") else line.partition(b" ")[0])[:MAX_LINE])


def _readable(said: bytes) -> str:
    text = said.decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


_known: Final = lru_cache(256)(_readable)
"""Most messages say one of some twenty things."""


def description_in(data: bytes, *, address: bool) -> str:
    """Return the session description in a message in short, if wanted with its address; "" without one."""
    if data.endswith(b"\r\n\r\n"):  # no body, as most have none
        return ""
    end = data.find(b"\r\n\r\n")
    if end < 0 or data.find(b"\nm=", end) < 0:
        return ""
    summary = summary_of(data[end + 4 :])
    return "" if summary is None else summary.text(address=address)
