"""Recordings in the folder of this machine."""

from pathlib import Path

import pytest

from kobza.archive.archive import Archive, Verdict
from kobza.archive.folder import Folder
from kobza.archive.home import Changed, HomeAway, NotThere
from tests.archive.rows import NAME, SOUND, Row


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    source = tmp_path / "made.mp3"
    source.write_bytes(SOUND)
    made = Folder(tmp_path / "recordings")
    made.put(NAME, source)
    return made


def test_a_file_is_read_in_parts(folder: Folder) -> None:
    assert folder.size(NAME) == len(SOUND)
    reader = folder.open(NAME, 100, 1000, len(SOUND))
    parts = [reader.read(700), reader.read(700), reader.read(700)]
    reader.close()
    assert parts == [SOUND[100:800], SOUND[800:1100], b""]
    folder.remove(NAME)
    folder.remove(NAME)
    for gone in (
        lambda: folder.size(NAME),
        lambda: folder.open(NAME, 0, 1, 1),
        lambda: folder.put("x", Path("none")),
    ):
        with pytest.raises(NotThere):
            gone()
    assert not list(folder.directory.rglob("*.partial"))


def test_a_file_that_became_shorter_is_not_taken_for_the_whole(folder: Folder) -> None:
    with pytest.raises(Changed):
        folder.open(NAME, 0, 10, len(SOUND) - 1)
    reader = folder.open(NAME, 0, len(SOUND), len(SOUND))
    (folder.directory / NAME).write_bytes(SOUND[:10])
    assert reader.read(10) == SOUND[:10]
    with pytest.raises(HomeAway, match="shorter"):
        reader.read(10)
    reader.close()


def test_nothing_is_removed_where_the_directory_is_not(tmp_path: Path) -> None:
    """It is on another machine: whoever erases must not take the file for gone."""
    with pytest.raises(HomeAway, match="no directory"):
        Folder(tmp_path / "elsewhere").remove(NAME)


def test_what_was_recorded_is_told_from_what_was_not(folder: Folder) -> None:
    archive = Archive(folder.directory)
    assert archive.verify(Row()) is Verdict.WHOLE
    (folder.directory / NAME).write_bytes(SOUND[:-1] + b"x")
    assert archive.verify(Row()) is Verdict.DAMAGED
    (folder.directory / NAME).write_bytes(SOUND + b"x")
    assert archive.verify(Row()) is Verdict.DAMAGED
    folder.remove(NAME)
    assert archive.verify(Row()) is Verdict.MISSING
    assert archive.verify(Row(path=None)) is Verdict.MISSING
