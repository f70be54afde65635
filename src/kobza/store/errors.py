"""What can be wrong with the store itself or with what is asked of it; each message is one line for a person."""


class StoreError(Exception):
    """Base of everything that this package raises on purpose."""


class StoreMissing(StoreError):
    """There is no store at the path: `kobza init` makes one."""


class StoreAway(StoreError):
    """The store does not answer now: its server is away, it is locked for long, the disk is full. It may later."""


class StoreOutdated(StoreError):
    """The store's tables are of another release than this code."""


class BackupUnfit(StoreError):
    """A backup that is damaged, unfinished, of another release or of another database."""


class LibraryTooOld(StoreError):
    """The SQLite library is older than the first one without the WAL race (decision 5 of the architecture)."""


class NumberTaken(StoreError):
    """The number, or its digest user name, already belongs to somebody."""


class NameTaken(StoreError):
    """A login or the name of a trunk is already in use."""


class NotInStore(StoreError):
    """What was to be changed does not exist, or is of another enterprise."""


class TokenRefused(StoreError):
    """A token that cannot be made or rotated as asked; `reason` is a word for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PersonRefused(StoreError):
    """A person who cannot be added or changed as asked; `reason` is a word for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotPresentable(StoreError):
    """A number that an enterprise may not show to those it calls."""


class ErasureHeld(StoreError):
    """Nothing may be erased: a hold keeps it. The message names the holds."""
