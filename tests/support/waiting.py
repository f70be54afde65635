"""Waiting for what nobody announces."""

import asyncio
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds after which what was waited for does not come any more. Ordinarily all comes at once; a busy machine with
slow processors may take twenty times as long, and no test shall fail for that."""


async def until(reached: Callable[[], object], what: str = "what was expected", within: float = PATIENCE) -> None:
    """Give the loop its turns until something is so."""
    for _ in range(int(within / 0.005)):
        if reached():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"waited in vain for {what}")
