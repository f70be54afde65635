"""`kobza init`."""

import typer

from kobza.cli.options import DataOption, JsonOption, load_settings
from kobza.cli.output import emit, print_error

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
    from kobza.config.settings import store_place
    from kobza.store import enterprises, meta
    from kobza.store.store import Store

    settings = load_settings(ctx, data=data).settings
    place = store_place(settings)
    store = Store.create(place)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)  # the recordings are there, wherever the store is
    try:
        with store.write() as connection:
            if not enterprises.list_all(connection):  # no password has been hashed with the realm yet
                meta.set_text(connection, meta.SIP_REALM, settings.sip_realm)
            realm = meta.sip_realm(connection)
    finally:
        store.close()
    if realm != settings.sip_realm:
        print_error(f"the store keeps its realm {realm}: the phones' passwords are hashed with it")
    emit({"data": str(settings.data), "store": str(place), "sip_realm": realm}, as_json=as_json, title="Store ready")
