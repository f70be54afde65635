"""Connections to PostgreSQL by psycopg: how they are made, what they need of a server, what its errors mean.

What is peculiar to PostgreSQL lives in this module, in `postgres` and in `journal_postgres`. The driver is only
imported by a process whose store is there.
"""

from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg import conninfo
from psycopg.types.string import StrDumper

from kobza.store.errors import StoreError, StoreMissing
from kobza.store.place import PostgresUrl

OLDEST: Final = 140_000
"""The oldest major version that its makers still mend (`server_version_num`)."""

BUSY_TIMEOUT_MS: Final = 5000
"""How long a statement waits for a lock of another connection before it fails: as on SQLite."""

CONNECT_TIMEOUT: Final = 5
"""Seconds for which a server may not answer before a connection counts as failed."""

IDLE_TIMEOUT_MS: Final = 60_000
"""After so long without a word in a transaction the server ends it: a process that hangs must not hold the store."""

NUL_SHOWN: Final = "\N{REPLACEMENT CHARACTER}"
"""What stands for the character NUL, which no text of PostgreSQL can have."""

NOTHING: Final[Mapping[str, str]] = {}

Connection = psycopg.Connection[Any]


class _TextDumper(StrDumper):
    """Replaces NUL: a search for it finds nothing then, instead of failing, and other people's texts can be kept."""

    def dump(self, obj: str) -> Any:
        """Convert a text."""
        return super().dump(obj.replace("\0", NUL_SHOWN) if "\0" in obj else obj)


def connect(
    url: PostgresUrl, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS, more: Mapping[str, str] = NOTHING
) -> Connection:
    """Open a connection in autocommit mode: a transaction is what BEGIN and COMMIT say.

    What the URL says of time-outs goes before what is said here. `more` are settings of the server for this connection.

    Raises:
        psycopg.OperationalError: the server is away, or refuses.
        psycopg.ProgrammingError: the URL has options that libpq does not know.

    """
    settings = {
        "lock_timeout": str(max(1, busy_timeout_ms)),  # 0 would be for ever
        "idle_in_transaction_session_timeout": str(IDLE_TIMEOUT_MS),
        # The other way round: a client whose machine died is forgotten after some 30 s, with the locks that it holds.
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "jit": "off",  # compiling costs more than any statement here
        **more,
    }
    given = conninfo.conninfo_to_dict(url.url)
    options = [*(f"-c {name}={value}" for name, value in settings.items()), str(given.pop("options", ""))]
    defaults: dict[str, Any] = {
        "application_name": "kobza",
        "connect_timeout": CONNECT_TIMEOUT,
        # A server whose machine died says nothing: after some 15 s the connection counts as lost.
        "keepalives_idle": 5,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
    }
    connection: Connection = psycopg.connect(
        **(defaults | given | {"client_encoding": "utf8", "options": " ".join(options).strip()}), autocommit=True
    )
    connection.adapters.register_dumper(str, _TextDumper)
    try:
        # Stored means on the disk, whatever the server does by default.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    except BaseException:
        connection.close()
        raise
    return connection


def check(url: PostgresUrl) -> None:
    """Look whether a server can hold the store.

    Raises:
        StoreError: it is away, refuses, is too old, only reads, or its database does not hold all characters.

    """
    try:
        with connect(url) as connection:
            version = connection.info.server_version
            row = connection.execute("SELECT current_setting('server_encoding'), pg_is_in_recovery()").fetchone()
    except psycopg.Error as error:
        raise StoreError(cannot_open(url, error)) from error
    encoding, standby = row or ("", False)
    if version < OLDEST:
        raise StoreError(
            f"the server of {url} is PostgreSQL {version // 10_000}, and Kobza needs {OLDEST // 10_000} or newer"
        )
    if encoding != "UTF8":
        raise StoreError(
            f"the database of {url} has the encoding {encoding}, and Kobza needs UTF8: create it with "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )
    if standby:
        raise StoreError(f"the server of {url} is a standby, which only reads: name the primary")


def missing(url: PostgresUrl) -> StoreMissing:
    """Return the error that says how to make a store."""
    return StoreMissing(f"there is no store in {url}: run `kobza init`")


def cannot_open(url: PostgresUrl, error: BaseException) -> str:
    """Say in one line why a store cannot be used."""
    return f"the store in {url} cannot be opened: {first_words(error)}"


def first_words(error: BaseException) -> str:
    """Return what a server or libpq says, in one line: the reason itself, without what led to it and hints."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        return error.diag.message_primary
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = next((line for line in lines if "FATAL:" in line), lines[0] if lines else type(error).__name__)
    return line.removeprefix("connection failed: ").rpartition("FATAL:")[2].strip()


_CONDITIONS: Final = frozenset({"08", "25", "40", "53", "55", "57", "58", "F0", "XX"})
"""SQLSTATE classes of the server's condition: connections, a server that only reads, deadlocks, no room or memory,
locks, an operator's doing, input and output, damage. All others are of the statement and its values."""

_OF_THE_TABLES: Final = frozenset({"0A000", "3D000", "3F000", "42501", "42703", "42P01"})
"""The tables are being changed, are gone, or are forbidden: that is mended, and then the same entry can be written."""


def passes_by_itself(error: psycopg.Error) -> bool:
    """Tell whether an error is of the server's condition and not of what was to be written."""
    state = error.sqlstate
    if state is None:  # libpq's own: the connection failed; or psycopg's: a value that it cannot convert
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return state[:2] in _CONDITIONS or state[:2] == "28" or state in _OF_THE_TABLES
