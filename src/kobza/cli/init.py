"""`kobza init`."""

import typer

from kobza.cli.options import DataOption, JsonOption, load_settings
from kobza.cli.output import emit

EXAMPLES = """\b
Examples:
  kobza init
  kobza init --data /var/lib/kobza
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init", epilog=EXAMPLES)(init)


def init(ctx: typer.Context, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Create the store in the data directory, or bring an existing one up to date. Safe to repeat."""
    from kobza.store.store import Store

    settings = load_settings(ctx, data=data).settings
    store = Store.create(settings.data)
    store.close()
    emit({"data": str(settings.data)}, as_json=as_json, title="Store ready")
