"""Trunks that are told which users of URIs are telephone numbers."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "trunks",
        sa.Column("user_phone", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Go back to a release that marks no numbers."""
    op.drop_column("trunks", "user_phone")
