"""The one SQLite library of the process: how connections to it are made.

Exactly one copy of SQLite may be in a process: two copies on one file break each other's POSIX locks. So it is
`pysqlite3` everywhere, and the standard `sqlite3` module is never imported. What is peculiar to SQLite lives in this
module, in `journal_sql` and in `export`.
"""

import operator
import os
import time
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2

from kobza.store.errors import LibraryTooOld, StoreMissing

OLDEST_SQLITE = (3, 51, 3)
"""Before it, two connections that write or checkpoint a WAL together could corrupt the file (decision 5)."""

BUSY_TIMEOUT_MS = 5000
"""How long a statement waits for another connection's write before it fails: many times the longest commit here."""

WAL_LIMIT = 64 * 1024 * 1024
"""To how many bytes the WAL is cut after a checkpoint, so that one large transaction leaves no large file behind."""

CHECKPOINT_PAGES = 4000
"""WAL pages (16 MB) after which a commit checkpoints: four times the default, because the journal writes the same pages
again and again, and a checkpoint copies each only once."""

CACHE_KIB = 16 * 1024
"""Page cache of a connection. The journal's hot pages (the ends of its indexes) fit many times."""

dbapi: Any = pysqlite3.dbapi2
"""The driver: a DB-API module without types."""

RawConnection = Any
"""A DB-API connection of the driver, which has no types."""


# The driver asks every value that is neither a number nor text whether it or anybody can adapt it, by raising and
# catching three errors, before it binds it as what it is: 1.5 us, and a row of a call has five without a value. That
# was two fifths of what the journal's thread did. Whom it finds here it asks at once; no function of Python, as that
# costs more: nothing stands in an empty dictionary, and a sign makes a number of what is true or false.
dbapi.register_adapter(type(None), {}.get)
dbapi.register_adapter(bool, operator.pos)


def check_library(version: tuple[int, ...] = dbapi.sqlite_version_info) -> None:
    """Refuse a SQLite library that is too old for two writers on one file.

    Raises:
        LibraryTooOld: with what to do about it.

    """
    if version < OLDEST_SQLITE:
        found, needed = (".".join(map(str, parts)) for parts in (version, OLDEST_SQLITE))
        raise LibraryTooOld(
            f"the SQLite library is {found}, and Kobza needs {needed} or newer (older ones can corrupt a store that "
            "two connections write): install the wheel of pysqlite3 0.6 or newer"
        )


def connect(path: Path, *, foreign_keys: bool = True, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> RawConnection:
    """Open a connection in autocommit mode: a transaction is what BEGIN and COMMIT say, never the driver's guess.

    The connection may be used by any thread, by one at a time. The file must exist: a connection never creates one.

    Raises:
        StoreMissing: there is no such file.

    """
    try:
        connection = dbapi.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=busy_timeout_ms / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
    except dbapi.OperationalError as error:
        if path.exists():
            raise
        raise missing(path) from error
    try:
        _into_wal(connection, time.monotonic() + busy_timeout_ms / 1000)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    except dbapi.Error:
        connection.close()
        raise
    return connection


def _into_wal(connection: RawConnection, deadline: float) -> None:
    """Put a new file into WAL mode; nothing happens to one that is. SQLite's own waiting leaves this statement out."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except dbapi.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def missing(path: Path) -> StoreMissing:
    """Return the error that says how to make a store."""
    return StoreMissing(f"there is no store at {path}: run `kobza init`")


def create_file(path: Path) -> None:
    """Make an empty file that only its owner can read, in a directory that only its owner can enter; keep what exists.

    SQLite gives the files beside it (`-wal`, `-shm`) the same mode.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
