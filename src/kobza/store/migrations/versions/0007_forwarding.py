"""Where the calls of a number go when it does not answer them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def columns() -> list[sa.Column[object]]:
    number = sa.String(32).with_variant(sa.Text(collation="C"), "postgresql")
    return [
        sa.Column("forward_always", number),
        sa.Column("forward_busy", number),
        sa.Column("forward_no_answer", number),
        sa.Column("forward_unreachable", number),
        sa.Column("forward_no_answer_after", sa.Integer()),
    ]


def upgrade() -> None:
    for column in columns():
        op.add_column("numbers", column)


def downgrade() -> None:
    for column in reversed(columns()):
        op.drop_column("numbers", column.name)
