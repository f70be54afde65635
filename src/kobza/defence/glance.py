"""What can be told of a message without reading it: a look for some bytes, linear in its length."""

import re
from typing import Final

HEAD: Final = 2048
"""Bytes that are looked at for what a sender calls itself."""

SCANNERS: Final = (
    *(b"friendly-scanner", b"friendly-request", b"sipvicious", b"sipcli", b"sip-scan", b"sundayddr", b"sivus"),
    *(b"siparmyknife", b"vaxsipuseragent", b"vaxipuseragent", b"pplsip", b"sipptk"),
)
"""What tools that look for servers to rob call themselves, in lower case. Not sipsak and sipp: operators use them."""

_NAMES: Final = re.compile(rb"\n(?:user-agent|from|f)[ \t]*:([^\r\n]*)")
_NONCE: Final = re.compile(rb'nonce="([0-9a-f]{44})"')
"""A nonce as `kobza.sip.digest` makes it, written as every phone writes it; no cnonce is that long."""


def is_scanner(data: bytes) -> bool:
    """Tell whether a message says in User-Agent or From that a known scanner sent it."""
    names = _NAMES.findall(data[:HEAD].lower())
    return any(word in name for name in names for word in SCANNERS)


def nonce_in(data: bytes) -> str | None:
    """Return the first nonce that a message answers; None without one that looks like ours."""
    found = _NONCE.search(data)
    return None if found is None else found[1].decode("ascii")
