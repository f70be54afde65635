"""`kobza webhook …`."""

from collections.abc import Callable
from typing import Annotated

import typer

from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, opened_store
from kobza.cli.output import emit

app = typer.Typer(name="webhook", no_args_is_help=True, rich_markup_mode=None, help="Where call states are posted.")

EXAMPLES = """\b
Examples:
  kobza webhook set --enterprise ID --url https://crm.example.com/hooks --token T
  kobza webhook set --enterprise ID --url https://crm.example.com/hooks --token T --secret whsec_…
"""


@app.callback()
def webhook() -> None:
    """Where call states are posted."""


@app.command("set", epilog=EXAMPLES)
def set_endpoint(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="The remote system; states go to URL/callstate.")],
    token: Annotated[str, typer.Option("--token", metavar="T", help="Sent as the Bearer token.")],
    secret: Annotated[
        str | None,
        typer.Option("--secret", metavar="S", help="Signs each request by Standard Webhooks: whsec_ and base64."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set where the call states of an enterprise are posted; switches the endpoint on."""
    from kobza.store import endpoints, enterprises
    from kobza.store.errors import NotInStore
    from kobza.webhooks.endpoint import check_secret, check_token, check_url

    for value, check, option in ((url, check_url, "--url"), (token, check_token, "--token")):
        _check(value, check, option)
    if secret is not None:
        _check(secret, check_secret, "--secret")
    with opened_store(ctx, data) as store, store.write() as connection:
        if enterprises.find(connection, enterprise) is None:
            raise NotInStore(f"there is no enterprise {enterprise}")
        endpoints.set(connection, enterprise, url, token, secret, now_ms=now_ms())
    document = {"enterprise_id": enterprise, "url": url, "signed": secret is not None, "active": True}
    emit(document, as_json=as_json, title="Webhook set")


def _check(value: str, check: Callable[[str], None], option: str) -> None:
    try:
        check(value)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
