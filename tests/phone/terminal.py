"""`kobza phone` as a process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.waiting import PATIENCE

KOBZA = str(Path(sys.executable).with_name("kobza"))
"""The command of this environment."""


class Terminal:
    """A phone that was started on a terminal."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self.printed = ""
        """What came without `--json`, once it has ended."""

    async def event(self, what: str, within: float = PATIENCE) -> dict[str, Any]:
        """Read on until something happens."""
        assert self.process.stdout is not None
        async with asyncio.timeout(within):
            while line := await self.process.stdout.readline():
                self.events.append(json.loads(line))
                if self.events[-1]["event"] == what:
                    return self.events[-1]
        _, complaint = await self.end()
        raise AssertionError(f"no {what}: {self.events} {complaint}")

    async def end(self, within: float = PATIENCE) -> tuple[int, str]:
        """Wait for its end; return the exit status and what it complained of."""
        async with asyncio.timeout(within):
            out, err = await self.process.communicate()
        self.printed += out.decode()
        self.events += [json.loads(line) for line in out.splitlines() if line.startswith(b"{")]
        assert self.process.returncode is not None
        return self.process.returncode, err.decode()


@asynccontextmanager
async def kobza_phone(
    server: tuple[str, int], number: str, password: str, *options: str, as_json: bool = True
) -> AsyncIterator[Terminal]:
    process = await asyncio.create_subprocess_exec(
        *(KOBZA, "phone", number, "--password", password),
        *("--server", f"{server[0]}:{server[1]}", *(["--json"] if as_json else []), *options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Terminal(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
