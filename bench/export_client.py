"""The other end of `bench.export`, in processes of their own: `python -m bench.export_client read|first|probe …`.

`read HOST PORT` fetches an answer whole and throws it away, `first HOST PORT TIMES` so many times only its first byte;
what they ask for is a line of JSON on standard input, because it holds a token. `probe HOST PORT` asks with OPTIONS
over UDP again and again until standard input ends, and beside it a process that only echoes, which shows what the
machine itself keeps waiting. Each prints one JSON object.
"""

import http.client
import json
import os
import select
import socket
import subprocess
import sys
import time
from typing import Any

BLOCK = 1 << 20
PROBE_EVERY = 0.002
LOST_AFTER = 5.0
UDP = (socket.AF_INET, socket.SOCK_DGRAM)
ECHO = """
import socket, sys
with socket.socket(fileno=int(sys.argv[1])) as echo:
    while True:
        echo.sendto(*echo.recvfrom(65536))
"""


def ask(host: str, port: int, target: str, headers: dict[str, str]) -> tuple[http.client.HTTPConnection, Any, float]:
    """Send the request; return when the first byte of the body is there, with how long that took."""
    connection = http.client.HTTPConnection(host, port, timeout=120)
    connection.connect()
    started = time.perf_counter()
    connection.request("GET", target, headers=headers)
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {response.read(500)!r}")
    response.read(1)
    return connection, response, time.perf_counter() - started


def read(host: str, port: int, target: str, headers: dict[str, str]) -> dict[str, float]:
    """Fetch all of it; a line of the answer is a row, all but those of the frame."""
    os.nice(10)  # in life a client is on another machine and takes no processor from the server
    started = time.perf_counter()
    connection, response, first = ask(host, port, target, headers)
    size, lines = 1, 0
    while block := response.read(BLOCK):
        size += len(block)
        lines += block.count(b"\n")
    connection.close()
    return {"bytes": size, "lines": lines, "first": first, "seconds": time.perf_counter() - started}


def first_bytes(host: str, port: int, target: str, headers: dict[str, str], times: int) -> dict[str, list[float]]:
    """Fetch the first byte again and again, and go away each time."""
    waits = []
    for _ in range(times):
        connection, _, first = ask(host, port, target, headers)
        connection.close()
        waits.append(first)
        time.sleep(0.05)
    return {"first": waits}


def probe(host: str, port: int) -> dict[str, list[float]]:
    """Ask until standard input ends; one question at a time, so that a stall is measured whole."""
    with socket.socket(*UDP) as echoing, socket.socket(*UDP) as asking:
        echoing.bind((host, 0))
        asking.bind((host, 0))
        asking.connect((host, port))
        with (
            subprocess.Popen([sys.executable, "-c", ECHO, str(echoing.fileno())], pass_fds=[echoing.fileno()]) as echo,
            socket.socket(*UDP) as calling,
        ):
            calling.connect(echoing.getsockname())
            if os.geteuid() == 0:
                os.setpriority(os.PRIO_PROCESS, 0, -10)  # what is measured is the others, not the probe's own waiting
            waits: list[float] = []
            echoes: list[float] = []
            while not select.select([sys.stdin], [], [], PROBE_EVERY)[0]:
                answer = question(asking, options(asking.getsockname(), (host, port), len(waits)), waits)
                if not answer.startswith(b"SIP/2.0 200"):
                    raise SystemExit(f"OPTIONS was answered with {answer[:40]!r}")
                question(calling, b"x" * 500, echoes)
            echo.kill()
    return {"waits": waits, "echoes": echoes[1:]}  # the first one waits for the start of the process


def question(asking: socket.socket, text: bytes, waits: list[float]) -> bytes:
    """Send a question and wait for its answer; note how long."""
    sent = time.perf_counter()
    asking.send(text)
    if not select.select([asking], [], [], LOST_AFTER)[0]:
        raise SystemExit(f"nothing was answered within {LOST_AFTER} s")
    answer = asking.recv(65536)
    waits.append(time.perf_counter() - sent)
    return answer


def options(own: tuple[str, int], server: tuple[str, int], number: int) -> bytes:
    """Return an OPTIONS request."""
    name = f"{own[0]}:{own[1]}"
    lines = (
        f"OPTIONS sip:{server[0]}:{server[1]} SIP/2.0",
        f"Via: SIP/2.0/UDP {name};branch=z9hG4bK{own[1]}-{number}",
        f"From: <sip:probe@{name}>;tag={number}",
        f"To: <sip:{server[0]}:{server[1]}>",
        f"Call-ID: {number}@{name}",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 70",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def main(what: str, host: str, port: int, times: int = 0) -> None:
    if what == "probe":
        print(json.dumps(probe(host, port)))
        return
    asked = json.loads(sys.stdin.readline())
    if what == "read":
        print(json.dumps(read(host, port, asked["target"], asked["headers"])))
    else:
        print(json.dumps(first_bytes(host, port, asked["target"], asked["headers"], times)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *(int(word) for word in sys.argv[4:]))
