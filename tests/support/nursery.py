"""Starts `kobza serve` again and again without importing it each time: forks of a process that has done so.

A start of Python with all of the server costs seconds of CPU, more than most tests do with it. What runs in the fork
is the command line's own `main`, and it is a process like every other: with its own children, killed like every other.

    in   {"command": ["serve", …], "environment": {…}, "log": path}
    out  {"born": pid}     {"ended": pid, "status": exit status or minus the signal}
"""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, TypedDict

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 60.0
"""Seconds for the process to have imported everything."""


class Order(TypedDict):
    """What is to be started."""

    command: list[str]
    environment: dict[str, str]
    log: str


class Fork:
    """A server that was started; with what `subprocess.Popen` has of it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        """Return how it ended, or None when it has not."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises `subprocess.TimeoutExpired`."""
        if not self._ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired("kobza serve", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def ended(self, status: int) -> None:
        """Note its end."""
        self.returncode = status
        self._ended.set()


class Nursery:
    """The process that forks, seen from who starts. It ends when it is closed, or when that one does."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._forks: dict[int, Fork] = {}
        self._born: Fork | None = None
        self._birth = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="nursery", daemon=True)
        self._thread.start()

    def start(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Fork:
        """Start a command of the command line, of which the first word says nothing, in our environment and more."""
        self._birth.clear()
        what: Order = {"command": list(command[1:]), "environment": {**os.environ, **environment}, "log": str(log)}
        if self._process.stdin is None:
            raise RuntimeError("the nursery is closed")
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        if not self._birth.wait(PATIENCE) or self._born is None:
            raise RuntimeError(f"nothing was started (exit status {self._process.poll()})")
        return self._born

    def close(self) -> None:
        """Start nothing more."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        self._thread.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            told = json.loads(line)
            if "born" in told:
                self._born = self._forks[told["born"]] = Fork(told["born"])
                self._birth.set()
            else:
                self._forks.pop(told["ended"]).ended(told["status"])


def start(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Fork:
    """Start a command of the command line as `Nursery.start` does, in the one nursery of this process."""
    return _nursery().start(command, log, environment)


@cache
def _nursery() -> Nursery:
    nursery = Nursery()
    atexit.register(nursery.close)
    return nursery


def main() -> None:
    """Fork as told, and tell of the ends."""
    import kobza.app.serve
    import kobza.cli.main
    import kobza.store.postgres  # noqa: F401 - what a server imports later

    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    pending = b""
    while True:
        ready, _, _ = select.select([sys.stdin.fileno(), awake], [], [])
        if awake in ready:
            os.read(awake, 4096)
            _tell_ends()
        if sys.stdin.fileno() in ready:
            data = os.read(sys.stdin.fileno(), 64 * 1024)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                _tell({"born": _fork(json.loads(line))})


def _fork(what: Order) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        log = os.open(what["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
            os.dup2(file, number)
        os.environ.clear()
        os.environ.update(what["environment"])
        from kobza.cli.main import main as command_line

        sys.argv = ["kobza", *what["command"]]
        try:
            command_line()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _tell_ends() -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            _tell({"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def _tell(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
