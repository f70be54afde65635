from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect

from kobza.store import Store, driver, enterprises, migrations
from kobza.store.schema import metadata

OBJECTS = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE '%alembic_version%'"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty database."""
    path = tmp_path / "empty.db"
    driver.create_file(path)
    engine = create_engine("sqlite://", module=driver.dbapi, creator=lambda: driver.connect(path))
    yield engine
    engine.dispose()


def objects(conn: Connection) -> dict[str, str]:
    """The tables and indexes, each with its definition."""
    return {name: " ".join(sql.split()) for name, sql in conn.exec_driver_sql(OBJECTS)}


def test_the_head_is_the_last_script() -> None:
    assert ScriptDirectory.from_config(migrations.config()).get_heads() == [migrations.HEAD]


def test_the_migrations_make_what_the_schema_says(engine: Engine) -> None:
    with engine.begin() as conn:
        metadata.create_all(conn)
        told = objects(conn)
        metadata.drop_all(conn)
    assert {"calls", "events", "deliveries", "ix_calls_callstat"} <= told.keys()
    with engine.begin() as conn:
        migrations.upgrade(conn)
        assert objects(conn) == told
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def test_up_down_and_up_again(engine: Engine) -> None:
    with engine.begin() as conn:
        assert migrations.revision_of(conn) is None
        migrations.upgrade(conn)
        assert migrations.revision_of(conn) == migrations.HEAD
        enterprises_table = inspect(conn).has_table("enterprises")
        migrations.downgrade(conn, "base")
        assert enterprises_table
        assert objects(conn) == {}
        assert migrations.revision_of(conn) is None
        migrations.upgrade(conn)
        assert migrations.revision_of(conn) == migrations.HEAD


def test_upgrading_what_is_current_keeps_the_data(store: Store) -> None:
    with store.write() as conn:
        enterprises.add(conn, "Ромашка", "admin", "hash", 1)
        migrations.upgrade(conn)
        assert [enterprise.name for enterprise in enterprises.list_all(conn)] == ["Ромашка"]


def test_a_migration_that_fails_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kobza.store import store as store_module

    def broken(conn: Connection) -> None:
        migrations.upgrade(conn)
        raise RuntimeError("power cut")

    monkeypatch.setattr(store_module, "upgrade", broken)
    with pytest.raises(RuntimeError, match="power cut"):
        Store.create(path)
    connection = driver.connect(path)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
