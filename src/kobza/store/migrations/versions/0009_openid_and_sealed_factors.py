"""Accounts of an OpenID Connect provider; secrets of the second factor in a column for what is encrypted.

The key is not in the store: the server encrypts at its next start what was copied here in clear.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEX = "ix_users_openid_account"


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("users", sa.Column("totp_sealed", text))
    op.add_column("users", sa.Column("openid_account", text))
    op.create_index(INDEX, "users", ["openid_account"], unique=True)
    op.execute("UPDATE users SET totp_sealed = totp_secret")
    op.drop_column("users", "totp_secret")
    op.add_column(
        "sessions",
        sa.Column("openid", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Go back to a release that cannot read encrypted secrets: who has a second factor sets it up anew."""
    op.drop_column("sessions", "openid")
    op.drop_index(INDEX, "users")
    op.add_column("users", sa.Column("totp_secret", sa.String(64).with_variant(sa.Text(collation="C"), "postgresql")))
    op.drop_column("users", "openid_account")
    op.drop_column("users", "totp_sealed")
