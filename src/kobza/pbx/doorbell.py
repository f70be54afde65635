"""How one thread sleeps until another has work for it."""

import contextlib
import threading


class Doorbell:
    """Any thread rings; one waits. A ring that nobody waited for ends the next wait at once; two of them are one.

    A condition would do, but it makes a lock for each wait and takes some thirty calls of functions.
    """

    __slots__ = ("_silent",)

    def __init__(self) -> None:
        self._silent = threading.Lock()
        self._silent.acquire()

    def ring(self) -> None:
        """Wake who waits, or who waits next."""
        with contextlib.suppress(RuntimeError):  # somebody rang at the same moment
            if self._silent.locked():
                self._silent.release()

    def wait(self, timeout: float) -> None:
        """Wait for a ring, or so many seconds; without any when they are not more than 0."""
        if timeout > 0:
            self._silent.acquire(timeout=timeout)
