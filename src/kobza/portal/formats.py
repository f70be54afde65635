"""Numbers, moments and durations as people write them, in the language of a page. Wall time is that of Kyiv."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

import phonenumbers
from babel.dates import format_date, format_time
from babel.numbers import format_decimal

from kobza.api.times import KYIV
from kobza.call.numbers import national
from kobza.call.routing import ANONYMOUS
from kobza.portal.texts import Say

REMEMBERED: Final = 4096
"""Numbers kept in written form."""


def phone_text(number: str, say: Say) -> str:
    """Write a number: `067 123 4567` for one of Ukraine, `+49 30 123456` for others, short codes as they are."""
    return say("hidden_number") if number == ANONYMOUS else _grouped(number)


@lru_cache(maxsize=REMEMBERED)
def _grouped(number: str) -> str:
    if not number.startswith("+"):
        return number
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return national(number)
    own = parsed.country_code == 380
    kind = phonenumbers.PhoneNumberFormat.NATIONAL if own else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    text: str = phonenumbers.format_number(parsed, kind)
    return text


def duration_text(seconds: int, say: Say) -> str:
    """Write a duration: `45 s`, `3 min 20 s`, `1 h 5 min`."""
    minutes, rest = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} {say('hours')} {minutes} {say('minutes')}"
    if minutes:
        return f"{minutes} {say('minutes')} {rest} {say('seconds')}"
    return f"{rest} {say('seconds')}"


def span_text(ms: int) -> str:
    """Return a place in a recording as players show it: minutes and seconds, and hours when there are any."""
    minutes, seconds = divmod(ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def decimal_text(value: float, say: Say) -> str:
    """Write a number with one decimal: `77.5`, or `77,5`."""
    return format_decimal(value, "#,##0.0", locale=say.locale)


def size_text(size: int, say: Say) -> str:
    """Write a number of bytes: `412.0 kB`, `3.5 MB`, `77.5 GB`."""
    for unit, key in ((1e9, "gigabytes"), (1e6, "megabytes")):
        if size >= unit:
            return f"{decimal_text(size / unit, say)} {say(key)}"
    return f"{decimal_text(size / 1e3, say)} {say('kilobytes')}"


def wall_moment(ms: int) -> datetime:
    """Return a moment (ms) on the clock of Kyiv."""
    return datetime.fromtimestamp(ms / 1000, KYIV)


def clock_text(ms: int, *, seconds: bool = False) -> str:
    """Write the time of day: `21:39`, or `21:39:35`."""
    return f"{wall_moment(ms):%H:%M:%S}" if seconds else f"{wall_moment(ms):%H:%M}"


def moment_text(ms: int, say: Say) -> str:
    """Write a moment with its day: `20 April 2026, 21:39`."""
    at = wall_moment(ms)
    return f"{format_date(at, 'long', locale=say.locale)}, {format_time(at, 'HH:mm', locale=say.locale)}"


def day_text(day: date, today: date, say: Say) -> str:
    """Write a day as a heading: `Today`, `Yesterday`, `Monday, 20 April`, with the year when it is another one."""
    if day == today:
        return say("today")
    if day == today - timedelta(days=1):
        return say("yesterday")
    pattern = "EEEE, d MMMM" if day.year == today.year else "EEEE, d MMMM y"
    text = format_date(day, pattern, locale=say.locale)
    return text[0].upper() + text[1:]
