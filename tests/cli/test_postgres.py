"""The commands with the store on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from kobza.store import Store, calls, directory, endpoints
from kobza.store.journal import JournalWriter
from kobza.store.migrations import HEAD
from kobza.store.place import PostgresUrl
from tests.cli.conftest import Kobza
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer


@pytest.fixture
def url(postgres: PostgresServer, data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresUrl]:
    """A database without tables, named by the environment; the password only stands there to be hidden."""
    made = postgres.make_database()
    monkeypatch.setenv("KOBZA_STORE", made.url.replace("@", ":topsecret@", 1))
    yield made
    postgres.drop(made)


def test_a_store_from_nothing_to_a_filled_history(kobza: Kobza, url: PostgresUrl, data: Path) -> None:
    shown = str(url).replace("@", ":********@", 1)
    made = {"data": str(data), "store": shown, "sip_realm": "kobza"}
    assert kobza("init", "--json").json == made
    assert kobza("init", "--json").json == made
    assert data.is_dir()
    assert list(data.iterdir()) == []
    added = kobza("enterprise", "add", "Пекарня", "--admin", "olena", "--password", "secret", "--json").json
    owner = ("--enterprise", added["enterprise_id"])
    assert kobza("number", "add", "0671234567", *owner, "--name", "Олена", "--json").code == 0
    assert kobza("trunk", "add", "carrier", "--host", "192.0.2.1", "--port", "5060", "--json").code == 0
    assert kobza("webhook", "set", *owner, "--url", "https://crm.example/k", "--token", "t", "--json").code == 0
    assert kobza("dev", "fill", *owner, "--calls", "700", "--days", "5", "--json").json["calls"] == 700
    store = Store.open(url)
    with store.read() as conn:
        snapshot = directory.load(conn)
        assert [trunk.name for trunk in snapshot.trunks] == ["carrier"]
        assert snapshot.subscribers["+380671234567"].name == "Олена"
        assert endpoints.get(conn, added["enterprise_id"]) is not None
        assert calls.count(conn, added["enterprise_id"]) == 700
    store.close()


def test_the_password_is_masked(kobza: Kobza, url: PostgresUrl) -> None:
    shown = kobza("config", "--json").json["settings"]["store"]
    assert shown == {"value": str(url).replace("@", ":********@", 1), "source": "environment"}
    assert "topsecret" not in kobza("config").out


def test_what_is_wrong_is_one_line(
    kobza: Kobza, url: PostgresUrl, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: str) -> str:
        ran = kobza(*arguments)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.count("\n") == 1
        assert "topsecret" not in ran.err
        return ran.err

    add = ("trunk", "add", "carrier", "--host", "192.0.2.1", "--port", "5060")
    assert "there is no store in postgresql://" in said(*add)
    assert "run `kobza init`" in said("serve")
    assert kobza("init").code == 0
    with psycopg.connect(url.url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
        assert f"is of another release (0000, not {HEAD}): run `kobza init`" in said(*add)
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        assert f"made by a newer release (9999, not {HEAD}): install that one" in said("init")
    tcp = f"postgresql://kobza:topsecret@127.0.0.1:{postgres.port}/postgres"
    monkeypatch.setenv("KOBZA_STORE", tcp)
    assert "password authentication failed" in said("init")
    monkeypatch.setenv("KOBZA_STORE", tcp.replace(str(postgres.port), str(free_port())))
    assert "Connection refused" in said("init")
    assert "Connection refused" in said("demo")


def test_a_second_server_on_the_same_store_is_refused(
    kobza: Kobza, url: PostgresUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kobza("init").code == 0
    monkeypatch.setattr("kobza.store.journal_postgres.CLAIM_PATIENCE_MS", 20)
    first = JournalWriter(url)
    first.claim()
    ran = kobza("serve")
    first.close()
    assert ran.code == 1
    assert ran.err.startswith("kobza: another `kobza serve` works with the store in postgresql://")
    assert ran.err.count("\n") == 1


def test_a_store_that_is_locked_is_one_line(kobza: Kobza, url: PostgresUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kobza("init").code == 0
    monkeypatch.setattr("kobza.store.postgres_driver.connect.__kwdefaults__", {"busy_timeout_ms": 1, "more": {}})
    store = Store.open(url)
    with store.write():
        ran = kobza("trunk", "add", "carrier", "--host", "192.0.2.1", "--port", "5060")
    store.close()
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "kobza: the store cannot be used now: canceling statement due to lock timeout\n"


@pytest.mark.parametrize(
    "wrong", ["mysql://a@b/c", "postgresql:///", "postgresql://host", "postgresql://host:x/d", "/var/lib/kobza.db"]
)
def test_a_url_that_is_none_says_what_is_right(kobza: Kobza, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOBZA_STORE", wrong)
    ran = kobza("init")
    assert ran.code == 2
    assert (
        "store (in the variable KOBZA_STORE): expected sqlite or postgresql://user:password@host:port/data" in ran.err
    )


def test_the_password_is_masked_wherever_it_stands() -> None:
    for text, shown in (
        ("postgresql://u:p%40w@h:5/d", "postgresql://u:********@h:5/d"),
        (
            "postgresql://h/d?user=u&password=pw&sslmode=require",
            "postgresql://h/d?user=u&password=********&sslmode=require",
        ),
        ("postgresql://h/d?sslpassword=pw", "postgresql://h/d?sslpassword=********"),
        ("postgres://u@h/d", "postgres://u@h/d"),
    ):
        url = PostgresUrl.parse(text)
        assert str(url) == shown
        assert "pw" not in repr(url)
