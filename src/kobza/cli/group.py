"""`kobza group …`."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kobza.call.group import DEFAULT_SECONDS, MAX_MEMBERS, MAX_SECONDS, MIN_SECONDS, Strategy
from kobza.cli.changing import changing
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, opened_store
from kobza.cli.output import emit, emit_rows

if TYPE_CHECKING:
    from kobza.call.group import RingingGroup

app = typer.Typer(
    name="group",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Ringing groups: one number or short code, several people.",
)

SET_EXAMPLES: Final = """\b
Examples:
  kobza group set 200 --enterprise ID --name Sales --member 0671234567 --member 0671234568 --then 0501112233
  kobza group set 0443334455 --enterprise ID --strategy in_turn --seconds 15
"""
LIST_EXAMPLES: Final = """\b
Examples:
  kobza group list --enterprise ID
"""
REMOVE_EXAMPLES: Final = """\b
Examples:
  kobza group remove 200 --enterprise ID
"""

NumberArgument = Annotated[
    str, typer.Argument(metavar="NUMBER", help="Its number in any usual spelling, or a short code of 2 to 6 digits.")
]


@app.callback()
def group() -> None:
    """Ringing groups: one number or short code, several people."""


@app.command("set", epilog=SET_EXAMPLES)
def set_group(
    ctx: typer.Context,
    number: NumberArgument,
    enterprise: EnterpriseOption,
    name: Annotated[str | None, typer.Option("--name", metavar="N", help="What people call it.")] = None,
    member: Annotated[
        list[str] | None,
        typer.Option("--member", metavar="N", help="A number of the enterprise; repeated: all of them, in order."),
    ] = None,
    strategy: Annotated[
        Strategy | None, typer.Option("--strategy", metavar="S", help="all (the default), in_turn or longest_idle.")
    ] = None,
    seconds: Annotated[
        int | None,
        typer.Option(
            "--seconds",
            metavar="S",
            min=MIN_SECONDS,
            max=MAX_SECONDS,
            help=f"How long each member rings, or all at once ({DEFAULT_SECONDS}).",
        ),
    ] = None,
    then: Annotated[
        str | None, typer.Option("--then", metavar="N", help="Where calls go that nobody answers; none: nowhere.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a group, or change it: what is not named stays as it is."""
    from dataclasses import replace

    from kobza.call.forwarding_form import target_of
    from kobza.call.group import RingingGroup
    from kobza.call.numbers import normalize
    from kobza.store import groups

    own = normalize(number)
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = name.strip()
    if member is not None:
        changes["members"] = tuple(dict.fromkeys(normalize(each) for each in member))
        if len(changes["members"]) > MAX_MEMBERS:
            raise typer.BadParameter(f"a group has {MAX_MEMBERS} members at most", param_hint="--member")
    if strategy is not None:
        changes["strategy"] = strategy
    if seconds is not None:
        changes["seconds"] = seconds
    if then is not None:
        changes["then"] = None if then == "none" else target_of(own, then, "--then")
    with changing(ctx, data, "group.set", enterprise, own) as (connection, _):
        before = groups.find(connection, enterprise, own)
        if before is None and not changes.get("members"):
            raise typer.BadParameter("a new group needs one at least", param_hint="--member")
        made = replace(before or RingingGroup(own, enterprise), **changes)
        groups.put(connection, made, now_ms=now_ms())
    shown = _shown(made)
    emit({**shown, "enterprise_id": enterprise}, as_json=as_json, title=f"Group {shown['number']}")


@app.command("list", epilog=LIST_EXAMPLES)
def list_groups(
    ctx: typer.Context, enterprise: EnterpriseOption, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """List the groups of an enterprise."""
    from kobza.store import NotInStore, enterprises, groups

    with opened_store(ctx, data) as store, store.read() as connection:
        if enterprises.find(connection, enterprise) is None:
            raise NotInStore(f"there is no enterprise {enterprise}")
        rows = [_shown(each) for each in groups.load(connection, enterprise)]
    none = "none yet: see kobza group set --help"
    emit_rows("groups", rows, as_json=as_json, title=f"Groups of {enterprise}", none=none, enterprise_id=enterprise)


@app.command(epilog=REMOVE_EXAMPLES)
def remove(
    ctx: typer.Context,
    number: NumberArgument,
    enterprise: EnterpriseOption,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a group. Its people and its history stay; calls to its number go nowhere."""
    from kobza.call.numbers import national, normalize
    from kobza.store import groups

    own = normalize(number)
    with changing(ctx, data, "group.removed", enterprise, own) as (connection, _):
        groups.remove(connection, enterprise, own)
    shown = national(own)
    emit({"number": shown, "enterprise_id": enterprise}, as_json=as_json, title=f"Group {shown} removed")


def _shown(group: "RingingGroup") -> dict[str, Any]:
    from kobza.call.numbers import national

    return {
        "number": national(group.number),
        "name": group.name,
        "strategy": group.strategy.value,
        "members": [national(member) for member in group.members],
        "seconds": group.seconds,
        "then": None if group.then is None else national(group.then),
    }
