"""DTMF digits in INFO: application/dtmf-relay and application/dtmf, as phones and gateways have them.

There is no standard: the first came with a maker's gateways and is what all others copy, the second is a digit alone.
"""

import re
from typing import Final

from kobza.sip.errors import MalformedMessage

RELAY: Final = "application/dtmf-relay"
PLAIN: Final = "application/dtmf"
ACCEPTED: Final = f"{RELAY}, {PLAIN}"
DURATION_MS: Final = 160
"""Of each digit in what we send: as long as those that send it have it."""

_NUMBERED: Final = {str(code): digit for code, digit in enumerate("0123456789*#ABCD")}
_SIGNAL: Final = re.compile(r"^\s*signal\s*=\s*(\S{1,8})\s*$", re.IGNORECASE | re.MULTILINE)


def digit_of(content_type: str | None, body: bytes) -> str | None:
    """Return the digit of an INFO: 0 to 9, *, #, A to D. None when its body is no DTMF, or a hook flash.

    Digits are also written as their numbers: 10 is *, 11 is #, 12 to 15 are A to D. Raises MalformedMessage for a body
    that says to be DTMF and is none.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in (RELAY, PLAIN):
        return None
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError as error:
        raise MalformedMessage("DTMF is ASCII", "body") from error
    found = _SIGNAL.search(text)
    signal = (text.strip() if found is None else found.group(1)).upper()
    if kind == RELAY and found is None:
        raise MalformedMessage("no line Signal=", "body")
    if signal in ("16", "!", "FLASH", "HF"):
        return None
    digit = signal if len(signal) == 1 and signal in "*#ABCD" else _NUMBERED.get(signal)
    if digit is None:
        raise MalformedMessage("the signal is no digit of DTMF", "body")
    return digit


def body_of(digit: str) -> bytes:
    """Return the body of an INFO of type RELAY with a digit."""
    return f"Signal={digit}\r\nDuration={DURATION_MS}\r\n".encode()
