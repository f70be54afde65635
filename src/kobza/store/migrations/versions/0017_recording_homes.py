"""Where the files of recordings are besides the folder of the machine."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SOMEWHERE = sa.text("home IS NOT NULL")


def upgrade() -> None:
    op.add_column("recordings", sa.Column("home", sa.String(16).with_variant(sa.Text(collation="C"), "postgresql")))
    op.add_column("recordings", sa.Column("home_at", sa.BigInteger()))
    op.create_index(
        "ix_recordings_home",
        "recordings",
        ["home", "home_at"],
        sqlite_where=SOMEWHERE,
        postgresql_where=SOMEWHERE,
    )


def downgrade() -> None:
    """Go back to a release that knows the folder alone: what is in the bucket alone has to be put there by hand."""
    op.drop_index("ix_recordings_home", "recordings")
    op.drop_column("recordings", "home_at")
    op.drop_column("recordings", "home")
