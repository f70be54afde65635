"""`kobza hold …`: legal holds, which neither retention nor an erasure touches."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kobza.cli.changing import changing, whoever
from kobza.cli.clock import now_ms
from kobza.cli.options import ByOption, DataOption, EnterpriseOption, JsonOption, opened_store
from kobza.cli.output import emit, print_table

if TYPE_CHECKING:
    from kobza.store.holds import Hold, Kind

app = typer.Typer(
    name="hold", no_args_is_help=True, rich_markup_mode=None, help="Legal holds: what must not be deleted."
)

ADD_EXAMPLES = """\b
Examples:
  kobza hold add --enterprise ID --number 0671234567 --reason "case 5/2026"
  kobza hold add --enterprise ID --call 0192f3c4a5b67d8e9f0a1b2c3d4e5f5f --reason "case 5/2026"
  kobza hold add --enterprise ID --everything --reason "audit" --by "Olena Koval"
"""
LIST_EXAMPLES = """\b
Examples:
  kobza hold list
  kobza hold list --enterprise ID --all --json
"""
REMOVE_EXAMPLES = """\b
Examples:
  kobza hold remove 5b1e2c3d4f50 --reason "case 5/2026 is closed"
"""

ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.")]


@app.callback()
def hold() -> None:
    """Legal holds: what must not be deleted."""


@app.command(epilog=ADD_EXAMPLES)
def add(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    reason: ReasonOption,
    number: Annotated[str | None, typer.Option("--number", metavar="N", help="All that names this number.")] = None,
    call: Annotated[str | None, typer.Option("--call", metavar="CALL_ID", help="All of this call.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All that the enterprise has.")] = False,
    by: ByOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep something from being deleted, until the hold is removed."""
    from kobza.call.numbers import normalize
    from kobza.store import holds

    if [number is not None, call is not None, everything].count(True) != 1:
        raise typer.BadParameter("give one of --number, --call and --everything", param_hint="--number")
    kind: Kind
    kind, subject = ("enterprise", holds.EVERYTHING)
    if number is not None:
        kind, subject = "number", normalize(number)
    elif call is not None:
        kind, subject = "call", call.strip()
    if not reason.strip():
        raise typer.BadParameter("must not be empty", param_hint="--reason")
    who = by or whoever()
    with changing(ctx, data, "hold.placed", enterprise, "", by=who) as (conn, noting):
        placed = holds.place(conn, enterprise, kind, subject, reason=reason.strip(), placed_by=who, now_ms=now_ms())
        noting.key = placed.hold_id
    emit(_shown(placed), as_json=as_json, title="Hold placed")


@app.command("list", epilog=LIST_EXAMPLES)
def list_holds(
    ctx: typer.Context,
    enterprise: Annotated[
        str | None, typer.Option("--enterprise", metavar="ID", help="Of this enterprise; else of all.")
    ] = None,
    ended: Annotated[bool, typer.Option("--all", help="Those that were removed too.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the holds in force."""
    from kobza.store import holds

    with opened_store(ctx, data) as store, store.read() as conn:
        found = [_shown(each) for each in holds.list_all(conn, enterprise, ended=ended)]
    if as_json:
        emit({"holds": found}, as_json=True, title="")
    elif found:
        print_table(
            "Holds", list(found[0]), [["" if value is None else str(value) for value in row.values()] for row in found]
        )
    else:
        sys.stdout.write("There is no hold.\n")


@app.command(epilog=REMOVE_EXAMPLES)
def remove(
    ctx: typer.Context,
    hold_id: Annotated[str, typer.Argument(metavar="HOLD", help="As `kobza hold list` shows it.")],
    reason: ReasonOption,
    by: ByOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold. What is too old by then goes within the hour. That there was the hold stays known."""
    from kobza.store import holds

    who = by or whoever()
    with changing(ctx, data, "hold.ended", None, hold_id, by=who) as (conn, noting):
        ended = holds.end(conn, hold_id, reason=reason.strip(), ended_by=who, now_ms=now_ms())
        noting.enterprise_id = ended.enterprise_id
    emit(_shown(ended), as_json=as_json, title="Hold ended")


def _shown(each: "Hold") -> dict[str, Any]:
    from kobza.call.durations import rfc3339
    from kobza.call.numbers import national

    return {
        "hold_id": each.hold_id,
        "enterprise_id": each.enterprise_id,
        "keeps": "everything" if each.kind == "enterprise" else each.kind,
        "subject": national(each.subject) if each.kind == "number" else each.subject,
        "reason": each.reason,
        "placed_by": each.placed_by,
        "placed_at": rfc3339(each.placed_at),
        "ended_by": each.ended_by,
        "ended_at": None if each.ended_at is None else rfc3339(each.ended_at),
        "end_reason": each.end_reason,
    }
