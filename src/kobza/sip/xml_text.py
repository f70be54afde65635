"""Text inside the XML documents that are sent to subscribers (XML 1.0, 2.2 and 2.4)."""

from __future__ import annotations

import re
from typing import Final

_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What may stand in no document, however it is written."""


def text(value: str) -> str:
    """Write text between two tags; characters that XML does not have become U+FFFD."""
    if _FORBIDDEN.search(value) is not None:
        value = _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def attribute(value: str) -> str:
    """Write the value of an attribute, with its quotes."""
    value = text(value).replace('"', "&quot;")
    return '"' + value.replace("\t", "&#9;").replace("\n", "&#10;").replace("\r", "&#13;") + '"'
