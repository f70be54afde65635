"""`kobza trunk …`."""

from typing import Annotated

import typer

from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, JsonOption, opened_store
from kobza.cli.output import emit

app = typer.Typer(name="trunk", no_args_is_help=True, rich_markup_mode=None, help="Trunks: lines to the outside.")

EXAMPLES = """\b
Examples:
  kobza trunk add operator --host 127.0.0.1 --port 5090
  kobza trunk add kyiv --host 192.0.2.10 --port 5060 --prefix 044 --json
"""


@app.callback()
def trunk() -> None:
    """Trunks: lines to the outside."""


@app.command(epilog=EXAMPLES)
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the trunk.")],
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
