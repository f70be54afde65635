"""Where a store is: a file, for SQLite."""

from pathlib import Path

STORE_FILE = "kobza.db"
"""The name of the SQLite store's file in the data directory."""

Place = Path
