"""The planes that tests of the interface run on."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.interop.tools import require
from tests.media.planes import StartPlane, running_plane, running_rtpengine_plane
from tests.support.rtpengine import Rtpengine, running_rtpengine


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
