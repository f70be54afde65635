"""Addresses that are banned at the SIP door, and what numbers may spend outside."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Return a text type that, on PostgreSQL, is of any length and compared byte by byte."""
    plain = sa.Text() if length is None else sa.String(length)
    return plain.with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "sip_bans",
        sa.Column("source", text(64), nullable=False),
        sa.Column("reason", text(), nullable=False),
        sa.Column("made_by", text(), nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("times", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("source"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outside_limits",
        sa.Column(
            "enterprise_id", text(36), sa.ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("number", text(32), nullable=False),
        sa.Column("calls_minute", sa.Integer),
        sa.Column("calls_hour", sa.Integer),
        sa.Column("calls_day", sa.Integer),
        sa.Column("at_once", sa.Integer),
        sa.Column("minutes_day", sa.Integer),
        sa.Column("denied", text(), nullable=False),
        sa.Column("allowed", text(), nullable=False),
        sa.PrimaryKeyConstraint("enterprise_id", "number"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go back to a release that bans nobody and limits nothing."""
    op.drop_table("outside_limits")
    op.drop_table("sip_bans")
