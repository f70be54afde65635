"""The tables. Moments are integer milliseconds since the Unix epoch (UTC), ids are hex strings, numbers are E.164.

The tables of settings refer to each other by foreign keys. Those that the journal writes do not: history outlives
settings, and a removed enterprise must not be able to stop the journal. The migrations repeat all this,
frozen; a test compares the two.

Texts are compared byte by byte in both databases, and only SQLite is told lengths, which it takes for a remark:
PostgreSQL would refuse what is longer, and what peers send must never stop the journal.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    false,
    text,
    true,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = String(36)
Number = String(32)
Moment = BigInteger
Cursor = BigInteger().with_variant(Integer, "sqlite")
"""A growing key. SQLite only makes one of INTEGER."""

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("text", Text),
    Column("number", BigInteger),
)
"""Facts about the store: `sip_realm` (text), `directory_version`, `tokens_version` and `heartbeat` (numbers)."""

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

users = Table(
    "users",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("login", String(255), nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", String(32), nullable=False),
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE")),
    Column("created_at", Moment, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("number", Number),
    Column("must_change", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("signed_in_at", Moment),
    Column("totp_step", BigInteger, nullable=False, server_default="0"),
    Column("totp_sealed", Text),
    Column("openid_account", Text),
    Index(None, "enterprise_id"),
    Index(None, "openid_account", unique=True),
)
"""People who log in to the portal. Without an enterprise: operators of the installation. The secret of the second
factor is encrypted by a key that is not in the store. `openid_account`: issuer and subject of an OpenID Connect
provider, with a space between."""

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", Id, ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
    Column("code_hash", String(64), nullable=False),
    PrimaryKeyConstraint("user_id", "code_hash"),
    sqlite_with_rowid=False,
)
"""What opens once in place of a second factor that is lost."""

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", Id, primary_key=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("user_id", Id, ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_used_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("address", String(64), nullable=False),
    Column("client", Text, nullable=False),
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="SET NULL")),
    Column("openid", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Index(None, "user_id"),
)
"""Who is signed in to the portal. `enterprise_id`: where an operator has entered."""

saved_filters = Table(
    "saved_filters",
    metadata,
    Column("filter_id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    UniqueConstraint("user_id", "name"),
)
"""Searches of the history that a person keeps; `query` is the form as it stands in an address."""

tokens = Table(
    "tokens",
    metadata,
    Column("token_id", Id, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", String(64), nullable=False),
    Column("networks", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("replaced_by", Id),
    Column("last_used_at", Moment),
    Column("last_used_address", String(64)),
    Column("last_used_client", Text),
    Index(None, "enterprise_id"),
)
"""FMC tokens, of which an enterprise may have several. The token itself is never stored. `scopes` and `networks` are
words divided by spaces; no network means every address."""

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

trunks = Table(
    "trunks",
    metadata,
    Column("trunk_id", Id, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("host", String(255), nullable=False),
    Column("port", Integer, nullable=False),
    Column("prefix", String(32)),
    Column("transport", String(8), nullable=False),
    Column("trusted", Boolean(create_constraint=False), nullable=False, server_default=true()),
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE")),
    Column("created_at", Moment, nullable=False),
    Column("priority", Integer, nullable=False, server_default="10"),
    Column("capacity", Integer),
    Column("number_format", String(16), nullable=False, server_default="e164"),
    Column("strip", String(32), nullable=False, server_default=""),
    Column("add", String(32), nullable=False, server_default=""),
    Column("strip_incoming", String(32), nullable=False, server_default=""),
    Column("add_incoming", String(32), nullable=False, server_default=""),
    Column("domain", String(255)),
    Column("username", String(255)),
    Column("password", Text, nullable=False, server_default=""),
    Column("expires", Integer),
    Column("options_every", Integer, nullable=False, server_default="30"),
    Column("answer_within", Integer, nullable=False, server_default="5"),
    Column("inbound", String(16), nullable=False, server_default="address"),
    Column("networks", Text, nullable=False, server_default=""),
    Column("incoming_username", String(255)),
    Column("incoming_ha1_md5", String(32), nullable=False, server_default=""),
    Column("incoming_ha1_sha256", String(64), nullable=False, server_default=""),
    Column("caller_in", String(16), nullable=False, server_default="from"),
    Column("client_name", String(255)),
    Column("user_phone", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Index(None, "enterprise_id"),
    Index(None, "incoming_username", unique=True),
)
"""Lines to the outside. Without an enterprise: everybody's. `kobza.call.trunk.Trunk` says what each column means. The
password is sent to the other end's digest, so it is stored as it is; `networks` are words divided by spaces; where DNS
says them, the port is 0 and the transport ""."""

trunk_states = Table(
    "trunk_states",
    metadata,
    Column("trunk_id", Id, ForeignKey("trunks.trunk_id", ondelete="CASCADE"), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("registration", String(16)),
    Column("detail", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
)
"""How trunks do, as the running server last found: a row is written when it changes. `registration`: of one that
registers; `detail` says in words what went wrong."""

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

bindings = Table(
    "bindings",
    metadata,
    Column("number", Number, nullable=False),
    Column("contact", Text, nullable=False),
    Column("sip_call_id", Text, nullable=False),
    Column("cseq", BigInteger, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("registered_at", Moment, nullable=False),
    Column("path", Text, nullable=False),
    Column("transport", String(8), nullable=False),
    Column("local_host", String(64), nullable=False),
    Column("local_port", Integer, nullable=False),
    Column("remote_host", String(64), nullable=False),
    Column("remote_port", Integer, nullable=False),
    Column("connection", BigInteger, nullable=False),
    Column("instance_id", Text),
    Column("reg_id", Integer),
    Column("user_agent", Text),
    PrimaryKeyConstraint("number", "contact"),
)
"""Contact bindings of the registrar (RFC 3261 10.3). `path` holds the Path values (RFC 3327), one a line."""

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

retention = Table(
    "retention",
    metadata,
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), primary_key=True),
    Column("history_days", Integer),
    Column("recording_days", Integer),
    Column("event_days", Integer),
    Column("payload_days", Integer),
    Column("changed_at", Moment, nullable=False),
)
"""How long an enterprise keeps what, where it differs from the settings."""

holds = Table(
    "holds",
    metadata,
    Column("hold_id", Id, primary_key=True),
    Column("enterprise_id", Id, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", Moment, nullable=False),
    Column("ended_by", Text),
    Column("ended_at", Moment),
    Column("end_reason", Text),
    Index(
        "ix_holds_in_force",
        "enterprise_id",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)
"""Legal holds: nothing of a number, a call or an enterprise (`kind`) is deleted. Those that ended stay as a record."""

sip_bans = Table(
    "sip_bans",
    metadata,
    Column("source", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("until", Moment),
    Column("times", Integer, nullable=False),
    PrimaryKeyConstraint("source"),
    sqlite_with_rowid=False,
)
"""Sources (an IPv4 address, the /64 of an IPv6 one) that are banned at the SIP door, or were lately; `until` NULL:
until somebody lifts it. `made_by` is empty where the server banned by itself."""

outside_limits = Table(
    "outside_limits",
    metadata,
    Column("enterprise_id", Id, ForeignKey("enterprises.enterprise_id", ondelete="CASCADE"), nullable=False),
    Column("number", Number, nullable=False),
    Column("calls_minute", Integer),
    Column("calls_hour", Integer),
    Column("calls_day", Integer),
    Column("at_once", Integer),
    Column("minutes_day", Integer),
    Column("denied", Text, nullable=False),
    Column("allowed", Text, nullable=False),
    PrimaryKeyConstraint("enterprise_id", "number"),
    sqlite_with_rowid=False,
)
"""What a number, or with no number an enterprise as a whole, may spend on calls outside. NULL: as the settings say; 0:
no limit. `denied` and `allowed` are prefixes with spaces between."""

erasures = Table(
    "erasures",
    metadata,
    Column("erasure_id", Id, primary_key=True),
    Column("enterprise_id", Id, nullable=False),
    Column("number", Number, nullable=False),
    Column("erased_by", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("tally", Text, nullable=False),
    Index(None, "enterprise_id", "started_at"),
)
"""Erasures of a number. It is masked when the erasure is finished; `tally` is JSON: what went, with its hashes."""

erased_files = Table(
    "erased_files",
    metadata,
    Column("erasure_id", Id, ForeignKey("erasures.erasure_id", ondelete="CASCADE"), nullable=False),
    Column("record_id", Id, nullable=False),
    Column("call_id", Id, nullable=False),
    Column("sha256", String(64)),
    Column("size", BigInteger),
    Column("shared", Boolean(create_constraint=False), nullable=False),
    PrimaryKeyConstraint("erasure_id", "record_id"),
    sqlite_with_rowid=False,
)
"""The recordings that an erasure erased. `shared`: the file itself is still another enterprise's."""

audit = Table(
    "audit",
    metadata,
    Column("audit_id", Id, primary_key=True),
    Column("enterprise_id", Id),
    Column("at", Moment, nullable=False),
    Column("via", String(16), nullable=False),
    Column("who", Text, nullable=False),
    Column("address", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Index(None, "at", "audit_id"),
    Index(None, "enterprise_id", "at", "audit_id"),
    Index(None, "subject"),
)
"""Who changed what, and who heard which recording. `before` and `after` are JSON. Entries outlive what they are about,
and the triggers below let none be changed or deleted."""

hearings = Table(
    "hearings",
    metadata,
    Column("audit_id", Id, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("last_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
"""How many bytes of a recording somebody got, by the entry of the audit that says who."""

APPEND_ONLY = {
    "sqlite": tuple(
        f"CREATE TRIGGER audit_{what}d BEFORE {what.upper()} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
        for what in ("update", "delete")
    ),
    "postgresql": (
        """CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$""",
        """CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()""",
    ),
}
"""The triggers of the audit, by the dialect."""


@event.listens_for(audit, "after_create")
def _protect(_table: Table, connection: Connection, **_options: object) -> None:
    for statement in APPEND_ONLY[connection.dialect.name]:
        connection.exec_driver_sql(statement)


for _table in metadata.tables.values():
    for _column in _table.columns:
        if isinstance(_column.type, String):
            _column.type = _column.type.with_variant(Text(collation="C"), "postgresql")
