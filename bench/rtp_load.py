"""Drive RTP streams through a relay and count what comes out: `python bench/rtp_load.py SECONDS WARM_UP < pairs`.

Each line on stdin is "LOCAL_PORT DESTINATION_PORT" on 127.0.0.1: a socket on the local port sends 50 packets of G.711 a
second to the destination, and counts what it receives. The streams begin one after the other in the first half of the
warm-up; when it is over it prints a line "counting", and at the end a JSON object about the packets sent since.

With `browsers` behind WARM_UP it prints the fingerprint of its certificate first, and a line with "NAME PASSWORD
FINGERPRINT" of the relay behind the ports is a browser: what it sends and receives is SRTP.
"""

import json
import math
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Protocol

PAYLOAD = bytes(152)
HEADER = struct.Struct("!BBHII")
SENT_AT = struct.Struct("!d")
INTERVAL = 0.02
SILENT = 1.0


class Line(Protocol):
    def send(self, data: bytes, /) -> object: ...

    def recv(self, size: int, /) -> bytes: ...


Protect = Callable[[socket.socket, list[str]], Line]


def plain(opened: socket.socket, _words: list[str]) -> Line:
    return opened


def main(seconds: float, warm_up: float, lines: list[list[str]], protect: Protect = plain) -> dict[str, float]:
    sockets: list[Line] = []
    poller = select.epoll()
    by_fd: dict[int, Line] = {}
    for local, destination, *words in lines:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        opened.bind(("127.0.0.1", int(local)))
        opened.connect(("127.0.0.1", int(destination)))
        line = protect(opened, words) if words else opened
        sockets.append(line)
        by_fd[opened.fileno()] = line
        poller.register(opened.fileno(), select.EPOLLIN)
    begun = sent = received = 0
    delays: list[float] = []
    counting = math.inf
    warm_frames = round(warm_up / INTERVAL)
    total = (warm_frames + round(seconds / INTERVAL)) * len(sockets)
    last_heard = started = time.perf_counter()
    while begun < total or time.perf_counter() - last_heard < SILENT:
        now = time.perf_counter()
        due = min(total, int((now - started) / INTERVAL * len(sockets)))
        for number in range(begun, due):
            frame, stream = divmod(number, len(sockets))
            if number == warm_frames * len(sockets):
                print("counting", flush=True)
                counting = time.perf_counter()
            if 2 * frame * len(sockets) < warm_frames * stream:
                continue  # its turn to begin has not come
            header = HEADER.pack(0x80, 8, frame & 0xFFFF, frame * 160 & 0xFFFFFFFF, 0x1000 + stream)
            sockets[stream].send(header + SENT_AT.pack(time.perf_counter()) + PAYLOAD)
            sent += frame >= warm_frames
        begun = due
        for fd, _ in poller.poll(0.001):
            line = by_fd[fd]
            while True:
                try:
                    data = line.recv(2048)
                except OSError:
                    break
                last_heard = time.perf_counter()
                (sent_at,) = SENT_AT.unpack_from(data, 12)
                if sent_at >= counting:
                    received += 1
                    delays.append(last_heard - sent_at)
    delays.sort()
    return {
        "sent": sent,
        "received": received,
        "seconds": seconds,
        "delay_p50_ms": 1000 * delays[len(delays) // 2] if delays else 0.0,
        "delay_p99_ms": 1000 * delays[int(len(delays) * 0.99)] if delays else 0.0,
    }


def browsers() -> Protect:
    """Return what makes browsers of sockets, and print by which certificate they are known."""
    from bench.browser_line import BrowserLine
    from kobza.media.dtls import Certificate

    certificate = Certificate()
    print(certificate.fingerprint, flush=True)
    return lambda opened, words: BrowserLine(opened, certificate, words[0], words[1], " ".join(words[2:]))


if __name__ == "__main__":
    chosen = browsers() if "browsers" in sys.argv[2:] else plain
    counted = main(float(sys.argv[1]), float(sys.argv[2]), [line.split() for line in sys.stdin], chosen)
    json.dump(counted, sys.stdout)
