"""Which language a client wants: Ukrainian or English (RFC 9110, section 12.5.4)."""

import re
from typing import Final, Literal

Language = Literal["uk", "en"]

_RANGE: Final = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*[qQ]\s*=\s*([01](?:\.[0-9]{0,3})?))?\s*"
)
LANGUAGE_COOKIE: Final = "kobza_language"
"""What a reader chose in the header of a page; it holds for the portal and the manual."""
MAX_HEADER: Final = 1000
"""Characters of the header that are looked at."""


def language_of(accept_language: str | None, default: Language = "en") -> Language:
    """Return the better of the two languages by Accept-Language; what is malformed in it is skipped."""
    weights: dict[str, float] = {}
    for item in (accept_language or "")[:MAX_HEADER].split(","):
        match = _RANGE.fullmatch(item)
        if match is not None:
            weight = float(match[2] or 1)
            weights[match[1].lower()] = max(weight, weights.get(match[1].lower(), 0.0))
    anything = weights.get("*", 0.0)
    ukrainian, english = weights.get("uk", anything), weights.get("en", anything)
    if ukrainian == english:
        return default
    return "uk" if ukrainian > english else "en"


def chosen_language(cookie: str | None, accept_language: str | None) -> Language:
    """Return the language of a page: what was chosen in its header, else that of the browser."""
    if cookie == "uk":
        return "uk"
    if cookie == "en":
        return "en"
    return language_of(accept_language)
