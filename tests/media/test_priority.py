"""The place of the media process among others, as the kernel says it."""

import asyncio
import os
import shutil
import subprocess
import sys

import pytest

from kobza.media import priority
from kobza.media.embedded import EmbeddedPlane
from kobza.media.priority import PriorityName
from tests.media.phone_end import HOST
from tests.support.ports import free_range
from tests.support.waiting import PATIENCE

REALTIME = os.SCHED_RR | os.SCHED_RESET_ON_FORK

needs_right = pytest.mark.skipif(not priority.is_allowed(), reason="real-time priority is not allowed here")
as_one_who_may_not = ("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice", sys.executable, "-c")
needs_setpriv = pytest.mark.skipif(
    shutil.which("setpriv") is None or os.geteuid() != 0, reason="rights are given up by setpriv, as root"
)
NOT_ALLOWED = """
import asyncio, logging, os, sys
from kobza.media.embedded import EmbeddedPlane
from kobza.media.plane import MediaError

async def main(name, port):
    plane = EmbeddedPlane(host="127.0.0.1", ports=range(port, port + 8), timeout=60.0, process_priority=name)
    try:
        await plane.start()
    except MediaError as error:
        print(error)
        return
    print("started, ordinary:", os.sched_getscheduler(plane.relay_pid) == os.SCHED_OTHER)
    await plane.stop()

logging.basicConfig(level="INFO", stream=sys.stdout, format="%(message)s")
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@needs_right
@pytest.mark.parametrize(("name", "wanted"), [("auto", REALTIME), ("realtime", REALTIME), ("normal", os.SCHED_OTHER)])
async def test_the_media_process_has_the_place_that_is_set(name: PriorityName, wanted: int) -> None:
    plane = EmbeddedPlane(host=HOST, ports=free_range(8), timeout=60.0, process_priority=name)
    await plane.start()
    try:
        assert plane.relay_pid is not None
        assert os.sched_getscheduler(plane.relay_pid) == wanted
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
    finally:
        await plane.stop()


@needs_right
def test_to_ask_whether_it_is_allowed_changes_nothing() -> None:
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        assert priority.is_allowed()
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@needs_right
async def test_so_has_the_one_that_follows_it() -> None:
    plane = EmbeddedPlane(host=HOST, ports=free_range(8), timeout=60.0, process_priority="realtime")
    await plane.start()
    try:
        first = plane.relay_pid
        assert first is not None
        os.kill(first, 9)
        async with asyncio.timeout(PATIENCE):
            while plane.relay_pid in (None, first):  # noqa: ASYNC110  nothing tells of it
                await asyncio.sleep(0.02)
        assert plane.relay_pid is not None
        assert os.sched_getscheduler(plane.relay_pid) == REALTIME
    finally:
        await plane.stop()


@needs_setpriv
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("realtime", "the media process may not have real-time priority"),
        ("auto", "the media process has ordinary priority"),
    ],
)
def test_who_may_not_is_told_how_it_could(name: PriorityName, said: str) -> None:
    """`realtime` does not start without it; `auto` does."""
    command = (*as_one_who_may_not, NOT_ALLOWED, name, str(free_range(8).start))
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said in out
    assert "CAP_SYS_NICE" in out
    assert ("started, ordinary: True" in out) is (name == "auto")
