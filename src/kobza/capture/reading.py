"""What a SIP message says at a glance: a look at its text, as every message of every call gets one.

The text has a character for each byte (`Seen.text`): to search it is several times as cheap as to search bytes.
"""

import re
from functools import lru_cache
from typing import Final

from kobza.sdp.summary import words_of

MAX_LINE: Final = 60
"""Characters of what a message says."""

_CALL_ID: Final = re.compile(r"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE)
_USUAL: Final = "\r\nCall-ID: "
_SPACE: Final = " \t"
_USUAL_LENGTH: Final = len(_USUAL)


def call_id_in(text: str) -> str | None:
    """Return the Call-ID in a message; None without one."""
    start = text.find(_USUAL)
    if start >= 0:
        start += _USUAL_LENGTH
        end = text.find("\r\n", start)
        return text[start : end if end >= 0 else len(text)].strip(_SPACE)
    found = _CALL_ID.search(text)
    return None if found is None else found[1].strip(_SPACE)


def what_it_says(text: str) -> str:
    """Return the method of a request, or the status of a response with its phrase."""
    end = text.find("\r\n")
    if end < 0:
        end = len(text)
    if text.startswith("SIP/2.0 "):
        return _known(text[8 : min(end, 8 + MAX_LINE)])
    space = text.find(" ", 0, end)
    return _known(text[: min(end if space < 0 else space, MAX_LINE)])


def _readable(said: str) -> str:
    text = said.encode("latin-1").decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


_known: Final = lru_cache(256)(_readable)
"""Most messages say one of some twenty things."""


def description_in(text: str, *, address: bool) -> str:
    """Return the session description in a message in short, if wanted with its address; "" without one."""
    if text.endswith("\r\n\r\n"):  # no body, as most have none
        return ""
    end = text.find("\r\n\r\n")
    if end < 0 or text.find("\nm=", end) < 0:
        return ""
    return words_of(text[end + 4 :], address=address)
