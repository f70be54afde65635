"""`kobza presentation …`."""

from typing import Annotated, Final

import typer

from kobza.cli.changing import changing
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, opened_store
from kobza.cli.output import emit

app = typer.Typer(
    name="presentation",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Numbers that an enterprise may show to those it calls beside its own ones.",
)

ADD_EXAMPLES: Final = """\b
Examples:
  kobza presentation add 0800123456 --enterprise ID
"""
LIST_EXAMPLES: Final = """\b
Examples:
  kobza presentation list --enterprise ID --json
"""
REMOVE_EXAMPLES: Final = """\b
Examples:
  kobza presentation remove 0800123456 --enterprise ID
"""

NumberArgument = Annotated[str, typer.Argument(metavar="NUMBER", help="The number in any usual spelling.")]


@app.callback()
def presentation() -> None:
    """Numbers that an enterprise may show to those it calls beside its own ones."""


@app.command(epilog=ADD_EXAMPLES)
def add(
    ctx: typer.Context,
    number: NumberArgument,
    enterprise: EnterpriseOption,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an enterprise present a number that is none of its own, such as its hotline. Check that it is theirs."""
    from kobza.call.numbers import national, normalize
    from kobza.store import presentation

    e164 = normalize(number)
    with changing(ctx, data, "presentation.added", enterprise, e164) as (connection, _):
        presentation.add(connection, enterprise, e164, now_ms=now_ms())
    shown = national(e164)
    emit({"number": shown, "enterprise_id": enterprise}, as_json=as_json, title=f"{shown} may be presented")


@app.command("list", epilog=LIST_EXAMPLES)
def list_numbers(
    ctx: typer.Context, enterprise: EnterpriseOption, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """List the presentation numbers of an enterprise; its own numbers, which it may present anyway, are not listed."""
    from kobza.call.numbers import national
    from kobza.store import NotInStore, enterprises, presentation

    with opened_store(ctx, data) as store, store.read() as connection:
        if enterprises.find(connection, enterprise) is None:
            raise NotInStore(f"there is no enterprise {enterprise}")
        shown = [national(number) for number in presentation.list_for(connection, enterprise)]
    emit({"enterprise_id": enterprise, "numbers": shown}, as_json=as_json, title="Presentation numbers")


@app.command(epilog=REMOVE_EXAMPLES)
def remove(
    ctx: typer.Context,
    number: NumberArgument,
    enterprise: EnterpriseOption,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the right away. Numbers that present it present themselves again, from their next call on."""
    from kobza.call.numbers import national, normalize
    from kobza.store import presentation

    e164 = normalize(number)
    with changing(ctx, data, "presentation.removed", enterprise, e164) as (connection, _):
        presentation.remove(connection, enterprise, e164)
    shown = national(e164)
    emit({"number": shown, "enterprise_id": enterprise}, as_json=as_json, title=f"{shown} may not be presented now")
