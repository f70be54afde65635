"""The phases of an attempt, and how long each may take."""

from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """What an attempt is at; the value names it in a sentence."""

    LOOKUP = "looking up the receiver's name"
    CONNECT = "connecting"
    TLS = "the TLS handshake"
    SETTINGS = "waiting for the settings of HTTP/2"
    SEND = "sending the request"
    ANSWER = "waiting for the answer"
    BODY = "reading the answer's body"


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest time of each phase of an attempt, in seconds."""

    lookup: float = 5.0
    connect: float = 5.0
    """For all addresses of the name together: after a moment without an answer the next one is tried beside."""
    tls: float = 5.0
    send: float = 5.0
    answer: float = 10.0
    """From the end of the request to the end of the answer's head."""
    body: float = 5.0
    total: float = 15.0
    """Of the whole attempt."""

    def of(self, phase: Phase) -> float:
        """Return the limit of a phase."""
        match phase:
            case Phase.LOOKUP:
                return self.lookup
            case Phase.CONNECT:
                return self.connect
            case Phase.TLS | Phase.SETTINGS:
                return self.tls
            case Phase.SEND:
                return self.send
            case Phase.ANSWER:
                return self.answer
            case Phase.BODY:
                return self.body
