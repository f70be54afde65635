"""What is sent compressed: texts that hold no secret, each packed once.

Pages of the portal are not: a secret and what somebody else chose, packed together, tell the secret by their length
(BREACH).
"""

import gzip
import re
from typing import Final

_GZIP: Final = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:[.]0*)?(?:,|$))")


def packed(content: bytes) -> bytes:
    """Return a text compressed, always the same."""
    return gzip.compress(content, 6, mtime=0)


def takes_packed(accept_encoding: str | None) -> bool:
    """Tell whether a client takes gzip (RFC 9110, 12.5.3)."""
    return _GZIP.search(accept_encoding or "") is not None
