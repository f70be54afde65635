"""What two user agents say of how long a session lives without a sign of life (RFC 4028): values and settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import find_param, parse_number, parse_params, shorten
from kobza.sip.message import SipMessage, SipRequest
from kobza.values import Value

OPTION_TAG: Final = "timer"
DEFAULT_MIN_SE: Final = 90
"""Seconds: what a message without Min-SE means, and the least that the RFC allows (section 5)."""
LONGEST: Final = 86_400
"""Seconds: the most that a 422 gets us to ask for; a longer session finds no dead peer."""

_HEADER = "Session-Expires header"
_MIN_HEADER = "Min-SE header"
_MOST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """What a user agent wants of its sessions. Seconds."""

    interval: int = 1800
    """How long a session lives without a refresh. What a peer asks for is agreed to when it is less."""
    min_se: int = DEFAULT_MIN_SE
    """The least that is agreed to."""


class SessionExpires(Value, frozen=True):
    """Value of Session-Expires. `refresher` is "uac", "uas" (of the request that it is about), or "" for undecided."""

    seconds: int
    refresher: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1800;refresher=uac`; MalformedMessage for what is no number or names nobody."""
        number, semicolon, rest = text.partition(";")
        refresher = ""
        if semicolon:
            refresher = (find_param(parse_params(semicolon + rest, _HEADER), "refresher") or "").lower()
        if refresher not in ("", "uac", "uas"):
            raise MalformedMessage(f"refresher is neither uac nor uas: {shorten(refresher)}", _HEADER)
        return cls(parse_number(number.strip(), _MOST, _HEADER), refresher)

    def __str__(self) -> str:
        """Write it."""
        return f"{self.seconds};refresher={self.refresher}" if self.refresher else str(self.seconds)


def session_expires_of(message: SipMessage) -> SessionExpires | None:
    """Read Session-Expires; None when there is none, MalformedMessage when it cannot be read."""
    text = message.get("session-expires")
    return None if text is None else SessionExpires.parse(text)


def min_se_of(message: SipMessage) -> int | None:
    """Read Min-SE in seconds; None when there is none, MalformedMessage when it cannot be read."""
    text = message.get("min-se")
    return None if text is None else parse_number(text.partition(";")[0].strip(), _MOST, _MIN_HEADER)


def knows_timers(message: SipMessage) -> bool:
    """Whether its sender takes part in session timers."""
    return any(
        option.strip().lower() == OPTION_TAG for text in message.get_all("supported") for option in text.split(",")
    )


def is_too_short(request: SipRequest, min_se: int) -> bool:
    """Whether an INVITE or UPDATE is to be answered 422: only who knows timers can do anything about it (section 9)."""
    asked = session_expires_of(request)
    return asked is not None and asked.seconds < min_se and knows_timers(request)
