"""Music on hold of enterprises, and the country of their ringback."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Return a text type that, on PostgreSQL, is of any length and compared byte by byte."""
    plain = sa.Text() if length is None else sa.String(length)
    return plain.with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("enterprises", sa.Column("ringback", text(8)))
    op.create_table(
        "sounds",
        sa.Column(
            "enterprise_id", text(36), sa.ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("role", text(16), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("sha256", text(64), nullable=False),
        sa.Column("content", text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("enterprise_id", "role"),
    )
    op.create_index("ix_sounds_sha256", "sounds", ["sha256"])


def downgrade() -> None:
    """Go back to a release that has one music and one ringback for all."""
    op.drop_table("sounds")
    op.drop_column("enterprises", "ringback")
