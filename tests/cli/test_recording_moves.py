"""`kobza recordings fetch`, `seal` and `unseal`, with a bucket of a real object store, whoever is killed meanwhile."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from kobza.archive.archive import Archive, pieces
from kobza.archive.bucket import Bucket, BucketPlace
from kobza.archive.home import Changed, HomeError
from kobza.archive.keys import Keys, add_key
from kobza.archive.moving import MOVING
from kobza.archive.sealing import MAGIC
from kobza.pbx.uploads import Uploads
from kobza.store import Store, recording_homes, recording_keys, recordings
from kobza.store import schema as tables
from kobza.store.journal import JournalWriter
from kobza.store.place import Place
from kobza.store.recording_homes import BACK, BUCKET, CONFIRMED, UPLOADING, WAITING
from tests.cli.conftest import Kobza
from tests.phone.terminal import KOBZA
from tests.store.builders import NOW, NOW_MS, recording
from tests.support import nursery
from tests.support.object_store import ObjectStore
from tests.support.waiting import PATIENCE

OLD_DAYS = 40


@contextmanager
def opened(place: Place) -> Iterator[Store]:
    store = Store.open(place)
    try:
        yield store
    finally:
        store.close()


class Vault:
    """Recordings of an enterprise, here and in a bucket."""

    def __init__(self, data: Path, place: Place, bucket: BucketPlace, keys: Path) -> None:
        self.place = place
        self.folder = data / "recordings"
        self.folder.mkdir(parents=True)
        self.archive = Archive(self.folder, Bucket(bucket), uploads=True, keys=Keys.load(keys))
        self.sounds: dict[str, bytes] = {}

    def make(self, record_id: str, *owners: str, home: str | None, sealed: bool = False, days_ago: int = 0) -> None:
        """Put one where its row is to say it is."""
        sound = self.sounds[record_id] = os.urandom(100_000)
        name, plain = self.name(record_id), self.folder.parent / "plain"
        plain.write_bytes(sound)
        values: dict[str, Any] = {"size": len(sound), "sha256": hashlib.sha256(sound).hexdigest()}
        if sealed:
            values["sealed"] = self.archive.seal(plain, name, record_id)
        else:
            self.archive.folder.put(name, plain)
        if home in (CONFIRMED, BUCKET):
            self.archive.need_bucket().put(name, self.folder / name)
        if home == BUCKET:
            (self.folder / name).unlink()
        writer = JournalWriter(self.place)
        for owner in owners:
            made = {"record_id": record_id, "enterprise_id": owner, "call_id": record_id, "at": NOW - days_ago * 86_400}
            writer.write([recording("ready", path=name, home=home, **made, **values)])
        writer.close()

    @staticmethod
    def name(record_id: str) -> str:
        return f"2026/11/{record_id}.mp3"

    def rows(self) -> dict[str, recordings.Recording]:
        with opened(self.place) as store, store.read() as conn:
            return {each.record_id: each for each in recordings.page_ready(conn, None, 0, ("", ""), 100)}

    def homes(self) -> dict[str, str | None]:
        return {record_id: row.home for record_id, row in self.rows().items()}

    def move(self, record_id: str, home: str | None) -> None:
        """Let a row say that its file is elsewhere."""
        with opened(self.place) as store, store.write() as conn:
            columns = tables.recordings.c
            conn.execute(update(tables.recordings).where(columns.record_id == record_id).values(home=home))

    def heard(self, archive: Archive | None = None) -> set[str]:
        """Return those that can be read as they were made: anywhere, or by an archive."""
        archive, found = archive or self.archive, set()
        for row in self.rows().values():
            try:
                reader = archive.find(row).open(0, row.size or 0)
                sound = b"".join(pieces(reader))
            except HomeError:
                continue
            if sound == self.sounds[row.record_id]:
                found.add(row.record_id)
        return found

    @property
    def here(self) -> Archive:
        """The folder alone."""
        return Archive(self.folder, keys=self.archive.keys)


@pytest.fixture
def bucket(object_store: ObjectStore) -> BucketPlace:
    return object_store.make_bucket()


@pytest.fixture
def vault(
    data: Path, place: Place, enterprise: str, bucket: BucketPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Vault:
    settings = {
        "RECORDINGS_KEYS": str(tmp_path / "keys"),
        "S3_ENDPOINT": bucket.endpoint,
        "S3_BUCKET": bucket.bucket,
        "S3_PREFIX": bucket.prefix,
        "S3_ACCESS_KEY": bucket.access_key,
        "S3_SECRET_KEY": bucket.secret_key,
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"KOBZA_{name}", value)
    monkeypatch.setattr("kobza.cli.recording_moves.now_ms", lambda: NOW_MS)
    add_key(tmp_path / "keys", "first")
    return Vault(data, place, bucket, tmp_path / "keys")


def killed(command: tuple[str, ...], log: Path, when: Callable[[], bool]) -> bool:
    """Run a command and kill it as soon as something is so; return whether it had not ended before."""
    process = nursery.start([KOBZA, *command], log, {})
    while process.poll() is None:
        if when():
            process.kill()
            process.wait(PATIENCE)
            return True
        time.sleep(0.001)
    return False


def test_recordings_come_back_from_a_bucket(
    kobza: Kobza, vault: Vault, enterprise: str, object_store: ObjectStore, bucket: BucketPlace
) -> None:
    vault.make("rec-1", enterprise, "another", home=BUCKET)
    vault.make("rec-2", enterprise, home=BUCKET, sealed=True)
    vault.make("rec-3", enterprise, home=CONFIRMED)
    vault.make("rec-4", enterprise, home=WAITING)
    vault.make("rec-5", enterprise, home=UPLOADING)
    vault.make("rec-6", "another", home=BUCKET)
    vault.make("rec-7", enterprise, home=BUCKET, days_ago=OLD_DAYS)
    vault.make("rec-8", enterprise, home=BUCKET)
    vault.make("rec-9", enterprise, home=BUCKET)
    (vault.folder / "damaged").write_bytes(b"something else")
    vault.archive.need_bucket().put(vault.name("rec-8"), vault.folder / "damaged")
    vault.archive.need_bucket().remove(vault.name("rec-9"))
    before = object_store.objects(bucket)
    fetch = ("recordings", "fetch", "--enterprise", enterprise, "--json")

    ran = kobza(*fetch, "--since", "yesterday")
    assert (ran.code, "expected how long ago, such as 90d" in ran.err) == (2, True)
    ran = kobza(*fetch, "--since", "30d", "--keep-objects")
    assert (ran.code, "3 recordings are left as they are" in ran.err) == (1, True)
    assert '"brought": 2, "bytes": 200000, "were_here": 2, "objects_removed": 0' in ran.out
    left = {"rec-5": UPLOADING, "rec-6": BUCKET, "rec-7": BUCKET, "rec-8": BUCKET, "rec-9": BUCKET}
    assert vault.homes() == {**left, "rec-1": BACK, "rec-2": BACK, "rec-3": BACK, "rec-4": BACK}
    for record_id, found in (("rec-5", "under way"), ("rec-8", "damaged"), ("rec-9", "missing")):
        assert f'"record_id": "{record_id}", "found": "{found}"' in ran.out
    assert object_store.objects(bucket) == before
    assert vault.heard(vault.here) == {"rec-1", "rec-2", "rec-3", "rec-4", "rec-5"}

    vault.move("rec-5", WAITING)
    for record_id in ("rec-8", "rec-9"):
        vault.move(record_id, None)
    assert kobza("recordings", "fetch", "--since", "2020-01-01", "--json").json == {
        "brought": 2,
        "bytes": 200_000,
        "were_here": 5,
        "objects_removed": 7,
        "left": [],
    }
    assert set(vault.homes().values()) == {None}
    assert vault.heard(vault.here) == {f"rec-{number}" for number in range(1, 8)}
    assert set(object_store.objects(bucket)) == {vault.name("rec-8")}
    assert not list((vault.folder / MOVING).glob("*.part"))
    assert "brought" in kobza("recordings", "fetch").out


def test_what_cannot_be_fetched_says_what_to_do(
    kobza: Kobza, vault: Vault, enterprise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.make("rec-1", enterprise, home=BUCKET)
    monkeypatch.setenv("KOBZA_RECORDINGS_KEEP_FREE_MB", "10000000")
    ran = kobza("recordings", "fetch")
    assert (ran.code, "make space and run the command again" in ran.err) == (1, True)
    monkeypatch.setenv("KOBZA_RECORDINGS_STORE", "s3")
    ran = kobza("recordings", "fetch")
    assert (ran.code, 'set recordings_store = "local"' in ran.err) == (2, True)
    monkeypatch.delenv("KOBZA_RECORDINGS_STORE")
    monkeypatch.delenv("KOBZA_S3_BUCKET")
    ran = kobza("recordings", "fetch")
    assert (ran.code, "s3_bucket" in ran.err) == (2, True)
    assert vault.homes() == {"rec-1": BUCKET}


@pytest.mark.database("sqlite")  # what the store does of it is tried in both above
def test_a_fetch_may_be_killed_at_any_time(
    vault: Vault, enterprise: str, object_store: ObjectStore, bucket: BucketPlace, tmp_path: Path
) -> None:
    for number in range(12):
        vault.make(f"rec-{number}", enterprise, home=BUCKET, sealed=number % 2 == 0)
    everything = set(vault.sounds)

    def parts() -> bool:
        return any((vault.folder / MOVING).glob("*.part"))

    def files(count: int) -> bool:
        return len(list(vault.folder.rglob("*.mp3"))) >= count

    # While the first are written, and among files that have their names and objects that are removed.
    assert killed(("recordings", "fetch"), tmp_path / "log", parts)
    assert vault.heard() == everything
    assert killed(("recordings", "fetch"), tmp_path / "log", lambda: files(3))
    assert vault.heard() == everything
    assert not killed(("recordings", "fetch"), tmp_path / "log", lambda: False)
    assert set(vault.homes().values()) == {None}
    assert vault.heard(vault.here) == everything
    assert object_store.objects(bucket) == {}
    assert not list((vault.folder / MOVING).glob("*.part"))


def test_a_server_that_removes_copies_keeps_what_was_brought_back(kobza: Kobza, vault: Vault, enterprise: str) -> None:
    """Who had read that the bucket has it as well comes too late."""
    vault.make("rec-1", enterprise, home=CONFIRMED)
    with opened(vault.place) as store:
        with store.read() as conn:
            old = recording_homes.old_copies(conn, NOW_MS + 1, 10)
        assert [each.record_id for each in old] == ["rec-1"]
        assert kobza("recordings", "fetch", "--keep-objects", "--json").json["were_here"] == 1
        uploads = Uploads(vault.archive, store, now=lambda: NOW, local_hours=0)
        uploads._remove_copies(old)
    assert vault.homes() == {"rec-1": BACK}
    assert vault.heard(vault.here) == {"rec-1"}


def upload_all(vault: Vault) -> None:
    """Do what the server does with what waits."""
    with opened(vault.place) as store:
        uploads = Uploads(vault.archive, store, now=lambda: NOW, local_hours=1)
        with store.read() as conn:
            waiting = recording_homes.next_waiting(conn, 100)
        assert all(uploads._upload(each) for each in waiting)


def test_recordings_are_encrypted_after_they_were_made_and_the_reverse(
    kobza: Kobza,
    vault: Vault,
    enterprise: str,
    object_store: ObjectStore,
    bucket: BucketPlace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vault.make("rec-1", enterprise, "another", home=None)
    vault.make("rec-2", enterprise, home=CONFIRMED)
    vault.make("rec-3", enterprise, home=BUCKET)
    vault.make("rec-4", enterprise, home=BUCKET, sealed=True)
    vault.make("rec-5", enterprise, home=UPLOADING)
    vault.make("rec-6", enterprise, home=WAITING)
    vault.make("rec-7", "another", home=None)
    vault.make("rec-8", enterprise, home=None, days_ago=OLD_DAYS)
    everything = set(vault.sounds)
    stale = vault.rows()
    seal = ("recordings", "seal", "--enterprise", enterprise, "--json")
    monkeypatch.setenv("KOBZA_RECORDINGS_STORE", "s3")
    ran = kobza(*seal, "--since", "30d")
    assert (ran.code, '"encrypted": 4, "bytes": 400000, "left": [{"record_id": "rec-5"' in ran.out) == (1, True)
    assert vault.heard() == everything
    for changed in ("rec-1", "rec-2"):
        with pytest.raises(Changed):  # who had read the row before is told to look again
            vault.archive.find(stale[changed])
    assert vault.homes() == {
        **dict.fromkeys(("rec-1", "rec-7", "rec-8")),
        **dict.fromkeys(("rec-2", "rec-3", "rec-6"), WAITING),
        "rec-4": BUCKET,
        "rec-5": UPLOADING,
    }
    upload_all(vault)
    objects = object_store.objects(bucket)
    assert {name for name, stored in objects.items() if stored.startswith(MAGIC)} == set(objects)
    assert len(objects) == 4
    vault.move("rec-5", None)
    assert kobza("recordings", "seal", "--json").json == {"encrypted": 3, "bytes": 300_000, "left": []}
    assert kobza("recordings", "seal", "--json").json["encrypted"] == 0
    assert kobza("recordings", "newkey", "--id", "second").code == 0
    assert kobza("recordings", "rekey", "--json").json["rekeyed"] == 8
    vault.archive.keys = Keys.load(Path(os.environ["KOBZA_RECORDINGS_KEYS"]))
    assert vault.heard() == everything
    assert all(path.read_bytes().startswith(MAGIC) for path in vault.folder.rglob("*.mp3"))

    monkeypatch.delenv("KOBZA_RECORDINGS_STORE")
    ran = kobza("recordings", "unseal")
    assert (ran.code, "bring it back first: kobza recordings fetch" in ran.out) == (1, True)
    assert vault.heard() == everything
    assert vault.homes() == {**dict.fromkeys(everything), "rec-4": BUCKET}  # whose object is as before
    assert set(object_store.objects(bucket)) == {vault.name("rec-4")}
    assert kobza("recordings", "fetch", "--json").json["brought"] == 1
    assert kobza("recordings", "unseal", "--json").json == {"decrypted": 1, "bytes": 100_000, "left": []}
    vault.archive.keys = None
    assert vault.heard(vault.here) == everything
    assert kobza("recordings", "verify", "--json").json["whole"] == len(everything)
    monkeypatch.delenv("KOBZA_RECORDINGS_KEYS")
    ran = kobza("recordings", "seal")
    assert (ran.code, "set recordings_keys" in ran.err) == (2, True)


@pytest.mark.database("sqlite")  # as above
def test_encrypting_may_be_killed_at_any_time(vault: Vault, enterprise: str, tmp_path: Path) -> None:
    for number in range(12):
        vault.make(f"rec-{number}", enterprise, home=None)
    everything, log = set(vault.sounds), tmp_path / "log"

    def parts() -> bool:
        return any((vault.folder / MOVING).glob("*.part"))

    def sealed(count: int) -> bool:
        sizes = [path.stat().st_size for path in vault.folder.rglob("*.mp3")]
        return len(sizes) - sizes.count(100_000) >= count

    assert killed(("recordings", "seal"), log, parts)
    assert vault.heard() == everything
    with opened(vault.place) as store, store.write() as conn:  # killed between the data key and the name of the file
        plain = next(each for each in vault.rows().values() if each.sealed is None)
        assert recording_keys.begin_to_seal(conn, plain, vault.archive.new_key(plain.record_id))
    assert vault.heard() == everything
    assert not killed(("recordings", "seal"), log, lambda: False)
    assert sealed(12)
    assert vault.heard(vault.here) == everything
    assert not any(row.sealing for row in vault.rows().values())
    assert not parts()
