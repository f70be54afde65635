"""Recordings as the store would tell of them."""

import hashlib
from dataclasses import dataclass

SOUND = bytes(range(256)) * 2000
NAME = "2026/11/27/rec-1.mp3"


@dataclass(frozen=True)
class Row:
    """What the store would say of a file with SOUND."""

    path: str | None = NAME
    size: int | None = len(SOUND)
    sha256: str | None = hashlib.sha256(SOUND).hexdigest()
    home: str | None = None
    sealed: str | None = None
    record_id: str = "rec-1"
