"""The SIP peers: trunks and what calls over them may cost, contact bindings of phones, banned sources."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
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
