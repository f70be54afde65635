"""The store: tables, migrations and every SQL statement of the project, one repository module for each aggregate.

`Store` opens it; the repositories (`enterprises`, `tokens`, `users`, `sessions`, `second_factor`, `numbers`,
`presentation`, `address_book`, `trunks`, `endpoints`, `directory`, `bindings`, `calls`, `events`, `deliveries`,
`recordings`, `idempotency`) are functions that take a connection. What calls write goes through `journal`; `recovery`
closes what a crash left open, `retention` deletes what is too old.
"""

from typing import TYPE_CHECKING, Any

from kobza.store.errors import (
    BackupUnfit,
    LibraryTooOld,
    NameTaken,
    NotInStore,
    NotPresentable,
    NumberTaken,
    PersonRefused,
    StoreAway,
    StoreError,
    StoreMissing,
    StoreOutdated,
    TokenRefused,
)

if TYPE_CHECKING:
    from kobza.store.store import STORE_FILE, Store

__all__ = [
    "STORE_FILE",
    "BackupUnfit",
    "LibraryTooOld",
    "NameTaken",
    "NotInStore",
    "NotPresentable",
    "NumberTaken",
    "PersonRefused",
    "Store",
    "StoreAway",
    "StoreError",
    "StoreMissing",
    "StoreOutdated",
    "TokenRefused",
]


def __getattr__(name: str) -> Any:
    """Import the store itself when it is first asked for: a process that only exports needs no SQLAlchemy (40 MB)."""
    if name in {"STORE_FILE", "Store"}:
        from kobza.store import store

        return getattr(store, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
