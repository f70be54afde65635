"""Reading of JSON objects field by field, with an error that names the place. Pure.

Lenient where servers differ (a whole number may come as text), strict where a mistake would become a wrong call.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from kobza.client.errors import AnswerNotUnderstood
from kobza.client.wall import read_moment, read_wall

T = TypeVar("T")


def decode(body: bytes | msgspec.Raw, what: str) -> Any:
    """Decode JSON. Raises AnswerNotUnderstood."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        raise AnswerNotUnderstood(f"{what} is not JSON") from None


def decode_fields(body: bytes | msgspec.Raw, what: str) -> "Fields":
    """Decode a JSON object. Raises AnswerNotUnderstood."""
    return Fields(decode(body, what), what)


class Fields:
    """A JSON object. `what` names it in errors. Every method raises AnswerNotUnderstood for a wrong value."""

    __slots__ = ("_values", "_what")

    def __init__(self, values: Any, what: str) -> None:
        if not isinstance(values, Mapping):
            raise AnswerNotUnderstood(f"{what} is no JSON object")
        self._values = values
        self._what = what

    def has(self, name: str) -> bool:
        """Tell whether the field is there and not null."""
        return self._values.get(name) is not None

    def text(self, name: str) -> str:
        """Return a text; a number is written as one."""
        value = self.text_or_none(name)
        if value is None:
            raise self._wrong(name, "a text")
        return value

    def text_or_none(self, name: str) -> str | None:
        """Return a text, None when it is absent or null."""
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise self._wrong(name, "a text")

    def whole(self, name: str) -> int:
        """Return a whole number."""
        value = self.whole_or_none(name)
        if value is None:
            raise self._wrong(name, "a whole number")
        return value

    def whole_or_none(self, name: str) -> int | None:
        """Return a whole number, None when it is absent, null or an empty text."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise self._wrong(name, "a whole number")

    def number_or_none(self, name: str) -> float | None:
        """Return a number, None when it is absent or null."""
        value = self._values.get(name)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        raise self._wrong(name, "a number")

    def object_or_none(self, name: str) -> dict[str, Any] | None:
        """Return an object as it came, None when it is absent or null."""
        value = self._values.get(name)
        if value is None or isinstance(value, dict):
            return value
        raise self._wrong(name, "an object")

    def inner(self, name: str) -> "Fields":
        """Return the object that the field holds."""
        return Fields(self._values.get(name), f"{name} of {self._what}")

    def flag(self, name: str) -> bool:
        """Return true or false; absent or null is false."""
        return bool(self.flag_or_none(name))

    def flag_or_none(self, name: str) -> bool | None:
        """Return true or false, also when they come as texts or as on and off; None when absent or null."""
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in ("true", "false", "on", "off"):
            return value.lower() in ("true", "on")
        raise self._wrong(name, "true or false")

    def wall(self, name: str) -> datetime:
        """Return a wall time of Kyiv."""
        return self._time(name, read_wall, "a time like 2026-03-01 09:30:00")

    def moment(self, name: str) -> datetime:
        """Return an RFC 3339 time, in UTC."""
        return self._time(name, read_moment, "a time like 2026-03-01T07:30:00Z")

    def moment_or_none(self, name: str) -> datetime | None:
        """Return an RFC 3339 time, in UTC; None when it is absent or null."""
        return self.moment(name) if self.has(name) else None

    def each(self, name: str, read: "Callable[[Fields], T]") -> tuple[T, ...]:
        """Return what is read from each object of a list; an absent list is empty."""
        return tuple(read(Fields(item, f"an item of {name} in {self._what}")) for item in self.items(name))

    def items(self, name: str) -> list[Any]:
        """Return a list as it is; an absent one is empty."""
        value = self._values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return value

    def raw(self, name: str) -> Any:
        """Return whatever the field holds, None when it is absent."""
        return self._values.get(name)

    def _time(self, name: str, read: Callable[[str], datetime], right: str) -> datetime:
        value = self._values.get(name)
        if isinstance(value, str):
            try:
                return read(value)
            except (ValueError, OverflowError):
                pass
        raise self._wrong(name, right)

    def _wrong(self, name: str, right: str) -> AnswerNotUnderstood:
        if name not in self._values:
            return AnswerNotUnderstood(f"{self._what} has no {name}")
        return AnswerNotUnderstood(f"{name} of {self._what} is not {right}")
