"""`kobza token …`."""

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kobza.cli.changing import changing
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, load_settings, opened_store
from kobza.cli.output import emit, print_table

if TYPE_CHECKING:
    from kobza.store.tokens import NewToken, Token

app = typer.Typer(name="token", no_args_is_help=True, rich_markup_mode=None, help="FMC tokens: access for programs.")

ADD_EXAMPLES = """\b
Examples:
  kobza token add --enterprise ID --name "CRM"
  kobza token add --enterprise ID --name "Report" --scope history --address 192.0.2.0/24 --expires 90d --json
"""
LIST_EXAMPLES = """\b
Examples:
  kobza token list --enterprise ID
  kobza token list --enterprise ID --all --json
"""
ROTATE_EXAMPLES = """\b
Examples:
  kobza token rotate 5f1c0e9a2b7d --enterprise ID
  kobza token rotate 5f1c0e9a2b7d --enterprise ID --overlap 3600 --json
"""
REVOKE_EXAMPLES = """\b
Examples:
  kobza token revoke 5f1c0e9a2b7d --enterprise ID
"""

TokenArgument = Annotated[str, typer.Argument(metavar="TOKEN_ID", help="Id of the token, as `token list` shows it.")]


@app.callback()
def token() -> None:
    """FMC tokens: access for programs."""


@app.command(epilog=ADD_EXAMPLES)
def add(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    name: Annotated[str, typer.Option("--name", metavar="N", help="For which program it is.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="history, control or settings; may be repeated. Without it: all three.",
        ),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(
            "--address",
            metavar="ADDRESS",
            help="An address or network that may use it, such as 10.0.0.0/8; may be repeated. Without it: every one.",
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="WHEN",
            help="Until when it is valid: 90d, 12h, 30m, a day (included) or a time. Without it: until it is revoked.",
        ),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token. It is shown now and never again: only its hash is stored."""
    from kobza.cli.moments import parse_end
    from kobza.store import tokens
    from kobza.store.tokens import Scope

    now = now_ms()
    unknown = [word for word in scope or () if word not in list(Scope)]
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r} is not one of history, control, settings, supervise", param_hint="--scope"
        ) from None
    try:
        networks = tokens.parse_networks(address or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--address") from None
    try:
        expires_at = None if expires is None else parse_end(expires, now)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--expires") from None
    with changing(ctx, data, "token.added", enterprise, "") as (connection, noting):
        made = tokens.add(
            connection,
            enterprise,
            now,
            name=name.strip(),
            scopes=[Scope(word) for word in scope] if scope else tokens.USUAL_SCOPES,
            networks=networks,
            expires_at=expires_at,
        )
        noting.key = made.token.token_id
    emit(_made(made, now), as_json=as_json, title="Token made (keep it: it is not stored)")


@app.command("list", epilog=LIST_EXAMPLES)
def list_tokens(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    everything: Annotated[bool, typer.Option("--all", help="Also those that have ended, up to 90 days ago.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the tokens of an enterprise, and who used each last."""
    from kobza.api.times import wall_text
    from kobza.store import enterprises, tokens
    from kobza.store.errors import NotInStore

    now = now_ms()
    with opened_store(ctx, data) as store, store.read() as connection:
        if enterprises.find(connection, enterprise) is None:
            raise NotInStore(f"there is no enterprise {enterprise}")
        found = tokens.list_for(connection, enterprise)
    shown = [item for item in found if everything or item.valid_at(now)]
    if as_json:
        sys.stdout.write(json.dumps({"tokens": [_shown(item, now) for item in shown]}, ensure_ascii=False) + "\n")
        return

    def moment(value: int | None) -> str:
        return "" if value is None else wall_text(value)[:16]

    rows = [
        (
            item.token_id,
            item.name,
            item.state_at(now),
            ", ".join(_scopes(item)),
            ", ".join(map(str, item.networks)) or "every",
            moment(item.ends_at),
            _words(moment(item.last_used_at), item.last_used_address, item.last_used_client) or "never",
        )
        for item in shown
    ]
    header = ("token id", "name", "state", "scopes", "addresses", "until", "last use (Kyiv)")
    print_table(f"Tokens of {enterprise}", header, rows)


@app.command(epilog=ROTATE_EXAMPLES)
def rotate(
    ctx: typer.Context,
    token_id: TokenArgument,
    enterprise: EnterpriseOption,
    overlap: Annotated[
        int | None,
        typer.Option(
            "--overlap",
            metavar="S",
            min=0,
            help="Seconds for which the old one goes on; 0: none. Without it: the setting token_overlap.",
        ),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a new token in the place of one: same name, scopes and addresses. The old one ends after the overlap."""
    from kobza.store import tokens

    now = now_ms()
    seconds = load_settings(ctx, data=data).settings.token_overlap if overlap is None else overlap
    with changing(ctx, data, "token.rotated", enterprise, token_id) as (connection, _):
        made = tokens.rotate(connection, enterprise, token_id, now, seconds * 1000)
        old = tokens.get(connection, enterprise, token_id)
    if not seconds:
        time.sleep(tokens.SEEN_AFTER)
    document = {**_made(made, now), "replaces": token_id, "old_valid_until": _time(old.ends_at)}
    emit(document, as_json=as_json, title="Token made (keep it: it is not stored)")


@app.command(epilog=REVOKE_EXAMPLES)
def revoke(
    ctx: typer.Context,
    token_id: TokenArgument,
    enterprise: EnterpriseOption,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a token at once, for good. When this returns, no running server accepts it any more."""
    from kobza.store import tokens

    now = now_ms()
    with changing(ctx, data, "token.revoked", enterprise, token_id) as (connection, _):
        ended = tokens.revoke(connection, enterprise, token_id, now)
    time.sleep(tokens.SEEN_AFTER)
    emit(_shown(ended, now), as_json=as_json, title=f"Token {token_id} revoked")


def _made(made: "NewToken", now: int) -> dict[str, Any]:
    """Return what is printed of a new token: the only time that the secret is."""
    shown = _shown(made.token, now)
    return {"token_id": shown.pop("token_id"), "fmc_token": made.secret, "integrator_id": made.token.integrator_id} | {
        name: shown[name] for name in ("name", "scopes", "addresses", "expires_at")
    }


def _shown(item: "Token", now: int) -> dict[str, Any]:
    used = None
    if item.last_used_at is not None:
        used = {"at": _time(item.last_used_at), "address": item.last_used_address, "client": item.last_used_client}
    return {
        "token_id": item.token_id,
        "name": item.name,
        "state": item.state_at(now),
        "scopes": _scopes(item),
        "addresses": [str(network) for network in item.networks],
        "created_at": _time(item.created_at),
        "expires_at": _time(item.expires_at),
        "revoked_at": _time(item.revoked_at),
        "replaced_by": item.replaced_by,
        "last_use": used,
    }


def _scopes(item: "Token") -> list[str]:
    return sorted(str(scope) for scope in item.scopes)


def _words(*words: str | None) -> str:
    return " ".join(filter(None, words))


def _time(value: int | None) -> str | None:
    from kobza.api.times import rfc3339

    return None if value is None else rfc3339(value)
