"""Addresses that are banned at the SIP door."""

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


def downgrade() -> None:
    """Go back to a release that bans nobody."""
    op.drop_table("sip_bans")
