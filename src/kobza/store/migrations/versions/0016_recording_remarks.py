"""What a listener should know of a recording: when it was paused, and which codecs in it are not decoded."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("remarks", sa.Text().with_variant(sa.Text(collation="C"), "postgresql")))


def downgrade() -> None:
    """Go back to a release that knows nothing of it."""
    op.drop_column("recordings", "remarks")
