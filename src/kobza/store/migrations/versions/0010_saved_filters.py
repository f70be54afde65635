"""Filters of the history that people keep under names of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    def short(length: int) -> sa.types.TypeEngine[str]:
        return sa.String(length).with_variant(sa.Text(collation="C"), "postgresql")

    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "saved_filters",
        sa.Column("filter_id", short(36), primary_key=True),
        sa.Column("user_id", short(36), sa.ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("query", text, nullable=False),
        sa.UniqueConstraint("user_id", "name"),
    )


def downgrade() -> None:
    """Go back to a release that keeps none."""
    op.drop_table("saved_filters")
