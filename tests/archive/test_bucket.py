"""Recordings in a bucket of a real object store."""

from dataclasses import replace
from pathlib import Path

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from kobza.archive.archive import Archive, Verdict
from kobza.archive.bucket import Bucket, BucketPlace
from kobza.archive.home import Changed, HomeAway, NotThere
from kobza.archive.sealing import Damaged
from kobza.store.recording_files import Doomed
from kobza.store.recording_homes import BUCKET, CONFIRMED
from tests.archive.rows import NAME, SOUND, Row
from tests.support.object_store import ObjectStore
from tests.support.ports import free_port


@pytest.fixture
def place(object_store: ObjectStore) -> BucketPlace:
    return object_store.make_bucket()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The directory of recordings, with one in it."""
    path = tmp_path / "recordings" / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(SOUND)
    return tmp_path / "recordings"


def test_an_object_is_put_read_in_parts_and_removed(object_store: ObjectStore, place: BucketPlace, made: Path) -> None:
    bucket = Bucket(place)
    assert bucket.look() is False
    for gone in (lambda: bucket.size(NAME), lambda: bucket.open(NAME, 0, 1, 1), lambda: bucket.put("x", made / "none")):
        with pytest.raises(NotThere):
            gone()
    bucket.put(NAME, made / NAME)
    assert object_store.objects(place) == {NAME: SOUND}
    assert bucket.size(NAME) == len(SOUND)
    reader = bucket.open(NAME, 100, 300_000, len(SOUND))
    parts = b"".join(iter(lambda: reader.read(70_000), b""))
    reader.close()
    assert parts == SOUND[100:300_100]
    # Somebody leaves in the middle: the next one gets a connection all the same.
    reader = bucket.open(NAME, 5, 400_000, len(SOUND))
    assert reader.read(10) == SOUND[5:15]
    reader.close()
    with pytest.raises(Changed):
        bucket.open(NAME, 5, 400_000, len(SOUND) + 1)
    nothing = bucket.open(NAME, 0, 0, len(SOUND))
    assert nothing.read(10) == b""
    nothing.close()
    for _ in range(2):
        bucket.remove(NAME)
    assert object_store.objects(place) == {}


def test_what_is_longer_than_a_part_comes_back_whole(
    place: BucketPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kobza.archive.bucket.PART", 5 * 2**20)  # the least that S3 allows
    long = tmp_path / "long.mp3"
    long.write_bytes(bytes(11 * 2**20))
    bucket = Bucket(place)
    bucket.put("long.mp3", long)
    assert bucket.size("long.mp3") == 11 * 2**20
    reader = bucket.open("long.mp3", 5 * 2**20 - 5, 10, 11 * 2**20)
    assert reader.read(100) == bytes(10)
    reader.close()


def test_a_bucket_that_cannot_be_used_is_away_and_nothing_is_taken_for_gone(
    place: BucketPlace, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strangers = (
        replace(place, secret_key="wrong"),
        replace(place, bucket="no-such-bucket"),
        replace(place, endpoint=f"http://127.0.0.1:{free_port()}"),
    )
    for stranger in strangers:
        bucket = Bucket(stranger)
        for act in (
            bucket.look,
            lambda bucket=bucket: bucket.size(NAME),
            lambda bucket=bucket: bucket.open(NAME, 0, 1, 1),
            lambda bucket=bucket: bucket.put(NAME, made / NAME),
            lambda bucket=bucket: bucket.remove(NAME),
        ):
            with pytest.raises(HomeAway) as told:
                act()
            monkeypatch.setattr(bucket, "_away_until", 0.0)  # nobody waits for the other's try
            assert "wrong" not in str(told.value)
            assert "0x" not in str(told.value)
    assert "secret" not in repr(place)
    bucket = Bucket(strangers[-1])
    for words in ("does not answer", "did not answer a moment ago"):
        with pytest.raises(HomeAway, match=words):
            bucket.size(NAME)


def test_an_archive_reads_from_the_bucket_what_is_not_here(
    object_store: ObjectStore, place: BucketPlace, made: Path
) -> None:
    archive = Archive(made, Bucket(place), uploads=True)
    archive.upload(Row())
    assert object_store.objects(place) == {NAME: SOUND}
    assert archive.find(Row(home=CONFIRMED)).home is archive.folder
    archive.folder.remove(NAME)
    there = Row(home=BUCKET)
    doomed = Doomed("rec-1", "call-1", NAME, there.sha256, there.size, shared=False, home=BUCKET)
    assert archive.find(there).home is archive.bucket
    assert archive.verify(there) is Verdict.WHOLE
    with archive.as_file(there) as path:
        assert path.read_bytes() == SOUND
    assert not path.exists()
    assert archive.verify(replace(there, sha256="0" * 64)) is Verdict.DAMAGED
    with pytest.raises(HomeAway, match="s3_bucket"):  # settings without it: nobody knows, so nothing is gone
        Archive(made).find(there)
    with pytest.raises(HomeAway, match="s3_bucket"):
        Archive(made).erase(doomed)
    archive.erase(doomed)
    assert object_store.objects(place) == {}
    assert archive.verify(there) is Verdict.MISSING
    with pytest.raises(NotThere):
        archive.upload(Row())


def test_what_is_damaged_is_not_uploaded(object_store: ObjectStore, place: BucketPlace, made: Path) -> None:
    (made / NAME).write_bytes(SOUND[:-1] + b"x")
    with pytest.raises(Damaged):
        Archive(made, Bucket(place), uploads=True).upload(Row())
    assert object_store.objects(place) == {}


def test_a_bucket_that_keeps_old_versions_says_so(object_store: ObjectStore, place: BucketPlace) -> None:
    """Whoever erases must know: there the object would still be had."""
    object_store.client.set_bucket_versioning(place.bucket, VersioningConfig(ENABLED))
    assert Bucket(place).look() is True
