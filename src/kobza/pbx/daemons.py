"""Long work that blocks, in a thread that no stop of the server waits for."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

Result = TypeVar("Result")


async def in_daemon(name: str, work: Callable[[], Result]) -> Result:
    """Do work in a thread of its own and return what it returns, or raise what it raises.

    Who is cancelled meanwhile leaves the thread to itself: what it does must be able to end anywhere.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Result] = loop.create_future()

    def tell(tell_it: Callable[[], None]) -> None:
        if not outcome.done():
            tell_it()

    def run() -> None:
        try:
            done = partial(outcome.set_result, work())
        except Exception as error:  # noqa: BLE001 - handed to who waits
            done = partial(outcome.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: the server has stopped meanwhile
            loop.call_soon_threadsafe(tell, done)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await outcome
