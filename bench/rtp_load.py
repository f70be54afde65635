"""Drive RTP streams through a relay and count what comes out: `python bench/rtp_load.py SECONDS < pairs`.

Each line on stdin is "LOCAL_PORT DESTINATION_PORT" on 127.0.0.1: a socket on the local port sends 50 packets of G.711 a
second to the destination, and counts what it receives. Prints one JSON object.
"""

import json
import select
import socket
import struct
import sys
import time

PAYLOAD = bytes(152)
HEADER = struct.Struct("!BBHII")
SENT_AT = struct.Struct("!d")
INTERVAL = 0.02
SILENT = 1.0


def main(seconds: float, pairs: list[tuple[int, int]]) -> dict[str, float]:
    sockets: list[socket.socket] = []
    poller = select.epoll()
    by_fd: dict[int, socket.socket] = {}
    for local, destination in pairs:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        opened.bind(("127.0.0.1", local))
        opened.connect(("127.0.0.1", destination))
        sockets.append(opened)
        by_fd[opened.fileno()] = opened
        poller.register(opened.fileno(), select.EPOLLIN)
    sent = received = 0
    delays: list[float] = []
    started = time.perf_counter()
    total = int(seconds / INTERVAL) * len(sockets)
    last_heard = started
    while sent < total or time.perf_counter() - last_heard < SILENT:
        now = time.perf_counter()
        due = min(total, int((now - started) / INTERVAL * len(sockets)))
        for number in range(sent, due):
            frame, stream = divmod(number, len(sockets))
            header = HEADER.pack(0x80, 8, frame & 0xFFFF, frame * 160 & 0xFFFFFFFF, 0x1000 + stream)
            sockets[stream].send(header + SENT_AT.pack(time.perf_counter()) + PAYLOAD)
        sent = due
        for fd, _ in poller.poll(0.001):
            opened = by_fd[fd]
            while True:
                try:
                    data = opened.recv(2048)
                except OSError:
                    break
                last_heard = time.perf_counter()
                received += 1
                delays.append(last_heard - SENT_AT.unpack_from(data, 12)[0])
    delays.sort()
    return {
        "sent": sent,
        "received": received,
        "seconds": seconds,
        "delay_p50_ms": 1000 * delays[len(delays) // 2] if delays else 0.0,
        "delay_p99_ms": 1000 * delays[int(len(delays) * 0.99)] if delays else 0.0,
    }


if __name__ == "__main__":
    lines = [line.split() for line in sys.stdin]
    json.dump(main(float(sys.argv[1]), [(int(local), int(to)) for local, to in lines]), sys.stdout)
