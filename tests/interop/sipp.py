"""Runs sipp, a phone and an outside line by script, as a real process: one scenario, one call."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kobza.phone.sound import Sound
from kobza.rtp.g711 import Law
from tests.interop.tools import require
from tests.support.ports import free_port, free_range

SCENARIOS = Path(__file__).parent / "scenarios"
TIMEOUT = 60
"""Seconds after which a scenario that hangs ends by itself, with an error."""


@dataclass(frozen=True)
class Line:
    """A number with the password of its phones."""

    number: str
    password: str


class SippFailed(AssertionError):
    """A scenario did not run as written; the text has sipp's own words and the messages it saw."""


class Sipp:
    """Starts scenarios. All files of its runs are in `folder`."""

    def __init__(self, folder: Path, server: tuple[str, int], host: str = "127.0.0.1") -> None:
        require("sipp")
        self._folder = folder
        self._server = server
        self._host = host
        self._runs = itertools.count(1)
        self._tone = folder / "tone.ulaw"
        self._tone.write_bytes(b"".join(Sound.tone(440).payloads(Law.MU)))

    async def run(self, scenario: str, *options: str, **settings: Any) -> None:
        """Run a scenario to its end; raises `SippFailed`. The settings are those of `start`."""
        async with self.start(scenario, *options, **settings) as process:
            await process.success()

    @asynccontextmanager
    async def start(
        self,
        scenario: str,
        *options: str,
        line: Line | None = None,
        dial: str | None = None,
        port: int | None = None,
        pause_ms: int = 500,
        tcp: bool = False,
        **words: str | int,
    ) -> "AsyncIterator[SippProcess]":
        """Start a scenario in the background; it is stopped at the end of the block if it still runs.

        `line` is who calls or registers, `dial` the number called, `port` the local SIP port. `words` replace
        `@WORD@` in the scenario.
        """
        number = next(self._runs)
        folder = self._folder / f"{number}-{scenario}"
        folder.mkdir()
        template = SCENARIOS / f"{scenario}.xml"
        text = (template if template.exists() else template.with_suffix(".xml.in")).read_text()
        for word, value in {"tone": str(self._tone), **words}.items():
            text = text.replace(f"@{word.upper()}@", str(value))
        script = folder / "scenario.xml"
        script.write_text(text)
        media = free_range(4)
        command = ["sipp", f"{self._server[0]}:{self._server[1]}", "-sf", str(script), "-m", "1", "-nostdin"]
        command += ["-i", self._host, "-mi", self._host, "-p", str(port or free_port()), "-d", str(pause_ms)]
        command += ["-mp", str(media.start), "-timeout", str(TIMEOUT), "-timeout_error", "-t", "t1" if tcp else "u1"]
        command += ["-trace_err", "-error_file", "errors.log", "-trace_msg", "-message_file", "messages.log"]
        if line is not None:
            csv = f"SEQUENTIAL\n{line.number};[authentication username={line.number} password={line.password}]\n"
            (folder / "lines.csv").write_text(csv)
            command += ["-inf", "lines.csv"]
        if dial is not None:
            command += ["-s", dial]
        with (folder / "screen.log").open("wb") as screen:
            process = await asyncio.create_subprocess_exec(
                *command, *options, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=screen, stderr=screen
            )
        running = SippProcess(process, folder, scenario)
        try:
            yield running
        finally:
            await running.stop()

    async def register(self, line: Line, port: int, *, expires: int = 120, tcp: bool = False) -> None:
        """Register a phone of `line` that is called at `port`; `expires` 0 takes it away."""
        await self.run("register", "-key", "cport", str(port), "-key", "expires", str(expires), line=line, tcp=tcp)

    @asynccontextmanager
    async def phone(
        self, line: Line, scenario: str, *options: str, tcp: bool = False, pause_ms: int = 500, **words: Any
    ) -> "AsyncIterator[SippProcess]":
        """Have a registered phone of `line` that treats one call by a UAS scenario; un-registered afterwards."""
        port = free_port()
        async with self.start(scenario, *options, port=port, tcp=tcp, pause_ms=pause_ms, **words) as process:
            await self.register(line, port, tcp=tcp)
            try:
                yield process
            finally:
                await self.register(line, port, expires=0, tcp=tcp)


@dataclass
class SippProcess:
    """A scenario that runs."""

    process: asyncio.subprocess.Process
    folder: Path
    scenario: str

    async def success(self, within: float = TIMEOUT) -> None:
        """Wait for the end, which must be that of a call that went as written. Raises `SippFailed`."""
        async with asyncio.timeout(within):
            status = await self.process.wait()
        if status != 0:
            said = self._log("errors.log") or self._log("screen.log")[-2000:]
            raise SippFailed(f"{self.scenario}: exit status {status}\n{said}\n{self.messages}")

    async def stop(self) -> None:
        """End it, by force when it does not go."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()

    @property
    def messages(self) -> str:
        """What it sent and received so far."""
        return self._log("messages.log")

    def _log(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""
