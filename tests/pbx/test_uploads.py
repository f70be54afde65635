"""Recordings on their way into the bucket of a real object store: through outages, crashes and erasures."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kobza.archive.archive import Archive
from kobza.archive.bucket import Bucket, BucketPlace
from kobza.pbx.uploads import HOUR_MS, Uploads
from kobza.store import Store, recording_files, recording_homes, recordings
from kobza.store import schema as tables
from kobza.store.journal import JournalWriter
from kobza.store.recording_homes import BUCKET, CONFIRMED, REFUSED, UPLOADING, WAITING
from tests.pbx.office import NOW
from tests.store.builders import recording
from tests.support.object_store import ObjectStore
from tests.support.waiting import PATIENCE


def sound(record_id: str) -> bytes:
    return record_id.encode() * 1000


class Vault:
    """A store and a folder with recordings, and a bucket."""

    def __init__(self, store: Store, folder: Path, place: BucketPlace) -> None:
        self.store = store
        self.archive = Archive(folder, Bucket(place), uploads=True)
        self.now = NOW
        folder.mkdir()

    def make(self, record_id: str, *owners: str, home: str | None = WAITING, at: float = NOW) -> None:
        """Do what the encoder does."""
        mp3 = sound(record_id)
        (self.archive.folder.directory / f"{record_id}.mp3").write_bytes(mp3)
        known = {"path": f"{record_id}.mp3", "size": len(mp3), "sha256": hashlib.sha256(mp3).hexdigest()}
        writer = JournalWriter(self.store.place)
        for owner in owners or ("ent-1",):
            writer.write([recording("ready", record_id=record_id, enterprise_id=owner, at=at, home=home, **known)])
        writer.close()

    def uploads(self) -> Uploads:
        return Uploads(self.archive, self.store, now=lambda: self.now, local_hours=2)

    def homes(self) -> dict[str, str | None]:
        with self.store.read() as conn:
            return {each.record_id: each.home for each in recordings.page_ready(conn, None, 0, ("", ""), 100)}

    def here(self) -> set[str]:
        return {path.stem for path in self.archive.folder.directory.glob("*.mp3")}


@pytest.fixture
def bucket(object_store: ObjectStore) -> BucketPlace:
    return object_store.make_bucket()


@pytest.fixture
def vault(store: Store, tmp_path: Path, bucket: BucketPlace) -> Vault:
    return Vault(store, tmp_path / "recordings", bucket)


@asynccontextmanager
async def running(vault: Vault) -> AsyncIterator[Uploads]:
    uploads = vault.uploads()
    uploads.start()
    try:
        yield uploads
    finally:
        await uploads.stop()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - a thread tells nobody
            await asyncio.sleep(0.02)


async def test_what_waits_is_uploaded_and_old_copies_go(
    vault: Vault, object_store: ObjectStore, bucket: BucketPlace
) -> None:
    vault.make("rec-1", "ent-1", "ent-2")
    vault.make("rec-2", home=None)  # of before there was a bucket
    vault.make("rec-3")
    async with running(vault) as uploads:
        await until(lambda: set(vault.homes().values()) == {CONFIRMED})
        vault.make("rec-4")
        uploads.wake()
        await until(lambda: uploads.counts.done == 4)
        assert object_store.objects(bucket) == {f"rec-{number}.mp3": sound(f"rec-{number}") for number in range(1, 5)}
        assert (uploads.up, uploads.counts.failed) == (True, 0)
        assert vault.here() == {"rec-1", "rec-2", "rec-3", "rec-4"}
    vault.now += 2 * HOUR_MS / 1000 + 1
    async with running(vault):
        await until(lambda: set(vault.homes().values()) == {BUCKET})
    assert vault.here() == set()
    with vault.store.read() as conn:
        assert recording_homes.counts(conn) == {BUCKET: 5}


async def test_a_copy_stays_until_the_bucket_has_it_still(
    vault: Vault, object_store: ObjectStore, bucket: BucketPlace, caplog: pytest.LogCaptureFixture
) -> None:
    vault.make("rec-1")
    async with running(vault):
        await until(lambda: vault.homes() == {"rec-1": CONFIRMED})
    vault.now += 2 * HOUR_MS / 1000 + 1
    whole, vault.archive = vault.archive, Archive(vault.archive.folder.directory)
    async with running(vault) as uploads:  # as a backup that is tried with settings that name no bucket
        await until(lambda: uploads.looks)
    assert vault.here() == {"rec-1"}
    vault.archive = whole
    object_store.client.remove_object(bucket.bucket, f"{bucket.prefix}rec-1.mp3")
    async with running(vault) as uploads:
        await until(lambda: uploads.counts.done == 1 and vault.homes() == {"rec-1": CONFIRMED})
    assert vault.here() == {"rec-1"}
    assert set(object_store.objects(bucket)) == {"rec-1.mp3"}
    assert "rec-1 was in the bucket and is not any more" in caplog.text


async def test_an_outage_is_waited_out(
    vault: Vault,
    object_store: ObjectStore,
    bucket: BucketPlace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("kobza.pbx.uploads.FIRST_RETRY", 0.05)
    object_store.stop()
    vault.make("rec-1", at=NOW - 100)
    vault.make("rec-2")
    try:
        async with running(vault) as uploads:
            await until(lambda: uploads.counts.failed >= 2)
            await until(lambda: uploads.up is False)
            assert (uploads.waiting, uploads.oldest_age) == (2, 100.0)
            assert set(vault.homes().values()) <= {WAITING, UPLOADING}
            assert "rec-1 is not uploaded yet" in caplog.text
            await asyncio.to_thread(object_store.start)
            await until(lambda: uploads.counts.done == 2 and uploads.up)
    finally:
        object_store.start()
    assert set(object_store.objects(bucket)) == {"rec-1.mp3", "rec-2.mp3"}


async def test_what_a_crash_cut_off_is_uploaded_again(
    vault: Vault, object_store: ObjectStore, bucket: BucketPlace
) -> None:
    vault.make("rec-1")
    with vault.store.write() as conn:
        assert recording_homes.claim(conn, "rec-1")
        assert not recording_homes.claim(conn, "rec-1")
    async with running(vault):
        await until(lambda: vault.homes() == {"rec-1": CONFIRMED})
    assert set(object_store.objects(bucket)) == {"rec-1.mp3"}


async def test_what_is_not_what_was_recorded_is_refused_and_told(
    vault: Vault, object_store: ObjectStore, bucket: BucketPlace, caplog: pytest.LogCaptureFixture
) -> None:
    for record_id in ("rec-1", "rec-2", "rec-3"):
        vault.make(record_id)
    folder = vault.archive.folder.directory
    (folder / "rec-1.mp3").write_bytes(b"something else")
    (folder / "rec-2.mp3").unlink()
    async with running(vault) as uploads:
        await until(lambda: vault.homes() == {"rec-1": REFUSED, "rec-2": REFUSED, "rec-3": CONFIRMED})
        assert (uploads.counts.refused, uploads.counts.done, uploads.up) == (2, 1, True)
    assert set(object_store.objects(bucket)) == {"rec-3.mp3"}
    assert "rec-1 cannot be uploaded" in caplog.text


async def test_nothing_that_is_erased_stays_in_the_bucket(
    vault: Vault, object_store: ObjectStore, bucket: BucketPlace
) -> None:
    """Also when its upload is under way: whoever erases comes back for it."""
    vault.make("rec-1")
    vault.make("rec-2", "ent-1", "ent-2")
    async with running(vault):
        await until(lambda: set(vault.homes().values()) == {CONFIRMED})
    vault.make("rec-3")
    vault.make("rec-4")
    with vault.store.write() as conn:
        assert recording_homes.claim(conn, "rec-3")

    def erase() -> set[str]:
        with vault.store.write() as conn:
            doomed = recording_files.mark(conn, "ent-1", tables.recordings.c.enterprise_id == "ent-1")
        gone, stuck = recording_files.remove_files(doomed, vault.archive.erase)
        with vault.store.write() as conn:
            recording_files.bury(conn, "ent-1", gone, int(NOW * 1000))
        return {each.record_id for each in stuck}

    assert erase() == {"rec-3"}
    assert set(object_store.objects(bucket)) == {"rec-2.mp3"}, "the other enterprise has it still"
    assert vault.here() == {"rec-2", "rec-3"}
    with vault.store.write() as conn:
        assert not recording_homes.claim(conn, "rec-4"), "what is erased is not uploaded any more"
    bucket_home = vault.archive.bucket
    assert bucket_home is not None
    bucket_home.put("rec-3.mp3", vault.archive.folder.directory / "rec-3.mp3")  # the upload ends
    with vault.store.write() as conn:
        recording_homes.settle(conn, "rec-3", CONFIRMED, int(NOW * 1000))
    assert erase() == set()
    assert set(object_store.objects(bucket)) == {"rec-2.mp3"}
    assert vault.here() == {"rec-2"}
    with vault.store.read() as conn:
        assert recording_homes.counts(conn) == {CONFIRMED: 1}
