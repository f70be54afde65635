"""Server-sent events (WHATWG HTML, section 9.2) out of bytes as they come. Pure."""

import re
from dataclasses import dataclass, field
from typing import Final

from kobza.client.errors import AnswerNotUnderstood

MAX_EVENT: Final = 1024 * 1024
"""Bytes of one event or line; a call state has some 600."""
_LINE_END: Final = re.compile(rb"\r\n|\n|\r(?!\Z)")
"""A carriage return at the end of what is there may be half of a line end; it waits for the next bytes."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event. `id` is the last one given so far, to be sent as Last-Event-ID."""

    id: str | None
    event: str
    data: str


@dataclass(slots=True)
class EventStream:
    """Takes bytes, gives events. Raises AnswerNotUnderstood for one that is too long."""

    last_id: str | None = None
    """Of the last event that was whole, or of an id that came alone: what Last-Event-ID asks for next."""
    retry: float | None = None
    """Seconds that the server wants between a lost connection and the next."""
    _rest: bytearray = field(default_factory=bytearray)
    _began: bool = False
    _id: str | None = None
    """Of the event that is coming; none until one comes."""
    _event: str = ""
    _data: list[str] = field(default_factory=list)
    _size: int = 0

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """Take some bytes; return the events that are whole now."""
        found: list[ServerSentEvent] = []
        may_end = b"\n" in piece or b"\r" in piece or self._rest.endswith(b"\r")
        self._rest += piece
        lines: list[bytes] = []
        if may_end:  # else the line only grows, and is not looked through again with every piece
            *lines, rest = _LINE_END.split(bytes(self._rest))
            self._rest = bytearray(rest)
        if len(self._rest) + self._size > MAX_EVENT:
            raise AnswerNotUnderstood("an event of the stream is too long")
        for line in lines:
            if not self._began:
                self._began = True
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line:
                self._take(line)
            elif (event := self._dispatch()) is not None:
                found.append(event)
        return found

    def _take(self, line: bytes) -> None:
        self._size += len(line)
        if self._size > MAX_EVENT:
            raise AnswerNotUnderstood("an event of the stream is too long")
        name, _, text = line.decode("utf-8", "replace").partition(":")
        value = text.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry = int(value[:9]) / 1000
            case _:
                pass  # comments, which keep the connection open, and fields to come

    def _dispatch(self) -> ServerSentEvent | None:
        if self._id is not None:
            self.last_id = self._id
        data, event = self._data, self._event
        self._data, self._event, self._size = [], "", 0
        return ServerSentEvent(self.last_id, event or "message", "\n".join(data)) if data else None
