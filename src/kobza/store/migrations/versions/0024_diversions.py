"""Who sent a call on before it came here, for its page."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Return a text type that, on PostgreSQL, is of any length and compared byte by byte."""
    plain = sa.Text() if length is None else sa.String(length)
    return plain.with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("call_details", sa.Column("diversions", text()))


def downgrade() -> None:
    """Go back to a release that did not keep them."""
    op.drop_column("call_details", "diversions")
