"""Old history goes by itself, in a thread that nothing waits for."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobza.app.housekeeping import Housekeeping
from kobza.archive.archive import Archive
from kobza.archive.bucket import Bucket
from kobza.archive.home import HomeAway
from kobza.store import Store, enterprises, terms, tokens
from kobza.store.days import OwnTerms, Terms
from kobza.store.entries import CdrClosed
from kobza.store.fill import fill
from kobza.store.journal import JournalWriter
from kobza.store.place import Place
from kobza.store.recording_files import Doomed
from kobza.store.recording_homes import BUCKET
from kobza.store.retention import Purged
from kobza.store.schema import recordings
from tests.archive.rows import SOUND
from tests.store.builders import NOW, NOW_MS, ended, recording
from tests.support.object_store import ObjectStore
from tests.support.stores import empty_store


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = empty_store(place)
    yield opened
    opened.close()


def doomed(path: str) -> Doomed:
    return Doomed("a", "call-1", path, None, None, False)


async def test_old_calls_are_deleted_and_young_ones_kept(store: Store, tmp_path: Path) -> None:
    now = time.time()
    with store.write() as conn:
        enterprise_id = enterprises.add(conn, "Acme", "admin", "hash", int(now * 1000))[0]
    fill(store, enterprise_id, 300, 60, 1)
    housekeeping = Housekeeping(store, Archive(tmp_path / "recordings"), terms=Terms(30, 30, 7, 7), now=lambda: now)
    purged = await housekeeping.clean()
    assert 0 < purged.calls < 300
    assert await housekeeping.clean() == Purged()


async def test_an_enterprise_keeps_its_recordings_in_the_bucket_as_long_as_it_wants(
    store: Store, object_store: ObjectStore, tmp_path: Path
) -> None:
    """One keeps them for 2 days, the other, which said nothing, for the 30 of the settings."""
    bucket_place = object_store.make_bucket()
    bucket = Bucket(bucket_place)
    with store.write() as conn:
        first, second = (enterprises.add(conn, name, name, "hash", 0).enterprise_id for name in "ab")
        terms.set_own(conn, first, OwnTerms(None, 2, None, None), NOW_MS)
    (tmp_path / "recordings").mkdir()
    writer = JournalWriter(store.place)
    for one in (first, second):
        writer.write(
            [
                CdrClosed(ended(one, one)),
                recording("ready", record_id=one, call_id=one, enterprise_id=one, path=f"{one}.mp3"),
            ]
        )
        (tmp_path / f"{one}.mp3").write_bytes(SOUND)
        bucket.put(f"{one}.mp3", tmp_path / f"{one}.mp3")
    writer.close()
    with store.write() as conn:
        conn.execute(recordings.update().values(home=BUCKET))
    assert set(object_store.objects(bucket_place)) == {f"{first}.mp3", f"{second}.mp3"}
    archive = Archive(tmp_path / "recordings", bucket, uploads=True)
    today = NOW
    housekeeping = Housekeeping(store, archive, terms=Terms(60, 30, 7, 7), now=lambda: today)
    for days, left in ((1, {first, second}), (3, {second}), (31, set())):
        today = NOW + days * 86_400
        await housekeeping.clean()
        assert set(object_store.objects(bucket_place)) == {f"{one}.mp3" for one in left}, days


async def test_ended_tokens_are_deleted_after_a_while(store: Store, tmp_path: Path) -> None:
    with store.write() as conn:
        enterprise_id = enterprises.add(conn, "Acme", "admin", "hash", 0)[0]
        (token,) = tokens.list_for(conn, enterprise_id)
        tokens.revoke(conn, enterprise_id, token.token_id, 0)
    housekeeping = Housekeeping(
        store, Archive(tmp_path), terms=Terms(30, 30, 7, 7), now=lambda: tokens.ENDED_KEPT_MS / 1000
    )
    assert await housekeeping.clean() == Purged(tokens=1)
    with store.read() as conn:
        assert tokens.list_for(conn, enterprise_id) == []


def test_a_recording_is_erased_with_what_is_left_of_its_spool(tmp_path: Path) -> None:
    directory = tmp_path / "recordings"
    archive = Archive(directory)
    with pytest.raises(HomeAway, match="no directory of recordings"):  # nothing here says that it is gone
        archive.erase(doomed("2026/a.mp3"))
    for name in ("2026/a.mp3", "spool/a.spool", "spool/b.spool"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).touch()
    for _ in range(2):
        archive.erase(doomed("2026/a.mp3"))
    archive.erase(doomed("spool/c.spool"))
    assert [path.name for path in directory.rglob("*.*")] == ["b.spool"]


async def test_stop_before_the_first_round_is_at_once(store: Store, tmp_path: Path) -> None:
    housekeeping = Housekeeping(store, Archive(tmp_path), terms=Terms(30, 30, 7, 7), now=time.time)
    housekeeping.start()
    await housekeeping.stop()
