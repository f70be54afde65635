"""Reading of query parameters and JSON bodies as the contract wants it: 400 with the parameter's name, never 422."""

import re
from collections.abc import Collection
from typing import Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError
from starlette.requests import HTTPConnection, Request

from kobza.api.problems import ApiError
from kobza.call.errors import NumberError
from kobza.call.numbers import normalize

MAX_BODY: Final = 64 * 1024
"""Bytes of a JSON body: the longest field is 2 KiB, and a client must not make us hold more."""

_DIGITS: Final = re.compile(r"[0-9]{1,9}")


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(_whole)
"""Lets `60.0` pass for a whole number of a JSON body: it is one, and some languages write it so."""

Body = TypeVar("Body", bound=BaseModel)


class Query:
    """The parameters of one request. Those that nobody asks for are ignored, even when they come twice."""

    __slots__ = ("_values",)

    def __init__(self, request: HTTPConnection) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            self._values.setdefault(name, []).append(value)

    def has(self, name: str) -> bool:
        """Tell whether the parameter is there, in whatever form."""
        return name in self._values

    def all(self, name: str) -> list[str]:
        """Return every value of a repeatable parameter."""
        return list(self._values.get(name, ()))

    def get(self, name: str) -> str | None:
        """Return the value, None when absent. Raises ApiError when it is given twice."""
        values = self._values.get(name)
        if values is None:
            return None
        if len(values) > 1:
            raise ApiError("duplicate_parameter", f"{name} is given {len(values)} times.", parameter=name)
        return values[0]

    def required(self, name: str) -> str:
        """Return the value. Raises ApiError when it is absent or given twice."""
        value = self.get(name)
        if value is None:
            raise ApiError("missing_parameter", f"{name} is missing.", parameter=name)
        return value

    def require_one_of(self, *names: str) -> None:
        """Raise ApiError when none of the parameters is there."""
        if not any(name in self._values for name in names):
            raise ApiError("missing_parameter", f"One of {' and '.join(names)} is needed.", parameter=names[0])

    def switch(self, name: str) -> bool:
        """Return whether the parameter is `on`; absent is `off`. Raises ApiError for anything else."""
        value = self.get(name)
        if value not in (None, "on", "off"):
            raise ApiError("invalid_parameter", f"{name} must be on or off.", parameter=name)
        return value == "on"

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """Return one of the choices, None when absent. Raises ApiError for anything else."""
        value = self.get(name)
        if value is not None and value not in choices:
            raise ApiError("invalid_parameter", f"{name} must be one of {', '.join(choices)}.", parameter=name)
        return value

    def integer(self, name: str, lowest: int, highest: int) -> int | None:
        """Return a whole number within its bounds, None when absent. Raises ApiError for anything else."""
        value = self.get(name)
        if value is None:
            return None
        if not _DIGITS.fullmatch(value) or not lowest <= int(value) <= highest:
            raise ApiError(
                "invalid_parameter", f"{name} must be a whole number from {lowest} to {highest}.", parameter=name
            )
        return int(value)

    def number(self, name: str) -> str | None:
        """Return a telephone number in its stored form, None when absent. Raises NumberError."""
        value = self.get(name)
        return None if value is None else number_of(value, name)


def number_of(text: str, parameter: str) -> str:
    """Bring a number to its stored form. Raises NumberError that names the parameter."""
    # A "+" in a query arrives as a space when the client did not escape it; the contract's spellings have none there.
    try:
        return normalize(text.strip())
    except NumberError as error:
        raise NumberError(error.detail, parameter=parameter) from None


async def limited_body(request: Request) -> bytes:
    """Read the body. Raises ApiError when it is longer than MAX_BODY."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise ApiError("invalid_body", f"The body is longer than {MAX_BODY} bytes.")
    return bytes(body)


async def json_body(request: Request, model: type[Body]) -> Body:
    """Read and check the JSON body, whatever its Content-Type says. Raises ApiError: 400 for all that is wrong with it.

    Types are strict (a number is no string); unknown fields are ignored, so that clients may send more than we know.
    """
    body = await limited_body(request)
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        names = [str(part) for part in first["loc"]]
        if first["type"] == "json_invalid" or not names:
            raise ApiError("invalid_body", "The body is no JSON object.") from None
        name = names[0]
        if first["type"] == "missing":
            raise ApiError("missing_parameter", f"{name} is missing.", parameter=name) from None
        raise ApiError("invalid_body", f"{name}: {first['msg']}.", parameter=name) from None
