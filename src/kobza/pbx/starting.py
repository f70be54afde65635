"""Beginning a call on somebody's command: it is stored before anybody hears of it, or there is none."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from kobza.call.causes import TEMPORARY_FAILURE
from kobza.call.errors import KobzaError
from kobza.pbx.journal import JournalFull, JournalStopped
from kobza.pbx.live_call import LiveCall
from kobza.pbx.opening import Origination
from kobza.pbx.switch import Switch
from kobza.store.entries import Entry

STORE_SECONDS: Final = 15.0
"""How long the request waits for the store; a full load keeps it waiting for some seconds at most."""


async def begun(
    switch: Switch,
    now: Callable[[], float],
    wanted: Origination,
    *,
    promised: Callable[[str, str, float], Sequence[Entry]],
    made: Callable[[LiveCall], None] = lambda _: None,
) -> LiveCall:
    """Begin a call as `Switch.originate` does; return once it is stored. `made` takes it before anything happens.

    Raises KobzaError 503 when the store takes no new calls.
    """
    stored = asyncio.Event()
    try:
        live = switch.originate(wanted, promised=promised, then=stored.set)
    except (JournalFull, JournalStopped):
        raise KobzaError("The server takes no new calls at the moment.", code="unavailable", http_status=503) from None
    made(live)
    try:
        async with asyncio.timeout(STORE_SECONDS):
            await stored.wait()
    except TimeoutError:
        switch.feed(live, lambda: live.call.terminate(TEMPORARY_FAILURE, now()))
        raise KobzaError(
            "The store did not take the call in time; it was ended.", code="unavailable", http_status=503
        ) from None
    return live
