"""Python reads this at its start where `bench.counted` has put its folder into the path: it counts what it is told to.

SIGUSR1 begins, SIGUSR2 writes the profile into the file that BENCH_PROFILE names, with the process's number behind it.
"""

import cProfile
import os
import signal
from types import FrameType

INTO = os.environ.get("BENCH_PROFILE")
profile = cProfile.Profile()


def begin(_signal: int, _frame: FrameType | None) -> None:
    profile.enable()


def end(_signal: int, _frame: FrameType | None) -> None:
    profile.disable()
    profile.dump_stats(f"{INTO}.{os.getpid()}")


if INTO:
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
