"""A real rtpengine for tests and benches, from Debian's package: in userspace, on loopback, on ports of its own.

with running_rtpengine() as engine:
    engine.control  # ("127.0.0.1", port): where it takes commands (NG over UDP)
    engine.pid      # of the process whose CPU counts
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.ports import free_port, free_range
from tests.support.waiting import PATIENCE

HOST: Final = "127.0.0.1"
MISSING: Final = "rtpengine is not installed (tests/apt-packages.txt)"
_PING: Final = b"ping d7:command4:pinge"
_PONG: Final = b"ping d6:result4:ponge"


def program() -> str | None:
    """Return the path of rtpengine, or None when it is not installed."""
    return shutil.which("rtpengine")


@dataclass
class Rtpengine:
    """One instance. It may be killed and begun again at the same ports."""

    control: tuple[str, int]
    """Where it takes commands."""
    ports: range
    """For media."""
    folder: Path
    """Its log, `rtpengine.log`, and where it would write."""
    threads: int = 1
    options: tuple[str, ...] = ()
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def pid(self) -> int:
        """The process's id; raises when it was not begun."""
        if self._process is None:
            raise RuntimeError("rtpengine was not begun")
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "rtpengine.log").read_text(errors="replace")

    def begin(self) -> None:
        """Start it and wait until it answers; raise RuntimeError when it does not."""
        found = program()
        if found is None:
            raise RuntimeError(MISSING)
        command = [found, "--config-file=none", "--foreground", "--log-stderr", "--log-level=4", "--table=-1"]
        command += [f"--interface={HOST}", f"--listen-ng={self.control[0]}:{self.control[1]}"]
        command += [f"--port-min={self.ports.start}", f"--port-max={self.ports.stop - 1}"]
        # What is over is over at once; and a machine's own settings of the package are left alone.
        command += [f"--num-threads={self.threads}", "--media-num-threads=1", "--delete-delay=0", "--dtls-passive"]
        with (self.folder / "rtpengine.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        try:
            self._wait()
        except RuntimeError:
            self.kill()
            raise

    def freeze(self, on: bool = True) -> None:
        """Let it answer nothing any more, or go on. Each of its threads has stopped when this returns."""
        os.kill(self.pid, signal.SIGSTOP if on else signal.SIGCONT)
        while on and any(stat.read_text().rpartition(")")[2].split()[0] != "T" for stat in self._threads()):
            time.sleep(0.001)

    def _threads(self) -> Iterator[Path]:
        return Path(f"/proc/{self.pid}/task").glob("*/stat")

    def kill(self) -> None:
        """End it at once, as a crash does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _wait(self) -> None:
        ends = time.monotonic() + PATIENCE
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.05)
            asking.connect(self.control)
            while time.monotonic() < ends and self._process is not None and self._process.poll() is None:
                try:
                    asking.send(_PING)
                    if asking.recv(512) == _PONG:
                        return
                except ConnectionRefusedError:
                    time.sleep(0.02)
                except TimeoutError:
                    continue
        raise RuntimeError(f"rtpengine does not answer:\n{self.log[-2000:]}")


@contextmanager
def running_rtpengine(
    ports: range | None = None, *, threads: int = 1, options: tuple[str, ...] = ()
) -> "Iterator[Rtpengine]":
    """Start an rtpengine, for media on `ports` (200 free ones when none are named); end it afterwards.

    `threads` relay packets. `options` are more words of its command line.
    """
    folder = Path(tempfile.mkdtemp(prefix="rtpengine-"))
    engine = Rtpengine(
        control=(HOST, free_port(HOST)),
        ports=free_range(200, HOST) if ports is None else ports,
        folder=folder,
        threads=threads,
        options=options,
    )
    try:
        engine.begin()
        yield engine
    finally:
        engine.kill()
        shutil.rmtree(folder, ignore_errors=True)
