"""The export process: `python -m kobza.api.exports.process FD`.

It is started by the server and reads from the socket FD: first where the store is, then jobs, each with a socket of its
own on which the answer goes back. It makes the answers in turn, a piece of one and then a piece of the next, and only
as fast as each is taken: a client that reads slowly costs one piece of text. It ends when FD closes, so it never
outlives the server.

A message on a job's socket is a packet: DATA and up to MESSAGE bytes, or DONE, or FAILED and a traceback. A socket that
closes without DONE or FAILED means that the process died.
"""

import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kobza.api.exports.jobs import from_wire
from kobza.store.export import CallReader
from kobza.store.place import PostgresUrl

DATA, DONE, FAILED = b"D", b"E", b"X"
MESSAGE: Final = 64 * 1024
"""Bytes of an answer in one message."""
SEND_BUFFER: Final = 256 * 1024
"""Bytes of an answer that may wait in the kernel."""
JOB: Final = 16 * 1024
"""Bytes of a job at most: a hundred times what one has."""
NICENESS: Final = 5
"""Calls go first when the processor is short."""


class _Answer:
    """One job under way. `waiting` is what was made and not taken yet."""

    __slots__ = ("last", "pieces", "socket", "waiting")

    def __init__(
        self, answering: socket.socket, pieces: Iterator[str] | Iterator[bytes] | Iterator[str | bytes]
    ) -> None:
        self.socket = answering
        self.pieces = pieces
        self.waiting = memoryview(b"")
        self.last = b""
        """DONE or FAILED with its text, when nothing follows `waiting`."""


class Exporter:
    """Makes all answers, in one thread."""

    def __init__(self, jobs: socket.socket, reader: CallReader) -> None:
        self._jobs = jobs
        self._reader = reader
        self._selector = selectors.DefaultSelector()
        self._ready: deque[_Answer] = deque()
        """Those whose client takes more."""

    def run(self) -> None:
        """Work until the server closes its end."""
        self._jobs.setblocking(False)
        self._selector.register(self._jobs, selectors.EVENT_READ, None)
        while True:
            for key, events in self._selector.select(0 if self._ready else None):
                if key.data is None:
                    if not self._take():
                        return
                elif events & selectors.EVENT_READ:  # the server never writes: its end is closed
                    self._drop(key.data)
                else:
                    self._selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
                    self._ready.append(key.data)
            if self._ready:
                self._go_on(self._ready.popleft())

    def _take(self) -> bool:
        """Begin a job, before others go on: its first byte is waited for. Return False at the end of all."""
        message, fds, _, _ = socket.recv_fds(self._jobs, JOB, 1)
        if not message:
            return False
        answering = socket.socket(fileno=fds[0])
        answering.setblocking(False)
        answering.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        answer = _Answer(answering, from_wire(message).pieces(self._reader))
        self._selector.register(answering, selectors.EVENT_READ, answer)
        self._ready.appendleft(answer)
        return True

    def _go_on(self, answer: _Answer) -> None:
        """Send what waits; when all of it is taken, make the next piece and send that."""
        if not answer.waiting and not answer.last:
            try:
                piece = next(answer.pieces, None)
            except Exception:  # noqa: BLE001 - told to the server, whose log has it with the request
                answer.last = FAILED + traceback.format_exc().encode("utf-8", "replace")[-MESSAGE:]
            else:
                if piece is None:
                    answer.last = DONE
                else:
                    answer.waiting = memoryview(piece.encode() if isinstance(piece, str) else piece)
        try:
            while answer.waiting:
                answer.socket.sendmsg((DATA, answer.waiting[:MESSAGE]))
                answer.waiting = answer.waiting[MESSAGE:]
            if answer.last:
                answer.socket.send(answer.last)
                self._drop(answer)
                return
        except BlockingIOError:
            self._selector.modify(answer.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, answer)
        except OSError:
            self._drop(answer)
        else:
            self._ready.append(answer)

    def _drop(self, answer: _Answer) -> None:
        self._selector.unregister(answer.socket)
        answer.socket.close()
        if answer in self._ready:
            self._ready.remove(answer)


def main(fd: int) -> None:
    """Run the process."""
    # Ctrl-C and a service manager signal the whole group: what is under way is finished while the server lets it.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    os.nice(NICENESS)
    with socket.socket(fileno=fd) as jobs:
        place = json.loads(jobs.recv(JOB))
        reader = CallReader.open(Path(place["path"]) if "path" in place else PostgresUrl(place["url"]))
        Exporter(jobs, reader).run()
        reader.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
