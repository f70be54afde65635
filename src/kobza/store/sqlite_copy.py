"""Copies of a store in SQLite: a file made by SQLite's online backup while others read and write."""

import shutil
from contextlib import closing
from pathlib import Path

from kobza.store import driver
from kobza.store.copies import CALLS_ON, KNOWN_FILES, Copied, EachFile, FileKnown, columns_of_tables, tables_in_order
from kobza.store.errors import BackupUnfit, StoreError
from kobza.store.migrations import HEAD
from kobza.store.place import STORE_FILE

FETCHED = 1000
"""Rows fetched at a time."""
ENDS = ("", "-wal", "-shm")
"""What the names of a store's files end in."""


def copy_to(path: Path, folder: Path, each: EachFile) -> Copied:
    """Write the store at `path` into a folder; see `Backend.copy_to`.

    In one step, within one read transaction: with several, each commit of another process would begin the copy anew.
    Writers go on meanwhile; only the WAL cannot be emptied.
    """
    made = folder / STORE_FILE
    driver.create_file(made)
    try:
        with closing(driver.connect(path)) as source, closing(_opened(made)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # all of it in one file
            _check(copy, path)
            counts = [(name, f"SELECT count(*) FROM {name}") for name in tables_in_order()]  # noqa: S608 - ours
            rows = {name: copy.execute(count).fetchone()[0] for name, count in counts}
            calls_on = copy.execute(CALLS_ON).fetchone()[0]
            found = copy.execute(KNOWN_FILES)
            while page := found.fetchmany(FETCHED):
                for row in page:
                    each(FileKnown._make(row))
    except driver.dbapi.DatabaseError as error:
        if type(error) is driver.dbapi.DatabaseError:  # not what passes by itself: a lock, a full disk
            raise BackupUnfit(f"the store at {path} is damaged: {error}") from error
        raise
    return Copied("sqlite", driver.dbapi.sqlite_version, HEAD, rows, calls_on, columns_of_tables())


def beside(path: Path, folder: Path) -> Path:
    """Copy the file of a backup to where it is worked on before it becomes the store at `path`; return that place."""
    made = path.with_name(f"{path.name}.restoring")
    remove(made)
    driver.create_file(made)
    shutil.copyfile(folder / STORE_FILE, made)
    return made


def put(made: Path, path: Path, aside: Path) -> None:
    """Make a finished file the store at `path`; what was there goes into the folder `aside`."""
    for end in ENDS:
        before = path.with_name(path.name + end)
        if before.exists():
            aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            before.replace(aside / before.name)
    driver.sync(made)
    made.replace(path)
    driver.sync(path.parent)


def remove(path: Path) -> None:
    """Remove the files of a store that nobody uses, if they are there."""
    for end in ENDS:
        path.with_name(path.name + end).unlink(missing_ok=True)


def in_use(path: Path) -> bool:
    """Tell whether another process has the store at `path` open.

    Only who has a file for himself can take it out of WAL mode: each open connection holds a lock on it. The next
    connection puts it back.
    """
    if not path.is_file():
        return False
    try:
        connection = driver.connect(path, busy_timeout_ms=100)
    except driver.dbapi.DatabaseError as error:
        return "locked" in str(error)  # else it is no store, or a damaged one: nobody uses it
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
    except driver.dbapi.OperationalError as error:
        if "locked" in str(error):
            return True
        raise StoreError(f"the store at {path} cannot be used: {error}") from error
    finally:
        connection.close()
    return False


def _opened(path: Path) -> driver.RawConnection:
    return driver.dbapi.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)


def _check(connection: driver.RawConnection, path: Path) -> None:
    found = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
    if found != ["ok"]:
        raise BackupUnfit(f"the store at {path} is damaged: {'; '.join(found)}")
