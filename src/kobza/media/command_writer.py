"""What is written to the relay: commands, in as few writes as can be."""

import asyncio
import logging
from typing import Final

from kobza.beat import next_beat
from kobza.media.frames import encode
from kobza.media.messages import Command

log = logging.getLogger(__name__)

PATIENCE: Final = 0.02
"""Seconds for which a command waits that need not be carried out at once."""
COMMANDS_HIGH: Final = 256 * 1024
"""Bytes of commands that wait in the socket above which no new call is begun: about 1,000 commands."""
COMMANDS_MAX: Final = 8 * 1024 * 1024
"""Bytes at which the process counts as hung at once."""


class CommandWriter:
    """Writes commands to the relay's socket. Nothing comes of what is sent while there is none.

    What is sent in one turn of the loop goes in one write: each wakes the process up, which costs more than a command.
    """

    def __init__(self) -> None:
        self.high = COMMANDS_HIGH
        """See there; and so the next."""
        self.most = COMMANDS_MAX
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._writing: asyncio.Handle | None = None
        """The write to come, if one is."""
        self._hurries = False

    def attach(self, transport: asyncio.Transport) -> None:
        """Take the socket to write to."""
        self._transport = transport

    @property
    def congested(self) -> bool:
        """The process is not there, or behind: do not begin calls."""
        return self._transport is None or self._transport.get_write_buffer_size() > self.high

    def send(self, command: Command) -> None:
        """Send a command; a process that reads none is cut off at COMMANDS_MAX."""
        self.send_frame(encode(command), soon=True)

    def send_with_the_next(self, command: Command) -> None:
        """Send a command that may wait PATIENCE for company, behind those before it and before those after it."""
        self.send_frame(encode(command), soon=False)

    def send_frame(self, frame: bytes, *, soon: bool) -> None:
        """Send an encoded command at the end of this turn, or (`soon` False) with the next one."""
        self._unsent.append(frame)
        if not soon:
            if self._writing is None:
                self._writing = self._loop.call_at(next_beat(self._loop.time() + PATIENCE), self.flush)
        elif not self._hurries:
            self._hurries = True
            if self._writing is not None:
                self._writing.cancel()
            self._writing = self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what was sent; nobody is there any more when the process is gone."""
        self._writing, self._hurries = None, False
        data = b"".join(self._unsent)
        self._unsent.clear()
        if not data or self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > self.most:
            log.error("the relay reads no commands: killed")
            self._transport.abort()
