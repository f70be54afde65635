"""The server's end of the control socket."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from kobza.app.control import messages as said
from kobza.app.control.place import reachable
from kobza.capture.masking import masked
from kobza.capture.selection import Selection
from kobza.capture.tap import Tap
from kobza.pbx.sip_watch import SipWatch, TooManyTaps

log = logging.getLogger(__name__)

PATIENCE: Final = 5.0
"""Seconds within which a connection has to ask something."""
MAX_CONNECTIONS: Final = 16
AT_ONCE: Final = 50
"""Messages looked at in one turn of the loop: a millisecond or two."""


class ControlSocket:
    """Answers questions of commands. Nothing that it does holds up calls: a slow reader loses messages."""

    def __init__(self, data: Path, watch: SipWatch) -> None:
        self._path = data / said.SOCKET_NAME
        self._watch = watch
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Bind it. Where that cannot be, a warning says so: calls do not need it."""
        self._path.unlink(missing_ok=True)  # of a server that died; the lock says that no other one runs
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with reachable(self._path) as address:
                sock.bind(address)
            os.chmod(self._path, 0o600)  # noqa: PTH101, ASYNC - nobody can connect before `listen`
            self._server = await asyncio.start_unix_server(self._accepted, sock=sock)
        except OSError as error:
            sock.close()
            log.warning("commands cannot ask this server for SIP messages: %s: %s", self._path, error)

    async def stop(self) -> None:
        """End what runs and close it."""
        if self._server is not None:
            self._server.close()
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            self._path.unlink(missing_ok=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="control")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                (length,) = said.HEAD.unpack(await reader.readexactly(said.HEAD.size))
                if length > said.MAX_FRAME or len(self._running) > MAX_CONNECTIONS:
                    return
                question = said.question_in(await reader.readexactly(length))
            match question:
                case said.AskCall():
                    self._tell_call(question, writer)
                    await writer.drain()
                case said.AskCapture():
                    await self._until_left(reader, self._capture(question, writer))
        except asyncio.CancelledError:
            writer.write(said.framed(said.Done(because="stopping")))
            raise
        except (msgspec.DecodeError, asyncio.IncompleteReadError, TimeoutError, OSError) as error:
            log.debug("a question over the control socket was not answered: %s", error)
        except Exception:
            log.exception("a question over the control socket was not answered")
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _tell_call(self, question: said.AskCall, writer: asyncio.StreamWriter) -> None:
        mask = _mask(question.secrets)
        for lane, seen in self._watch.recent(question.call_id):
            writer.write(said.framed(said.Dialog(lane)))
            for each in seen:
                writer.write(said.framed(said.Message.of(each, mask(each.data))))
        writer.write(said.framed(said.Done()))

    async def _until_left(self, reader: asyncio.StreamReader, answering: Coroutine[Any, Any, None]) -> None:
        """Answer until that is done or who asked is gone."""
        answer = asyncio.create_task(answering, name="capture")
        left = asyncio.create_task(reader.read(1), name="capture's reader")
        try:
            await asyncio.wait((answer, left), return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            answer.cancel()
            await asyncio.gather(left, return_exceptions=True)
            with suppress(asyncio.CancelledError):
                await answer

    async def _capture(self, question: said.AskCapture, writer: asyncio.StreamWriter) -> None:
        if question.call_id is not None and not self._watch.knows(question.call_id):
            writer.write(said.framed(said.Refused(f"call {question.call_id} is not on")))
            return
        try:
            with self._watch.tap() as tap:
                passing = _Passing(question, self._watch.selection(number=question.number, call_id=question.call_id))
                writer.write(said.framed(said.Started()))
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(max(question.seconds, 0), said.MOST_SECONDS)):
                        await passing.run(tap, writer)
                writer.write(said.framed(said.Done(tap.dropped, passing.because)))
        except TooManyTaps as error:
            writer.write(said.framed(said.Refused(str(error))))
        await writer.drain()


class _Passing:
    """Passes on the messages of a capture, within its bounds."""

    def __init__(self, question: said.AskCapture, selection: Selection) -> None:
        self._selection = selection
        self._mask = _mask(question.secrets)
        self._messages = min(question.messages, said.MOST_MESSAGES)
        self._size = min(question.size, said.MOST_BYTES)
        self.because = "seconds"
        """What ended it."""

    async def run(self, tap: Tap, writer: asyncio.StreamWriter) -> None:
        """Go on until a bound is reached."""
        while True:
            for at, seen in enumerate(await tap.some()):
                if at % AT_ONCE == AT_ONCE - 1:
                    await asyncio.sleep(0)  # calls have their turn
                if not self._selection.wants(seen):
                    continue
                if self._size < len(seen.data):
                    self.because = "size"
                    return
                writer.write(said.framed(said.Message.of(seen, self._mask(seen.data))))
                self._size -= len(seen.data)
                self._messages -= 1
                if self._messages <= 0:
                    self.because = "messages"
                    return
            await writer.drain()


def _mask(secrets: bool) -> Callable[[bytes], bytes]:
    return bytes if secrets else masked
