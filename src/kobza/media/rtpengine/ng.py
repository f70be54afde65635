"""The client's half of rtpengine's NG protocol, without I/O: `now` and datagrams in, datagrams and replies out.

A datagram is a cookie, a space and a dictionary in bencode; the reply has the same cookie. What is sent again with its
cookie is not carried out again, so that a lost datagram costs only time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from kobza.media.rtpengine.bencode import Encodable, MalformedBencode, Value, decode, encode

RESEND_AFTER: Final = (0.25, 0.5, 1.0, 1.0)
"""Seconds after each sending at which a command without a reply is sent again; after the last one it has failed."""
MAX_WAITING: Final = 10_000
"""Commands without a reply; an instance that has so many is gone or far behind, and takes no more."""

Reply = dict[str, Value]


class NgError(Exception):
    """A command was not carried out. `reason` is for a log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoReply(NgError):
    """The instance said nothing in time, or cannot be reached."""


class Refused(NgError):
    """The instance said that it cannot do it."""

    @property
    def unknown_call(self) -> bool:
        """It knows no such call: it began anew, or has given the call up."""
        return "unknown call-id" in self.reason.lower()


Answer = Reply | NgError
OnAnswer = Callable[[Answer], None]


@dataclass(slots=True)
class _Waiting:
    datagram: bytes
    answered: OnAnswer
    due: float
    attempts: int = 1


class NgClient:
    """What was asked of one instance and is not answered yet. `prefix` makes its cookies unlike those of others."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0
        self._waiting: dict[bytes, _Waiting] = {}
        self.resent = 0
        """Datagrams that were sent again."""

    @property
    def waiting(self) -> int:
        """Commands without a reply."""
        return len(self._waiting)

    @property
    def due(self) -> float | None:
        """When `poll` is to be called; None: nothing waits."""
        return min((each.due for each in self._waiting.values()), default=None)

    def ask(self, command: Mapping[str, Encodable], answered: OnAnswer, now: float) -> bytes:
        """Return the datagram of a command; `answered` gets the reply or an NgError, once. Raises NgError when full."""
        if len(self._waiting) >= MAX_WAITING:
            raise NoReply(f"{MAX_WAITING} commands wait for a reply")
        self._count += 1
        cookie = b"%s_%d" % (self._prefix.encode(), self._count)
        datagram = cookie + b" " + encode(command)
        self._waiting[cookie] = _Waiting(datagram, answered, now + RESEND_AFTER[0])
        return datagram

    def take(self, datagram: bytes) -> bool:
        """Take what came; return whether it was the reply to something. Anything else, or a second one, is nothing."""
        cookie, _, body = datagram.partition(b" ")
        if cookie not in self._waiting:
            return False
        try:
            reply = decode(body)
        except MalformedBencode:
            return False
        if not isinstance(reply, dict):
            return False
        waiting = self._waiting.pop(cookie)
        if reply.get("result") == b"error":
            waiting.answered(Refused(text(reply.get("error-reason")) or "it gives no reason"))
        else:
            waiting.answered(reply)
        return True

    def poll(self, now: float) -> list[bytes]:
        """Return what is to be sent again; who has waited too long is told."""
        again: list[bytes] = []
        for cookie, waiting in list(self._waiting.items()):
            if waiting.due > now:
                continue
            if waiting.attempts == len(RESEND_AFTER):
                del self._waiting[cookie]
                waiting.answered(NoReply(f"no reply in {sum(RESEND_AFTER):g} s"))
                continue
            waiting.due = now + RESEND_AFTER[waiting.attempts]
            waiting.attempts += 1
            self.resent += 1
            again.append(waiting.datagram)
        return again

    def fail(self, reason: str) -> None:
        """Tell all who wait that nothing comes."""
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.answered(NoReply(reason))


def text(value: Value | None) -> str:
    """Return a string of a reply as text, "" for anything else."""
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def number(value: Value | None) -> int:
    """Return a number of a reply, 0 for anything else."""
    return value if isinstance(value, int) else 0


def entries(value: Value | None) -> dict[str, Value]:
    """Return a dictionary of a reply, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: Value | None) -> list[Value]:
    """Return a list of a reply, an empty one for anything else."""
    return value if isinstance(value, list) else []
