"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(36)
NUMBER = sa.String(32)
MOMENT = sa.BigInteger()
CURSOR = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLES = (
    "meta",
    "enterprises",
    "users",
    "tokens",
    "numbers",
    "number_packages",
    "presentation_numbers",
    "address_book",
    "trunks",
    "endpoints",
    "bindings",
    "calls",
    "events",
    "promised_legs",
    "idempotency_keys",
    "deliveries",
    "attempts",
    "recordings",
)


def create_table(name: str, *parts: SchemaItem, **options: bool) -> None:
    """Create a table whose texts, on PostgreSQL, are of any length and compared byte by byte."""
    for part in parts:
        if isinstance(part, sa.Column) and isinstance(part.type, sa.String):
            part.type = part.type.with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(name, *parts, **options)


def upgrade() -> None:
    create_table(
        "meta",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("text", sa.Text),
        sa.Column("number", sa.BigInteger),
    )
    create_table(
        "enterprises",
        sa.Column("enterprise_id", ID, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("integrator_id", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    create_table(
        "users",
        sa.Column("user_id", ID, primary_key=True),
        sa.Column("login", sa.String(255), nullable=False, unique=True),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("enterprise_id", ID, sa.ForeignKey("enterprises.enterprise_id", ondelete="CASCADE")),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Index(None, "enterprise_id"),
    )
    create_table(
        "tokens",
        sa.Column("token_id", ID, primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("enterprise_id", ID, sa.ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.String(64), nullable=False),
        sa.Column("networks", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("replaced_by", ID),
        sa.Column("last_used_at", MOMENT),
        sa.Column("last_used_address", sa.String(64)),
        sa.Column("last_used_client", sa.Text),
        sa.Index(None, "enterprise_id"),
    )
    create_table(
        "numbers",
        sa.Column("number", NUMBER, primary_key=True),
        sa.Column("enterprise_id", ID, sa.ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False),
        sa.Column("username", sa.String(128), nullable=False, unique=True),
        sa.Column("ha1_md5", sa.String(32), nullable=False),
        sa.Column("ha1_sha256", sa.String(64), nullable=False),
        sa.Column("dnd", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()),
        sa.Column("dnd_until", MOMENT),
        sa.Column("presentation_number", NUMBER),
        sa.Column("clip_restricted", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()),
        sa.Column("clip_until", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Index(None, "enterprise_id"),
    )
    create_table(
        "number_packages",
        sa.Column("number", NUMBER, sa.ForeignKey("numbers.number", ondelete="CASCADE"), nullable=False),
        sa.Column("package", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("number", "package"),
        sqlite_with_rowid=False,
    )
    create_table(
        "presentation_numbers",
        sa.Column("enterprise_id", ID, sa.ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("enterprise_id", "number"),
        sqlite_with_rowid=False,
    )
    create_table(
        "address_book",
        sa.Column("enterprise_id", ID, sa.ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("department", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("enterprise_id", "number"),
        sqlite_with_rowid=False,
    )
    create_table(
        "trunks",
        sa.Column("trunk_id", ID, primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("prefix", sa.String(32)),
        sa.Column("transport", sa.String(8), nullable=False),
        sa.Column("trusted", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.true()),
        sa.Column("enterprise_id", ID, sa.ForeignKey("enterprises.enterprise_id", ondelete="CASCADE")),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Index(None, "enterprise_id"),
    )
    create_table(
        "endpoints",
        sa.Column(
            "enterprise_id", ID, sa.ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("secret", sa.Text),
        sa.Column("extended", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("active", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("inactive_reason", sa.Text),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
    create_table(
        "bindings",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("contact", sa.Text, nullable=False),
        sa.Column("sip_call_id", sa.Text, nullable=False),
        sa.Column("cseq", sa.BigInteger, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("registered_at", MOMENT, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("transport", sa.String(8), nullable=False),
        sa.Column("local_host", sa.String(64), nullable=False),
        sa.Column("local_port", sa.Integer, nullable=False),
        sa.Column("remote_host", sa.String(64), nullable=False),
        sa.Column("remote_port", sa.Integer, nullable=False),
        sa.Column("connection", sa.BigInteger, nullable=False),
        sa.Column("instance_id", sa.Text),
        sa.Column("reg_id", sa.Integer),
        sa.Column("user_agent", sa.Text),
        sa.PrimaryKeyConstraint("number", "contact"),
    )
    create_table(
        "calls",
        sa.Column("call_id", ID, nullable=False),
        sa.Column("enterprise_id", ID, nullable=False),
        sa.Column("calling_number", NUMBER, nullable=False),
        sa.Column("called_number", NUMBER, nullable=False),
        sa.Column("answered_number", NUMBER),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ringing_at", MOMENT),
        sa.Column("answered_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("start_at", MOMENT, nullable=False),
        sa.Column("direction", sa.String(8), nullable=False),
        sa.Column("cause", sa.Integer),
        sa.Column("sip_status", sa.Integer),
        sa.Column("released_by", sa.String(16)),
        sa.Column("record_id", ID),
        sa.Column("client_state", sa.Text),
        sa.Column("convergent", sa.Boolean(create_constraint=False), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "enterprise_id"),
        sa.Index("ix_calls_history", "enterprise_id", "started_at", "call_id"),
        sa.Index(
            "ix_calls_callstat",
            "enterprise_id",
            "start_at",
            sqlite_where=sa.text("convergent AND ended_at IS NOT NULL"),
            postgresql_where=sa.text("convergent AND ended_at IS NOT NULL"),
        ),
        sa.Index(
            "ix_calls_unfinished",
            "started_at",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )
    create_table(
        "events",
        sa.Column("cursor", CURSOR, primary_key=True, autoincrement=False),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("enterprise_id", ID, nullable=False),
        sa.Column("call_id", ID, nullable=False),
        sa.Column("call_control_id", ID, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("state_type", sa.String(16), nullable=False),
        sa.Column("state_owner", NUMBER, nullable=False),
        sa.Column("phone_number", NUMBER, nullable=False),
        sa.Column("call_direction", sa.String(8), nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("client_state", sa.Text),
        sa.Column("extended", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.UniqueConstraint("call_id", "call_control_id", "sequence"),
        sa.Index(None, "enterprise_id", "cursor"),
        sqlite_autoincrement=True,
    )
    create_table(
        "promised_legs",
        sa.Column("call_control_id", ID, primary_key=True),
        sa.Column("call_id", ID, nullable=False),
        sa.Column("enterprise_id", ID, nullable=False),
        sa.Column("state_owner", NUMBER, nullable=False),
        sa.Column("phone_number", NUMBER, nullable=False),
        sa.Column("call_direction", sa.String(8), nullable=False),
        sa.Column("client_state", sa.Text),
        sa.Column("promised_at", MOMENT, nullable=False),
        sa.Index(None, "call_id"),
    )
    create_table(
        "idempotency_keys",
        sa.Column("enterprise_id", ID, nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("call_id", ID, nullable=False),
        sa.Column("call_control_id", ID, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("enterprise_id", "key"),
        sa.Index(None, "expires_at"),
        sqlite_with_rowid=False,
    )
    create_table(
        "deliveries",
        sa.Column("cursor", CURSOR, primary_key=True, autoincrement=False),
        sa.Column("enterprise_id", ID, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Index(
            "ix_deliveries_pending",
            "enterprise_id",
            "cursor",
            "due_at",
            sqlite_where=sa.text("status = 'pending'"),
            postgresql_where=sa.text("status = 'pending'"),
        ),
    )
    create_table(
        "attempts",
        sa.Column("cursor", CURSOR, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("duration_ms", sa.Integer, nullable=False),
        sa.Column("url", sa.Text),
        sa.Column("address", sa.Text),
        sa.Column("status_code", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("response", sa.Text),
        sa.PrimaryKeyConstraint("cursor", "attempt"),
        sqlite_with_rowid=False,
    )
    create_table(
        "recordings",
        sa.Column("record_id", ID, nullable=False),
        sa.Column("enterprise_id", ID, nullable=False),
        sa.Column("call_id", ID, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("path", sa.Text),
        sa.Column("duration_ms", sa.BigInteger),
        sa.Column("size", sa.BigInteger),
        sa.Column("sha256", sa.String(64)),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("record_id", "enterprise_id"),
        sa.Index(None, "call_id"),
        sa.Index(
            "ix_recordings_unfinished",
            "changed_at",
            sqlite_where=sa.text("status IN ('recording', 'encoding')"),
            postgresql_where=sa.text("status IN ('recording', 'encoding')"),
        ),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
