"""Which processors who runs on, so that what is measured does not share one with what measures it."""

import os
from collections.abc import Iterator, Set
from contextlib import contextmanager


def shared_out() -> tuple[Set[int], Set[int]]:
    """Return one processor for the server, and the others for what surrounds it: the same one if there is no other."""
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others or [first])


@contextmanager
def kept_to(processors: Set[int] | None) -> Iterator[None]:
    """Keep this thread, and the processes that it starts for as long as they live, to some processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if processors is None else processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
