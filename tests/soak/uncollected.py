"""What calls leave behind that only Python's collector of circles finds."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SERVERS: Final = (
    "kobza.call.",
    "kobza.pbx.",
    "kobza.sip.invite_",
    "kobza.sip.reliable",
    "kobza.sip.session",
    "kobza.sip.transaction",
)
"""Where the classes are of which a server makes some for each call; the phones of tests keep their dialogs."""


@contextmanager
def nothing_collected(of: tuple[str, ...] = SERVERS) -> Iterator[Counter[str]]:
    """Keep the collector away meanwhile; then count, by class, what it would have had to find of some modules.

    The collector comes once in thousands of calls: what waits for it is memory that a server seems to lose.
    """
    found: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        classes = (f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage)
        found.update(name for name in classes if name.startswith(of))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
