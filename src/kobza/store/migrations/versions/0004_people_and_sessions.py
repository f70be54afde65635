"""People with roles, names and numbers of their own; their sessions and second factors."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.String(36)
MOMENT = sa.BigInteger()


def as_texts(*parts: SchemaItem) -> tuple[SchemaItem, ...]:
    """Have texts, on PostgreSQL, of any length and compared byte by byte."""
    for part in parts:
        if isinstance(part, sa.Column) and isinstance(part.type, sa.String):
            part.type = part.type.with_variant(sa.Text(collation="C"), "postgresql")
    return parts


def create_table(name: str, *parts: SchemaItem, **options: bool) -> None:
    op.create_table(name, *as_texts(*parts), **options)


def upgrade() -> None:
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("name", sa.Text, nullable=False, server_default=""),
        sa.Column("number", sa.String(32)),
        sa.Column("must_change", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()),
        sa.Column("signed_in_at", MOMENT),
        sa.Column("totp_secret", sa.String(64)),
        sa.Column("totp_step", sa.BigInteger, nullable=False, server_default="0"),
    )
    as_texts(*columns)
    for column in columns:
        op.add_column("users", column)
    op.execute("UPDATE users SET role = 'operator' WHERE enterprise_id IS NULL")
    create_table(
        "recovery_codes",
        sa.Column("user_id", ID, sa.ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "code_hash"),
        sqlite_with_rowid=False,
    )
    create_table(
        "sessions",
        sa.Column("session_id", ID, primary_key=True),
        sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("user_id", ID, sa.ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("enterprise_id", ID, sa.ForeignKey("enterprises.enterprise_id", ondelete="SET NULL")),
        sa.Index(None, "user_id"),
    )


def downgrade() -> None:
    """Go back to a release that lets everybody with a login do everything: only administrators keep theirs."""
    op.drop_table("sessions")
    op.drop_table("recovery_codes")
    op.execute("DELETE FROM users WHERE role NOT IN ('admin', 'operator')")
    op.execute("UPDATE users SET role = 'admin'")
    for column in ("totp_step", "totp_secret", "signed_in_at", "must_change", "number", "name"):
        op.drop_column("users", column)
