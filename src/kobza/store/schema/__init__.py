"""The tables. Moments are integer milliseconds since the Unix epoch (UTC), ids are hex strings, numbers are E.164.

The tables of settings refer to each other by foreign keys. Those that the journal writes do not: history outlives
settings, and a removed enterprise must not be able to stop the journal. The migrations repeat all this,
frozen; a test compares the two.

Texts are compared byte by byte in both databases, and only SQLite is told lengths, which it takes for a remark:
PostgreSQL would refuse what is longer, and what peers send must never stop the journal.

All are imported from here: whoever has one has `metadata` whole, and the foreign keys find their tables.
"""

from sqlalchemy import String, Text

from kobza.store.schema.accounts import recovery_codes, saved_filters, sessions, tokens, users
from kobza.store.schema.audit_trail import audit, hearings
from kobza.store.schema.base import meta, metadata
from kobza.store.schema.cdr import call_details, calls, idempotency_keys, recordings
from kobza.store.schema.directory import (
    address_book,
    enterprises,
    group_members,
    number_packages,
    numbers,
    presentation_numbers,
    ringing_groups,
    sounds,
    working_hours,
)
from kobza.store.schema.keeping import erased_files, erasures, holds, retention
from kobza.store.schema.outbox import attempts, deliveries, endpoints, events, promised_legs
from kobza.store.schema.peers import bindings, outside_limits, sip_bans, trunk_states, trunks

__all__ = [
    "address_book",
    "attempts",
    "audit",
    "bindings",
    "call_details",
    "calls",
    "deliveries",
    "endpoints",
    "enterprises",
    "erased_files",
    "erasures",
    "events",
    "group_members",
    "hearings",
    "holds",
    "idempotency_keys",
    "meta",
    "metadata",
    "number_packages",
    "numbers",
    "outside_limits",
    "presentation_numbers",
    "promised_legs",
    "recordings",
    "recovery_codes",
    "retention",
    "ringing_groups",
    "saved_filters",
    "sessions",
    "sip_bans",
    "sounds",
    "tokens",
    "trunk_states",
    "trunks",
    "users",
    "working_hours",
]

for _table in metadata.tables.values():
    for _column in _table.columns:
        if isinstance(_column.type, String):
            _column.type = _column.type.with_variant(Text(collation="C"), "postgresql")
