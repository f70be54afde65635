"""What is known of an endpoint's health and of an attempt's exchange; a schedule that a replay begins anew."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = (
    ("endpoints", "failing_since"),
    ("deliveries", "attempts_before"),
    ("attempts", "exchange"),
)


def upgrade() -> None:
    op.add_column("endpoints", sa.Column("failing_since", sa.BigInteger()))
    op.add_column("deliveries", sa.Column("attempts_before", sa.Integer(), nullable=False, server_default="0"))
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("attempts", sa.Column("exchange", text))


def downgrade() -> None:
    for table, column in COLUMNS:
        op.drop_column(table, column)
