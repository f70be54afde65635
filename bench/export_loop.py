"""`kobza`, watched: `python -m bench.export_loop serve …` with the variable BENCH_LOOP naming a file.

A timer of the loop that carries calls notes how much CPU the loop's thread used since it last came: the longest that
the loop computed without a pause, whatever else the machine did meanwhile. SIGUSR1 writes the figures since the signal
before to the file, as JSON in milliseconds.
"""

import asyncio
import json
import os
import signal
import time
from pathlib import Path

from kobza.app.server import Server
from kobza.cli.main import main

EVERY = 0.002
FILE = "BENCH_LOOP"


class Watch:
    """The timer."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._loop = asyncio.get_running_loop()
        self._used: list[float] = []
        self._last = time.thread_time()
        self._loop.add_signal_handler(signal.SIGUSR1, self._report)
        self._tick()

    def _tick(self) -> None:
        now = time.thread_time()
        self._used.append(now - self._last)
        self._last = now
        self._loop.call_later(EVERY, self._tick)

    def _report(self) -> None:
        used = sorted(seconds * 1000 for seconds in self._used)
        self._used.clear()
        written = self._file.with_suffix(".new")
        written.write_text(json.dumps({"most": used[int(len(used) * 0.999)], "longest": used[-1]}))
        written.rename(self._file)


start = Server.start


async def start_watched(server: Server) -> None:
    """Start the server, and the timer at the end of that."""
    await start(server)
    Watch(Path(os.environ[FILE]))


if __name__ == "__main__":
    Server.start = start_watched  # type: ignore[assignment, method-assign]
    main()
