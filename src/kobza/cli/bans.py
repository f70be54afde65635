"""`kobza bans …`: who is banned at the SIP door."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kobza.cli.changing import changing, whoever
from kobza.cli.clock import now_ms
from kobza.cli.options import ByOption, DataOption, JsonOption, opened_store
from kobza.cli.output import emit, emit_rows

if TYPE_CHECKING:
    from kobza.defence.bans import Ban

app = typer.Typer(
    name="bans", no_args_is_help=True, rich_markup_mode=None, help="Addresses from which no SIP is taken."
)

ADD_EXAMPLES = """\b
Examples:
  kobza bans add 203.0.113.9 --for 7d --reason "calls at night"
  kobza bans add 2001:db8:1:2::/64 --reason "asked by the provider"
"""
LIST_EXAMPLES = """\b
Examples:
  kobza bans list
  kobza bans list --json
"""
REMOVE_EXAMPLES = """\b
Examples:
  kobza bans remove 203.0.113.9
"""

SourceArgument = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="An IPv4 address, or an IPv6 address, which stands for its /64.")
]


@app.callback()
def bans() -> None:
    """Addresses from which no SIP is taken."""


@app.command("list", epilog=LIST_EXAMPLES)
def list_bans(ctx: typer.Context, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the bans that are in force, the newest first."""
    from kobza.store import sip_bans

    with opened_store(ctx, data) as store, store.read() as conn:
        rows = [_shown(each) for each in sip_bans.list_all(conn, now_ms() / 1000)]
    emit_rows("bans", rows, as_json=as_json, title="Bans", none="nobody is banned")


@app.command(epilog=ADD_EXAMPLES)
def add(
    ctx: typer.Context,
    source: SourceArgument,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.")],
    until: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="30m, 12h, 7d or until a day or time; without it until removed."),
    ] = None,
    by: ByOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ban an address, with all that its phones have proven; a server that runs takes it over within a second."""
    from kobza.cli.moments import parse_end
    from kobza.defence.bans import Ban
    from kobza.store import sip_bans

    counted, now, who = _source(source), now_ms(), by or whoever()
    if not reason.strip():
        raise typer.BadParameter("must not be empty", param_hint="--reason")
    try:
        end = None if until is None else parse_end(until, now) / 1000
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None
    if end is not None and end * 1000 <= now:
        raise typer.BadParameter("expected a time to come", param_hint="--for")
    ban = Ban(counted, reason.strip(), who, now / 1000, end)
    with changing(ctx, data, "ban.added", None, counted, by=who) as (conn, _noting):
        sip_bans.put(conn, [ban])
        sip_bans.tell(conn)
    emit(_shown(ban), as_json=as_json, title="Banned")


@app.command(epilog=REMOVE_EXAMPLES)
def remove(
    ctx: typer.Context,
    source: SourceArgument,
    by: ByOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lift a ban, and forget that there was one: the next is a first one again."""
    from kobza.store import sip_bans
    from kobza.store.errors import NotInStore

    counted = _source(source)
    with changing(ctx, data, "ban.removed", None, counted, by=by or whoever()) as (conn, _noting):
        if not sip_bans.lift(conn, counted):
            raise NotInStore(f"{counted} is not banned")
        sip_bans.tell(conn)
    emit({"address": counted}, as_json=as_json, title="Ban lifted")


def _source(text: str) -> str:
    """Return what an address is counted by. Raises typer.BadParameter."""
    from kobza.defence.source import parsed_address, source_of

    address = text.strip().removesuffix("/64" if ":" in text else "/32")
    if parsed_address(address) is None:
        raise typer.BadParameter(
            f"{text!r} is no address such as 203.0.113.9 or 2001:db8::1; whole networks belong into a firewall",
            param_hint="ADDRESS",
        )
    return source_of(address)


def _shown(ban: "Ban") -> dict[str, Any]:
    from kobza.call.durations import rfc3339

    return {
        "address": ban.source,
        "reason": ban.reason,
        "by": ban.made_by or "kobza",
        "since": rfc3339(round(ban.made_at * 1000)),
        "until": None if ban.until is None else rfc3339(round(ban.until * 1000)),
        "times": ban.times,
    }
