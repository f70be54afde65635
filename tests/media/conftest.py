"""The planes that shared tests run on, the loops that move packets, and what is closed after a test."""

from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from kobza.media.packet_loop import PacketLoopName
from tests.interop.tools import require
from tests.media import compiled_packets as packets
from tests.media.planes import StartPlane, running_plane, running_rtpengine_plane
from tests.media.relayed import Stack
from tests.support.rtpengine import Rtpengine, running_rtpengine


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run a test on rtpengine once: its other parameters are about what both planes have in common."""
    known: set[str] = set()
    again = []
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is not None and callspec.params.get("start_plane") == "rtpengine":
            name = item.nodeid.partition("[")[0]
            again += [item] if name in known else []
            known.add(name)
    if again:
        config.hook.pytest_deselected(items=again)
        items[:] = [item for item in items if item not in again]


@pytest.fixture(scope="session")
def rtpengine() -> Iterator[Rtpengine]:
    """An rtpengine that nobody stops."""
    require("rtpengine")
    with running_rtpengine() as engine:
        yield engine


@pytest.fixture(params=["embedded", "rtpengine"])
def start_plane(request: pytest.FixtureRequest) -> StartPlane:
    """Starts a plane: the test runs on each."""
    if request.param == "embedded":
        return running_plane
    return partial(running_rtpengine_plane, request.getfixturevalue("rtpengine"))


@pytest.fixture(scope="session")
def compiled_packets() -> None:
    """Have the compiled loop in this process."""
    packets.load()


@pytest.fixture(params=["python", "compiled"])
def packet_loop_name(request: pytest.FixtureRequest) -> PacketLoopName:
    """What moves the packets of a test: Python's loop, and the compiled one where it can be."""
    name: PacketLoopName = request.param
    if name == "compiled":
        request.getfixturevalue("compiled_packets")
    return name


@pytest.fixture
async def stack(packet_loop_name: PacketLoopName) -> AsyncIterator[Stack]:
    """What is closed when the test is over, in its loop."""
    with Stack() as opened:
        opened.loop_name = packet_loop_name
        yield opened
