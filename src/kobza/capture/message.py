"""One SIP message that passed, with its way and its moment."""

from typing import NamedTuple

from kobza.sip.flow import Flow


class Seen(NamedTuple):
    """A message as it went over the wire, before encryption or after decryption."""

    at: float
    """Seconds since the epoch."""
    sent: bool
    """By us; else to us."""
    flow: Flow
    data: bytes
