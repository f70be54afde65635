"""What a trunk can be told, and how trunks do."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEX = "ix_trunks_incoming_username"


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Return a text type that, on PostgreSQL, is of any length and compared byte by byte."""
    plain = sa.Text() if length is None else sa.String(length)
    return plain.with_variant(sa.Text(collation="C"), "postgresql")


def columns() -> list[sa.Column[object]]:
    return [
        sa.Column("priority", sa.Integer(), nullable=False, server_default="10"),
        sa.Column("capacity", sa.Integer()),
        sa.Column("number_format", text(16), nullable=False, server_default="e164"),
        sa.Column("strip", text(32), nullable=False, server_default=""),
        sa.Column("add", text(32), nullable=False, server_default=""),
        sa.Column("strip_incoming", text(32), nullable=False, server_default=""),
        sa.Column("add_incoming", text(32), nullable=False, server_default=""),
        sa.Column("domain", text(255)),
        sa.Column("username", text(255)),
        sa.Column("password", text(), nullable=False, server_default=""),
        sa.Column("expires", sa.Integer()),
        sa.Column("options_every", sa.Integer(), nullable=False, server_default="30"),
        sa.Column("answer_within", sa.Integer(), nullable=False, server_default="5"),
        sa.Column("inbound", text(16), nullable=False, server_default="address"),
        sa.Column("networks", text(), nullable=False, server_default=""),
        sa.Column("incoming_username", text(255)),
        sa.Column("incoming_ha1_md5", text(32), nullable=False, server_default=""),
        sa.Column("incoming_ha1_sha256", text(64), nullable=False, server_default=""),
        sa.Column("caller_in", text(16), nullable=False, server_default="from"),
    ]


def upgrade() -> None:
    for column in columns():
        op.add_column("trunks", column)
    op.create_index(INDEX, "trunks", ["incoming_username"], unique=True)
    op.create_table(
        "trunk_states",
        sa.Column(
            "trunk_id", text(36), sa.ForeignKey("trunks.trunk_id", ondelete="CASCADE"), primary_key=True, nullable=False
        ),
        sa.Column("state", text(16), nullable=False),
        sa.Column("registration", text(16)),
        sa.Column("detail", text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("trunk_states")
    op.drop_index(INDEX, "trunks")
    for column in reversed(columns()):
        op.drop_column("trunks", column.name)
