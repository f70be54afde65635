"""Stores for tests, copied: making the tables takes ten times as long, and so does filling them.

In SQLite a file's bytes are copied, in PostgreSQL a database.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Generic, TypeVar

from sqlalchemy import Connection

from kobza.store import STORE_FILE, Store
from kobza.store.place import Place, PostgresUrl
from tests.support.postgres import PostgresServer

Facts = TypeVar("Facts")


def empty_store(place: Place) -> Store:
    """Open a store that is new: in SQLite it is put there first."""
    return Store.open(put_empty_store(place) if isinstance(place, Path) else place)


def put_empty_store(path: Path) -> Path:
    """Put an empty store in a file, whose folder is made where there is none; return the file."""
    return _put(_empty_file(), path)


class Stores(Generic[Facts]):
    """Stores that are all alike: the first is filled, the others are copies of it. `fill` returns what is to know."""

    def __init__(self, fill: Callable[[Connection], Facts]) -> None:
        self._fill = fill
        self._file: tuple[bytes, Facts] | None = None
        self._databases: dict[PostgresServer, tuple[PostgresUrl, Facts]] = {}

    def make(self, path: Path, server: PostgresServer | None) -> tuple[Place, Facts]:
        """Make one: a file, or a database that its server lends. Returns where it is."""
        if server is None:
            if self._file is None:
                with TemporaryDirectory() as folder:
                    first_file = Path(folder) / STORE_FILE
                    filled = _filled(first_file, self._fill)
                    self._file = _content(first_file), filled
            content, facts = self._file
            return _put(content, path), facts
        if server not in self._databases:
            first = server.make_store()
            self._databases[server] = first, _filled(first, self._fill)
            server.keep(first)
        first, facts = self._databases[server]
        return server.lend(first), facts


def _filled(place: Place, fill: Callable[[Connection], Facts]) -> Facts:
    store = empty_store(place)
    with store.write() as conn:
        facts = fill(conn)
    store.close()
    return facts


def _put(content: bytes, path: Path) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


@cache
def _empty_file() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / STORE_FILE
        Store.create(path).close()
        return _content(path)


def _content(path: Path) -> bytes:
    assert [each.name for each in path.parent.iterdir()] == [STORE_FILE]  # all of the store is in this file
    return path.read_bytes()
