"""The lifetime of a server: what has started is stopped in the reverse order, and a part that dies is told of."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

Stop = Callable[[], Awaitable[object]]
"""Stops a part, and returns once it has stopped."""


class Lifetime:
    """From the first part's start to its stop. To be made and used in one event loop."""

    def __init__(self) -> None:
        self._stops: list[Stop] = []
        self._failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def stop_with(self, stop: Stop) -> None:
        """Have a part that has started stopped in the end, before those that started earlier."""
        self._stops.append(stop)

    def fail(self, error: BaseException) -> None:
        """Say that a part has died that nothing can do without. The first to die is told of."""
        if not self._failure.done():
            self._failure.set_result(error)

    def part_ended(self, task: "asyncio.Task[None]") -> None:
        """Take what came of a part's task: for its `add_done_callback`."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    async def failed(self) -> BaseException:
        """Wait until a part dies; return why."""
        return await asyncio.shield(self._failure)

    async def stop(self) -> None:
        """Stop everything in the reverse order; a part that cannot stop keeps no other from it."""
        while self._stops:
            stop = self._stops.pop()
            try:
                await stop()
            except Exception:
                log.exception("a part of the server did not stop cleanly")
