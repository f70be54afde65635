"""The server's end of the export process: starts it, gives it jobs, passes on what it makes, starts it anew."""

import asyncio
import json
import logging
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import anyio.to_thread

from kobza.api.exports.jobs import Job, to_wire
from kobza.api.exports.process import DATA, DONE, FAILED, MESSAGE
from kobza.api.problems import ApiError
from kobza.store.place import Place

log = logging.getLogger(__name__)

AT_ONCE: Final = 256
"""Exports under way. One that waits for its client costs some 300 KB: a piece of text and what the kernel holds."""
OF_ONE: Final = AT_ONCE // 2
"""Of one enterprise, so that it does not keep all others out."""
RETRY_AFTER: Final = "5"
"""Seconds: what a large export takes."""
STEADY_AFTER: Final = 2.0
"""Seconds that a process must have lived for another to be started in its place at once."""
STOP_TIMEOUT: Final = 5.0
"""Seconds for the process to end when it is told to; it takes one piece of text."""


class ExportFailed(Exception):
    """An answer could not be made; the text is the process's traceback."""


class ExportProcess:
    """One export process. It is started by `start`, or by the first job, and again after it died."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._process: subprocess.Popen[bytes] | None = None
        self._jobs: socket.socket | None = None
        self._started_at = 0.0
        self._running: Counter[str] = Counter()
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """The process's id, None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        """Whether there is a process that takes jobs."""
        return self._process is not None and self._process.poll() is None

    @property
    def running(self) -> int:
        """How many exports are under way."""
        return self._running.total()

    def start(self) -> socket.socket:
        """Start the process; return where jobs go. It takes jobs at once and begins with them some 0.1 s later.

        Raises OSError when the system has no room for one.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            ours.setblocking(False)
            # The place goes through the socket: what a command line says, everybody on the machine can read.
            ours.send(json.dumps(_place_to_wire(self._place)).encode())
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "kobza.api.exports.process", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._jobs = ours
        self._started_at = time.monotonic()
        return ours

    async def stop(self) -> None:
        """End the process; exports under way are broken off."""
        self._stopped = True
        if self._jobs is not None:
            self._jobs.close()
            self._jobs = None
        process, self._process = self._process, None
        if process is not None:
            await anyio.to_thread.run_sync(_end, process)

    async def stream(self, job: Job) -> AsyncGenerator[bytes, None]:
        """Make an export; yield it in chunks of at most MESSAGE bytes, the next one when the last was taken.

        Closing the generator ends the work. Raises ApiError `unavailable` when too many are under way, or the process
        cannot be started; ExportFailed when the answer cannot be made, or the process died meanwhile.
        """
        owner = job.enterprise_id
        if self.running >= AT_ONCE or self._running[owner] >= OF_ONE:
            raise ApiError("unavailable", "Too many exports are under way.", headers={"retry-after": RETRY_AFTER})
        answer = self._begin(job)
        self._running[owner] += 1
        loop = asyncio.get_running_loop()
        try:
            while True:
                message = await loop.sock_recv(answer, MESSAGE + 1)
                kind = message[:1]
                if kind == DATA:
                    yield message[1:]
                    # What is there already is received without waiting: other tasks must have their turn all the same.
                    await asyncio.sleep(0)
                elif kind == DONE:
                    return
                elif kind == FAILED:
                    raise ExportFailed(message[1:].decode())
                else:
                    raise ExportFailed("the export process died")
        finally:
            answer.close()
            self._running[owner] -= 1
            if not self._running[owner]:
                del self._running[owner]

    def _begin(self, job: Job) -> socket.socket:
        """Hand a job over; return the socket on which its answer comes."""
        try:
            jobs = self._alive()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                ours.setblocking(False)
                socket.send_fds(jobs, [to_wire(job)], [theirs.fileno()])
            except BaseException:
                ours.close()
                raise
            finally:
                theirs.close()
        except OSError as error:
            log.error("an export cannot be made: %s", error)  # noqa: TRY400 - the traceback says nothing more
            raise ApiError("unavailable", "Exports are not available now.", headers={"retry-after": "1"}) from error
        return ours

    def _alive(self) -> socket.socket:
        """Return where jobs go; start a process when there is none. Raises OSError when it cannot be or just died."""
        if self._stopped:
            raise OSError("the server is stopping")
        if self.alive and self._jobs is not None:
            return self._jobs
        if self._process is not None:
            code = self._process.returncode
            if time.monotonic() - self._started_at < STEADY_AFTER:
                raise OSError(f"the export process ended right after its start (exit code {code})")
            log.error("the export process died (exit code %s): started anew", code)
        if self._jobs is not None:
            self._jobs.close()
        return self.start()


def _place_to_wire(place: Place) -> dict[str, str]:
    return {"path": str(place.absolute())} if isinstance(place, Path) else {"url": place.url}


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the end of a process whose socket was closed; kill it when it does not come."""
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        log.error("the export process does not end: killed")  # noqa: TRY400 - the traceback says nothing
        process.kill()
        process.wait()
