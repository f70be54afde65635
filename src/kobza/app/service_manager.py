"""What the service manager that started the server is told, as sd_notify(3) says: it is ready, alive, stopping.

Only systemd asks for it, by the variables that it sets; without them nothing is said.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from typing import Final

log = logging.getLogger(__name__)

SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG: Final = "WATCHDOG_USEC"


class ServiceManager:
    """Speaks to the service manager. With its watchdog set, a server whose loop stands still is started again."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get(SOCKET, "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        patience = environment.get(WATCHDOG, "")
        self._beat = int(patience) / 2e6 if patience.isdecimal() else 0.0
        """Seconds; half of the time after which the manager takes the server for dead."""
        self._timer: asyncio.TimerHandle | None = None

    def ready(self) -> None:
        """Say that the server serves; from now on say each beat that it is alive."""
        self._tell("READY=1")
        if self._address and self._beat > 0:
            self._live()

    def stopping(self) -> None:
        """Say that the server stops, which takes as long as it takes to close its books."""
        if self._timer is not None:
            self._timer.cancel()
        self._tell("STOPPING=1")

    def _live(self) -> None:
        self._tell("WATCHDOG=1")
        self._timer = asyncio.get_running_loop().call_later(self._beat, self._live)

    def _tell(self, what: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
                sock.sendto(what.encode(), self._address)
        except OSError as error:
            log.warning("the service manager at %s cannot be told %s: %s", self._address, what, error)
