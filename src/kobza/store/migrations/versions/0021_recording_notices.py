"""What those who talk are told of a recording."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def text(length: int) -> sa.types.TypeEngine[str]:
    """Return a text type that, on PostgreSQL, is compared byte by byte."""
    return sa.String(length).with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("enterprises", sa.Column("recording_announced", text(8)))
    op.add_column("enterprises", sa.Column("recording_voice", text(8)))
    op.add_column("enterprises", sa.Column("recording_beep", sa.Integer()))


def downgrade() -> None:
    """Go back to a release that tells nobody of a recording; announcements stay, and are not heard."""
    op.drop_column("enterprises", "recording_beep")
    op.drop_column("enterprises", "recording_voice")
    op.drop_column("enterprises", "recording_announced")
