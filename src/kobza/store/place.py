"""Where a store is: a file for SQLite, a URL for PostgreSQL."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urlsplit

STORE_FILE = "kobza.db"
"""The name of the SQLite store's file in the data directory."""

MASK = "********"


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """The URL of a PostgreSQL database, as libpq reads it; as a text it hides the password."""

    url: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `postgresql://user:password@host:port/database?option=value`; all but the database may be left out.

        Raises ValueError that says what is right.
        """
        right = "expected sqlite or postgresql://user:password@host:port/database"
        text = text.strip()
        try:
            parts = urlsplit(text)
            _ = parts.port  # raises for what is no port
        except ValueError:
            raise ValueError(right) from None
        if parts.scheme not in {"postgresql", "postgres"} or not text.startswith(f"{parts.scheme}://"):
            raise ValueError(right)
        if len(parts.path) < 2 or "/" in parts.path[1:]:
            raise ValueError(f"{right}: the name of the database is missing")
        return cls(text)

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        return SplitResult(
            parts.scheme, _masked_user(parts.netloc), parts.path, _PASSWORD_OPTION.sub(rf"\1{MASK}", parts.query), ""
        ).geturl()


Place = Path | PostgresUrl

_PASSWORD_OPTION = re.compile(r"((?:^|&)(?:ssl)?password=)[^&]*")


def _masked_user(netloc: str) -> str:
    user, at, host = netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    return f"{name}{colon}{MASK if colon else ''}{at}{host}"
