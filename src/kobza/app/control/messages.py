"""What is said over the control socket: a question, then answers until `Done` or `Refused`; each in a frame."""

import struct
from typing import Final

import msgspec

from kobza.capture.message import Seen
from kobza.sip.flow import Flow, Transport

SOCKET_NAME: Final = "control.sock"
MAX_FRAME: Final = 2**20
"""Bytes; a SIP message has at most 64 KiB."""
HEAD: Final = struct.Struct("<I")
HEAD_ERROR: Final = struct.error
MOST_SECONDS: Final = 3600
MOST_MESSAGES: Final = 1_000_000
MOST_BYTES: Final = 2**30


class AskCall(msgspec.Struct, frozen=True, tag=True):
    """Give the messages of a call that are in memory. Answered by Dialog and Message."""

    call_id: str
    secrets: bool = False


class AskCapture(msgspec.Struct, frozen=True, tag=True):
    """Give messages from now on: those of a number (E.164 or a short code), of a call, or all. Answered by Message."""

    number: str | None
    call_id: str | None
    seconds: float
    messages: int
    size: int
    """Bytes of all messages together."""
    secrets: bool = False
    """Without it they are written over."""


class Dialog(msgspec.Struct, frozen=True, tag=True):
    """Who is at the other end of the dialog whose messages follow, as `SipLadder.lanes` has it."""

    lane: str


class Message(msgspec.Struct, frozen=True, tag=True):
    """One SIP message."""

    at: float
    sent: bool
    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    data: bytes

    @classmethod
    def of(cls, seen: Seen, data: bytes) -> "Message":
        """Return a message as it is told, with its secrets written over or not."""
        return cls(seen.at, seen.sent, seen.flow.transport.value, seen.flow.local, seen.flow.remote, data)

    @property
    def seen(self) -> Seen:
        """The message as others know it."""
        return Seen(self.at, self.sent, Flow(Transport(self.transport), self.local, self.remote), self.data)


class Started(msgspec.Struct, frozen=True, tag=True):
    """The capture runs."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It cannot be; why is one line for people."""

    why: str


class Done(msgspec.Struct, frozen=True, tag=True):
    """That was all."""

    dropped: int = 0
    """Messages that were lost, because the reader was too slow. Which of them were wanted is not known."""
    because: str = ""
    """What ended it: "seconds", "messages", "size" or "stopping"."""


Question = AskCall | AskCapture
Answer = Dialog | Message | Started | Refused | Done

_questions: Final = msgspec.msgpack.Decoder(Question)
_answers: Final = msgspec.msgpack.Decoder(Answer)
_encoder: Final = msgspec.msgpack.Encoder()


def framed(message: Question | Answer) -> bytes:
    """Write a message with its length before it."""
    body = _encoder.encode(message)
    return HEAD.pack(len(body)) + body


def question_in(body: bytes) -> Question:
    """Read a question. Raises msgspec.DecodeError."""
    question: Question = _questions.decode(body)
    return question


def answer_in(body: bytes) -> Answer:
    """Read an answer. Raises msgspec.DecodeError."""
    answer: Answer = _answers.decode(body)
    return answer
