"""The audit, which only grows."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SQLITE = tuple(
    f"CREATE TRIGGER audit_{what}d BEFORE {what.upper()} ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
    for what in ("update", "delete")
)
POSTGRESQL = (
    """CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$""",
    """CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()""",
)


def text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    def short(length: int) -> sa.types.TypeEngine[str]:
        return sa.String(length).with_variant(sa.Text(collation="C"), "postgresql")

    op.create_table(
        "audit",
        sa.Column("audit_id", short(36), primary_key=True),
        sa.Column("enterprise_id", short(36)),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("via", short(16), nullable=False),
        sa.Column("who", text(), nullable=False),
        sa.Column("address", short(64), nullable=False),
        sa.Column("action", short(64), nullable=False),
        sa.Column("subject", text(), nullable=False),
        sa.Column("label", text(), nullable=False),
        sa.Column("before", text()),
        sa.Column("after", text()),
        sa.Index(None, "at", "audit_id"),
        sa.Index(None, "enterprise_id", "at", "audit_id"),
        sa.Index(None, "subject"),
    )
    for statement in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Go back to a release that keeps no audit: it is lost."""
    op.drop_table("audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_append_only()")
