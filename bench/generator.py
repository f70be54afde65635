"""The generator of RTP streams: `rtp_load.c` where there is a C compiler, else `rtp_load.py`, enough for 50 calls."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

from bench.compiled import HERE, program


@dataclass
class Counts:
    """What came of the packets that were sent."""

    sent: int
    received: int
    seconds: float
    delay_p50_ms: float
    delay_p99_ms: float


def command(seconds: float, warm_up: float) -> list[str]:
    """Return the command of a generator that sends for so long; see `program`."""
    made = program("rtp_load")
    generator = [str(made)] if made is not None else [sys.executable, "-m", "bench.rtp_load"]
    return [*generator, str(seconds), str(warm_up)]


async def generate(
    pairs: list[tuple[int, int]], seconds: float, warm_up: float, on_counting: Callable[[], None]
) -> Counts:
    """Send through pairs of a phone's port and a relay's port; return what came back after the warm-up.

    `on_counting` is called when that is over.
    """
    process = await asyncio.create_subprocess_exec(
        *command(seconds, warm_up), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=HERE.parent
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("".join(f"{local} {to}\n" for local, to in pairs).encode())
    process.stdin.close()
    if await process.stdout.readline():
        on_counting()
    out = await process.stdout.read()
    if await process.wait():
        raise SystemExit(f"the generator ended with {process.returncode}")
    return Counts(**json.loads(out))
