"""`kobza forward …`."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kobza.cli.changing import changing
from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, opened_store
from kobza.cli.output import emit, emit_rows

if TYPE_CHECKING:
    from kobza.call.forwarding import Forwarding

app = typer.Typer(
    name="forward", no_args_is_help=True, rich_markup_mode=None, help="Forwarding: where calls of a number go."
)

SET_EXAMPLES: Final = """\b
Examples:
  kobza forward set 0671234567 --enterprise ID --busy 0671234568 --no-answer 0441234567 --after 25
  kobza forward set 0671234567 --enterprise ID --always 0501112233
"""
LIST_EXAMPLES: Final = """\b
Examples:
  kobza forward list --enterprise ID
"""
REMOVE_EXAMPLES: Final = """\b
Examples:
  kobza forward remove 0671234567 --enterprise ID
  kobza forward remove 0671234567 --enterprise ID --always
"""

NumberArgument = Annotated[str, typer.Argument(metavar="NUMBER", help="The number in any usual spelling.")]


@app.callback()
def forward() -> None:
    """Forwarding: where calls of a number go."""


@app.command("set", epilog=SET_EXAMPLES)
def set_forwarding(
    ctx: typer.Context,
    number: NumberArgument,
    enterprise: EnterpriseOption,
    always: Annotated[str | None, typer.Option("--always", metavar="N", help="All calls; no phone rings.")] = None,
    busy: Annotated[str | None, typer.Option("--busy", metavar="N", help="When its phones are busy.")] = None,
    no_answer: Annotated[str | None, typer.Option("--no-answer", metavar="N", help="When nobody answers.")] = None,
    unreachable: Annotated[
        str | None, typer.Option("--unreachable", metavar="N", help="When no phone of it can be reached.")
    ] = None,
    after: Annotated[
        int | None,
        typer.Option("--after", metavar="S", help="Seconds of ringing before --no-answer, 5 to 120 (without it 20)."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say where calls of a number go, from the next one on. What is not named here stays as it is."""
    from kobza.call.forwarding import Occasion
    from kobza.call.forwarding_form import forwarding_of
    from kobza.call.numbers import normalize

    named = {
        Occasion.ALWAYS: always,
        Occasion.BUSY: busy,
        Occasion.NO_ANSWER: no_answer,
        Occasion.UNREACHABLE: unreachable,
    }
    if after is None and not any(named.values()):
        raise typer.BadParameter("nothing to set: give --always, --busy, --no-answer, --unreachable or --after")
    e164 = normalize(number)

    def changed(before: "Forwarding") -> "Forwarding":
        targets = {each: named[each] or before.target(each) for each in Occasion}
        if after is not None and targets[Occasion.NO_ANSWER] is None:
            raise typer.BadParameter("says how long it rings before --no-answer, which is off", param_hint="--after")
        return forwarding_of(e164, targets, before.no_answer_after if after is None else after)

    document = _change(ctx, data, enterprise, e164, changed)
    emit(document, as_json=as_json, title=f"Forwarding of {document['number']}")


@app.command("list", epilog=LIST_EXAMPLES)
def list_forwarding(
    ctx: typer.Context, enterprise: EnterpriseOption, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """List the numbers of an enterprise whose calls go elsewhere on some occasion."""
    from kobza.store import NotInStore, enterprises, numbers

    with opened_store(ctx, data) as store, store.read() as connection:
        if enterprises.find(connection, enterprise) is None:
            raise NotInStore(f"there is no enterprise {enterprise}")
        found = numbers.list_for(connection, enterprise)
    rows = [_shown(each.number, each.forwarding) for each in found if each.forwarding.is_on]
    none = "none: see kobza forward set --help"
    emit_rows("numbers", rows, as_json=as_json, title=f"Forwarding, {enterprise}", none=none, enterprise_id=enterprise)


@app.command(epilog=REMOVE_EXAMPLES)
def remove(
    ctx: typer.Context,
    number: NumberArgument,
    enterprise: EnterpriseOption,
    always: Annotated[bool, typer.Option("--always", help="Only of all calls.")] = False,
    busy: Annotated[bool, typer.Option("--busy", help="Only when busy.")] = False,
    no_answer: Annotated[bool, typer.Option("--no-answer", help="Only when nobody answers.")] = False,
    unreachable: Annotated[bool, typer.Option("--unreachable", help="Only when no phone can be reached.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Switch forwarding of a number off: on the occasions named, or altogether."""
    from kobza.call.forwarding import Occasion
    from kobza.call.forwarding_form import forwarding_of
    from kobza.call.numbers import normalize

    named = {
        Occasion.ALWAYS: always,
        Occasion.BUSY: busy,
        Occasion.NO_ANSWER: no_answer,
        Occasion.UNREACHABLE: unreachable,
    }
    gone = {each for each, chosen in named.items() if chosen} or set(Occasion)
    e164 = normalize(number)

    def changed(before: "Forwarding") -> "Forwarding":
        targets = {each: None if each in gone else before.target(each) for each in Occasion}
        return forwarding_of(e164, targets, before.no_answer_after)

    document = _change(ctx, data, enterprise, e164, changed)
    emit(document, as_json=as_json, title=f"Forwarding of {document['number']}")


def _change(ctx: typer.Context, data: Any, enterprise: str, e164: str, changed: Any) -> dict[str, Any]:
    """Change the forwarding of a number by a function of what it was; return what it is."""
    from kobza.store import NotInStore, numbers

    with changing(ctx, data, "number.forwarding", enterprise, e164) as (connection, _):
        found = numbers.find(connection, enterprise, e164)
        if found is None:
            raise NotInStore(f"the enterprise has no number {e164}")
        forwarding = changed(found.forwarding)
        numbers.set_forwarding(connection, enterprise, e164, forwarding)
    return {**_shown(e164, forwarding), "enterprise_id": enterprise}


def _shown(e164: str, forwarding: "Forwarding") -> dict[str, Any]:
    """Return what is forwarded where, as people and programs read it; None: nowhere."""
    from kobza.call.forwarding import Occasion
    from kobza.call.numbers import national

    where = {each.value: forwarding.target(each) for each in Occasion}
    shown: dict[str, Any] = {each: None if number is None else national(number) for each, number in where.items()}
    seconds = forwarding.seconds
    shown["no_answer_after"] = None if seconds is None else int(seconds)
    return {"number": national(e164), **shown}
