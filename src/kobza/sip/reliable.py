"""Reliable provisional responses: their numbers, and what a PRACK acknowledges (RFC 3262)."""

from __future__ import annotations

from typing import Final, Self

from kobza.sip.dialog import Dialog
from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import parse_number, shorten
from kobza.sip.message import SipRequest, SipResponse
from kobza.values import Value

OPTION_TAG: Final = "100rel"
MAX_RSEQ: Final = 2**32 - 1
"""RFC 3262, section 7.1."""
MAX_FIRST_RSEQ: Final = 2**31 - 1
"""The greatest number to begin with (section 3), so that there is room to count."""

_RSEQ_HEADER = "RSeq header"
_RACK_HEADER = "RAck header"


class RAck(Value, frozen=True):
    """Value of RAck: the response that a PRACK acknowledges, by its RSeq and CSeq (section 7.2)."""

    rseq: int
    cseq: int
    method: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `776656 1 INVITE`; MalformedMessage for anything else."""
        parts = text.split()
        if len(parts) != 3:
            raise MalformedMessage(f"not a RAck: {shorten(text)}", _RACK_HEADER)
        rseq, cseq = (parse_number(part, MAX_RSEQ, _RACK_HEADER) for part in parts[:2])
        return cls(rseq, cseq, parts[2])

    def __str__(self) -> str:
        """Write it."""
        return f"{self.rseq} {self.cseq} {self.method}"


def rack_of(request: SipRequest) -> RAck:
    """Read the RAck of a PRACK; MalformedMessage when it has none."""
    text = request.get("rack")
    if text is None:
        raise MalformedMessage("no RAck", _RACK_HEADER)
    return RAck.parse(text)


def wants_reliable(request: SipRequest) -> bool:
    """Whether an INVITE has to be answered with reliable provisional responses alone."""
    return any(option.lower() == OPTION_TAG for option in request.tokens("require"))


def rseq_of(response: SipResponse) -> int | None:
    """Read the number of a reliable provisional response; None when it is none. MalformedMessage for a broken one."""
    if response.get("require") is None:
        return None
    if not any(option.lower() == OPTION_TAG for option in response.tokens("require")):
        return None
    text = response.get("rseq")
    return None if text is None else parse_number(text, MAX_RSEQ, _RSEQ_HEADER)


class EarlyDialog:
    """What one fork of an INVITE of ours has said reliably: its dialog, and the number of the last response."""

    __slots__ = ("dialog", "rseq")

    def __init__(self, dialog: Dialog, rseq: int) -> None:
        self.dialog = dialog
        self.rseq = rseq
