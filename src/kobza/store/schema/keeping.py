"""How long data is kept, what must not be deleted, and what was erased."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from kobza.store.schema.base import Id, Moment, Number, metadata

retention = Table(
    "retention",
    metadata,
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), primary_key=True),
    Column("history_days", Integer),
    Column("recording_days", Integer),
    Column("event_days", Integer),
    Column("payload_days", Integer),
    Column("changed_at", Moment, nullable=False),
)
"""How long an enterprise keeps what, where it differs from the settings."""

holds = Table(
    "holds",
    metadata,
    Column("hold_id", Id, primary_key=True),
    Column("enterprise_id", Id, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", Moment, nullable=False),
    Column("ended_by", Text),
    Column("ended_at", Moment),
    Column("end_reason", Text),
    Index(
        "ix_holds_in_force",
        "enterprise_id",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)
"""Legal holds: nothing of a number, a call or an enterprise (`kind`) is deleted. Those that ended stay as a record."""

erasures = Table(
    "erasures",
    metadata,
    Column("erasure_id", Id, primary_key=True),
    Column("enterprise_id", Id, nullable=False),
    Column("number", Number, nullable=False),
    Column("erased_by", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("tally", Text, nullable=False),
    Index(None, "enterprise_id", "started_at"),
)
"""Erasures of a number. It is masked when the erasure is finished; `tally` is JSON: what went, with its hashes."""

erased_files = Table(
    "erased_files",
    metadata,
    Column("erasure_id", Id, ForeignKey("erasures.erasure_id", ondelete="CASCADE"), nullable=False),
    Column("record_id", Id, nullable=False),
    Column("call_id", Id, nullable=False),
    Column("sha256", String(64)),
    Column("size", BigInteger),
    Column("shared", Boolean(create_constraint=False), nullable=False),
    PrimaryKeyConstraint("erasure_id", "record_id"),
    sqlite_with_rowid=False,
)
"""The recordings that an erasure erased. `shared`: the file itself is still another enterprise's."""
