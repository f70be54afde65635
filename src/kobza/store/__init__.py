"""The store: tables, migrations and every SQL statement of the project, one repository module for each aggregate.

`Store` opens it; the repositories (`enterprises`, `tokens`, `users`, `numbers`, `presentation`, `address_book`,
`trunks`, `endpoints`, `directory`, `bindings`, `calls`, `events`, `deliveries`, `recordings`, `idempotency`) are
functions that take a connection. What calls write goes through `journal`; `recovery` closes what a crash left open,
`retention` deletes what is too old.
"""

from kobza.store.errors import (
    LibraryTooOld,
    NameTaken,
    NotInStore,
    NotPresentable,
    NumberTaken,
    StoreError,
    StoreMissing,
    StoreOutdated,
    TokenRefused,
)
from kobza.store.store import STORE_FILE, Store

__all__ = [
    "STORE_FILE",
    "LibraryTooOld",
    "NameTaken",
    "NotInStore",
    "NotPresentable",
    "NumberTaken",
    "Store",
    "StoreError",
    "StoreMissing",
    "StoreOutdated",
    "TokenRefused",
]
