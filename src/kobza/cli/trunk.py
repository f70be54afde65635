"""`kobza trunk …`."""

from typing import Annotated, Final

import typer

from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, JsonOption, opened_store
from kobza.cli.output import emit, emit_rows

app = typer.Typer(name="trunk", no_args_is_help=True, rich_markup_mode=None, help="Trunks: lines to the outside.")

ADD_EXAMPLES: Final = """\b
Examples:
  kobza trunk add operator --host 127.0.0.1 --port 5090
  kobza trunk add kyiv --host 192.0.2.10 --port 5060 --prefix 044 --json
"""
LIST_EXAMPLES: Final = """\b
Examples:
  kobza trunk list
"""
REMOVE_EXAMPLES: Final = """\b
Examples:
  kobza trunk remove kyiv
"""

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the trunk.")]


@app.callback()
def trunk() -> None:
    """Trunks: lines to the outside."""


@app.command(epilog=ADD_EXAMPLES)
def add(
    ctx: typer.Context,
    name: NameArgument,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="IP address of the other end.")],
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Its SIP port.")],
    prefix: Annotated[
        str | None,
        typer.Option("--prefix", metavar="P", help="First digits of the numbers that go out here; without it: all."),
    ] = None,
    untrusted: Annotated[
        bool,
        typer.Option(
            "--untrusted",
            help="Outside the trust domain of RFC 3325: it learns what the called may see, no more.",
        ),
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a trunk. Calls from its address and port come in without a password; numbers that are nobody's go out."""
    from kobza.config.values import parse_host
    from kobza.store import trunks

    try:
        host = parse_host(host)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--host") from None
    if prefix is not None and not prefix.removeprefix("+").isdecimal():
        raise typer.BadParameter("expected digits, such as 044 or +38044", param_hint="--prefix")
    with opened_store(ctx, data) as store, store.write() as connection:
        trunk_id = trunks.add(
            connection, name.strip(), host, port, prefix=prefix, trusted=not untrusted, now_ms=now_ms()
        )
    document = {
        "trunk_id": trunk_id,
        "name": name.strip(),
        "host": host,
        "port": port,
        "prefix": prefix,
        "trusted": not untrusted,
    }
    emit(document, as_json=as_json, title=f"Trunk {name.strip()} added")


@app.command("list", epilog=LIST_EXAMPLES)
def list_trunks(ctx: typer.Context, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the trunks."""
    from kobza.store import trunks

    with opened_store(ctx, data) as store, store.read() as connection:
        found = trunks.list_all(connection)
    rows = [
        {
            "trunk_id": item.trunk_id,
            "name": item.name,
            "host": item.host,
            "port": item.port,
            "prefix": item.prefix,
            "trusted": item.trusted,
        }
        for item in found
    ]
    emit_rows("trunks", rows, as_json=as_json, title="Trunks", none="none yet: see kobza trunk add --help")


@app.command(epilog=REMOVE_EXAMPLES)
def remove(ctx: typer.Context, name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Take a trunk away: calls go neither out nor in there any more. Those that are on stay."""
    from kobza.store import NotInStore, trunks

    with opened_store(ctx, data) as store, store.write() as connection:
        if not trunks.remove(connection, name.strip()):
            raise NotInStore(f"there is no trunk {name.strip()}: see kobza trunk list")
    emit({"name": name.strip()}, as_json=as_json, title=f"Trunk {name.strip()} removed")
