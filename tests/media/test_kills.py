"""No call leaves anything behind, in whatever state it is killed. `make kills` does it 10,000 times."""

from pathlib import Path

from tests.media.kills import complaints, kill_calls


async def test_killed_calls_leave_nothing_behind(tmp_path: Path) -> None:
    before, after = await kill_calls(300, seed=1, folder=tmp_path, ports=2400)
    assert complaints(before, after) == []
