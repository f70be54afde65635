"""The audit: who changed what and who heard what, with the triggers that let it only grow."""

from sqlalchemy import BigInteger, Column, Connection, Index, String, Table, Text, event

from kobza.store.schema.base import Id, Moment, metadata

audit = Table(
    "audit",
    metadata,
    Column("audit_id", Id, primary_key=True),
    Column("enterprise_id", Id),
    Column("at", Moment, nullable=False),
    Column("via", String(16), nullable=False),
    Column("who", Text, nullable=False),
    Column("address", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Index(None, "at", "audit_id"),
    Index(None, "enterprise_id", "at", "audit_id"),
    Index(None, "subject"),
)
"""Who changed what, and who heard which recording. `before` and `after` are JSON. Entries outlive what they are about,
and the triggers below let none be changed or deleted."""

hearings = Table(
    "hearings",
    metadata,
    Column("audit_id", Id, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("last_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
"""How many bytes of a recording somebody got, by the entry of the audit that says who."""

APPEND_ONLY = {
    "sqlite": tuple(
        f"CREATE TRIGGER audit_{what}d BEFORE {what.upper()} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
        for what in ("update", "delete")
    ),
    "postgresql": (
        """CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$""",
        """CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()""",
    ),
}
"""The triggers of the audit, by the dialect."""


@event.listens_for(audit, "after_create")
def _protect(_table: Table, connection: Connection, **_options: object) -> None:
    for statement in APPEND_ONLY[connection.dialect.name]:
        connection.exec_driver_sql(statement)
