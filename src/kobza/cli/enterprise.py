"""`kobza enterprise …`."""

import sys
from enum import StrEnum
from typing import Annotated, Final

import typer

from kobza.cli.changing import changing
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, JsonOption, opened_store
from kobza.cli.output import emit, emit_rows

app = typer.Typer(name="enterprise", no_args_is_help=True, rich_markup_mode=None, help="Enterprises: the tenants.")

ADD_EXAMPLES: Final = """\b
Examples:
  kobza enterprise add "Bakery" --admin olena --password … --json
"""
SET_EXAMPLES: Final = """\b
Examples:
  kobza enterprise set ID --supervision silent
"""
LIST_EXAMPLES: Final = """\b
Examples:
  kobza enterprise list
"""


@app.callback()
def enterprise() -> None:
    """Enterprises: the tenants."""


@app.command(epilog=ADD_EXAMPLES)
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the enterprise.")],
    admin: Annotated[str, typer.Option("--admin", metavar="LOGIN", help="Login of its administrator in the portal.")],
    password: Annotated[
        str | None, typer.Option("--password", metavar="PW", help="Their password; without it you are asked.")
    ] = None,
    temporary: Annotated[
        bool, typer.Option("--temporary", help="The password has to be changed at the first sign-in.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an enterprise. Its FMC token is shown now and never again: only its hash is stored."""
    from kobza.portal.passwords import password_hash
    from kobza.store import enterprises

    name, admin = name.strip(), admin.strip()
    if password is None:
        password = _asked_password()
    for value, option in ((name, "NAME"), (admin, "--admin"), (password, "--password")):
        if not value:
            raise typer.BadParameter("must not be empty", param_hint=option)
    hashed = password_hash(password)
    with changing(ctx, data, "enterprise.added", None, "") as (connection, noting):
        added = enterprises.add(connection, name, admin, hashed, now_ms(), must_change=temporary)
        noting.key = noting.enterprise_id = added.enterprise_id
    document = {
        "enterprise_id": added.enterprise_id,
        "fmc_token": added.fmc_token,
        "integrator_id": added.integrator_id,
    }
    emit(document, as_json=as_json, title=f"Enterprise {name} added (keep the token: it is not stored)")


def _asked_password() -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter("needed, as there is no terminal to ask for it", param_hint="--password")
    asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return asked


class Supervision(StrEnum):
    """Whether those who talk are told that a supervisor hears them."""

    ANNOUNCED = "announced"
    SILENT = "silent"


@app.command("set", epilog=SET_EXAMPLES)
def set_up(
    ctx: typer.Context,
    enterprise_id: Annotated[str, typer.Argument(metavar="ID", help="The enterprise.")],
    supervision: Annotated[
        Supervision,
        typer.Option(
            "--supervision",
            help="announced: who talks hears a tone every 15 s while a supervisor hears them; silent: they hear none.",
        ),
    ],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what an enterprise wants; a running server goes by it from the next supervision on."""
    from kobza.store import enterprises

    with changing(ctx, data, "enterprise.changed", enterprise_id, enterprise_id) as (connection, _):
        enterprises.set_supervision(connection, enterprise_id, announced=supervision is Supervision.ANNOUNCED)
    emit({"enterprise_id": enterprise_id, "supervision": str(supervision)}, as_json=as_json, title="Changed")


@app.command("list", epilog=LIST_EXAMPLES)
def list_enterprises(ctx: typer.Context, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the enterprises with the ids that other commands and programs need."""
    from kobza.store import enterprises, numbers

    with opened_store(ctx, data) as store, store.read() as connection:
        found = enterprises.list_all(connection)
        counts = numbers.count_by_enterprise(connection)
        announced = {
            each.enterprise_id: enterprises.announces_supervision(connection, each.enterprise_id) for each in found
        }
    rows = [
        {
            "enterprise_id": item.enterprise_id,
            "name": item.name,
            "integrator_id": item.integrator_id,
            "numbers": counts.get(item.enterprise_id, 0),
            "supervision": str(Supervision.ANNOUNCED if announced[item.enterprise_id] else Supervision.SILENT),
        }
        for item in found
    ]
    emit_rows(
        "enterprises", rows, as_json=as_json, title="Enterprises", none="none yet: see kobza enterprise add --help"
    )
