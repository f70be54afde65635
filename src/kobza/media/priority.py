"""The place of the media process among all that run: before the ordinary ones, where that is allowed.

A packet of audio comes each 20 ms, and whoever waits for a processor while another program computes hands it on late.
"""

import logging
import os
from typing import Final, Literal

from kobza.media.plane import MediaError

log = logging.getLogger(__name__)

PriorityName = Literal["auto", "realtime", "normal"]
"""`auto`: real-time where it is allowed."""
LEAST: Final = 1
"""Of the priorities that are real-time. To be before all ordinary processes is enough."""
HOW: Final = "AmbientCapabilities=CAP_SYS_NICE or LimitRTPRIO=1 in the service's unit"


def is_allowed() -> bool:
    """Tell whether this process may have real-time priority: try it and go back."""
    before, place = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(LEAST))
    except PermissionError:
        return False
    os.sched_setscheduler(0, before, place)
    return True


def check(name: PriorityName) -> None:
    """Raise MediaError when real-time priority is wanted and forbidden."""
    if name == "realtime" and not is_allowed():
        raise MediaError(f"the media process may not have real-time priority; {HOW}")


def give(pid: int, name: PriorityName) -> None:
    """Give a process its place; what it starts is ordinary again.

    The kernel leaves others a twentieth of each processor, whatever such a process does (sched(7)).
    """
    if name == "normal":
        return
    try:
        os.sched_setscheduler(pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(LEAST))
    except PermissionError:
        log.info("the media process has ordinary priority: on a busy machine audio is late; %s", HOW)
    except ProcessLookupError:
        pass  # it has just died, which others see
