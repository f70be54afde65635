"""Who may sign in to the portal, who is signed in, and the tokens of programs."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from kobza.store.schema.base import Id, Moment, Number, metadata

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
