"""`kobza number …`."""

import secrets
import string
from typing import Annotated, Any, Final

import typer

from kobza.call.directory import Package
from kobza.cli.changing import changing
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, opened_store
from kobza.cli.output import emit, emit_rows

app = typer.Typer(name="number", no_args_is_help=True, rich_markup_mode=None, help="Numbers: the subscriber lines.")

ADD_EXAMPLES: Final = """\b
Examples:
  kobza number add 0671234567 --enterprise ID --name "Olena Kovalenko" --department Sales
  kobza number add 0671234567 --enterprise ID --package convergent --package api_fmc --package call_recording --json
"""
LIST_EXAMPLES: Final = """\b
Examples:
  kobza number list --enterprise ID
"""
SET_EXAMPLES: Final = """\b
Examples:
  kobza number set 0671234567 --enterprise ID --package convergent --package call_recording
  kobza number set 0671234567 --enterprise ID --new-sip-password
  kobza number set 0671234567 --enterprise ID --no-call-waiting --max-calls 2
"""
REMOVE_EXAMPLES: Final = """\b
Examples:
  kobza number remove 0671234567 --enterprise ID
"""

PASSWORD_ALPHABET: Final = string.ascii_letters + string.digits
PASSWORD_LENGTH: Final = 20
"""Characters of a generated password: 119 bits."""
DEFAULT_PACKAGES: Final = (Package.CONVERGENT, Package.API_FMC)

NumberArgument = Annotated[str, typer.Argument(metavar="NUMBER", help="The number in any usual spelling.")]


@app.callback()
def number() -> None:
    """Numbers: the subscriber lines."""


@app.command(epilog=ADD_EXAMPLES)
def add(
    ctx: typer.Context,
    number: NumberArgument,
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
    from kobza.store import meta, numbers

    if sip_password is not None and not sip_password:
        raise typer.BadParameter("must not be empty", param_hint="--sip-password")
    password = sip_password or new_password()
    packages = frozenset(package or DEFAULT_PACKAGES)
    e164 = normalize(number)
    username = national(e164)
    with changing(ctx, data, "number.added", enterprise, e164) as (connection, _):
        ha1_md5, ha1_sha256 = _hashes(meta.sip_realm(connection), username, password)
        numbers.add(
            connection,
            e164,
            enterprise,
            name=name.strip(),
            department=department.strip(),
            packages=packages,
            username=username,
            ha1_md5=ha1_md5,
            ha1_sha256=ha1_sha256,
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


@app.command("list", epilog=LIST_EXAMPLES)
def list_numbers(
    ctx: typer.Context, enterprise: EnterpriseOption, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """List the numbers of an enterprise. Whether a phone is there for each says `GET /v1/phonestatus`."""
    from kobza.call.numbers import national
    from kobza.store import NotInStore, enterprises, numbers

    with opened_store(ctx, data) as store, store.read() as connection:
        if enterprises.find(connection, enterprise) is None:
            raise NotInStore(f"there is no enterprise {enterprise}")
        found = numbers.list_for(connection, enterprise)
    rows = [
        {
            "number": national(item.number),
            "name": item.name,
            "department": item.department,
            "packages": sorted(item.packages),
        }
        for item in found
    ]
    none = "none yet: see kobza number add --help"
    emit_rows("numbers", rows, as_json=as_json, title=f"Numbers of {enterprise}", none=none, enterprise_id=enterprise)


@app.command("set", epilog=SET_EXAMPLES)
def set_number(
    ctx: typer.Context,
    number: NumberArgument,
    enterprise: EnterpriseOption,
    package: Annotated[
        list[Package] | None,
        typer.Option("--package", metavar="PACKAGE", help="The packages from now on, instead of those it has."),
    ] = None,
    sip_password: Annotated[
        str | None, typer.Option("--sip-password", metavar="PW", help="A new password of its phones.")
    ] = None,
    mobile: Annotated[
        str | None,
        typer.Option("--mobile", metavar="N", help="A number outside that rings beside its phones; none: no more."),
    ] = None,
    call_waiting: Annotated[
        bool | None,
        typer.Option("--call-waiting/--no-call-waiting", help="Whether its phones ring while it has a call."),
    ] = None,
    max_calls: Annotated[
        str | None,
        typer.Option("--max-calls", metavar="N", help="How many calls it may have at a time; none: any number."),
    ] = None,
    new_sip_password: Annotated[
        bool, typer.Option("--new-sip-password", help="Make a new password of its phones, and show it.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change packages of a number, its mobile phone, how many calls it takes, or its phones' password."""
    from kobza.call.forwarding_form import target_of
    from kobza.call.numbers import national, normalize
    from kobza.store import NotInStore, meta, numbers

    if sip_password is not None and (not sip_password or new_sip_password):
        what = "is one way, --new-sip-password the other" if sip_password else "must not be empty"
        raise typer.BadParameter(what, param_hint="--sip-password")
    password = new_password() if new_sip_password else sip_password
    if all(each is None for each in (package, password, mobile, call_waiting, max_calls)):
        options = "--package, --mobile, --call-waiting, --max-calls, --sip-password or --new-sip-password"
        raise typer.BadParameter(f"nothing to change: give {options}")
    most = None if max_calls is None else _most(max_calls)
    e164 = normalize(number)
    username = national(e164)
    with changing(ctx, data, "number.changed", enterprise, e164) as (connection, _):
        if package is not None:
            numbers.set_packages(connection, enterprise, e164, package)
        if password is not None:
            numbers.set_credentials(
                connection, enterprise, e164, *_hashes(meta.sip_realm(connection), username, password)
            )
        if mobile is not None:
            other = None if mobile == "none" else target_of(e164, mobile, "--mobile")
            numbers.set_mobile(connection, enterprise, e164, other)
        found = numbers.find(connection, enterprise, e164)
        if found is not None and (call_waiting is not None or most is not None):
            waiting = found.call_waiting if call_waiting is None else call_waiting
            limit = found.max_calls if most is None else most or None
            numbers.set_calls(connection, enterprise, e164, call_waiting=waiting, max_calls=limit)
            found = numbers.find(connection, enterprise, e164)
    if found is None:  # the statements above would have said so
        raise NotInStore(f"the enterprise has no number {e164}")
    document: dict[str, Any] = {"number": username, "enterprise_id": enterprise, "packages": sorted(found.packages)}
    if found.mobile is not None:
        document["mobile"] = national(found.mobile)
    if call_waiting is not None or most is not None:
        document |= {"call_waiting": found.call_waiting, "max_calls": found.max_calls}
    if password is not None:
        document |= {"sip_username": username, "sip_password": password}
    emit(document, as_json=as_json, title=f"Number {username} changed")


def _most(text: str) -> int:
    """Return how many calls at a time are meant; 0: any number."""
    from kobza.call.directory import MOST_CALLS

    if text == "none":
        return 0
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MOST_CALLS):
        raise typer.BadParameter(f"expected 1 to {MOST_CALLS}, or none, not {text!r}", param_hint="--max-calls")
    return int(text)


@app.command(epilog=REMOVE_EXAMPLES)
def remove(
    ctx: typer.Context,
    number: NumberArgument,
    enterprise: EnterpriseOption,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a number away from an enterprise: its phones register no more. Its history and its recordings stay."""
    from kobza.call.numbers import national, normalize
    from kobza.store import numbers

    e164 = normalize(number)
    with changing(ctx, data, "number.removed", enterprise, e164) as (connection, _):
        numbers.remove(connection, enterprise, e164)
    shown = national(e164)
    emit({"number": shown, "enterprise_id": enterprise}, as_json=as_json, title=f"Number {shown} removed")


def _hashes(realm: str, username: str, password: str) -> tuple[str, str]:
    """Return what is kept of a password: its digest hashes, MD5 and SHA-256."""
    from kobza.sip.digest import ha1

    return ha1(username, realm, password, "MD5"), ha1(username, realm, password, "SHA-256")


def new_password() -> str:
    """Return a random password of letters and digits, which no shell and no phone's form trips over."""
    return "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(PASSWORD_LENGTH))
