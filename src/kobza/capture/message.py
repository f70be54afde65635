"""One SIP message that passed, with its way and its moment."""

from kobza.sip.flow import Flow
from kobza.values import Value


class Seen(Value, frozen=True):
    """A message as it went over the wire, before encryption or after decryption."""

    at: float
    """Seconds since the epoch."""
    sent: bool
    """By us; else to us."""
    flow: Flow
    data: bytes

    @property
    def text(self) -> str:
        """The message with a character for each byte, to be searched."""
        return self.data.decode("latin-1")
