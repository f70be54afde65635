"""The Event header: which event package, and which of several subscriptions in one dialog (RFC 6665, 8.2.1)."""

from __future__ import annotations

from typing import Final

from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import find_param, is_token, parse_params, shorten
from kobza.sip.message import SipRequest
from kobza.values import Value

WHERE: Final = "Event header"
MAX_LENGTH: Final = 64
"""Characters of a package's name, or of an id: both go back in every NOTIFY."""


class EventHeader(Value, frozen=True):
    """An event package and the `id` that the subscriber gave; other parameters are for the package and not kept."""

    package: str
    event_id: str | None = None

    @classmethod
    def parse(cls, text: str) -> EventHeader:
        """Read `dialog;id=5`. MalformedMessage for what is none, or too long to be sent back again and again."""
        package, semicolon, rest = text.strip().partition(";")
        package = package.rstrip()
        if not is_token(package) or len(package) > MAX_LENGTH:
            raise MalformedMessage(f"no event package: {shorten(package)}", WHERE)
        event_id = find_param(parse_params(semicolon + rest, WHERE), "id") if semicolon else None
        if event_id is not None and (not is_token(event_id) or len(event_id) > MAX_LENGTH):
            raise MalformedMessage(f"not an id: {shorten(event_id)}", WHERE)
        return cls(package, event_id)

    @classmethod
    def of(cls, request: SipRequest) -> EventHeader | None:
        """Read it from a request; None for one that has none. MalformedMessage when it is broken or there are two."""
        texts = request.get_all("event")
        if len(texts) > 1:
            raise MalformedMessage(f"{len(texts)} of them, expected one", WHERE)
        return cls.parse(texts[0]) if texts else None

    def __str__(self) -> str:
        """Write it."""
        return self.package if self.event_id is None else f"{self.package};id={self.event_id}"
