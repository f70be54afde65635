"""Working hours as tests write them."""

from typing import Any
from zoneinfo import ZoneInfo

from kobza.call.hours import DEFAULT_ZONE, WorkingHours
from kobza.call.hours_form import dates_of, week_of


def working(week: str = "closed", dates: str = "", *, zone: str = DEFAULT_ZONE, **more: Any) -> WorkingHours:
    """Hours by their texts."""
    return WorkingHours(ZoneInfo(zone), week_of(week), dates_of(dates), **more)
