"""A store copied while it is used, and made again from the copy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kobza.store import BackupUnfit, Store, copies, driver, endpoints, events
from kobza.store.backend import backend_of
from kobza.store.copies import CURSOR_GAP, Copied, Encoded, FileKnown
from kobza.store.entries import CdrClosed
from kobza.store.journal import JournalWriter
from kobza.store.place import Place
from tests.store.builders import NOW_MS, ended, stored
from tests.store.conftest import Write
from tests.store.everything import all_rows, fill_everything
from tests.support.postgres import PostgresServer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "copy"
    made.mkdir()
    return made


@pytest.fixture
def other(place: Place, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Where the copy becomes a store, in the same kind of database."""
    if isinstance(place, Path):
        yield place.with_name("other.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.make_database()
    yield url
    server.drop(url)


def copy(store: Store, folder: Path) -> tuple[Copied, list[FileKnown]]:
    known: list[FileKnown] = []
    copied = store.backend.copy_to(folder, known.append)
    return msgspec.json.decode(msgspec.json.encode(copied), type=Copied), known


def put(place: Place, folder: Path, copied: Copied, **options: Any) -> Store:
    finished = options.pop("finished", [])
    off = options.pop("webhooks_off", None)
    backend_of(place).copy_from(
        folder,
        copied,
        aside=folder / "aside",
        then=lambda conn: copies.set_right(conn, finished, webhooks_off=off, now_ms=NOW_MS),
    )
    return Store.open(place)


def without_cursor(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    return rows | {"meta": [row for row in rows["meta"] if row[0] != copies.EVENT_CURSOR]}


def test_a_copy_is_of_one_moment_and_whole(store: Store, folder: Path, other: Place, write: Write) -> None:
    enterprise_id = fill_everything(store)
    before = all_rows(store)
    copied, known = copy(store, folder)
    write(CdrClosed(ended("after", enterprise_id)), stored(4, enterprise_id=enterprise_id))
    assert copied.calls_on == 1
    assert copied.rows == {name: len(rows) for name, rows in before.items()}
    assert sorted(known) == [
        FileKnown("rec-1", enterprise_id, "call-1", "ready", "2025/10/09/rec-1.mp3"),
        FileKnown("rec-2", enterprise_id, "on", "recording", None),
    ]
    restored = put(other, folder, copied)
    assert without_cursor(all_rows(restored)) == without_cursor(before)
    # What programs know of cursors that were given after the backup is not mistaken for something new.
    writer = JournalWriter(restored.place)
    writer.write([stored(1, enterprise_id=enterprise_id, call_control_id="leg-7")])
    writer.close()
    with restored.read() as conn:
        assert events.last_cursor(conn, enterprise_id) == 4 + CURSOR_GAP + 1
    restored.close()


def test_what_was_finished_meanwhile_and_webhooks_off(store: Store, folder: Path, other: Place) -> None:
    enterprise_id = fill_everything(store)
    copied, _ = copy(store, folder)
    done = Encoded("rec-2", enterprise_id, "2025/10/09/rec-2.mp3", 5000, 20_000, "b" * 64, NOW_MS + 7)
    restored = put(other, folder, copied, finished=[done], webhooks_off="a trial")
    with restored.read() as conn:
        status = endpoints.status(conn, enterprise_id)
    assert status is not None
    assert (status.active, status.inactive_reason) == (False, "a trial")
    row = (
        "rec-2",
        enterprise_id,
        "on",
        "ready",
        "2025/10/09/rec-2.mp3",
        5000,
        20_000,
        "b" * 64,
        NOW_MS + 7,
        *(None, None, None, None, None),
    )
    assert row in all_rows(restored)["recordings"]
    restored.close()


def test_a_copy_that_lacks_something_changes_nothing(store: Store, folder: Path, other: Place) -> None:
    fill_everything(store)
    before = all_rows(store)
    copied, _ = copy(store, folder)
    wrong = msgspec.structs.replace(copied, rows=copied.rows | {"calls": 4})
    with pytest.raises(BackupUnfit, match="the table calls has 3 rows, and 4 were copied"):
        put(other, folder, wrong)
    assert not backend_of(other).holds_something()
    with pytest.raises(BackupUnfit, match="calls has 3 rows"):
        put(store.place, folder, wrong)  # a store that is there stays as it is
    assert all_rows(store) == before


@pytest.mark.database("postgresql")
def test_a_store_that_was_just_filled_is_known_to_the_planner(store: Store, folder: Path, other: Place) -> None:
    """Else an erasure reads all call states for each fifty calls, until PostgreSQL has counted them by itself."""
    fill_everything(store)
    copied, _ = copy(store, folder)
    restored = put(other, folder, copied)
    with restored.read() as conn:
        known = conn.exec_driver_sql(
            "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        counted = {name: int(rows) for name, rows in known.all() if name in copied.rows}
    restored.close()
    assert counted == copied.rows


def test_a_store_is_replaced(store: Store, folder: Path, write: Write) -> None:
    fill_everything(store)
    before = all_rows(store)
    copied, _ = copy(store, folder)
    write(CdrClosed(ended("after")))
    store.close()
    restored = put(store.place, folder, copied)
    assert without_cursor(all_rows(restored)) == without_cursor(before)
    restored.close()
    assert (folder / "aside/kobza.db").is_file() is isinstance(store.place, Path)


def test_a_store_in_use_is_known(store: Store) -> None:
    backend = backend_of(store.place)
    store.close()
    assert backend.holds_something()
    assert not backend.in_use()
    opened = Store.open(store.place)
    writer = JournalWriter(store.place)
    writer.claim()
    with opened.read() as conn:
        conn.exec_driver_sql("SELECT 1 FROM meta")
        assert backend.in_use()
    writer.close()
    opened.close()
    assert not backend.in_use()


@pytest.mark.database("sqlite")
def test_a_damaged_store_is_not_backed_up(store: Store, folder: Path, write: Write) -> None:
    fill_everything(store)
    for number in range(400):
        write(stored(1, call_control_id=f"many-{number}", enterprise_id="e" * 12))
    store.close()
    connection = driver.connect(store.path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = store.path.read_bytes()
    store.path.write_bytes(content[: len(content) // 2] + b"\xff" * (len(content) // 2))
    with pytest.raises(BackupUnfit, match="is damaged: "):
        backend_of(store.place).copy_to(folder, lambda known: None)
