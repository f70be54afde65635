from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from kobza.store import Store, enterprises, migrations
from kobza.store.backend import backend_of
from kobza.store.place import Place
from kobza.store.schema import metadata

SQLITE_OBJECTS = (
    "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE '%alembic_version%'"
)
OTHER_CONSTRAINTS = "AND conrelid <> 'alembic_version'::regclass"
POSTGRES_OBJECTS = f"""
SELECT 'column ' || table_name || '.' || column_name, concat_ws(' ', data_type, character_maximum_length,
    collation_name, is_nullable, column_default, is_identity)
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
UNION ALL SELECT conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace {OTHER_CONSTRAINTS}
UNION ALL SELECT relname, relkind::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('r', 'i')
"""


@pytest.fixture
def engine(empty_place: Place) -> Iterator[Engine]:
    """An empty database."""
    backend = backend_of(empty_place)
    backend.prepare()
    engine = backend.engine(migrating=True)
    yield engine.execution_options(kobza_write=True)
    engine.dispose()


def objects(conn: Connection) -> dict[str, str]:
    """The tables, their columns and indexes, each with its definition."""
    if conn.dialect.name == "sqlite":
        query = SQLITE_OBJECTS
    else:
        known = conn.exec_driver_sql("SELECT to_regclass('alembic_version') IS NOT NULL").scalar_one()
        query = (
            POSTGRES_OBJECTS if known else POSTGRES_OBJECTS.replace("AND conrelid <> 'alembic_version'::regclass", "")
        )
    return {name: " ".join(sql.split()) for name, sql in conn.exec_driver_sql(query)}


def test_the_head_is_the_last_script() -> None:
    assert ScriptDirectory.from_config(migrations.config()).get_heads() == [migrations.HEAD]


def test_the_migrations_make_what_the_schema_says(engine: Engine) -> None:
    with engine.begin() as conn:
        metadata.create_all(conn)
        told = objects(conn)
        metadata.drop_all(conn)
    assert {"ix_calls_history", "ix_calls_callstat"} <= told.keys()
    assert len(told) > 25
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


def test_a_migration_that_fails_leaves_nothing(empty_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from kobza.store import store as store_module

    def broken(conn: Connection) -> None:
        migrations.upgrade(conn)
        raise RuntimeError("power cut")

    monkeypatch.setattr(store_module, "upgrade", broken)
    with pytest.raises(RuntimeError, match="power cut"):
        Store.create(empty_place)
    engine = backend_of(empty_place).engine()
    with engine.connect() as conn:
        assert inspect(conn).get_table_names() == []
    engine.dispose()
