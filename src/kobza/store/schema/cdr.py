"""What is kept of calls: the CDRs with their details, the recordings, and the requests that began calls."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text, text

from kobza.store.schema.base import Id, Moment, Number, metadata

calls = Table(
    "calls",
    metadata,
    Column("call_id", Id, nullable=False),
    Column("enterprise_id", Id, nullable=False),
    Column("calling_number", Number, nullable=False),
    Column("called_number", Number, nullable=False),
    Column("answered_number", Number),
    Column("started_at", Moment, nullable=False),
    Column("ringing_at", Moment),
    Column("answered_at", Moment),
    Column("ended_at", Moment),
    Column("start_at", Moment, nullable=False),
    Column("direction", String(8), nullable=False),
    Column("cause", Integer),
    Column("sip_status", Integer),
    Column("released_by", String(16)),
    Column("record_id", Id),
    Column("client_state", Text),
    Column("convergent", Boolean(create_constraint=False), nullable=False),
    PrimaryKeyConstraint("call_id", "enterprise_id"),
    Index("ix_calls_history", "enterprise_id", "started_at", "call_id"),
    Index(
        "ix_calls_callstat",
        "enterprise_id",
        "start_at",
        sqlite_where=text("convergent AND ended_at IS NOT NULL"),
        postgresql_where=text("convergent AND ended_at IS NOT NULL"),
    ),
    Index(
        "ix_calls_unfinished",
        "started_at",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)
"""One CDR for each enterprise of a call, there from the call's start on.

`start_at` is the contract's start (section 2): the answer, or for an unanswered call the attempt.
"""

call_details = Table(
    "call_details",
    metadata,
    Column("call_id", Id, primary_key=True),
    Column("quality", Text),
    Column("sip_ladder", Text),
    Column("diversions", Text),
    sqlite_with_rowid=False,
)
"""What the page of a call shows beside its records, one row for all of them; of persons only `diversions` tells: the
numbers that sent the call on. Apart, as the records are searched and exported by the million."""

recordings = Table(
    "recordings",
    metadata,
    Column("record_id", Id, nullable=False),
    Column("enterprise_id", Id, nullable=False),
    Column("call_id", Id, nullable=False),
    Column("status", String(16), nullable=False),
    Column("path", Text),
    Column("duration_ms", BigInteger),
    Column("size", BigInteger),
    Column("sha256", String(64)),
    Column("changed_at", Moment, nullable=False),
    Column("remarks", Text),
    Column("home", String(16)),
    Column("home_at", Moment),
    Column("sealed", Text),
    Column("sealing", Boolean(create_constraint=False)),
    PrimaryKeyConstraint("record_id", "enterprise_id"),
    Index(None, "call_id"),
    Index(
        "ix_recordings_unfinished",
        "changed_at",
        sqlite_where=text("status IN ('recording', 'encoding')"),
        postgresql_where=text("status IN ('recording', 'encoding')"),
    ),
    Index(
        "ix_recordings_kept",
        "enterprise_id",
        "changed_at",
        "record_id",
        sqlite_where=text("status IN ('ready', 'failed', 'erasing')"),
        postgresql_where=text("status IN ('ready', 'failed', 'erasing')"),
    ),
    Index(
        "ix_recordings_erased",
        "changed_at",
        sqlite_where=text("status = 'erased'"),
        postgresql_where=text("status = 'erased'"),
    ),
    Index(
        "ix_recordings_home",
        "home",
        "home_at",
        sqlite_where=text("home IS NOT NULL"),
        postgresql_where=text("home IS NOT NULL"),
    ),
)
"""Recordings: recording, encoding, ready, failed, erasing (its file is about to go) or erased: the tombstone that says
so. `path` is relative to the directory of recordings, and to the bucket. `home` is None, or how far it is on its way
into the bucket, since `home_at`: waiting, uploading, confirmed (there, and perhaps still here), bucket, refused.
`remarks` is JSON: what a listener should know of it. `sealed` is the data key, encrypted, of a file that is."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("enterprise_id", Id, nullable=False),
    Column("key", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("call_id", Id, nullable=False),
    Column("call_control_id", Id, nullable=False),
    Column("expires_at", Moment, nullable=False),
    PrimaryKeyConstraint("enterprise_id", "key"),
    Index(None, "expires_at"),
    sqlite_with_rowid=False,
)
"""The calls that click2dial requests with an `Idempotency-Key` began, written in one commit with the call.

`fingerprint` is the SHA-256 of the request. From `expires_at` on a row counts for nothing and is deleted.
"""
