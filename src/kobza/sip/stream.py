"""Framing of SIP over a stream: TCP, TLS (RFC 3261 18.3) and its keep-alives (RFC 5626 3.5.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kobza.sip.errors import MalformedMessage
from kobza.sip.field_names import header_key
from kobza.sip.grammar import parse_number
from kobza.sip.message import MAX_MESSAGE_BYTES, SipRequest, SipResponse, parse_message

MAX_HEADER_BYTES = 16_384
"""Start line and header of one message. What comes without an end of header stops here, so this bounds the buffer."""

_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_BREAKS: Final = re.compile(rb"[\r\n]++")
_FOLD: Final = re.compile(r"\n[ \t]+")


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Line breaks between messages. `reply` is what the receiver writes back: CRLF to a ping, nothing to a pong.

    A run of line breaks is one keep-alive, however long, so that a flood costs its sender more than us.
    """

    reply: bytes


@dataclass(frozen=True, slots=True)
class BrokenMessage:
    """A message whose end was found but whose content is malformed. The stream goes on after it."""

    data: bytes
    error: MalformedMessage


StreamItem = SipRequest | SipResponse | KeepAlive | BrokenMessage


class StreamParser:
    """Cuts one connection's bytes into messages.

    A message that is malformed inside its frame becomes a BrokenMessage: other calls share the connection, so it must
    live. When the frame itself is lost (no usable Content-Length, header or message too long) nothing after it can be
    trusted: `feed` returns what came before, `error` is set, and from then on `feed` raises it. The owner closes the
    connection.
    """

    def __init__(self) -> None:
        self.error: MalformedMessage | None = None
        """Why the stream cannot be followed any further; None while it can."""
        self.raw: list[bytes] = []
        """The bytes of each item that the last `feed` returned; b"" for a keep-alive."""
        self._buffer = bytearray()
        self._scanned = 0  # bytes of the buffer known to hold no blank line
        self._body_at = 0  # where the body of the message at the buffer's start begins; 0: not known yet
        self._length = 0
        self._taken = b""  # the message that was cut off last
        self._half_ping = False  # the last thing was one CRLF: another right after it makes a ping

    @property
    def buffered(self) -> int:
        """Bytes held of a message that is not complete; at most MAX_MESSAGE_BYTES and the last feed."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[StreamItem]:
        """Take what was read, in pieces of any size; return what is complete. Raises `error` once it is set.

        When the first thing wrong comes with nothing complete before it, it is raised at once.
        """
        self.raw = raw = []
        if self.error is not None:
            raise self.error
        self._buffer += data
        items: list[StreamItem] = []
        try:
            while (item := self._next()) is not None:
                items.append(item)
                raw.append(self._taken)
                self._taken = b""
        except MalformedMessage as error:
            self.error = error
            self._buffer.clear()
            if not items:
                raise
        return items

    def _next(self) -> StreamItem | None:
        if not self._body_at:
            keep_alive = self._skip_line_breaks()
            if keep_alive is not None:
                return keep_alive
            if not self._find_header_end():
                return None
        end = self._body_at + self._length
        if len(self._buffer) < end:
            return None
        data = self._taken = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._scanned = self._body_at = 0
        try:
            return parse_message(data)
        except MalformedMessage as error:
            return BrokenMessage(data, error)

    def _skip_line_breaks(self) -> KeepAlive | None:
        """Take line breaks off the front. A ping cut in two is told as pong, then ping: nobody waits for its rest."""
        buffer = self._buffer
        found = _BREAKS.match(buffer)
        if found is None or buffer == b"\r":
            return None
        breaks = found.end()
        if breaks == len(buffer) and buffer.endswith(b"\r"):
            breaks -= 1  # half of a CRLF: the other half is on its way
        ping = buffer.count(b"\n", 0, breaks) + self._half_ping > 1
        del buffer[:breaks]
        self._half_ping = not ping
        return KeepAlive(b"\r\n" if ping else b"")

    def _find_header_end(self) -> bool:
        """Look for the blank line from where the last look ended; set `_body_at` and `_length` when it is there."""
        buffer = self._buffer
        # One search, which ends at the next blank line: one for each of its forms went through all that is behind it.
        found = _BLANK_LINE.search(buffer, self._scanned)
        end = len(buffer) if found is None else found.end()
        if end > MAX_HEADER_BYTES:
            raise MalformedMessage(f"header longer than {MAX_HEADER_BYTES} bytes", "stream", sip_status=513)
        if found is None:
            self._scanned = max(0, len(buffer) - 2)
            return False
        self._half_ping = False
        self._body_at = end
        self._length = _content_length(bytes(buffer[: self._body_at]))
        if self._body_at + self._length > MAX_MESSAGE_BYTES:
            raise MalformedMessage(f"message longer than {MAX_MESSAGE_BYTES} bytes", "stream", sip_status=513)
        return True


def _content_length(head: bytes) -> int:
    """Content-Length of a header; a stream cannot be cut without it (18.3), nor when two disagree."""
    values = set()
    for line in _FOLD.sub(" ", head.decode("latin-1").replace("\r\n", "\n")).split("\n"):
        name, colon, value = line.partition(":")
        if colon and name[:1] in "CLcl" and _is_content_length(name):
            values.add(parse_number(value.strip(), MAX_MESSAGE_BYTES, "Content-Length header"))
    if len(values) != 1:
        raise MalformedMessage("no one Content-Length", "stream")
    return values.pop()


def _is_content_length(name: str) -> bool:
    try:
        return header_key(name) == "content-length"
    except MalformedMessage:
        return False
