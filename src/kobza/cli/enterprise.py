"""`kobza enterprise …`."""

from typing import Annotated

import typer

from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, JsonOption, opened_store
from kobza.cli.output import emit

app = typer.Typer(name="enterprise", no_args_is_help=True, rich_markup_mode=None, help="Enterprises: the tenants.")

EXAMPLES = """\b
Examples:
  kobza enterprise add "Bakery" --admin olena --password … --json
"""


@app.callback()
def enterprise() -> None:
    """Enterprises: the tenants."""


@app.command(epilog=EXAMPLES)
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the enterprise.")],
    admin: Annotated[str, typer.Option("--admin", metavar="LOGIN", help="Login of its administrator in the portal.")],
    password: Annotated[
        str,
        typer.Option(
            "--password", metavar="PW", prompt=True, hide_input=True, confirmation_prompt=True, help="Their password."
        ),
    ],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an enterprise. Its FMC token is shown now and never again: only its hash is stored."""
    from argon2 import PasswordHasher

    from kobza.store import enterprises

    name, admin = name.strip(), admin.strip()
    for value, option in ((name, "NAME"), (admin, "--admin"), (password, "--password")):
        if not value:
            raise typer.BadParameter("must not be empty", param_hint=option)
    with opened_store(ctx, data) as store, store.write() as connection:
        added = enterprises.add(connection, name, admin, PasswordHasher().hash(password), now_ms())
    document = {
        "enterprise_id": added.enterprise_id,
        "fmc_token": added.fmc_token,
        "integrator_id": added.integrator_id,
    }
    emit(document, as_json=as_json, title=f"Enterprise {name} added (keep the token: it is not stored)")
