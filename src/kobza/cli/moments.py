"""Moments as people write them on the command line."""

import re
from datetime import datetime, timedelta
from typing import Final

from kobza.api.times import IntervalError, first_moment, parse_moment

_SPAN: Final = re.compile(r"(\d{1,6})\s*([mhdw])", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_UNIT_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}


def parse_end(text: str, now_ms: int) -> int:
    """Return until when something is valid, in ms: `90d` from now on, a day of Kyiv with all of it, or a time.

    Raises ValueError that says what is right.
    """
    text = text.strip()
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now_ms + int(span[1]) * _UNIT_MS[span[2]]
    try:
        if _DAY.fullmatch(text):
            return first_moment(datetime.fromisoformat(text) + timedelta(days=1)) * 1000
        return parse_moment(text, "the time")
    except (ValueError, OverflowError, IntervalError):
        raise ValueError(
            "expected a time from now such as 90d, 12h or 30m, a day such as 2027-01-31 (valid with all of it), "
            "or a time such as 2027-01-31T18:00:00 (Kyiv) or 2027-01-31T16:00:00Z"
        ) from None


def parse_since(text: str, now_ms: int) -> int:
    """Return since when, in ms: `90d` until now, a day of Kyiv from its begin, or a time.

    Raises ValueError that says what is right.
    """
    text = text.strip()
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now_ms - int(span[1]) * _UNIT_MS[span[2]]
    try:
        if _DAY.fullmatch(text):
            return first_moment(datetime.fromisoformat(text)) * 1000
        return parse_moment(text, "the time")
    except (ValueError, OverflowError, IntervalError):
        raise ValueError(
            "expected how long ago, such as 90d or 12h, a day such as 2027-01-31 (from its begin), "
            "or a time such as 2027-01-31T18:00:00 (Kyiv) or 2027-01-31T16:00:00Z"
        ) from None
