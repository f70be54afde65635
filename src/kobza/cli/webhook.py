"""`kobza webhook …`."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from kobza.cli import deliveries
from kobza.cli.changing import changing
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, EnterpriseOption, JsonOption, load_settings, opened_store
from kobza.cli.output import emit, print_error

if TYPE_CHECKING:
    from kobza.call.directory import Endpoint
    from kobza.config.settings import Settings
    from kobza.webhooks.outcome import Outcome

app = typer.Typer(name="webhook", no_args_is_help=True, rich_markup_mode=None, help="Where call states are posted.")

EXAMPLES = """\b
Examples:
  kobza webhook set --enterprise ID --url https://crm.example.com/hooks --token T
  kobza webhook set --enterprise ID --url https://crm.example.com/hooks --token T --secret whsec_… --extended
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
    extended: Annotated[
        bool, typer.Option("--extended", help="Also the states held, resumed and record_ready.")
    ] = False,
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
    with changing(ctx, data, "webhook.set", enterprise, enterprise) as (connection, _):
        if enterprises.find(connection, enterprise) is None:
            raise NotInStore(f"there is no enterprise {enterprise}")
        endpoints.set(connection, enterprise, url, token, secret, extended=extended, now_ms=now_ms())
    document = {"enterprise_id": enterprise, "url": url, "signed": secret is not None, "active": True}
    emit(document, as_json=as_json, title="Webhook set")


@app.command(epilog=deliveries.examples("on --enterprise ID", "on --enterprise ID --no-recover"))
def on(
    ctx: typer.Context,
    enterprise: EnterpriseOption,
    missed: Annotated[
        bool, typer.Option("--recover/--no-recover", help="Also send what it did not take since it began to fail.")
    ] = True,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Switch a webhook on again that answered 410 or took nothing for too long. The oldest states go first."""
    from kobza.store import replays
    from kobza.store.errors import NotInStore

    with changing(ctx, data, "webhook.activated", enterprise, enterprise) as (conn, _):
        if deliveries.endpoint_of(conn, enterprise) is None:
            raise NotInStore("there is no webhook; set one with `kobza webhook set`")
        recovered = replays.switch_on(conn, enterprise, now_ms(), missed=missed)
    document = {
        "activated": recovered is not None,
        "recovered": 0 if recovered is None else recovered.failed + recovered.missed,
        "missed": 0 if recovered is None else recovered.missed,
    }
    emit(document, as_json=as_json, title="Webhook is on")


@app.command("test", epilog=deliveries.examples("test --enterprise ID"))
def try_endpoint(
    ctx: typer.Context, enterprise: EnterpriseOption, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Post one state of the type `test` from this machine, and say what came of it."""
    import asyncio

    from kobza.store.errors import NotInStore

    settings = load_settings(ctx, data=data).settings
    with opened_store(ctx, data) as store, store.read() as conn:
        endpoint = deliveries.endpoint_of(conn, enterprise)
    if endpoint is None:
        raise NotInStore("there is no webhook; set one with `kobza webhook set`")
    outcome = asyncio.run(_post_test(endpoint, settings))
    document = {
        "delivered": outcome.taken,
        "status_code": outcome.status_code,
        "duration_ms": outcome.duration_ms,
        "url": outcome.url,
        "address": outcome.address,
        "error": outcome.error,
        "response": outcome.response,
    }
    emit(document, as_json=as_json, title="Test")
    if not outcome.taken:
        raise typer.Exit(1)


async def _post_test(endpoint: "Endpoint", settings: "Settings") -> "Outcome":
    from kobza.config.settings import webhook_limits, webhook_networks
    from kobza.store.ids import new_id
    from kobza.webhooks.client import Client
    from kobza.webhooks.payload import test_body

    client = Client(
        allowed=webhook_networks(settings),
        limits=webhook_limits(settings),
        http2=settings.webhook_http2,
        now=time.time,
    )
    try:
        event_id = new_id()
        return await client.post(endpoint, event_id, test_body(event_id, now_ms()))
    finally:
        await client.close()


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


deliveries.register(app)
