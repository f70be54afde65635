"""The generator of RTP streams: `rtp_load.c` where there is a C compiler, else `rtp_load.py`, enough for 50 calls."""

import asyncio
import json
import sys
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


def command(seconds: float) -> list[str]:
    """Return the command of a generator that sends for so long; see `program`."""
    made = program("rtp_load")
    return [str(made), str(seconds)] if made is not None else [sys.executable, "-m", "bench.rtp_load", str(seconds)]


async def generate(pairs: list[tuple[int, int]], seconds: float) -> Counts:
    """Send through pairs of a phone's port and a relay's port; return what came back."""
    process = await asyncio.create_subprocess_exec(
        *command(seconds), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=HERE.parent
    )
    out, _ = await process.communicate("".join(f"{local} {to}\n" for local, to in pairs).encode())
    if process.returncode:
        raise SystemExit(f"the generator ended with {process.returncode}")
    return Counts(**json.loads(out))
