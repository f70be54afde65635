import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kobza.store import Store, StoreMissing, StoreOutdated, enterprises, meta, tokens, trunks
from kobza.store.driver import dbapi
from kobza.store.migrations import HEAD
from kobza.store.place import Place


def test_creating_twice_changes_nothing(empty_place: Place) -> None:
    first = Store.create(empty_place)
    with first.write() as conn:
        added = enterprises.add(conn, "Ромашка", "admin", "hash", 1)
    version = first.directory_version()
    first.close()
    second = Store.create(empty_place)
    with second.read() as conn:
        assert tokens.find(conn, added.fmc_token) is not None
        assert meta.sip_realm(conn) == "kobza"
    assert second.directory_version() == version
    second.close()


def test_opening_needs_a_store(path: Path) -> None:
    with pytest.raises(StoreMissing, match="kobza init"):
        Store.open(path)
    assert not path.exists()


def test_an_empty_file_is_no_store(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with pytest.raises(StoreMissing, match="kobza init"):
        Store.open(path)


def test_a_store_of_another_release_is_refused(store: Store, place: Place) -> None:
    with store.write() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreOutdated, match=f"9999, not {HEAD}"):
        Store.open(place)
    with pytest.raises(StoreOutdated, match="newer release"):
        Store.create(place)


def test_many_may_create_at_once(empty_place: Place) -> None:
    failures: list[Exception] = []

    def create() -> None:
        try:
            Store.create(empty_place).close()
        except Exception as error:  # noqa: BLE001 - seen by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    store = Store.open(empty_place)
    assert store.directory_version() == 1
    store.close()


def test_the_standard_sqlite3_is_never_loaded(path: Path) -> None:
    """Two copies of SQLite in one process would break each other's locks. A process of its own: coverage imports it."""
    script = """
import pkgutil, sys
import kobza.store
for module in pkgutil.walk_packages(kobza.store.__path__, "kobza.store."):
    if not module.name.endswith("env") and ".versions" not in module.name:
        __import__(module.name)
from pathlib import Path
from kobza.store import Store, directory, enterprises
from kobza.store.fill import fill
store = Store.create(Path(sys.argv[1]))
with store.write() as conn:
    added = enterprises.add(conn, "E", "admin", "hash", 1)
fill(store, added.enterprise_id, 10, 1)
with store.read() as conn:
    directory.load(conn)
store.close()
assert "pysqlite3._sqlite3" in sys.modules
print(sorted(name for name in sys.modules if name.split(".")[0] in {"sqlite3", "_sqlite3"}))
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_exception_rolls_back(store: Store) -> None:
    def add_and_fail() -> None:
        with store.write() as conn:
            trunks.add(conn, "out", "192.0.2.1", 5060)
            raise RuntimeError("no")

    before = store.directory_version()
    with pytest.raises(RuntimeError, match="no"):
        add_and_fail()
    with store.read() as conn:
        assert trunks.list_all(conn) == []
    assert store.directory_version() == before


def test_a_reader_keeps_its_snapshot_while_another_writes(store: Store, place: Place) -> None:
    other = Store.open(place)
    with store.read() as reader:
        assert trunks.list_all(reader) == []
        with other.write() as writer:
            trunks.add(writer, "out", "192.0.2.1", 5060)
        assert trunks.list_all(reader) == []
        reader.rollback()
        assert [trunk.name for trunk in trunks.list_all(reader)] == ["out"]
    other.close()


def test_a_writer_holds_the_lock_from_its_start(store: Store, path: Path) -> None:
    second = dbapi.connect(str(path), timeout=0, isolation_level=None)
    with store.write(), pytest.raises(dbapi.OperationalError, match="locked"):
        second.execute("BEGIN IMMEDIATE")
    second.execute("BEGIN IMMEDIATE")
    second.close()


def test_two_stores_write_in_turn(store: Store, place: Place) -> None:
    other = Store.open(place)
    failures: list[Exception] = []

    def add_many(own: Store, prefix: str) -> None:
        try:
            for index in range(25):
                with own.write() as conn:
                    trunks.add(conn, f"{prefix}{index}", "192.0.2.1", 5060)
        except Exception as error:  # noqa: BLE001 - seen by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=add_many, args=pair) for pair in ((store, "a"), (other, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with other.read() as conn:
        assert len(trunks.list_all(conn)) == 50
    assert store.directory_version() == 51
    other.close()
