"""What is peculiar to PostgreSQL: its errors in plain words, its order of commits, its plans, its texts."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import quote

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import Select, text

from kobza.store import (
    Store,
    StoreAway,
    StoreError,
    StoreMissing,
    calls,
    events,
    export,
    journal_postgres,
    postgres_driver,
    retention,
    tokens,
)
from kobza.store.entries import CdrClosed, CdrUpdated, Entry
from kobza.store.export import CallReader
from kobza.store.export_postgres import PostgresCallReader
from kobza.store.ids import hash_token
from kobza.store.journal import JournalWriter, passes_by_itself
from kobza.store.place import PostgresUrl
from tests.store.builders import FOREVER, LATER, NOW, attempt, cdr, ended, many, recording, stored
from tests.store.conftest import Rows, Write
from tests.support.ports import free_port
from tests.support.postgres import PASSWORD, USER, PostgresServer, name_of

pytestmark = pytest.mark.database("postgresql")


@pytest.fixture
def url(store: Store) -> PostgresUrl:
    assert isinstance(store.place, PostgresUrl)
    return store.place


def over_tcp(server: PostgresServer, database: str, password: str = PASSWORD) -> PostgresUrl:
    return PostgresUrl.parse(f"postgresql://{USER}:{quote(password)}@127.0.0.1:{server.port}/{database}")


def refused(url: PostgresUrl) -> str:
    """What both ways to use a store say of it: one line without the password."""
    with pytest.raises(StoreError) as opening:
        Store.open(url)
    with pytest.raises(StoreError) as creating:
        Store.create(url)
    message = str(opening.value)
    assert str(creating.value) == message
    assert "\n" not in message
    assert quote(PASSWORD) not in message
    assert PASSWORD not in message
    return message


def test_a_server_that_is_away_is_named() -> None:
    port = free_port()
    message = refused(PostgresUrl.parse(f"postgresql://kobza:{quote(PASSWORD)}@127.0.0.1:{port}/kobza"))
    assert message.startswith(f"the store in postgresql://kobza:********@127.0.0.1:{port}/kobza cannot be opened: ")
    assert "Connection refused" in message


def test_a_wrong_password_is_named(postgres: PostgresServer) -> None:
    assert "password authentication failed" in refused(over_tcp(postgres, "postgres", "wrong"))


def test_a_password_may_have_any_character(postgres: PostgresServer) -> None:
    Store.open(over_tcp(postgres, "empty_store")).close()


def test_a_database_that_does_not_exist_is_named(postgres: PostgresServer) -> None:
    assert refused(over_tcp(postgres, "nowhere")).endswith('cannot be opened: database "nowhere" does not exist')


def test_an_option_that_libpq_does_not_know_is_named(postgres: PostgresServer) -> None:
    assert "invalid URI query parameter" in refused(postgres.url("postgres", colour="blue"))


def test_a_database_without_all_characters_is_refused(postgres: PostgresServer) -> None:
    postgres.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    message = refused(postgres.url("latin"))
    postgres.execute("DROP DATABASE latin")
    assert "has the encoding LATIN1, and Kobza needs UTF8" in message


def test_an_old_server_is_refused(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_driver, "OLDEST", 990_000)
    assert refused(postgres.url("postgres")).endswith("and Kobza needs 99 or newer")


def test_a_user_who_may_not_make_tables_is_told(postgres: PostgresServer) -> None:
    url = postgres.make_database()
    postgres.execute("CREATE ROLE weak LOGIN")
    with pytest.raises(StoreError, match="cannot be opened: permission denied for schema public"):
        Store.create(PostgresUrl.parse(url.url.replace(f"//{USER}@", "//weak@")))
    postgres.execute("DROP ROLE weak")
    postgres.drop(url)


def test_opening_needs_tables(postgres: PostgresServer) -> None:
    url = postgres.make_database()
    with pytest.raises(StoreMissing, match=r"there is no store in postgresql://.*: run `kobza init`"):
        Store.open(url)
    postgres.drop(url)


def test_a_token_is_never_stored(store: Store, url: PostgresUrl, enterprise_id: str) -> None:
    with store.write() as conn:
        token = tokens.add(conn, enterprise_id, 1).secret
    with psycopg.connect(url.url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        content = str([connection.execute(f"SELECT t::text FROM {table} t").fetchall() for (table,) in tables])
    assert hash_token(token) in content
    assert token not in content


def test_what_is_stored_is_on_the_disk_even_if_the_server_thinks_otherwise(postgres: PostgresServer) -> None:
    careless = postgres.url("postgres", options="-c%20synchronous_commit%3Doff")
    with postgres_driver.connect(careless) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_settings_of_the_url_go_first(postgres: PostgresServer) -> None:
    with postgres_driver.connect(postgres.url("postgres", application_name="other")) as connection:
        found = connection.execute("SELECT current_setting('application_name'), current_setting('lock_timeout')")
        assert found.fetchone() == ("other", "5s")


@pytest.mark.parametrize(
    ("state", "passes"),
    [
        ("08006", True),  # the connection failed
        ("25006", True),  # a server that only reads, after a failover
        ("40001", True),  # serialization
        ("40P01", True),  # deadlock
        ("53100", True),  # disk full
        ("53300", True),  # too many connections
        ("55P03", True),  # lock timeout
        ("57P01", True),  # the server is being stopped
        ("57014", True),  # cancelled
        ("58030", True),  # input, output
        ("XX001", True),  # damage
        ("42P01", True),  # the tables are gone
        ("28P01", True),  # the password was changed
        ("23505", False),  # unique
        ("23502", False),  # not null
        ("22003", False),  # a number too large
        ("22021", False),  # not in the encoding
        ("22P05", False),
        ("54000", False),  # too long for an index
        ("42601", False),  # syntax
    ],
)
def test_which_errors_pass(state: str, passes: bool) -> None:
    assert passes_by_itself(psycopg.errors.lookup(state)()) is passes


def test_errors_of_the_driver_itself() -> None:
    assert passes_by_itself(psycopg.OperationalError("the connection is lost"))
    assert passes_by_itself(psycopg.InterfaceError("the connection is closed"))
    assert not passes_by_itself(psycopg.DataError("int too large"))
    assert not passes_by_itself(psycopg.ProgrammingError("cannot adapt type"))


def test_a_character_that_texts_cannot_have_is_replaced(store: Store, write: Write, rows: Rows) -> None:
    write(stored(1, client_state="a\0b"), CdrClosed(ended(client_state="\\u0000 \0")))
    assert rows("SELECT client_state FROM events") == [("a\ufffdb",)]
    assert rows("SELECT client_state FROM calls") == [("\\u0000 \ufffd",)]
    with store.read() as conn:
        assert calls.find(conn, "ent-1", "call\0-1") is None


@pytest.mark.parametrize("length", [33, 300, 2000])
def test_texts_may_be_longer_than_sqlite_is_told(write: Write, rows: Rows, length: int) -> None:
    long = "+" + "3" * length
    write(CdrClosed(ended(calling_number=long, record_id=long)), stored(1, phone_number=long))
    assert rows("SELECT calling_number, record_id FROM calls") == [(long, long)]
    assert rows("SELECT phone_number FROM events") == [(long,)]


def test_texts_are_compared_byte_by_byte(rows: Rows) -> None:
    assert (
        rows(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
            "AND table_name <> 'alembic_version' AND data_type IN ('text', 'character varying') "
            "AND coalesce(collation_name, '') <> 'C'"
        )
        == []
    )


def test_a_row_that_is_named_twice_in_a_batch_is_written_once(write: Write, rows: Rows) -> None:
    write(stored(1), stored(2))
    write(
        CdrUpdated(cdr(ringing_at=NOW + 1)),
        CdrUpdated(cdr(ringing_at=NOW + 2)),
        CdrClosed(ended(cause=16)),
        CdrClosed(ended(cause=17)),
        recording("recording", path="spool"),
        recording("ready", size=7),
        attempt(1, 1, outcome="retry", retry_at=NOW + 5),
        attempt(1, 3),
        attempt(1, 2, outcome="retry", retry_at=NOW + 9),
        attempt(2, 1, outcome="retry", retry_at=NOW + 3),
        attempt(2, 2, outcome="retry", retry_at=NOW + 6),
    )
    assert rows("SELECT cause FROM calls") == [(16,)]
    assert rows("SELECT status, path, size FROM recordings") == [("ready", "spool", 7)]
    assert rows("SELECT status, attempts, due_at FROM deliveries ORDER BY cursor") == [
        ("delivered", 3, int((NOW + 9) * 1000)),
        ("pending", 2, int((NOW + 6) * 1000)),
    ]


class CuttingProxy:
    """Stands between a client and the server and cuts the connection instead of handing on the answer to a COMMIT."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cut = False
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server.port))
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(65536):
                if answers and self.cut and b"COMMIT\0" in data:
                    self.cut = False
                    self.cuts += 1
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            with suppress(OSError):  # the other direction has done it
                end.shutdown(socket.SHUT_RDWR)
        source.close()


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[CuttingProxy]:
    made = CuttingProxy(postgres)
    yield made
    made.close()


def test_a_server_that_is_away_is_said_so(store: Store, postgres: PostgresServer) -> None:
    def use(how: Callable[[], object]) -> str:
        with pytest.raises(StoreAway) as away:
            how()
        return str(away.value)

    def read() -> None:
        with store.read() as conn:
            calls.count(conn, "ent-1")

    def write() -> None:
        with store.write() as conn:
            conn.execute(text("DELETE FROM calls"))

    read()
    postgres.stop()
    try:
        for how in (read, write, store.directory_version):
            message = use(how)
            assert message.startswith("the store cannot be used now: ")
            assert "\n" not in message
    finally:
        postgres.start()
    for works in (read, write, store.directory_version):
        works()


@pytest.mark.parametrize("batch", [[stored(2)], [CdrUpdated(cdr(ringing_at=NOW + 1)), recording()]])
def test_a_commit_whose_answer_is_lost_is_not_written_twice(
    store: Store, url: PostgresUrl, postgres: PostgresServer, proxy: CuttingProxy, rows: Rows, batch: list[Entry]
) -> None:
    database = name_of(url)
    through = PostgresUrl.parse(
        f"postgresql://{USER}:{quote(PASSWORD)}@127.0.0.1:{proxy.port}/{database}?sslmode=disable"
    )
    writer = JournalWriter(through)
    writer.write([stored(1)])
    proxy.cut = True
    with pytest.raises(psycopg.OperationalError) as lost:
        writer.write(batch)
    assert proxy.cuts == 1
    assert passes_by_itself(lost.value)
    writer.write(batch)
    writer.write([stored(3)])
    writer.close()
    written = rows("SELECT sequence, cursor FROM events ORDER BY cursor")
    assert written == [(1, 1), (2, 2), (3, 3)] if len(batch) == 1 else [(1, 1), (3, 2)]
    assert rows("SELECT count(*) FROM deliveries") == [(len(written),)]


def test_a_batch_that_was_lost_is_written_again(
    store: Store, url: PostgresUrl, postgres: PostgresServer, rows: Rows
) -> None:
    writer = JournalWriter(url)
    writer.write([stored(1)])
    postgres.restart()
    with pytest.raises(psycopg.OperationalError) as lost:
        writer.write([stored(2)])
    assert passes_by_itself(lost.value)
    writer.write([stored(2)])
    writer.close()
    assert rows("SELECT sequence, cursor FROM events ORDER BY cursor") == [(1, 1), (2, 2)]


def test_one_server_works_with_a_store(
    store: Store, url: PostgresUrl, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_postgres, "CLAIM_PATIENCE_MS", 20)
    first, second = JournalWriter(url, busy_timeout_ms=50), JournalWriter(url, busy_timeout_ms=50)
    first.claim()
    first.write([stored(1)])
    with pytest.raises(StoreError, match="another `kobza serve` works with the store in postgresql://"):
        second.claim()
    postgres.restart()
    second.claim()  # it was faster: what was the first one's is the second one's now
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError) as lost:
            first.write([stored(2)])
        assert passes_by_itself(lost.value)
    second.write([stored(2)])
    second.close()
    first.write([stored(3)])
    first.close()
    third = JournalWriter(url)
    third.claim()
    third.close()


def test_a_server_waits_for_what_a_dead_one_had_still_asked_for(store: Store, url: PostgresUrl, rows: Rows) -> None:
    dead = JournalWriter(url, busy_timeout_ms=10_000)
    dead.claim()
    with store.write():  # the dead one's commit waits for this
        writing = threading.Thread(target=dead.write, args=([stored(1)],))
        writing.start()
        while rows("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(0,)]:
            pass
        claimed: list[list[tuple[object, ...]]] = []

        def start() -> None:
            next_one = JournalWriter(url)
            next_one.claim()
            claimed.append(rows("SELECT sequence FROM events"))
            next_one.close()

        starting = threading.Thread(target=start)
        starting.start()
        while rows("SELECT count(*) FROM pg_locks WHERE NOT granted") != [(2,)]:
            pass
    writing.join()
    dead.close()
    starting.join()
    assert claimed == [[(1,)]]


def test_readers_and_writers_go_on_after_a_restart_of_the_server(store: Store, postgres: PostgresServer) -> None:
    before = store.directory_version()
    with store.read() as conn:
        assert calls.count(conn, "ent-1") == 0
    postgres.restart("fast")
    assert store.directory_version() == before
    with store.read() as conn:
        assert calls.count(conn, "ent-1") == 0
    postgres.restart()
    with store.write() as conn:
        conn.execute(text("DELETE FROM calls"))


def test_no_reader_waits_for_a_snapshot_that_a_reader_forgot(
    store: Store, write: Write, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot that stays open would keep the server from cleaning up."""
    monkeypatch.setattr(export, "PAGE", 10)
    write(*many(30))
    open_snapshots = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL"
    )
    reader = CallReader.open(store.place)
    for pages in (reader.history("ent-1", *FOREVER), reader.callstat("ent-1", *FOREVER)):
        seen = len(next(pages))
        assert rows(open_snapshots) == [(0,)]
        assert seen + sum(len(page) for page in pages) == 30
    reader.close()


@pytest.fixture
def busy_store(store: Store, write: Write, url: PostgresUrl) -> Store:
    """Some thousand rows in each table, and a server that knows it."""
    for start in range(0, 3000, 500):
        batch: list[Entry] = []
        for number in range(start, start + 500):
            leg = f"leg-{number:05}"
            batch.append(CdrClosed(ended(f"call-{number:05}", started_at=NOW + number)))
            batch.append(stored(1, call_id=f"call-{number:05}", call_control_id=leg, at=NOW + number))
            if number % 20:
                batch.append(attempt(1, call_id=f"call-{number:05}", call_control_id=leg))
        write(*batch)
    with psycopg.connect(url.url, autocommit=True) as connection:
        connection.execute("ANALYZE")
    return store


def plan(store: Store, query: "Select[tuple[object, ...]]", **values: object) -> str:
    with store.read() as conn:
        compiled = query.compile(conn, compile_kwargs={"render_postcompile": True})
        found = conn.exec_driver_sql(f"EXPLAIN {compiled}", compiled.params | values)
        return "\n".join(row[0] for row in found)


def test_the_reads_keep_their_indexes(busy_store: Store) -> None:
    history: tuple[str, tuple[object, ...]] = (
        export.HISTORY.replace("{more}", "") + export._IN_ORDER,
        ("ent-1", 1, 1, "", LATER, 10),
    )
    for (text_, marks), index in (
        (history, "ix_calls_history"),
        ((PostgresCallReader.callstat_query(), ("ent-1", 1, LATER, 10)), "ix_calls_callstat"),
        ((export.SCAN_END, ("ent-1", 1, 1, "", LATER, 10)), "ix_calls_history"),
    ):
        with busy_store.read() as conn:
            steps = conn.exec_driver_sql("EXPLAIN " + text_.replace("?", "%s"), marks)
            assert index in "\n".join(row[0] for row in steps)
    for query, values in (
        (retention._next_enterprise, {"last": ""}),
        (retention._next_events, {"enterprise_id": "ent-1", "after": 10, "before": 1, "batch": 10}),
    ):
        found = plan(busy_store, query, **values)
        assert "Seq Scan" not in found, found


@pytest.mark.parametrize("statement", [journal_postgres.ADD_ATTEMPTS, journal_postgres.SETTLE_DELIVERIES])
def test_the_journal_keeps_its_indexes_from_the_first_day_on(store: Store, url: PostgresUrl, statement: str) -> None:
    """A plan that was made while the tables were empty may be used for days."""
    with postgres_driver.connect(url, more=journal_postgres.PLAN) as connection:
        found = connection.execute(f"EXPLAIN {statement}", (Jsonb([]),))
        text = "\n".join(row[0] for row in found)
    assert "Index Scan using uq_events" in text or "Bitmap Index Scan on uq_events" in text, text
    assert "Seq Scan" not in text, text


def test_nobody_who_reads_after_a_cursor_misses_an_event(store: Store) -> None:
    """Two writers, as two nodes would be; what a reader has passed never gets a forerunner."""
    failures: list[Exception] = []
    done = threading.Event()

    def write_many(name: str) -> None:
        writer = JournalWriter(store.place, busy_timeout_ms=20_000)
        try:
            for number in range(60):
                writer.write([stored(1, call_control_id=f"{name}-{number}-{n}") for n in range(5)])
        except Exception as error:  # noqa: BLE001 - seen by the test's own thread
            failures.append(error)
        finally:
            writer.close()

    threads = [threading.Thread(target=write_many, args=(name,)) for name in "ab"]
    seen: list[int] = []

    def read_on() -> None:
        while True:
            last_round = done.is_set()
            with store.read() as conn:
                seen.extend(event.cursor for event in events.after(conn, "ent-1", seen[-1] if seen else 0, 1000))
            if last_round:
                return

    reader = threading.Thread(target=read_on)
    for thread in (*threads, reader):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    assert failures == []
    assert seen == list(range(1, 601))
