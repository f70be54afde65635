"""How messages lie in the stream between the PBX's process and the relay's: msgpack behind four bytes of length."""

from collections.abc import Iterator
from typing import Final

import msgspec

MAX_MESSAGE: Final = 64 * 1024
"""Bytes of one message: the longest, `Configure`, has about 500."""

_encoder: Final = msgspec.msgpack.Encoder()


class MalformedStream(ValueError):
    """The bytes on the unix socket are no messages: the two processes do not belong together."""


def encode(message: msgspec.Struct) -> bytes:
    """Return a message as a frame."""
    body = _encoder.encode(message)
    return len(body).to_bytes(4, "big") + body


class Frames:
    """Cuts a stream of bytes into frames. Holds at most one unfinished frame."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes; give each body that is complete. Raises MalformedStream for a frame that is too long."""
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= 4:
            length = int.from_bytes(data[at : at + 4], "big")
            if length > MAX_MESSAGE:
                raise MalformedStream(f"a frame of {length} bytes")
            after = at + 4 + length
            if after > end:
                break
            yield data[at + 4 : after]
            at = after
        self._rest = data[at:]
