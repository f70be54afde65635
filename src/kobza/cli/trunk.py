"""`kobza trunk …`."""

from typing import Annotated, Final

import typer

from kobza.cli import trunk_settings as option
from kobza.cli.changing import changing
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, JsonOption, opened_store
from kobza.cli.output import emit, emit_rows

app = typer.Typer(name="trunk", no_args_is_help=True, rich_markup_mode=None, help="Trunks: lines to the outside.")

ADD_EXAMPLES: Final = """\b
Examples:
  kobza trunk add operator --host 127.0.0.1 --port 5090
  kobza trunk add kyiv --host 192.0.2.10 --port 5060 --prefix 044 --json
  kobza trunk add carrier --host sip.example.net --register --username 0441234567 --password PW
  kobza trunk add spare --host 192.0.2.20 --port 5060 --priority 20 --capacity 30 --format national
"""
LIST_EXAMPLES: Final = """\b
Examples:
  kobza trunk list
  kobza trunk list --json
"""
SET_EXAMPLES: Final = """\b
Examples:
  kobza trunk set kyiv --capacity 60 --priority 5
  kobza trunk set kyiv --prefix "" --inbound credentials --incoming-username kyiv --incoming-password PW
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
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="IP address or name of the other end.")],
    port: option.PortOption = None,
    prefix: option.PrefixOption = None,
    untrusted: Annotated[
        bool,
        typer.Option(
            "--untrusted",
            help="Outside the trust domain of RFC 3325: it learns what the called may see, no more.",
        ),
    ] = False,
    transport: option.TransportOption = None,
    priority: option.PriorityOption = None,
    capacity: option.CapacityOption = None,
    number_format: option.FormatOption = None,
    strip: option.StripOption = None,
    add: option.AddOption = None,
    strip_incoming: option.StripIncomingOption = None,
    add_incoming: option.AddIncomingOption = None,
    domain: option.DomainOption = None,
    username: option.UsernameOption = None,
    password: option.PasswordOption = None,
    register: option.RegisterOption = None,
    expires: option.ExpiresOption = None,
    options_every: option.OptionsEveryOption = None,
    answer_within: option.AnswerWithinOption = None,
    inbound: option.InboundOption = None,
    network: option.NetworkOption = None,
    incoming_username: option.IncomingUsernameOption = None,
    incoming_password: option.IncomingPasswordOption = None,
    client_name: option.ClientNameOption = None,
    caller_in: option.CallerInOption = None,
    user_phone: option.UserPhoneOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a trunk. Calls from its address and port come in without a password; numbers that are nobody's go out."""
    from kobza.store import meta, trunks

    given = locals()  # every option by its name: settings_of knows what each means
    name = name.strip()
    with changing(ctx, data, "trunk.added", None, name) as (connection, _):
        settings = option.settings_of(given, meta.sip_realm(connection))
        trunks.add(connection, name, settings.pop("host"), settings.pop("port", None), now_ms=now_ms(), **settings)
        added = trunks.get(connection, name)
    emit(option.brief_document_of(added), as_json=as_json, title=f"Trunk {name} added")


@app.command("list", epilog=LIST_EXAMPLES)
def list_trunks(ctx: typer.Context, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the trunks, and how they do as the running server finds."""
    from kobza.store import meta, trunks

    with opened_store(ctx, data) as store, store.read() as connection:
        found = trunks.list_all(connection)
        states = trunks.states(connection) if meta.is_served(connection, now_ms()) else {}
    describe = option.document_with_state if as_json else option.row_of
    rows = [describe(each, states.get(each.trunk_id)) for each in found]
    emit_rows("trunks", rows, as_json=as_json, title="Trunks", none="none yet: see kobza trunk add --help")


@app.command("set", epilog=SET_EXAMPLES)
def set_trunk(
    ctx: typer.Context,
    name: NameArgument,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="IP address or name of the other end.")
    ] = None,
    port: option.PortOption = None,
    trusted: Annotated[
        bool | None,
        typer.Option("--trusted/--untrusted", help="Inside the trust domain of RFC 3325, or not.", show_default=False),
    ] = None,
    prefix: option.PrefixOption = None,
    transport: option.TransportOption = None,
    priority: option.PriorityOption = None,
    capacity: option.CapacityOption = None,
    number_format: option.FormatOption = None,
    strip: option.StripOption = None,
    add: option.AddOption = None,
    strip_incoming: option.StripIncomingOption = None,
    add_incoming: option.AddIncomingOption = None,
    domain: option.DomainOption = None,
    username: option.UsernameOption = None,
    password: option.PasswordOption = None,
    register: option.RegisterOption = None,
    expires: option.ExpiresOption = None,
    options_every: option.OptionsEveryOption = None,
    answer_within: option.AnswerWithinOption = None,
    inbound: option.InboundOption = None,
    network: option.NetworkOption = None,
    incoming_username: option.IncomingUsernameOption = None,
    incoming_password: option.IncomingPasswordOption = None,
    client_name: option.ClientNameOption = None,
    caller_in: option.CallerInOption = None,
    user_phone: option.UserPhoneOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a trunk: what is given; an empty text takes a setting back. Calls that are on go on as they began."""
    from kobza.store import meta, trunks

    given = locals()  # every option by its name: settings_of knows what each means
    name = name.strip()
    with changing(ctx, data, "trunk.changed", None, name) as (connection, _):
        settings = option.settings_of(given, meta.sip_realm(connection), trunks.get(connection, name))
        if not settings:
            raise typer.BadParameter("nothing to change: see kobza trunk set --help")
        changed = trunks.change(connection, name, settings)
    emit(option.document_of(changed), as_json=as_json, title=f"Trunk {name} changed")


@app.command(epilog=REMOVE_EXAMPLES)
def remove(ctx: typer.Context, name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Take a trunk away: calls go neither out nor in there any more. Those that are on stay."""
    from kobza.store import NotInStore, trunks

    with changing(ctx, data, "trunk.removed", None, name.strip()) as (connection, _):
        if not trunks.remove(connection, name.strip()):
            raise NotInStore(f"there is no trunk {name.strip()}: see kobza trunk list")
    emit({"name": name.strip()}, as_json=as_json, title=f"Trunk {name.strip()} removed")
