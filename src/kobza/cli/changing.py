"""Changing the store by a command: one transaction, which the audit notes."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from kobza.cli.clock import now_ms
from kobza.cli.options import opened_store

if TYPE_CHECKING:
    from kobza.store.audit import Noting


@contextmanager
def changing(
    ctx: typer.Context, data: Path | None, action: str, enterprise_id: str | None, key: str, *, by: str | None = None
) -> "Iterator[tuple[Any, Noting]]":
    """Give a connection in a transaction. At its end the audit gets what has changed of the thing with the key.

    Of something new the key may be told within. `by` is who does it; without it the user of this machine.
    """
    from kobza.store import audit

    with (
        opened_store(ctx, data) as store,
        store.write() as connection,
        audit.noted(connection, audit.By("cli", by or whoever()), action, enterprise_id, key, now_ms()) as noting,
    ):
        yield connection, noting


def whoever() -> str:
    """Return the name of who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for this user
        return "unknown"
