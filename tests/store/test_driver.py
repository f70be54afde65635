import stat
from pathlib import Path

import pytest

from kobza.store import LibraryTooOld, Store, StoreError, StoreMissing, driver


def test_an_old_sqlite_is_refused_in_one_line() -> None:
    with pytest.raises(LibraryTooOld) as refused:
        driver.check_library((3, 40, 1))
    message = str(refused.value)
    assert "3.40.1" in message
    assert "3.51.3" in message
    assert "\n" not in message
    driver.check_library((3, 51, 3))


def test_the_library_here_is_new_enough() -> None:
    assert driver.dbapi.sqlite_version_info >= (3, 51, 3)
    driver.check_library()


@pytest.mark.parametrize("use", [Store.open, Store.create])
def test_a_store_is_not_touched_with_an_old_library(
    use: type, store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_old() -> None:
        raise LibraryTooOld("too old")

    monkeypatch.setattr(driver, "check_library", too_old)
    with pytest.raises(LibraryTooOld):
        use(path)


@pytest.mark.database("sqlite")
def test_a_connection_is_durable_and_checks_foreign_keys(store: Store) -> None:
    connection = driver.connect(store.path)
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    }
    connection.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


@pytest.mark.database("sqlite")
def test_sqlalchemy_uses_the_same_settings(store: Store) -> None:
    with store.read() as conn:
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert conn.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_connecting_never_makes_a_file(path: Path) -> None:
    path.parent.mkdir()
    with pytest.raises(StoreMissing, match="kobza init"):
        driver.connect(path)
    assert not path.exists()


def test_a_path_that_cannot_be_opened_is_not_called_missing(tmp_path: Path) -> None:
    with pytest.raises(driver.dbapi.OperationalError):
        driver.connect(tmp_path)


def test_only_the_owner_can_read_the_store(store: Store, path: Path) -> None:
    with store.write() as conn:
        conn.exec_driver_sql("UPDATE meta SET number = 5 WHERE key = 'directory_version'")
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["kobza.db", "kobza.db-shm", "kobza.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"This is not a database at all. " * 1000)
    with pytest.raises(StoreError, match="is not a store"):
        Store.open(path)
