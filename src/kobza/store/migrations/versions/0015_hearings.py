"""How much of each recording those got who heard it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    audit_id = sa.String(36).with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "hearings",
        sa.Column("audit_id", audit_id, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("requests", "sent", "size", "last_at")),
        sa.PrimaryKeyConstraint("audit_id"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go back to a release that did not count it."""
    op.drop_table("hearings")
