"""Real messages with faults in them, drawn from a seed."""

import random
from collections.abc import Sequence
from typing import Final

PIECES: Final = (
    *(b"\r\n", b"\r\n ", b"\n", b"\r", b",", b";", b":", b'"', b"\\", b"<", b">", b"=", b"\0", b"\xff", b"\xd0\x9e"),
    *(b"\r\n\r\n", b"Via: ", b"l: 5\r\n", b"m: *\r\n", b"99999999999", b"%00", b"[::", b"\r\nContact: <sip:a@b>"),
    *(b"\xed\xa0\x80", b"\xe2\x80\xa8", b";;", b",,", b'\\"', b"Digest a=b,", b"SIP/2.0"),
)
"""What breaks readers of text."""
LENGTHS: Final = (2_000, 8_000, 64_000)
"""Bytes of a swollen message: of what a datagram takes."""


def mutated(chance: random.Random, originals: Sequence[bytes], pieces: Sequence[bytes] = PIECES) -> bytes:
    """One message with one to four faults: flipped, cut, inserted, repeated or taken from another message."""
    data = bytearray(chance.choice(originals))
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(data):
                data[at] = chance.randrange(256)
            case 2:
                del data[at : at + chance.choice((1, 1, 2, 5, 40))]
            case 3:
                data[at:at] = chance.choice(pieces)
            case 4:
                data[at:at] = data[at : at + chance.randrange(1, 60)]
            case _:
                other = chance.choice(originals)
                start = chance.randrange(len(other))
                data[at : at + chance.randrange(40)] = other[start : start + chance.randrange(1, 80)]
    return bytes(data)


def swollen(chance: random.Random, originals: Sequence[bytes], pieces: Sequence[bytes] = PIECES) -> bytes:
    """One message with a part of it, or something else, many times over: finds what takes more than linear time."""
    data = bytearray(chance.choice(originals))
    at = chance.randrange(len(data) + 1)
    part = chance.choice(pieces) if chance.random() < 0.5 else bytes(data[at : at + chance.randrange(1, 40)])
    if chance.random() < 0.3:
        part += chance.choice(pieces)
    part = part or b" "
    data[at:at] = part * ((chance.choice(LENGTHS) - len(data)) // len(part))
    return bytes(data[: LENGTHS[-1]])
