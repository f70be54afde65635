"""Working hours; call waiting, and how many calls a number may have."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Return a text type that, on PostgreSQL, is of any length and compared byte by byte."""
    plain = sa.Text() if length is None else sa.String(length)
    return plain.with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("enterprises", sa.Column("time_zone", text(64), nullable=False, server_default="Europe/Kyiv"))
    enterprise = sa.ForeignKey("enterprises.enterprise_id", ondelete="CASCADE")
    op.create_table(
        "working_hours",
        sa.Column("enterprise_id", text(36), enterprise, nullable=False),
        sa.Column("number", text(32), nullable=False),
        sa.Column("week", text(), nullable=False),
        sa.Column("dates", text(), nullable=False),
        sa.Column("as_company", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("company_dates", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("callers", text(16), nullable=False),
        sa.Column("closed_to", text(32)),
        sa.Column("override_open", sa.Boolean(create_constraint=False)),
        sa.Column("override_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("enterprise_id", "number"),
        sqlite_with_rowid=False,
    )
    switch = sa.Boolean(create_constraint=False)
    op.add_column("numbers", sa.Column("call_waiting", switch, nullable=False, server_default=sa.true()))
    op.add_column("numbers", sa.Column("max_calls", sa.Integer()))


def downgrade() -> None:
    """Go back to a release in which calls are taken at any time."""
    op.drop_column("numbers", "max_calls")
    op.drop_column("numbers", "call_waiting")
    op.drop_table("working_hours")
    op.drop_column("enterprises", "time_zone")
