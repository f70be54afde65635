"""The room on the disk of recordings: its levels, and a real disk that fills."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.pbx.disk_space import Space, SpaceWatch, level
from tests.support.waiting import PATIENCE

KEEP = 1_000_000


@pytest.mark.parametrize(
    ("free", "before", "room"),
    [
        (10_000_000, Space.ENOUGH, Space.ENOUGH),
        (9_999_999, Space.ENOUGH, Space.LITTLE),
        (10_999_999, Space.LITTLE, Space.LITTLE),
        (11_000_000, Space.LITTLE, Space.ENOUGH),
        (999_999, Space.ENOUGH, Space.NONE),
        (1_050_000, Space.NONE, Space.NONE),
        (1_050_000, Space.LITTLE, Space.LITTLE),
        (1_100_000, Space.OVER, Space.LITTLE),
        (499_999, Space.NONE, Space.OVER),
        (540_000, Space.OVER, Space.OVER),
        (560_000, Space.OVER, Space.NONE),
        (0, Space.ENOUGH, Space.OVER),
    ],
)
def test_levels_are_left_when_a_tenth_more_is_free(free: int, before: Space, room: Space) -> None:
    assert level(free, KEEP, before) is room


@given(st.integers(0, 10**13), st.sampled_from(Space))
def test_recordings_that_never_give_way_have_room(free: int, before: Space) -> None:
    assert level(free, 0, before) is Space.ENOUGH


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"only who may mount has a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_disk_that_fills_is_noticed_and_so_is_room(
    disk: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("kobza.pbx.disk_space.LOOK_EVERY", 0.02)
    heard: list[Space] = []
    watch = SpaceWatch(disk, keep_free=1_000_000, changed=heard.append)

    async def until(room: Space) -> None:
        async with asyncio.timeout(PATIENCE):
            while watch.space is not room:  # noqa: ASYNC110 - it tells nobody of a look
                await asyncio.sleep(0.01)

    await watch.start()
    try:
        assert heard == [Space.LITTLE], "4 MiB are fewer than ten times what is kept free"
        (disk / "some").write_bytes(bytes(3_400_000))
        await until(Space.NONE)
        (disk / "rest").write_bytes(bytes(700_000))
        await until(Space.OVER)
        assert watch.free == os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        (disk / "some").unlink()
        await until(Space.LITTLE)
    finally:
        await watch.stop()
    assert heard == [Space.LITTLE, Space.NONE, Space.OVER, Space.LITTLE]
    for words in ("little room", "new calls are not recorded", "nothing is recorded", "calls are recorded again"):
        assert words in caplog.text
