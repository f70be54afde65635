import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import argon2
import pytest

from kobza.cli.main import run_command
from kobza.store import STORE_FILE, Store, enterprises
from kobza.store.place import Place
from tests.support.postgres import PostgresServer
from tests.support.stores import empty_store

QUICK_HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
"""As weak as can be: most commands that make a login are not about its password."""


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout; fails when there is anything else."""
        assert self.code == 0, self.err
        return json.loads(self.out)


Kobza = Callable[..., Ran]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of the commands."""
    monkeypatch.setattr("kobza.portal.passwords._HASHER", QUICK_HASHER)
    for name in ("KOBZA_CONFIG", "KOBZA_HTTP", "KOBZA_SIP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KOBZA_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def kobza(data: Path, capfd: pytest.CaptureFixture[str]) -> Kobza:
    """Run a command in this process."""

    def run(*arguments: str) -> Ran:
        capfd.readouterr()
        code = run_command(list(arguments))
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def place(data: Path, database: PostgresServer | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Where the store of the commands is; nothing is there yet."""
    if database is None:
        yield data / STORE_FILE
        return
    url = database.make_database()
    monkeypatch.setenv("KOBZA_STORE", url.url)
    yield url
    database.drop(url)


@pytest.fixture
def enterprise(place: Place) -> str:
    """The id of an enterprise in a new store, made without commands, which would hash a password."""
    store = empty_store(place) if isinstance(place, Path) else Store.create(place)
    with store.write() as conn:
        added = enterprises.add(conn, "Bakery", "olena", "hash", 1)
    store.close()
    return added.enterprise_id
