"""What the tables share: the MetaData, which names constraints, and types of columns; and the table of the store."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text

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
