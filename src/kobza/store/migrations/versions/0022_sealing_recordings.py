"""Which recordings are about to be encrypted after they were made."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("sealing", sa.Boolean(create_constraint=False)))


def downgrade() -> None:
    """Go back to a release that takes each recording with a data key for encrypted."""
    op.drop_column("recordings", "sealing")
