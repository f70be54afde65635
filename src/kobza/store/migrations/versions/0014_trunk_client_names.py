"""Trunks that are let in by the certificate that they show."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Return a text type that, on PostgreSQL, is of any length and compared byte by byte."""
    plain = sa.Text() if length is None else sa.String(length)
    return plain.with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("trunks", sa.Column("client_name", text(255)))


def downgrade() -> None:
    """Go back to a release that knows no such trunks: nothing comes in by them there."""
    op.execute("UPDATE trunks SET inbound = 'none' WHERE inbound = 'certificate'")
    op.drop_column("trunks", "client_name")
