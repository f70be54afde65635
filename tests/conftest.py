"""Where the stores of the tests are: in SQLite, in PostgreSQL, or once in each.

Whatever has a store uses the fixture `database`, by itself or through another one. What `ON_BOTH` names runs on each,
all else in SQLite; with `TEST_DATABASE=sqlite`, `postgresql` or `both` everything runs there. A test that is about one
of them alone is marked `database`.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobza import BUILD
from kobza.builds import Build
from kobza.store import STORE_FILE
from kobza.store.place import Place
from tests.support.postgres import CHOSEN, DATABASES, PostgresServer, postgres_server

ON_BOTH = (
    "store/test_*.py",
    "pbx/test_*.py",
    "webhooks/test_*.py",
    "api/test_callstat*.py",
    "api/test_event_stream.py",
    "api/test_fmc.py",
    "api/test_history_rules.py",
    "api/test_settings.py",
    "api/test_tokens.py",
    "cli/test_audit.py",
    "cli/test_backup.py",
    "cli/test_keeping.py",
    "cli/test_person.py",
    "portal/test_account.py",
    "portal/test_contacts.py",
    "portal/test_statistics.py",
    "interop/test_backup.py",
    "interop/test_crash.py",
)
"""The tests that run on each database unless one is chosen: what speaks to the store most, and what must outlive a
crash. All of them on both would take longer than a change can wait for."""
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
    """Stop at once when the build is not the one that is to be tested."""
    if config.getoption("--compiled") and BUILD is not Build.COMPILED:
        raise pytest.UsageError(f"not the compiled build: {BUILD}")


def pytest_report_header() -> str:
    """Say which build is tested."""
    return f"kobza: {BUILD}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about the other database."""
    left = [item for item in items if not _meant(item)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if _meant(item)]


def _meant(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    database = None if callspec is None else callspec.params.get("database")
    only = item.get_closest_marker("database")
    if only is not None:
        return bool(set(only.args) & set(DATABASES if database is None else [database]))
    if CHOSEN is None and database == "postgresql":
        return any(item.path.match(f"tests/{pattern}") for pattern in ON_BOTH)
    return True


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
