"""What a SIP message says at a glance: a look at its text, as every message of every call gets one.

The text has a character for each byte (`Seen.text`): to search it is several times as cheap as to search bytes.
"""

import re
from typing import Final

from kobza.capture.message import Seen
from kobza.sdp.summary import words_of
from kobza.store.messages import Told

MAX_LINE: Final = 60
"""Characters of what a message says."""
_LOOKED_AT: Final = MAX_LINE + 2
"""Characters in which its end is looked for: as many, and the end of the line."""

_CALL_ID: Final = re.compile(r"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE)
_USUAL: Final = "\r\nCall-ID: "
_SPACE: Final = " \t"
_USUAL_LENGTH: Final = len(_USUAL)

_MOST_KNOWN: Final = 256
_known: Final[dict[str, str]] = {}
"""What lines say: most messages say one of some twenty things."""


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
    if text.startswith("SIP/2.0 "):
        start, end = 8, text.find("\r\n", 8, 8 + _LOOKED_AT)
    else:
        start, end = 0, text.find(" ", 0, _LOOKED_AT)
    line = text[start : end if end >= 0 else start + _LOOKED_AT]
    said = _known.get(line)
    return _remembered(line) if said is None else said


def _remembered(line: str) -> str:
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    said = _known[line] = _readable(line)
    return said


def _readable(line: str) -> str:
    line = line.partition("\r\n")[0][:MAX_LINE]
    text = line.encode("latin-1").decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def description_in(text: str, *, address: bool) -> str:
    """Return the session description in a message in short, if wanted with its address; "" without one."""
    if text.endswith("\r\n\r\n"):  # no body, as most have none
        return ""
    end = text.find("\r\n\r\n")
    return "" if end < 0 else words_of(text[end + 4 :], address=address)


def said_in(seen: Seen) -> Told:
    """Return what a whole message says in short, with the address in its session description."""
    text = seen.text
    return seen.at, seen.sent, what_it_says(text), description_in(text, address=True)
