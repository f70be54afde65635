"""`kobza limits …`: what numbers and enterprises may spend on calls outside."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kobza.cli.changing import changing, whoever
from kobza.cli.options import ByOption, DataOption, EnterpriseOption, JsonOption, load_settings, opened_store
from kobza.cli.output import emit

if TYPE_CHECKING:
    from kobza.call.outside import OutsideLimits

app = typer.Typer(
    name="limits", no_args_is_help=True, rich_markup_mode=None, help="What may be spent on calls by trunks."
)

SHOW_EXAMPLES = """\b
Examples:
  kobza limits show --enterprise ID
  kobza limits show --enterprise ID --number 0671234567 --json
"""
SET_EXAMPLES = """\b
Examples:
  kobza limits set --enterprise ID --at-once 20 --minutes-day 3000
  kobza limits set --enterprise ID --deny + --allow +380
  kobza limits set --enterprise ID --number 0671234567 --calls-hour 30 --allow 0900
  kobza limits set --enterprise ID --number 0671234567 --calls-hour default --allow default
"""
DEFAULT: Final = "default"

NumberOption = Annotated[
    str | None, typer.Option("--number", metavar="N", help="Of this number; else of the enterprise as a whole.")
]
PrefixesOption = list[str] | None


@app.callback()
def limits() -> None:
    """What may be spent on calls by trunks."""


@app.command(epilog=SHOW_EXAMPLES)
def show(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    number: NumberOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what holds for a number, or what an enterprise may spend as a whole."""
    from kobza.store import outside

    with opened_store(ctx, data) as store, store.read() as conn:
        own = outside.find(conn, enterprise, _normal(number))
        whole = outside.find(conn, enterprise)
    _print(ctx, enterprise, number, own, whole, data=data, as_json=as_json)


@app.command("set", epilog=SET_EXAMPLES)
def set_limits(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    number: NumberOption = None,
    calls_minute: Annotated[
        str | None, typer.Option("--calls-minute", metavar="N", help="Calls begun in a minute; 0: no limit.")
    ] = None,
    calls_hour: Annotated[str | None, typer.Option("--calls-hour", metavar="N", help="In an hour.")] = None,
    calls_day: Annotated[str | None, typer.Option("--calls-day", metavar="N", help="In a day of Kyiv.")] = None,
    at_once: Annotated[str | None, typer.Option("--at-once", metavar="N", help="Calls at a time.")] = None,
    minutes_day: Annotated[
        str | None, typer.Option("--minutes-day", metavar="N", help="Minutes of talk in a day.")
    ] = None,
    deny: Annotated[
        PrefixesOption, typer.Option("--deny", metavar="PREFIX", help="Numbers not to be called; several times.")
    ] = None,
    allow: Annotated[
        PrefixesOption, typer.Option("--allow", metavar="PREFIX", help="Those that may all the same; several times.")
    ] = None,
    by: ByOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set what may be spent; `default` is as if nothing was said. It counts from the next call on."""
    from kobza.store import outside

    given = {
        "calls_minute": calls_minute,
        "calls_hour": calls_hour,
        "calls_day": calls_day,
        "at_once": at_once,
        "minutes_day": minutes_day,
    }
    changed: dict[str, Any] = {name: _count(name, text) for name, text in given.items() if text is not None}
    changed |= {name: _prefixes(texts) for name, texts in (("denied", deny), ("allowed", allow)) if texts is not None}
    if not changed:
        raise typer.BadParameter("say what is to be set", param_hint="--calls-minute")
    normal = _normal(number)
    with changing(ctx, data, "limits.set", enterprise, normal or enterprise, by=by or whoever()) as (conn, _):
        own = replace(outside.find(conn, enterprise, normal), **changed)
        try:
            outside.put(conn, enterprise, normal, own)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        whole = outside.find(conn, enterprise)
    _print(ctx, enterprise, number, own, whole, data=data, as_json=as_json)


def _normal(number: str | None) -> str:
    from kobza.call.numbers import normalize

    return "" if number is None else normalize(number)


def _count(name: str, text: str) -> int | None:
    if text.strip().lower() == DEFAULT:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise typer.BadParameter(f"expected a number or `{DEFAULT}`", param_hint="--" + name.replace("_", "-"))
    return int(text)


def _prefixes(texts: list[str]) -> tuple[str, ...]:
    from kobza.call.outside import prefix_of

    if [text.strip().lower() for text in texts] == [DEFAULT]:
        return ()
    try:
        return tuple(dict.fromkeys(prefix_of(text) for text in texts))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--deny") from None


def _print(
    ctx: typer.Context,
    enterprise: str,
    number: str | None,
    own: "OutsideLimits",
    whole: "OutsideLimits",
    *,
    data: Any,
    as_json: bool,
) -> None:
    """Print what holds: for a number what was said for it, above its enterprise's prefixes, above the settings."""
    from kobza.app.limits import outside_limits
    from kobza.call.outside import OutsideLimits

    force = own
    if number is not None:
        shared = OutsideLimits(denied=whole.denied, allowed=whole.allowed)
        force = own.over(shared.over(outside_limits(load_settings(ctx, data=data).settings)))
    document: dict[str, Any] = {"enterprise_id": enterprise, "number": number, **asdict(force)}
    if as_json:
        document["own"] = asdict(own)
    emit(document, as_json=as_json, title="May be spent on calls by trunks")
