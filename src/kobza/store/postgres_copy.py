"""Copies of a store in PostgreSQL: each table by COPY, all in one snapshot, while others read and write.

Not by pg_dump: that has to be installed, as new as the server or newer, and told the password. COPY needs the
connection only, and its text is what every PostgreSQL reads.
"""

from pathlib import Path
from typing import Final, LiteralString

from psycopg import sql
from sqlalchemy import Connection

from kobza.store import postgres_driver
from kobza.store.copies import CALLS_ON, KNOWN_FILES, Copied, EachFile, FileKnown, columns_of_tables
from kobza.store.errors import BackupUnfit
from kobza.store.migrations import HEAD
from kobza.store.place import PostgresUrl

CHUNK: Final = 1 << 20
FETCHED: Final = 1000
"""Rows fetched at a time."""


def copy_to(url: PostgresUrl, folder: Path, each: EachFile) -> Copied:
    """Write the store into a folder, a file for each table; see `Backend.copy_to`."""
    columns = columns_of_tables()
    with postgres_driver.connect(url) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        rows = {name: _copy_table(connection, name, columns[name], _file(folder, name)) for name in columns}
        with connection.cursor("known_files") as found:
            found.itersize = FETCHED
            for row in found.execute(KNOWN_FILES):
                each(FileKnown._make(row))
        calls_on = _one(connection, CALLS_ON)
        version = _one(connection, "SHOW server_version")
        connection.execute("COMMIT")
    return Copied("postgresql", version, HEAD, rows, int(calls_on), columns)


def fill(conn: Connection, folder: Path, copied: Copied) -> None:
    """Fill empty tables of the copy's revision; in the caller's transaction.

    What they hold now is counted at once (ANALYZE): until PostgreSQL does so by itself, in a minute or later, it takes
    them for empty and reads whole tables where it should go by an index.
    """
    connection = conn.connection.driver_connection
    if connection is None:
        raise RuntimeError("the connection is closed")
    for name, columns in copied.columns.items():
        statement = _statement("COPY {} ({}) FROM STDIN", name, columns)
        with _file(folder, name).open("rb") as source, connection.cursor() as cursor, cursor.copy(statement) as copy:
            while chunk := source.read(CHUNK):
                copy.write(chunk)
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(name)))


def _copy_table(connection: postgres_driver.Connection, name: str, columns: list[str], target: Path) -> int:
    count, statement = 0, _statement("COPY {} ({}) TO STDOUT", name, columns)
    with target.open("wb") as file, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for chunk in copy:
            count += bytes(chunk).count(b"\n")  # one for each row: those in texts are written as \n
            file.write(chunk)
    return count


def _one(connection: postgres_driver.Connection, query: LiteralString) -> str:
    row = connection.execute(query).fetchone()
    return "" if row is None else str(row[0])


def _statement(text: LiteralString, name: str, columns: list[str]) -> sql.Composed:
    return sql.SQL(text).format(sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns)))


def _file(folder: Path, name: str) -> Path:
    if not name.isidentifier():
        raise BackupUnfit(f"{name!r} is no name of a table")
    return folder / f"{name}.copy"
