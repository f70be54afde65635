"""Waiting for what nobody announces."""

import asyncio
from collections.abc import Callable


async def until(reached: Callable[[], object], what: str = "what was expected", within: float = 5.0) -> None:
    """Give the loop its turns until something is so."""
    for _ in range(int(within / 0.005)):
        if reached():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"waited in vain for {what}")
