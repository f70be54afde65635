"""Bad requests by thousands, for `bench.hostile` and the tests.

    python -m bench.flood HOST PORT SECONDS ONE MANY METHOD

REGISTERs, or INVITEs, which ask for a call to a number that is dear. `ONE` a second come from one address (127.0.0.2),
`MANY` a second from 400 others (127.1.…). All is made before it begins, and each goes out by one system call, so that
the sender takes little from those who are measured. Prints a line when it begins, and how many went.
"""

import itertools
import random
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

ATTACKER = "127.0.0.2"
SOURCES = tuple(f"127.1.{number >> 8}.{number & 255}" for number in range(1, 401))
VARIANTS = 200
MIXED = "mixed"
"""In the place of a method: as many REGISTERs as INVITEs."""
STEP = 0.01
"""Seconds between two portions."""


def bad_request(method: str, number: int, source: str) -> bytes:
    """Return a request of a number that is not there: half of them with a password for a nonce that was made up."""
    if method == MIXED:
        method = ("REGISTER", "INVITE")[number // 2 % 2]
    user = f"0{random.Random(number).randrange(10**8, 10**9)}"
    proof = (
        f'Authorization: Digest username="{user}", realm="kobza", nonce="{number:044x}", uri="sip:kobza", '
        f'response="{number:032x}", algorithm=MD5, cnonce="{number:08x}", qop=auth, nc=00000001\r\n'
    )
    called = "sip:kobza" if method == "REGISTER" else f"sip:+8821{number:07d}@kobza"
    return (
        f"{method} {called} SIP/2.0\r\nVia: SIP/2.0/UDP {source}:5060;branch=z9hG4bKbad{number};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{user}@kobza>;tag=bad{number}\r\nTo: <sip:{user}@kobza>\r\n"
        f"Call-ID: bad{number}@{source}\r\nCSeq: 1 {method}\r\nContact: <sip:{user}@{source}:5060>\r\n"
        f"{proof if number % 2 else ''}Expires: 3600\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def _from(
    around: ExitStack, source: str, target: tuple[str, int], first: int, variants: int, method: str
) -> Iterator[tuple[socket.socket, bytes]]:
    sock = around.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.bind((source, 0))
    sock.connect(target)
    sock.setblocking(False)
    return itertools.cycle([(sock, bad_request(method, first + number, source)) for number in range(variants)])


def flood(target: tuple[str, int], seconds: float, one: int, many: int, method: str = "REGISTER") -> int:
    """Send so many a second, from one address and from many; return how many went."""
    with ExitStack() as around:
        from_one = _from(around, ATTACKER, target, 0, VARIANTS, method)
        sources = enumerate(SOURCES if many else ())
        each = [_from(around, source, target, 10**6 + 10 * number, 2, method) for number, source in sources]
        from_many = (next(source) for source in itertools.cycle(each))
        return _send(seconds, ((one, from_one), (many, from_many)))


def _send(seconds: float, parts: Sequence[tuple[int, Iterator[tuple[socket.socket, bytes]]]]) -> int:
    print("begins", flush=True)
    begun, sent = time.monotonic(), 0
    went = [0] * len(parts)
    while (passed := time.monotonic() - begun) < seconds:
        for index, (rate, messages) in enumerate(parts):
            due = int(passed * rate) - went[index]
            went[index] += due
            for _ in range(due):
                sock, data = next(messages)
                try:
                    sock.send(data)
                    sent += 1
                except OSError:  # the buffer is full, or nobody listens any more
                    pass
        time.sleep(STEP)
    return sent


if __name__ == "__main__":
    host, port, *rest = sys.argv[1:]
    print(flood((host, int(port)), float(rest[0]), int(rest[1]), int(rest[2]), rest[3]))
