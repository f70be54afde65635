from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from kobza.store import Store, StoreOutdated, enterprises, migrations
from kobza.store.backend import backend_of
from kobza.store.place import Place
from kobza.store.schema import metadata
from tests.store.everything import fill_everything, rows_of

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
        return {name: in_any_order(sql) for name, sql in conn.exec_driver_sql(SQLITE_OBJECTS)}
    known = conn.exec_driver_sql("SELECT to_regclass('alembic_version') IS NOT NULL").scalar_one()
    query = POSTGRES_OBJECTS if known else POSTGRES_OBJECTS.replace("AND conrelid <> 'alembic_version'::regclass", "")
    return {name: " ".join(sql.split()) for name, sql in conn.exec_driver_sql(query)}


def in_any_order(statement: str) -> str:
    """Sort what a CREATE TABLE of SQLite lists: a column that is added later stands behind the constraints."""
    head, opened, rest = " ".join(statement.split()).replace('"', "").partition("(")
    parts, depth, start = [], 1, 0
    for at, sign in enumerate(rest):
        depth += (sign == "(") - (sign == ")")
        if depth == 0 or (depth == 1 and sign == ","):
            parts.append(rest[start:at].strip())
            start = at + 1
            if depth == 0:
                return head + opened + ", ".join(sorted(parts)) + rest[at:]
    return head


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


NEW_TABLES = {
    **dict.fromkeys(("retention", "holds", "erasures", "erased_files"), "0002"),
    **dict.fromkeys(("sessions", "recovery_codes"), "0004"),
    "trunk_states": "0005",
    "audit": "0006",
    **dict.fromkeys(("ringing_groups", "group_members"), "0008"),
    "saved_filters": "0010",
    "call_details": "0011",
    "working_hours": "0012",
    **dict.fromkeys(("sip_bans", "outside_limits"), "0013"),
    "hearings": "0015",
    "sounds": "0019",
}
"""Tables by the revision that has them first, where it is not the first one."""


def versions() -> list[str]:
    """The revisions, the oldest first."""
    script = ScriptDirectory.from_config(migrations.config())
    return [each.revision for each in script.walk_revisions()][::-1]


def as_wide(rows: list[tuple[Any, ...]], older: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Cut rows to the columns that an older release has: new ones stand behind them."""
    return [row[: len(older[0])] for row in rows] if older else rows


@pytest.mark.parametrize("revision", versions())
def test_down_and_up_again_with_data(store: Store, revision: str) -> None:
    """What a release had of its own is lost on the way back to the one before; all else outlives both ways."""
    fill_everything(store)
    with store.write() as conn:
        conn.exec_driver_sql("UPDATE recordings SET status = 'erasing' WHERE record_id = 'rec-1'")
        conn.exec_driver_sql("UPDATE deliveries SET status = 'erased' WHERE cursor = 1")
        full, told = rows_of(conn), objects(conn)
    store.close()
    engine = backend_of(store.place).engine(migrating=True)
    with engine.execution_options(kobza_write=True).begin() as conn:
        migrations.downgrade(conn, revision)
        assert migrations.revision_of(conn) == revision
        older = rows_of(conn)
    engine.dispose()
    if revision != migrations.HEAD:
        with pytest.raises(StoreOutdated, match="run `kobza init`"):
            Store.open(store.place)
    upgraded = Store.create(store.place)
    with upgraded.read() as conn:
        newer = rows_of(conn)
        assert objects(conn) == told
    upgraded.close()
    assert {name: as_wide(newer[name], rows) for name, rows in older.items()} == older
    lost = full.keys() - older.keys()
    assert lost == {name for name, since in NEW_TABLES.items() if revision < since}
    assert all(newer[name] == [] for name in lost)
    for name, rows in older.items():
        same = revision >= {"recordings": "0002", "deliveries": "0002", "users": "0004"}.get(name, "0001")
        assert (rows == as_wide(full[name], rows)) is same, name
    if revision < "0004":  # a release to which everybody with a login is an administrator
        assert [row[1] for row in older["users"]] == ["olena"]
    if revision < "0002":  # a release that knows no such words never finds them
        assert not {"erasing", "erased"} & {row[2] for row in older["deliveries"]}
        assert {row[3] for row in older["recordings"]} == {"erased", "recording"}


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
