"""The log of the relay's process goes to the PBX, which writes it among its own lines, in its form and to its place."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from kobza.media.messages import Logged

MAX_TEXT: Final = 8192
"""Characters of a line that are passed on: a traceback fits."""


class PassedOn(logging.Handler):
    """Gives every record to `tell`, in the loop; without a loop, or when `tell` says no, to `otherwise`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, tell: Callable[[Logged], bool], otherwise: logging.Handler
    ) -> None:
        super().__init__()
        self._loop = loop
        self._tell = tell
        self._otherwise = otherwise

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._pass_on, record)
        except RuntimeError:  # the loop is closed
            self._otherwise.handle(record)

    def _pass_on(self, record: logging.LogRecord) -> None:
        text = self.format(record)[:MAX_TEXT]  # with the traceback, if there is one
        about = {name: getattr(record, name, None) for name in ("call_id", "record_id")}
        if not self._tell(Logged(record.levelno, record.name, text, **about)):
            self._otherwise.handle(record)


def write(line: Logged) -> None:
    """Write a line of the relay's log into this process's."""
    about = {name: value for name in ("call_id", "record_id") if (value := getattr(line, name)) is not None}
    logging.getLogger(line.logger).log(line.level, "%s", line.text, extra=about)
