"""Ports that were free a moment ago, for programs that must be told theirs before they start.

Found below the range from which the system hands out ports for outgoing connections, so that nothing takes one by
chance between here and the program's start. Test processes that run beside each other take theirs from parts of their
own: a row found free by two of them would be bound by one.
"""

import itertools
import os
import random
import socket
from collections.abc import Iterator

LOWEST, HIGHEST = 10_000, 31_999
"""Below Linux's 32768 to 60999. Many: a row of media ports is bound long after it was found free, so the more there are
before one comes again, the better.
"""
OF_A_DEFAULT_KOBZA = range(20_000, 21_000)
"""Media ports of servers that are told none."""


def own_part(worker: str, workers: int) -> tuple[int, int]:
    """Return the first port and the port after the last of a test process: "gw1" of 2 has the upper half."""
    index = int(worker.removeprefix("gw") or 0)
    length = (HIGHEST - LOWEST) // workers // 2 * 2
    return LOWEST + index * length, LOWEST + (index + 1) * length


FIRST, LAST = own_part(os.environ.get("PYTEST_XDIST_WORKER", ""), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)))

# Starting anywhere: the ports of the run before may still rest, and other programs look for theirs too.
_order = random.Random(os.getpid()).randrange((LAST - FIRST) // 2)
_candidates: Iterator[int] = itertools.cycle(
    [FIRST + 2 * ((_order + step) % ((LAST - FIRST) // 2)) for step in range((LAST - FIRST) // 2)]
)


def free_port(host: str = "127.0.0.1") -> int:
    """Return an even port that is free for UDP and TCP."""
    return free_ports(1, host)[0]


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return the first port of each of `count` pairs (even, odd), free for UDP and TCP. Never the same one twice."""
    found: list[int] = []
    for port in itertools.islice(_candidates, LAST - FIRST):
        if _is_free(host, port) and _is_free(host, port + 1):
            found.append(port)
            if len(found) == count:
                return found
    raise RuntimeError("no free ports are left")


def free_range(count: int, host: str = "127.0.0.1") -> range:
    """Return a row of `count` ports that are free for UDP, starting with an even one."""
    for _ in range(LAST - FIRST):
        first = next(_candidates)
        row = range(first, first + count)
        if row.stop > LAST:
            continue
        taken = next((port for port in reversed(row) if not _is_free(host, port)), None)
        # What was handed out in a row is not handed out again; and no row has a port in it that is not free.
        end = row.stop if taken is None else taken
        if end > first + 2:
            while next(_candidates) < end - 2:
                pass
        if taken is None:
            return row
    raise RuntimeError("no row of free ports is left")


def has_ipv6() -> bool:
    """Tell whether this machine has IPv6 at all, if only toward itself; some containers have none."""
    return socket.has_ipv6 and _is_free("::1", 0)


def _is_free(host: str, port: int) -> bool:
    if port in OF_A_DEFAULT_KOBZA:
        return False
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(family, kind) as candidate:
            try:
                candidate.bind((host, port))
            except OSError:
                return False
    return True
