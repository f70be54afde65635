"""`kobza dev …`: for those who develop or measure Kobza."""

import time
from typing import Annotated

import typer

from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, opened_store
from kobza.cli.output import emit

app = typer.Typer(name="dev", no_args_is_help=True, rich_markup_mode=None, help="For developing and measuring.")

EXAMPLES = """\b
Examples:
  kobza dev fill --enterprise ID --calls 500000 --days 30 --seed 1
"""


@app.callback()
def dev() -> None:
    """For developing and measuring."""


@app.command(epilog=EXAMPLES)
def fill(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    calls: Annotated[int, typer.Option("--calls", metavar="N", min=1, help="How many calls.")],
    days: Annotated[int, typer.Option("--days", metavar="D", min=1, help="Over how many days up to now.")],
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="The same seed makes the same calls.")] = 0,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill the history of an enterprise with invented calls, for benches."""
    from kobza.store.fill import fill as fill_store

    with opened_store(ctx, data) as store:
        started = time.monotonic()
        fill_store(store, enterprise, calls, days, seed)
        seconds = round(time.monotonic() - started, 2)
    document = {"enterprise_id": enterprise, "calls": calls, "days": days, "seed": seed, "seconds": seconds}
    emit(document, as_json=as_json, title="History filled")
