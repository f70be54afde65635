"""The PBX's end of the unix socket: starts the relay's process, speaks with it, notices when it dies or hangs."""

import asyncio
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from kobza.media import relay_log
from kobza.media.command_writer import CommandWriter
from kobza.media.frames import Frames, MalformedStream
from kobza.media.messages import Logged, Measure, Ping, Pong, Report, decode_report
from kobza.media.packet_loop import PacketLoopName
from kobza.media.plane import MediaError

log = logging.getLogger(__name__)

START_TIMEOUT: Final = 20.0
"""Seconds for the process to start: it takes half a second, more on a machine that is busy."""
STOP_TIMEOUT: Final = 12.0
"""Seconds for the process to end after its socket closed: longer than it waits for its spools."""
PING_INTERVAL: Final = 2.0
"""Seconds between two looks at the process."""
HANG_TIMEOUT: Final = 10.0
"""Seconds without a word after which the process counts as hung and is killed."""


class RelayLink(asyncio.Protocol):
    """One process. `on_report(report)` for what it says; `on_lost()` once when it is gone and was not stopped."""

    def __init__(
        self, on_report: Callable[[Report], None], on_lost: Callable[[], None], inherited: tuple[int, ...] = ()
    ) -> None:
        """`inherited`: file descriptors that the process holds for its life."""
        self._inherited = inherited
        self._on_report = on_report
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        self.commands = CommandWriter()
        """What the process is told by."""
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ready = self._loop.create_future()
        self._ping: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The process's id, while there is one."""
        return self._process.pid if self._process is not None else None

    async def start(
        self,
        silence: float,
        speed: float = 1.0,
        *,
        one_way_after: float = 10.0,
        browsers: bool = False,
        packet_loop: PacketLoopName = "auto",
    ) -> None:
        """Start the process and wait until it is ready; raise MediaError. `silence` is what MediaTimedOut takes, in
        seconds, `one_way_after` what SideNotHeard does, `speed` how many of them pass in one of the wall. With
        `browsers` it can speak with them, or says why it cannot. `packet_loop` is what moves packets in it.

        The socket's directory is private (0700) and is gone once the process has connected.
        """
        directory = Path(tempfile.mkdtemp(prefix="kobza-media-"))
        path = directory / "relay"
        try:
            server = await self._loop.create_unix_server(lambda: self, str(path))
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "kobza.media.relay", str(path), str(silence), str(speed), packet_loop),
                    str(one_way_after),
                    *(("browsers",) if browsers else ()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    pass_fds=self._inherited,
                )
                died = asyncio.ensure_future(self._process.wait())
                await asyncio.wait((self._ready, died), timeout=START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
                died.cancel()
            finally:
                server.close()
        except OSError as error:
            raise MediaError(f"the relay did not start: {error}") from error
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            if not self._ready.done():
                await self._give_up()
        if not self._ready.done():
            raise MediaError(f"the relay did not start (exit code {self._process.returncode})")
        self._look()

    async def _give_up(self) -> None:
        """End a process that did not come up."""
        self._stopping = True
        if self._transport is not None:
            self._transport.abort()
        self.kill()
        await self.reap()

    async def stop(self) -> None:
        """Close the socket, wait for the process to complete its spools and end; kill it when it does not."""
        self._stopping = True
        if self._ping is not None:
            self._ping.cancel()
        self.commands.flush()
        if self._transport is not None and self._transport.can_write_eof():
            # Its last reports (closed recordings) still come in.
            self._transport.write_eof()
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT)
            except TimeoutError:
                log.error("the relay does not end: killed")  # noqa: TRY400  the traceback says nothing
                self.kill()
                await self.reap()
        if self._transport is not None:
            self._transport.close()

    async def reap(self) -> None:
        """Wait for the end of a process that was lost: it was killed."""
        if self._process is not None:
            await self._process.wait()

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    # the protocol of the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the process's connection; it makes only one."""
        self._transport = cast(asyncio.Transport, transport)
        self.commands.attach(self._transport)

    def data_received(self, data: bytes) -> None:
        """Take reports."""
        self._heard_at = self._loop.time()
        try:
            for body in self._frames.feed(data):
                report = decode_report(body)
                if isinstance(report, Pong):
                    if not self._ready.done():
                        self._ready.set_result(None)
                elif isinstance(report, Logged):
                    relay_log.write(report)
                else:
                    self._on_report(report)
        except MalformedStream:
            log.exception("the relay sends what is no report")
            if self._transport is not None:
                self._transport.abort()

    def eof_received(self) -> bool:
        """The process closed its end: close ours."""
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        """The process is gone, or must go."""
        if self._ping is not None:
            self._ping.cancel()
        if not self._stopping:
            self._stopping = True
            self.kill()
            self._on_lost()

    def _look(self) -> None:
        """Ask for a sign of life."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._loop.time() - self._heard_at > HANG_TIMEOUT:
            log.error("the relay hangs: killed")
            self._transport.abort()
            return
        self.commands.send(Ping(1))
        self.commands.send(Measure())
        self._ping = self._loop.call_later(PING_INTERVAL, self._look)
