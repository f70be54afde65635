"""`kobza webhook …`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, load_settings, opened_store
from kobza.cli.output import emit, print_error

if TYPE_CHECKING:
    from kobza.config.settings import Settings

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
    _warn_of_private_address(url, load_settings(ctx, data=data).settings)
    with opened_store(ctx, data) as store, store.write() as connection:
        if enterprises.find(connection, enterprise) is None:
            raise NotInStore(f"there is no enterprise {enterprise}")
        endpoints.set(connection, enterprise, url, token, secret, now_ms=now_ms())
    document = {"enterprise_id": enterprise, "url": url, "signed": secret is not None, "active": True}
    emit(document, as_json=as_json, title="Webhook set")


def _warn_of_private_address(url: str, settings: "Settings") -> None:
    """Say at once what each connection would say: that the address in the URL is not one to go to."""
    from yarl import URL

    from kobza.config.settings import webhook_networks
    from kobza.webhooks.address import AddressRefused, check_address

    try:
        check_address(URL(url).host or "", webhook_networks(settings))
    except AddressRefused as refused:
        print_error(f"note: {refused}; `kobza serve` will not post there")
    except ValueError:
        return  # a name: looked up when it is connected to


def _check(value: str, check: Callable[[str], None], option: str) -> None:
    try:
        check(value)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
