"""Encrypted recordings: read in parts, bound to their recording, and nothing without their keys."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kobza.archive import sealing
from kobza.archive.archive import Archive, Verdict
from kobza.archive.bucket import Bucket
from kobza.archive.folder import Folder
from kobza.archive.home import HomeError
from kobza.archive.keys import KEY_BYTES, KeyLost, Keys, KeysWrong, add_key, key_id_of
from kobza.archive.sealing import MAGIC, TAG, Damaged, UnsealedPart, plain_size, seal, sealed_size
from kobza.store.recording_homes import BUCKET
from tests.support.object_store import ObjectStore

CHUNK = 100
"""As small as to have many in a test."""
KEY = b"k" * KEY_BYTES
SOUND = bytes(range(256)) * 3
FUNCTION = [HealthCheck.function_scoped_fixture]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "CHUNK", CHUNK)


def read(folder: Path, size: int, first: int = 0, length: int | None = None, record_id: str = "rec-1") -> bytes:
    part = size - first if length is None else length
    reader = UnsealedPart(Folder(folder), "a.mp3", KEY, record_id, size=size, first=first, length=part)
    try:
        return b"".join(iter(lambda: reader.read(70), b""))
    finally:
        reader.close()


def sealed(folder: Path, content: bytes) -> Path:
    plain, target = folder / "plain.mp3", folder / "a.mp3"
    plain.write_bytes(content)
    seal(plain, target, KEY, "rec-1")
    return target


@settings(suppress_health_check=FUNCTION)
@given(st.data(), st.one_of(st.integers(0, 450), st.sampled_from([0, 1, 99, 100, 101, 200, 300])))
def test_any_part_of_any_size_comes_back(tmp_path: Path, data: st.DataObject, size: int) -> None:
    target = sealed(tmp_path, SOUND[:size])
    assert target.stat().st_size == sealed_size(size)
    assert plain_size(sealed_size(size)) == size
    first = data.draw(st.integers(0, size))
    length = data.draw(st.integers(0, size - first))
    assert read(tmp_path, size, first, length) == SOUND[first : first + length]
    assert SOUND[:50] not in target.read_bytes() or size < 50


def test_what_was_tampered_with_is_damaged(tmp_path: Path) -> None:
    target = sealed(tmp_path, SOUND[:300])
    whole, step, begin = target.read_bytes(), CHUNK + TAG, len(MAGIC)
    first, second, third = (whole[begin + step * at : begin + step * (at + 1)] for at in range(3))
    for content, size in (
        (whole[:30] + bytes([whole[30] ^ 1]) + whole[31:], 300),
        (whole[:begin] + second + first + third, 300),
        (whole[:begin] + first + second, 200),  # cut off where a chunk ends
        (whole[:begin] + third, 100),
        (whole[:-1], 300),
    ):
        target.write_bytes(content)
        with pytest.raises(HomeError):
            read(tmp_path, size)
    target.write_bytes(whole)
    with pytest.raises(Damaged):
        read(tmp_path, 300, record_id="rec-2")  # another one's file in its place
    assert read(tmp_path, 300) == SOUND[:300]


@settings(suppress_health_check=FUNCTION)
@given(st.binary(max_size=400))
def test_whatever_is_there_is_damage_and_nothing_else(tmp_path: Path, content: bytes) -> None:
    assume(len(content) != TAG)  # an empty file: of that nothing is read
    (tmp_path / "a.mp3").write_bytes(MAGIC + content)
    with pytest.raises(HomeError):
        read(tmp_path, plain_size(len(MAGIC) + len(content)))


@given(st.text(max_size=200))
def test_whatever_a_key_file_says_is_keys_or_one_error(text: str) -> None:
    try:
        keys = Keys.parse(text)
    except KeysWrong:
        return
    assert keys.newest in keys.ids


def test_keys_are_added_and_wrap_what_only_they_unwrap(tmp_path: Path) -> None:
    path = tmp_path / "recordings.keys"
    with pytest.raises(KeysWrong, match="cannot be read"):
        Keys.load(path)
    add_key(path, "first")
    assert path.stat().st_mode & 0o777 == 0o600
    old = Keys.load(path)
    add_key(path, "second")
    both = Keys.load(path)
    assert (both.ids, both.newest) == (["first", "second"], "second")
    kept = old.wrap(KEY, "rec-1")
    assert (key_id_of(kept), both.unwrap(kept, "rec-1")) == ("first", KEY)
    assert key_id_of(both.wrap(KEY, "rec-1")) == "second"
    with pytest.raises(KeyLost, match="needs the key second, which is not in the key file"):
        old.unwrap(both.wrap(KEY, "rec-1"), "rec-1")
    another = Keys.parse(f"first {'A' * 43}=")
    for keys, record_id, text in ((another, "rec-1", kept), (both, "rec-2", kept), (both, "rec-1", "first.%")):
        with pytest.raises(KeyLost, match="is not that of recording"):
            keys.unwrap(text, record_id)
    for wrong in ("second", "two words", ""):
        with pytest.raises(KeysWrong):
            add_key(path, wrong)
    for text, told in (("a", "line 1: expected an id"), ("a b", "32 bytes"), ("# a", "no key in it")):
        with pytest.raises(KeysWrong, match=told):
            Keys.parse(text)


@dataclass(frozen=True)
class Row:
    """What the store would say."""

    sealed: str | None
    record_id: str = "rec-1"
    path: str = "2026/rec-1.mp3"
    size: int | None = len(SOUND)
    sha256: str | None = hashlib.sha256(SOUND).hexdigest()
    home: str | None = None


def test_an_encrypted_recording_is_as_any_other_here_and_in_a_bucket(tmp_path: Path, object_store: ObjectStore) -> None:
    place = object_store.make_bucket()
    add_key(tmp_path / "keys", "first")
    keys = Keys.load(tmp_path / "keys")
    archive = Archive(tmp_path / "recordings", Bucket(place), uploads=True, keys=keys)
    (tmp_path / "plain.mp3").write_bytes(SOUND)
    row = Row(archive.seal(tmp_path / "plain.mp3", "2026/rec-1.mp3", "rec-1"))
    assert archive.verify(row) is Verdict.WHOLE
    archive.upload(row)
    (content,) = object_store.objects(place).values()
    assert content.startswith(MAGIC)
    archive.folder.remove(row.path)
    there = replace(row, home=BUCKET)
    assert archive.verify(there) is Verdict.WHOLE
    found = archive.find(there)
    reader = found.open(150, 200)
    assert (found.size, reader.read(40), reader.read(500)) == (len(SOUND), SOUND[150:190], SOUND[190:200])
    reader.close()
    with archive.as_file(there) as path:
        assert path.read_bytes() == SOUND
    assert not path.exists()
    for lost in (None, Keys.parse(f"second {'A' * 43}=")):
        with pytest.raises(KeyLost):
            Archive(tmp_path / "recordings", Bucket(place), keys=lost).find(there)
    bucket = Bucket(place)
    (tmp_path / "other").write_bytes(content[:-1] + b"x")
    bucket.put(row.path, tmp_path / "other")
    assert archive.verify(there) is Verdict.DAMAGED
    (tmp_path / "other").write_bytes(b"x")
    bucket.put(row.path, tmp_path / "other")
    assert archive.verify(there) is Verdict.DAMAGED
