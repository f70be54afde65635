"""How long things are kept, legal holds, erasures and their certificates."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.String(36)
MOMENT = sa.BigInteger()
TABLES = ("retention", "holds", "erasures", "erased_files")
INDEXES = (
    (
        "ix_recordings_kept",
        "recordings",
        ["enterprise_id", "changed_at", "record_id"],
        "status IN ('ready', 'failed', 'erasing')",
    ),
    ("ix_recordings_erased", "recordings", ["changed_at"], "status = 'erased'"),
    ("ix_deliveries_erased", "deliveries", ["due_at"], "status = 'erased'"),
)


def create_table(name: str, *parts: SchemaItem, **options: bool) -> None:
    """Create a table whose texts, on PostgreSQL, are of any length and compared byte by byte."""
    for part in parts:
        if isinstance(part, sa.Column) and isinstance(part.type, sa.String):
            part.type = part.type.with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(name, *parts, **options)


def upgrade() -> None:
    for name, table, columns, where in INDEXES:
        op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    create_table(
        "retention",
        sa.Column(
            "enterprise_id", ID, sa.ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("history_days", sa.Integer),
        sa.Column("recording_days", sa.Integer),
        sa.Column("event_days", sa.Integer),
        sa.Column("payload_days", sa.Integer),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
    create_table(
        "holds",
        sa.Column("hold_id", ID, primary_key=True),
        sa.Column("enterprise_id", ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("placed_by", sa.Text, nullable=False),
        sa.Column("placed_at", MOMENT, nullable=False),
        sa.Column("ended_by", sa.Text),
        sa.Column("ended_at", MOMENT),
        sa.Column("end_reason", sa.Text),
        sa.Index(
            "ix_holds_in_force",
            "enterprise_id",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )
    create_table(
        "erasures",
        sa.Column("erasure_id", ID, primary_key=True),
        sa.Column("enterprise_id", ID, nullable=False),
        sa.Column("number", sa.String(32), nullable=False),
        sa.Column("erased_by", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("tally", sa.Text, nullable=False),
        sa.Index(None, "enterprise_id", "started_at"),
    )
    create_table(
        "erased_files",
        sa.Column("erasure_id", ID, sa.ForeignKey("erasures.erasure_id", ondelete="CASCADE"), nullable=False),
        sa.Column("record_id", ID, nullable=False),
        sa.Column("call_id", ID, nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("size", sa.BigInteger),
        sa.Column("shared", sa.Boolean(create_constraint=False), nullable=False),
        sa.PrimaryKeyConstraint("erasure_id", "record_id"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go back to a release that knows nothing of this. Holds and certificates are lost."""
    op.execute("UPDATE recordings SET status = 'erased' WHERE status = 'erasing'")
    op.execute("DELETE FROM deliveries WHERE status = 'erased'")
    for table in reversed(TABLES):
        op.drop_table(table)
    for name, table, _, _ in INDEXES:
        op.drop_index(name, table)
