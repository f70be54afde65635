"""Ringing groups, and a mobile phone beside those of a number."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Return a text type that, on PostgreSQL, is of any length and compared byte by byte."""
    plain = sa.Text() if length is None else sa.String(length)
    return plain.with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("numbers", sa.Column("mobile", text(32)))
    enterprise = sa.ForeignKey("enterprises.enterprise_id", ondelete="CASCADE")
    op.create_table(
        "ringing_groups",
        sa.Column("enterprise_id", text(36), enterprise, nullable=False),
        sa.Column("number", text(32), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("strategy", text(16), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("then_number", text(32)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("enterprise_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "group_members",
        sa.Column("enterprise_id", text(36), nullable=False),
        sa.Column("group_number", text(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("number", text(32), sa.ForeignKey("numbers.number", ondelete="CASCADE"), nullable=False),
        sa.PrimaryKeyConstraint("enterprise_id", "group_number", "number"),
        sa.ForeignKeyConstraint(
            ["enterprise_id", "group_number"],
            ["ringing_groups.enterprise_id", "ringing_groups.number"],
            ondelete="CASCADE",
        ),
        sa.Index(None, "number"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go back to a release in which each number rings alone."""
    op.drop_table("group_members")
    op.drop_table("ringing_groups")
    op.drop_column("numbers", "mobile")
