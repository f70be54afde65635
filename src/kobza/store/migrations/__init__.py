"""Migrations of the tables, by Alembic, inside the package: `upgrade` and `downgrade` run them on a connection."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from kobza.store.errors import StoreOutdated

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0024"
"""The revision that this code needs: the last of `versions`."""


def revision_of(conn: Connection) -> str | None:
    """Return the revision of the store's tables, or None when there are none."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    return conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def upgrade(conn: Connection, revision: str = HEAD) -> None:
    """Bring the tables up to a revision, in the caller's transaction.

    Raises:
        StoreOutdated: the store was made by a newer release than this code.

    """
    found = revision_of(conn)
    if found is not None and found > HEAD:  # revisions are counted with leading zeros
        raise StoreOutdated(f"the store was made by a newer release ({found}, not {HEAD}): install that one")
    if found != revision:
        from alembic import command  # a tenth of a second that only a migration should cost

        command.upgrade(config(conn), revision)


def downgrade(conn: Connection, revision: str) -> None:
    """Take the tables back to an earlier revision (`base`: none at all), in the caller's transaction."""
    from alembic import command

    command.downgrade(config(conn), revision)


def config(conn: Connection | None = None) -> "Config":
    """Return Alembic's configuration: no file, the scripts of this package, the given connection."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    settings.attributes["connection"] = conn
    return settings
