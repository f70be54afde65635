"""Where the stores of the tests are: once in SQLite, once in PostgreSQL.

Whatever has a store uses the fixture `database`, by itself or through another one, and runs on each; with
`TEST_DATABASE=sqlite` or `postgresql` on that one. A test that is about one of them alone is marked `database`.
"""

import logging
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from kobza import BUILD
from kobza.builds import Build
from kobza.store import STORE_FILE
from kobza.store.place import Place
from tests.support.ci import IN_CI
from tests.support.folders import work_in_memory
from tests.support.object_store import ObjectStore
from tests.support.object_store import object_store as served_objects
from tests.support.postgres import DATABASES, PostgresServer, postgres_server

settings.register_profile(
    "kobza",
    deadline=None,
    # CI tries fewer examples, and the same each time: it has a time to keep, and is no place to find something new.
    max_examples=25 if IN_CI else 100,
    derandomize=IN_CI,
)
settings.load_profile("kobza")
NOBODY = Path(__file__).parent / "support" / "nobody.pem"
"""An authority that has signed nothing, and never will."""
STORE_TESTS = Path(__file__).parent / "store"
MISSING = "PostgreSQL is not installed (tests/apt-packages.txt)"


@pytest.fixture(autouse=True)
def log_of_its_own() -> Iterator[None]:
    """Take away what a test's own `kobza serve` did to the log of this process: its stream is closed by then."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for library in ("uvicorn", "httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.NOTSET)
    for handler in [one for one in root.handlers if type(one) is logging.StreamHandler]:
        root.removeHandler(handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--compiled`: the tests are to run on compiled modules, so that nobody takes a pure run for one."""
    parser.addoption("--compiled", action="store_true", help="fail unless the compiled build runs")


def pytest_configure(config: pytest.Config) -> None:
    """Stop at once when the build is not the one that is to be tested; choose where files are put."""
    work_in_memory()
    # The machine's authorities take 40 ms of CPU to read, for each client and each server that is started.
    os.environ.setdefault("SSL_CERT_FILE", str(NOBODY))
    if config.getoption("--compiled") and BUILD is not Build.COMPILED:
        raise pytest.UsageError(f"not the compiled build: {BUILD}")


def pytest_report_header() -> str:
    """Say which build is tested."""
    return f"kobza: {BUILD}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about the other database; in CI also one of the two databases of most tests.

    `make test` runs them on both, which CI has no time for. Those of the store itself run on both there too.
    """
    left = [item for item in items if not _meant(item) or (IN_CI and _spared(item))]
    if left:
        config.hook.pytest_deselected(items=left)
        away = set(left)
        items[:] = [item for item in items if item not in away]


def _meant(item: pytest.Item) -> bool:
    only = item.get_closest_marker("database")
    if only is None:
        return True
    database = _database_of(item)
    return bool(set(only.args) & set(DATABASES if database is None else [database]))


def _spared(item: pytest.Item) -> bool:
    """Tell whether the test runs in CI on the other database: half of them do on either, each time the same."""
    database = _database_of(item)
    if database is None or len(DATABASES) == 1 or item.get_closest_marker("database") is not None:
        return False
    if STORE_TESTS in item.path.parents:
        return False
    name = f"{item.path.name} {getattr(item, 'originalname', item.name)}"
    return DATABASES[zlib.crc32(name.encode()) % len(DATABASES)] != database


def _database_of(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    database: str | None = None if callspec is None else callspec.params.get("database")
    return database


@pytest.fixture(scope="session", params=DATABASES)
def database(request: pytest.FixtureRequest) -> Iterator[PostgresServer | None]:
    """The server of the stores, which nobody stops; None: each is a file."""
    if request.param == "sqlite":
        yield None
        return
    with postgres_server() as server:
        if server is None:
            pytest.skip(MISSING)
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server that a test may stop and start; the stores of those that use it are there."""
    with postgres_server() as server:
        if server is None:
            pytest.skip(MISSING)
        yield server


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """A server of buckets that a test may stop and start; each makes a bucket of its own."""
    with served_objects() as server:
        if server is None:
            pytest.skip("the file system of temporary files has no extended attributes, which Swift needs (TMPDIR)")
        yield server


@pytest.fixture
def place_server(request: pytest.FixtureRequest, database: PostgresServer | None) -> PostgresServer | None:
    """The server of this test's store; None: it is a file."""
    if "postgres" not in request.fixturenames:
        return database
    own: PostgresServer = request.getfixturevalue("postgres")
    return own


@pytest.fixture
def place(place_server: PostgresServer | None, tmp_path: Path) -> Iterator[Place]:
    """Where a test's store is."""
    if place_server is None:
        yield tmp_path / "data" / STORE_FILE
        return
    url = place_server.make_store()
    yield url
    place_server.drop(url)
