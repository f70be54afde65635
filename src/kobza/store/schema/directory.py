"""The directory: enterprises, their numbers and groups, and what calls to and from these are to be like."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    false,
    true,
)

from kobza.store.schema.base import Id, Moment, Number, metadata

enterprises = Table(
    "enterprises",
    metadata,
    Column("enterprise_id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("integrator_id", String(64), nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("time_zone", String(64), nullable=False, server_default="Europe/Kyiv"),
    Column("supervision_announced", Boolean(create_constraint=False), nullable=False, server_default=true()),
    Column("ringback", String(8)),
    Column("recording_announced", String(8)),
    Column("recording_voice", String(8)),
    Column("recording_beep", Integer),
)
"""The tenants. `time_zone`: of their working hours, by its name in the tz database; `ringback`: a country of
kobza.media.ringback. `supervision_announced`: those who talk hear a tone while a supervisor hears them. The last three:
what those who talk are told of a recording (kobza.call.recording_notices), NULL for nobody, the usual voice, no
beep."""

numbers = Table(
    "numbers",
    metadata,
    Column("number", Number, primary_key=True),
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False),
    Column("username", String(128), nullable=False, unique=True),
    Column("ha1_md5", String(32), nullable=False),
    Column("ha1_sha256", String(64), nullable=False),
    Column("dnd", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("dnd_until", Moment),
    Column("presentation_number", Number),
    Column("clip_restricted", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("clip_until", Moment),
    Column("created_at", Moment, nullable=False),
    Column("forward_always", Number),
    Column("forward_busy", Number),
    Column("forward_no_answer", Number),
    Column("forward_unreachable", Number),
    Column("forward_no_answer_after", Integer),
    Column("mobile", Number),
    Column("call_waiting", Boolean(create_constraint=False), nullable=False, server_default=true()),
    Column("max_calls", Integer),
    Index(None, "enterprise_id"),
)

number_packages = Table(
    "number_packages",
    metadata,
    Column("number", Number, ForeignKey("numbers.number", ondelete="CASCADE"), nullable=False),
    Column("package", String(32), nullable=False),
    PrimaryKeyConstraint("number", "package"),
    sqlite_with_rowid=False,
)

ringing_groups = Table(
    "ringing_groups",
    metadata,
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False),
    Column("number", Number, nullable=False),
    Column("name", Text, nullable=False),
    Column("strategy", String(16), nullable=False),
    Column("seconds", Integer, nullable=False),
    Column("then_number", Number),
    Column("created_at", Moment, nullable=False),
    PrimaryKeyConstraint("enterprise_id", "number"),
    sqlite_with_rowid=False,
)

group_members = Table(
    "group_members",
    metadata,
    Column("enterprise_id", Id, nullable=False),
    Column("group_number", Number, nullable=False),
    Column("position", Integer, nullable=False),
    Column("number", Number, ForeignKey("numbers.number", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("enterprise_id", "group_number", "number"),
    ForeignKeyConstraint(
        ["enterprise_id", "group_number"],
        ["ringing_groups.enterprise_id", "ringing_groups.number"],
        ondelete="CASCADE",
    ),
    Index(None, "number"),
    sqlite_with_rowid=False,
)

working_hours = Table(
    "working_hours",
    metadata,
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False),
    Column("number", Number, nullable=False),
    Column("week", Text, nullable=False),
    Column("dates", Text, nullable=False),
    Column("as_company", Boolean(create_constraint=False), nullable=False),
    Column("company_dates", Boolean(create_constraint=False), nullable=False),
    Column("callers", String(16), nullable=False),
    Column("closed_to", Number),
    Column("override_open", Boolean(create_constraint=False)),
    Column("override_until", Moment),
    PrimaryKeyConstraint("enterprise_id", "number"),
    sqlite_with_rowid=False,
)
"""Of numbers and ringing groups; an empty number: of the whole enterprise. `week` and `dates` are as
`kobza.call.hours_form` writes them."""

presentation_numbers = Table(
    "presentation_numbers",
    metadata,
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False),
    Column("number", Number, nullable=False),
    Column("created_at", Moment, nullable=False),
    PrimaryKeyConstraint("enterprise_id", "number"),
    sqlite_with_rowid=False,
)
"""Numbers that an enterprise may present beside its own ones: a hotline, a number at another operator."""

address_book = Table(
    "address_book",
    metadata,
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False),
    Column("number", Number, nullable=False),
    Column("name", Text, nullable=False),
    Column("department", Text, nullable=False),
    PrimaryKeyConstraint("enterprise_id", "number"),
    sqlite_with_rowid=False,
)
"""Names and departments, of an enterprise's own numbers and of others. Clustered, for the lookups of an export."""

sounds = Table(
    "sounds",
    metadata,
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False),
    Column("role", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("content", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
    PrimaryKeyConstraint("enterprise_id", "role"),
    Index(None, "sha256"),
)
"""Sounds that enterprises brought: A-law, 8,000 octets a second, in base64. `sha256` is of the octets."""
