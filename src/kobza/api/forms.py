"""The fields of an HTML form in a body: urlencoded, or multipart as PHP's curl sends an array."""

from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final
from urllib.parse import parse_qsl

MAX_FIELDS: Final = 100
"""Fields of one form; the functions that take one know three."""


def form_fields(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """Return the names and values in a form, in order; none for a body that is something else, or broken.

    Text is UTF-8; what is not gets replacement characters. Files and nested parts are left out (RFC 7578).
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        try:
            return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError:  # too many
            return []
    return _multipart(content_type, body) if kind == "multipart/form-data" else []


def _multipart(content_type: str, body: bytes) -> list[tuple[str, str]]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    parts = BytesParser(policy=HTTP).parsebytes(head + body).get_payload()
    if not isinstance(parts, list) or len(parts) > MAX_FIELDS:
        return []
    fields = [_field(part) for part in parts if isinstance(part, Message)]
    return [field for field in fields if field is not None]


def _field(part: Message) -> tuple[str, str] | None:
    """Return the name and value of a part that is a plain field."""
    name = part.get_param("name", header="content-disposition")
    value = part.get_payload(decode=True)
    if not isinstance(name, str) or part.get_filename() is not None or not isinstance(value, bytes):
        return None
    return name, value.decode("utf-8", "replace")
