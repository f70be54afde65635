"""How the sides of a call heard each other, and what was said over SIP."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Return a text type that, on PostgreSQL, is of any length and compared byte by byte."""
    plain = sa.Text() if length is None else sa.String(length)
    return plain.with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "call_details",
        sa.Column("call_id", text(36), nullable=False),
        sa.Column("quality", text()),
        sa.Column("sip_ladder", text()),
        sa.PrimaryKeyConstraint("call_id"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go back to a release that did not keep them."""
    op.drop_table("call_details")
