"""The data keys of recordings that are encrypted."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("sealed", sa.Text().with_variant(sa.Text(collation="C"), "postgresql")))


def downgrade() -> None:
    """Go back to a release that cannot read what is encrypted: the data keys are lost, and those recordings."""
    op.drop_column("recordings", "sealed")
