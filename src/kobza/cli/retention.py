"""`kobza retention …`: for how many days an enterprise keeps what."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kobza.cli.changing import changing
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, load_settings, opened_store
from kobza.cli.output import emit, print_table

if TYPE_CHECKING:
    from kobza.store.days import OwnTerms, Terms

app = typer.Typer(name="retention", no_args_is_help=True, rich_markup_mode=None, help="For how long things are kept.")

SHOW_EXAMPLES = """\b
Examples:
  kobza retention show
  kobza retention show --enterprise ID --json
"""
SET_EXAMPLES = """\b
Examples:
  kobza retention set --enterprise ID --history 365 --recordings 90
  kobza retention set --enterprise ID --recordings default
"""
DEFAULT: Final = "default"
WHAT: Final = {
    "history_days": "calls",
    "recording_days": "recordings",
    "event_days": "call states, deliveries, attempts",
    "payload_days": "who is in call states, what receivers answered",
}


@app.callback()
def retention() -> None:
    """For how long things are kept."""


@app.command(epilog=SHOW_EXAMPLES)
def show(
    ctx: typer.Context,
    enterprise: Annotated[
        str | None, typer.Option("--enterprise", metavar="ID", help="Of this enterprise; else what the settings say.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show for how many days things are kept."""
    from kobza.config.settings import retention_terms
    from kobza.store import enterprises, terms
    from kobza.store.days import OwnTerms
    from kobza.store.errors import NotInStore

    settings = retention_terms(load_settings(ctx, data=data).settings)
    own = OwnTerms()
    if enterprise is not None:
        with opened_store(ctx, data) as store, store.read() as conn:
            if enterprises.find(conn, enterprise) is None:
                raise NotInStore(f"there is no enterprise {enterprise}")
            own = terms.own(conn, enterprise)
    _print(enterprise, own, settings, as_json=as_json)


@app.command("set", epilog=SET_EXAMPLES)
def set_terms(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    history: Annotated[str | None, typer.Option("--history", metavar="DAYS", help="Calls; at least 30.")] = None,
    recordings: Annotated[str | None, typer.Option("--recordings", metavar="DAYS", help="The sound of calls.")] = None,
    events: Annotated[
        str | None, typer.Option("--events", metavar="DAYS", help="Call states, their deliveries and attempts.")
    ] = None,
    payloads: Annotated[
        str | None, typer.Option("--payloads", metavar="DAYS", help="Who is in call states, and answers of receivers.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set for how many days an enterprise keeps what; `default` is as the settings say. It counts within the hour."""
    from kobza.config.settings import retention_terms
    from kobza.store import terms

    settings = retention_terms(load_settings(ctx, data=data).settings)
    given = {"history_days": history, "recording_days": recordings, "event_days": events, "payload_days": payloads}
    with changing(ctx, data, "retention.set", enterprise, enterprise) as (conn, _):
        before = terms.own(conn, enterprise)
        changed = before._replace(**{name: _days(name, text) for name, text in given.items() if text is not None})
        try:
            terms.set_own(conn, enterprise, changed, now_ms())
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    _print(enterprise, changed, settings, as_json=as_json)


def _days(name: str, text: str) -> int | None:
    if text.strip().lower() == DEFAULT:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise typer.BadParameter(f"{name}: expected a number of days or `default`")
    return int(text)


def _print(enterprise: str | None, own: "OwnTerms", settings: "Terms", *, as_json: bool) -> None:
    force = own.over(settings)
    if as_json:
        document: dict[str, Any] = {"enterprise_id": enterprise, "days": force._asdict(), "own": own._asdict()}
        emit(document, as_json=True, title="")
        return
    rows = []
    for name, days in force._asdict().items():
        mine = getattr(own, name)
        said = "settings" if mine is None else "enterprise"
        asked = getattr(settings, name) if mine is None else mine
        rows.append(
            (WHAT[name], str(days), said if asked == days else f"{said}: {asked}, but no longer than the above")
        )
    print_table("Kept for days", ("what", "days", "said by"), rows)
