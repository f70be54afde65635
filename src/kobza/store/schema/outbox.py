"""Call states of owners, and their way to the endpoints of enterprises: the outbox of webhooks."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from kobza.store.schema.base import Cursor, Id, Moment, Number, metadata

events = Table(
    "events",
    metadata,
    Column("cursor", Cursor, primary_key=True, autoincrement=False),
    Column("event_id", Id, nullable=False),
    Column("enterprise_id", Id, nullable=False),
    Column("call_id", Id, nullable=False),
    Column("call_control_id", Id, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("state_type", String(16), nullable=False),
    Column("state_owner", Number, nullable=False),
    Column("phone_number", Number, nullable=False),
    Column("call_direction", String(8), nullable=False),
    Column("occurred_at", Moment, nullable=False),
    Column("client_state", Text),
    Column("extended", Boolean(create_constraint=False), nullable=False),
    Column("payload", Text, nullable=False),
    UniqueConstraint("call_id", "call_control_id", "sequence"),
    Index(None, "enterprise_id", "cursor"),
    sqlite_autoincrement=True,
)
"""Call states of owners (contract, section 4) in the order of their commits; `payload` is the JSON as it is sent.

An empty `state_owner` says that the persons were erased from the row and from its payload."""

promised_legs = Table(
    "promised_legs",
    metadata,
    Column("call_control_id", Id, primary_key=True),
    Column("call_id", Id, nullable=False),
    Column("enterprise_id", Id, nullable=False),
    Column("state_owner", Number, nullable=False),
    Column("phone_number", Number, nullable=False),
    Column("call_direction", String(8), nullable=False),
    Column("client_state", Text),
    Column("promised_at", Moment, nullable=False),
    Index(None, "call_id"),
)
"""Legs whose id the API handed out: their owners are owed `finished` even when no other state of theirs was reached."""

endpoints = Table(
    "endpoints",
    metadata,
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), primary_key=True),
    Column("url", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("secret", Text),
    Column("extended", Boolean(create_constraint=False), nullable=False),
    Column("active", Boolean(create_constraint=False), nullable=False),
    Column("inactive_reason", Text),
    Column("changed_at", Moment, nullable=False),
    Column("failing_since", Moment),
)
"""Where call states are posted. The token must be sent, so it is the one token stored as it is. `failing_since`: the
first failure since the last attempt that was taken."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("cursor", Cursor, primary_key=True, autoincrement=False),
    Column("enterprise_id", Id, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("attempts_before", Integer, nullable=False, server_default="0"),
    Index(
        "ix_deliveries_pending",
        "enterprise_id",
        "cursor",
        "due_at",
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
    Index(
        "ix_deliveries_erased",
        "due_at",
        sqlite_where=text("status = 'erased'"),
        postgresql_where=text("status = 'erased'"),
    ),
)
"""An event owed to an endpoint: pending, delivered or failed; or erased: the tombstone of one whose event is gone, with
the moment in `due_at`. Small, because each one is written twice or more. `attempts_before`: how many of the attempts
were made before the last replay, which begins the schedule anew."""

attempts = Table(
    "attempts",
    metadata,
    Column("cursor", Cursor, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("url", Text),
    Column("address", Text),
    Column("status_code", Integer),
    Column("error", Text),
    Column("response", Text),
    Column("exchange", Text),
    PrimaryKeyConstraint("cursor", "attempt"),
    sqlite_with_rowid=False,
)
"""One POST of a delivery and what came of it. `exchange` is JSON: its headers, phases, and so on."""
