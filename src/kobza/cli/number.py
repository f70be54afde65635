"""`kobza number …`."""

import secrets
import string
from typing import Annotated, Final

import typer

from kobza.call.directory import Package
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, opened_store
from kobza.cli.output import emit

app = typer.Typer(name="number", no_args_is_help=True, rich_markup_mode=None, help="Numbers: the subscriber lines.")

EXAMPLES = """\b
Examples:
  kobza number add 0671234567 --enterprise ID --name "Olena Kovalenko" --department Sales
  kobza number add 0671234567 --enterprise ID --package convergent --package api_fmc --package call_recording --json
"""

PASSWORD_ALPHABET: Final = string.ascii_letters + string.digits
PASSWORD_LENGTH: Final = 20
"""Characters of a generated password: 119 bits."""
DEFAULT_PACKAGES: Final = (Package.CONVERGENT, Package.API_FMC)


@app.callback()
def number() -> None:
    """Numbers: the subscriber lines."""


@app.command(epilog=EXAMPLES)
def add(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The number in any usual spelling.")],
    enterprise: EnterpriseOption,
    name: Annotated[str, typer.Option("--name", metavar="N", help="Who uses it.")] = "",
    department: Annotated[str, typer.Option("--department", metavar="D", help="Where they work.")] = "",
    package: Annotated[
        list[Package] | None,
        typer.Option(
            "--package",
            metavar="PACKAGE",
            help="convergent, api_fmc or call_recording; may be repeated. Without it: convergent and api_fmc.",
        ),
    ] = None,
    sip_password: Annotated[
        str | None, typer.Option("--sip-password", metavar="PW", help="Password of its phones; else one is made.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a number to an enterprise. Its phones register with its national digits and the password shown."""
    from kobza.call.numbers import national, normalize
    from kobza.sip.digest import ha1
    from kobza.store import meta, numbers

    if sip_password is not None and not sip_password:
        raise typer.BadParameter("must not be empty", param_hint="--sip-password")
    password = sip_password or new_password()
    packages = frozenset(package or DEFAULT_PACKAGES)
    e164 = normalize(number)
    username = national(e164)
    with opened_store(ctx, data) as store, store.write() as connection:
        realm = meta.sip_realm(connection)
        numbers.add(
            connection,
            e164,
            enterprise,
            name=name.strip(),
            department=department.strip(),
            packages=packages,
            username=username,
            ha1_md5=ha1(username, realm, password, "MD5"),
            ha1_sha256=ha1(username, realm, password, "SHA-256"),
            now_ms=now_ms(),
        )
    document = {
        "number": username,
        "enterprise_id": enterprise,
        "name": name.strip(),
        "department": department.strip(),
        "packages": sorted(packages),
        "sip_username": username,
        "sip_password": password,
    }
    emit(document, as_json=as_json, title=f"Number {username} added (keep the password: it is not stored)")


def new_password() -> str:
    """Return a random password of letters and digits, which no shell and no phone's form trips over."""
    return "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(PASSWORD_LENGTH))
