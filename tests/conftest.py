"""Where the stores of the tests are: in SQLite, and for those that ask for it in PostgreSQL too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kobza.store.place import Place
from tests.support.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def maybe_postgres() -> Iterator[PostgresServer | None]:
    """A PostgreSQL server of this process, or None where none is installed."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres(maybe_postgres: PostgresServer | None) -> PostgresServer:
    """A PostgreSQL server with an empty store to copy."""
    if maybe_postgres is None:
        pytest.skip("PostgreSQL is not installed (tests/apt-packages.txt)")
    return maybe_postgres


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where a test's store is; on both databases with `@pytest.mark.parametrize("place", DATABASES, indirect=True)`."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield tmp_path / "data" / "kobza.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.make_store()
    yield url
    server.drop(url)
