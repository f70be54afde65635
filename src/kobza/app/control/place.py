"""The address of a socket in a directory whose name may be longer than the system lets addresses of sockets be."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MAX_ADDRESS: Final = 100
"""Bytes; Linux takes 107, others fewer."""
_FILES: Final = Path("/proc/self/fd")


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Give an address of the socket that is good for `bind` and `connect`, as long as the context is open.

    A long one goes by the open directory. Raises OSError.
    """
    if len(os.fsencode(path)) <= MAX_ADDRESS or not _FILES.is_dir():
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"{_FILES}/{directory}/{path.name}"
    finally:
        os.close(directory)
