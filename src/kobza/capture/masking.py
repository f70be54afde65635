"""Secrets in messages are written over, character by character: the length of a message and its parts stay true.

Written over are the answers to digest challenges (they can be tried offline) and other credentials, keys of SRTP and
ICE, passwords in addresses, and DTMF digits in a body, which may be a card's number. A challenge is no secret.
"""

import re
from typing import Final

MASK: Final = b"x"

_CREDENTIALS: Final = re.compile(
    rb"(?im)^((?:proxy-)?authorization[ \t]*:\s*)(\S+)((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE
)
_RESPONSE: Final = re.compile(rb'(\b(?:response|auts|password)\s*=\s*"?)([^",\s]+)', re.IGNORECASE)
_PASSWORD: Final = re.compile(rb"(sips?:[^@:;>\s\"]{1,256}:)([^@>\s]{1,256})(?=@)")
_PASSWORD_IN_CAPITALS: Final = re.compile(_PASSWORD.pattern, re.IGNORECASE)
"""Takes ten times as long, as it cannot look for a literal."""
_KEYS: Final = re.compile(
    rb"(?m)^(a=crypto:[^\r\n]*?inline:|a=ice-pwd:|a=key-mgmt:|k=[a-z0-9]+:|[Ss]ignal[ \t]*=[ \t]*)([^\r\n|]+)"
)
_INLINE: Final = re.compile(rb"(inline:)([^|;\s]+)")
_DIGITS: Final = re.compile(rb"(?im)^(?:content-type|c)[ \t]*:[ \t]*application/dtmf[ \t]*\r?$")


def masked(data: bytes) -> bytes:
    """Return a message without its secrets, as long as it was."""
    end = data.find(b"\r\n\r\n")
    head, body = (data, b"") if end < 0 else (data[:end], data[end:])
    small = head.lower()
    if b"authorization" in small:
        head = _CREDENTIALS.sub(_credentials, head)
    capitals = any(small.count(scheme) != head.count(scheme) for scheme in (b"sip:", b"sips:"))
    head = (_PASSWORD_IN_CAPITALS if capitals else _PASSWORD).sub(_second, head)
    if len(body) > len(b"\r\n\r\n"):
        body = _INLINE.sub(_second, _KEYS.sub(_second, body))
        if b"application/dtmf" in small and _DIGITS.search(head) is not None:
            body = re.sub(rb"[0-9A-D*#]", MASK, body)
    return head + body


def _second(found: re.Match[bytes]) -> bytes:
    return found[1] + MASK * len(found[2])


def _credentials(found: re.Match[bytes]) -> bytes:
    if found[2].lower() == b"digest":
        return found[1] + found[2] + _RESPONSE.sub(_second, found[3])
    return found[1] + found[2] + re.sub(rb"[^\s]", MASK, found[3])
