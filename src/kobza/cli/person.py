"""`kobza person …`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kobza.cli.changing import changing
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, JsonOption, opened_store
from kobza.cli.output import emit, emit_rows

if TYPE_CHECKING:
    from kobza.store.users import Role, User

app = typer.Typer(name="person", no_args_is_help=True, rich_markup_mode=None, help="People who sign in to the portal.")

ADD_EXAMPLES = """\b
Examples:
  kobza person add root --role operator
  kobza person add svitlana --role supervisor --enterprise ID --name "Svitlana"
  kobza person add borys --role employee --enterprise ID --number 0671234567 --json
"""
LIST_EXAMPLES = """\b
Examples:
  kobza person list --enterprise ID
  kobza person list --json
"""
SET_EXAMPLES = """\b
Examples:
  kobza person set borys --role supervisor
  kobza person set borys --number 0671234567 --name "Borys"
"""
RESET_EXAMPLES = """\b
Examples:
  kobza person reset borys
  kobza person reset borys --second-factor-off --json
"""
REMOVE_EXAMPLES = """\b
Examples:
  kobza person remove borys
"""

LoginArgument = Annotated[str, typer.Argument(metavar="LOGIN", help="By which they sign in.")]
NameOption = Annotated[str | None, typer.Option("--name", metavar="N", help="What they are called.")]
NumberOption = Annotated[
    str | None,
    typer.Option("--number", metavar="N", help="Their own number, one of the enterprise; an employee needs one."),
]
PasswordOption = Annotated[
    str | None,
    typer.Option("--password", metavar="PW", help="A password; without it one is made and shown."),
]
KeepOption = Annotated[
    bool, typer.Option("--keep-password", help="Let them keep it: it need not be changed at the first sign-in.")
]


@app.callback()
def person() -> None:
    """People who sign in to the portal."""


@app.command(epilog=ADD_EXAMPLES)
def add(
    ctx: typer.Context,
    login: LoginArgument,
    role: Annotated[
        str, typer.Option("--role", metavar="ROLE", help="operator, admin, supervisor or employee.")
    ] = "admin",
    enterprise: Annotated[
        str | None,
        typer.Option("--enterprise", metavar="ID", help="Id of their enterprise; an operator has none."),
    ] = None,
    name: NameOption = None,
    number: NumberOption = None,
    password: PasswordOption = None,
    keep_password: KeepOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add somebody. Their password has to be changed at the first sign-in, as two know it."""
    from kobza.portal.passwords import password_hash, temporary_password
    from kobza.store import users

    chosen, own = _role(role), _number(number)
    given = temporary_password() if password is None else _not_empty(password)
    hashed = password_hash(given)
    with changing(ctx, data, "person.added", enterprise, login.strip()) as (connection, _):
        added = users.add(
            connection,
            login.strip(),
            hashed,
            chosen,
            enterprise,
            now_ms(),
            name=(name or "").strip(),
            number=own,
            must_change=not keep_password,
        )
    document = _shown(added) | ({"password": given} if password is None else {})
    emit(document, as_json=as_json, title=f"Person {added.login} added")


@app.command("list", epilog=LIST_EXAMPLES)
def list_people(
    ctx: typer.Context,
    enterprise: Annotated[
        str | None,
        typer.Option("--enterprise", metavar="ID", help="Id of the enterprise; without it: the operators."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the people of an enterprise, or the operators."""
    from kobza.store import enterprises, users
    from kobza.store.errors import NotInStore

    with opened_store(ctx, data) as store, store.read() as connection:
        if enterprise is not None and enterprises.find(connection, enterprise) is None:
            raise NotInStore(f"there is no enterprise {enterprise}")
        found = users.list_for(connection, enterprise)
    title = "Operators" if enterprise is None else f"People of {enterprise}"
    emit_rows(
        "people",
        [_shown(each) for each in found],
        as_json=as_json,
        title=title,
        none="none yet: see kobza person add --help",
    )


@app.command("set", epilog=SET_EXAMPLES)
def set_person(
    ctx: typer.Context,
    login: LoginArgument,
    role: Annotated[str | None, typer.Option("--role", metavar="ROLE", help="admin, supervisor or employee.")] = None,
    name: NameOption = None,
    number: Annotated[
        str | None, typer.Option("--number", metavar="N", help="Their own number; empty takes it away.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change somebody's role, name or number; what is not given stays. Another role ends their sessions."""
    from kobza.store import users

    chosen, own = None if role is None else _role(role), _number(number)
    with changing(ctx, data, "person.changed", None, login) as (connection, noting):
        before = _known(connection, login)
        noting.enterprise_id = before.enterprise_id
        changed = users.change(
            connection,
            before.enterprise_id,
            login,
            role=chosen or before.role,
            name=before.name if name is None else name.strip(),
            number=before.number if number is None else own,
        )
    emit(_shown(changed), as_json=as_json, title=f"Person {login} changed")


@app.command(epilog=RESET_EXAMPLES)
def reset(
    ctx: typer.Context,
    login: LoginArgument,
    password: PasswordOption = None,
    keep_password: KeepOption = False,
    second_factor_off: Annotated[
        bool, typer.Option("--second-factor-off", help="Their authenticator is lost: let the password be enough.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give somebody a new password, to be changed at the next sign-in; their sessions end."""
    from kobza.portal.passwords import password_hash, temporary_password
    from kobza.store import second_factor, users

    given = temporary_password() if password is None else _not_empty(password)
    hashed = password_hash(given)
    with changing(ctx, data, "person.reset", None, login) as (connection, noting):
        user = _known(connection, login)
        noting.enterprise_id = user.enterprise_id
        users.set_password(connection, login, hashed, must_change=not keep_password)
        users.set_account(connection, user.user_id, None)
        if second_factor_off:
            second_factor.clear(connection, user.user_id)
        changed = _known(connection, login)
    document = _shown(changed) | ({"password": given} if password is None else {})
    emit(document, as_json=as_json, title=f"The password of {login} is a new one")


@app.command(epilog=REMOVE_EXAMPLES)
def remove(ctx: typer.Context, login: LoginArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Take a login away. Its sessions end; calls and recordings stay."""
    from kobza.store import users

    with changing(ctx, data, "person.removed", None, login) as (connection, noting):
        noting.enterprise_id = _known(connection, login).enterprise_id
        gone = users.remove(connection, noting.enterprise_id, login)
    emit(_shown(gone), as_json=as_json, title=f"Person {login} removed")


def _known(connection: Any, login: str) -> "User":
    from kobza.store import users
    from kobza.store.errors import NotInStore

    user = users.find(connection, login)
    if user is None:
        raise NotInStore(f"nobody has the login {login}: see kobza person list")
    return user


def _role(text: str) -> "Role":
    from kobza.store.users import Role

    try:
        return Role(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(Role)}", param_hint="--role") from None


def _number(text: str | None) -> str | None:
    from kobza.call.errors import NumberError
    from kobza.call.numbers import normalize

    try:
        return normalize(text) if text else None
    except NumberError as error:
        raise typer.BadParameter(error.detail, param_hint="--number") from None


def _not_empty(password: str) -> str:
    if not password:
        raise typer.BadParameter("must not be empty", param_hint="--password")
    return password


def _shown(user: "User") -> dict[str, Any]:
    from kobza.api.times import wall_text
    from kobza.call.numbers import national

    return {
        "login": user.login,
        "name": user.name,
        "role": user.role.value,
        "number": None if user.number is None else national(user.number),
        "enterprise_id": user.enterprise_id,
        "second_factor": user.totp_sealed is not None,
        "must_change_password": user.must_change,
        "last_sign_in": None if user.signed_in_at is None else wall_text(user.signed_in_at)[:16],
    }
