"""Whether those who talk are told that a supervisor hears them."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "enterprises",
        sa.Column(
            "supervision_announced", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.true()
        ),
    )


def downgrade() -> None:
    """Go back to a release that knows no supervision: tokens lose the scope for it."""
    op.execute("DELETE FROM tokens WHERE scopes = 'supervise'")
    op.execute("UPDATE tokens SET scopes = REPLACE(scopes, ' supervise', '')")
    op.drop_column("enterprises", "supervision_announced")
