"""In the place of an event loop: what is readable is called when a test says so."""

from collections.abc import Callable
from typing import Any


class ByHand:
    """Has what an event loop has for the packet loops."""

    def __init__(self) -> None:
        self.readers: dict[int, Callable[[], object]] = {}
        self.errors: list[dict[str, Any]] = []

    def add_reader(self, fd: int, callback: Callable[[], object]) -> None:
        self.readers[fd] = callback

    def remove_reader(self, fd: int) -> None:
        del self.readers[fd]

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def run(self) -> None:
        for callback in list(self.readers.values()):
            callback()
