"""Where the stores of the tests are: in SQLite, and for those that are named here in PostgreSQL too.

`TEST_DATABASE=postgresql` puts all of them there, and the stores of the servers that tests start.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobza import BUILD
from kobza.builds import Build
from kobza.store.place import Place
from tests.interop.server import Site
from tests.support.postgres import DATABASES, ONLY, PostgresServer, postgres_server

ON_BOTH = (
    "store/test_*.py",
    "api/test_callstat*.py",
    "api/test_event_stream.py",
    "api/test_fmc.py",
    "api/test_history_rules.py",
    "api/test_settings.py",
    "api/test_store_away.py",
    "api/test_tokens.py",
    "pbx/test_books.py",
    "pbx/test_crash.py",
    "pbx/test_directory_view.py",
    "pbx/test_journal.py",
    "pbx/test_left_spools.py",
    "pbx/test_record_books.py",
    "pbx/test_recordings.py",
    "pbx/test_registrar.py",
    "webhooks/test_dispatcher.py",
)
"""The tests whose store is once in SQLite and once in PostgreSQL. Those that are about one of them alone are marked
`database`, or use its file."""


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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of the store on both databases."""
    if not any(metafunc.definition.path.match(f"tests/{pattern}") for pattern in ON_BOTH):
        return
    for name in {"place", "empty_place"} & set(metafunc.fixturenames):
        only = metafunc.definition.get_closest_marker("database")
        about_file = "path" in metafunc.fixturenames
        both = DATABASES if ONLY is None else (ONLY,)
        databases = only.args if only else DATABASES[:1] if about_file else both
        metafunc.parametrize(name, databases, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is about a database that was not chosen."""
    for item in items:
        only = item.get_closest_marker("database")
        chosen = {"place", "empty_place"} & set(getattr(item, "fixturenames", ()))  # by pytest_generate_tests
        if only is not None and ONLY is not None and ONLY not in only.args and not chosen:
            item.add_marker(pytest.mark.skip(reason=f"about {only.args[0]} alone"))


@pytest.fixture(scope="session", autouse=ONLY == "postgresql")
def sites_in_postgres(maybe_postgres: PostgresServer | None) -> Iterator[None]:
    """Keep the stores of all servers in PostgreSQL; used when that is chosen."""
    if maybe_postgres is None:
        pytest.fail("TEST_DATABASE is postgresql, and none is installed (tests/apt-packages.txt)")
    Site.databases = maybe_postgres
    yield
    Site.databases = None


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
    """Where a test's store is."""
    if getattr(request, "param", ONLY or "sqlite") == "sqlite":
        yield tmp_path / "data" / "kobza.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.make_store()
    yield url
    server.drop(url)
