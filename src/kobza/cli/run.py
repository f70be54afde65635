"""`kobza serve`, `kobza demo`, `kobza sandbox` and `kobza phone`: the commands that run until they are stopped."""

from pathlib import Path
from typing import Annotated, Final

import typer

from kobza.cli.options import (
    ConfigOption,
    DataOption,
    HttpOption,
    RtpHostOption,
    RtpPortsOption,
    SipOption,
    load_settings,
)

DEMO_DATA: Final = Path("demo-data")

SERVE_EXAMPLES = """\b
Examples:
  kobza serve
  kobza serve --http 0.0.0.0:8080 --sip udp:192.0.2.1:5060 --sip tcp:192.0.2.1:5060 --rtp-host 192.0.2.1
"""
DEMO_EXAMPLES = """\b
Examples:
  kobza demo
  kobza demo --json --http 127.0.0.1:8080 --sip udp:127.0.0.1:5060 --duration 60
"""
SANDBOX_EXAMPLES = """\b
Examples:
  kobza sandbox
  kobza sandbox --json --speed 10 --webhook http://127.0.0.1:9000/hooks --webhook-token T --duration 600
"""
PHONE_EXAMPLES = """\b
Examples:
  kobza phone 0671234567 --password PW --server 127.0.0.1:5060 --answer-after 2 --play tone:440
  kobza phone 0671234568 --password PW --server 127.0.0.1:5060 --dial 0671234567 --record heard.wav
  kobza phone 0671234567 --password PW --server 127.0.0.1:5060 --reject 486
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve", epilog=SERVE_EXAMPLES)(serve)
    app.command("demo", epilog=DEMO_EXAMPLES)(demo)
    app.command("sandbox", epilog=SANDBOX_EXAMPLES)(sandbox)
    app.command("phone", epilog=PHONE_EXAMPLES)(phone)


def serve(
    ctx: typer.Context,
    http: HttpOption = None,
    sip: SipOption = None,
    rtp_ports: RtpPortsOption = None,
    rtp_host: RtpHostOption = None,
    data: DataOption = None,
    config_file: ConfigOption = None,
) -> int | None:
    """Run Kobza until it is told to stop (Ctrl-C, SIGTERM)."""
    loaded = load_settings(
        ctx,
        data=data,
        config=config_file,
        http=http,
        sip=sip or None,
        rtp_ports=rtp_ports,
        rtp_host=rtp_host,
    )
    from kobza.app.serve import serve as run

    return run(loaded)


def demo(
    ctx: typer.Context,
    http: HttpOption = None,
    sip: SipOption = None,
    rtp_ports: RtpPortsOption = None,
    rtp_host: RtpHostOption = None,
    duration: Annotated[
        float | None, typer.Option("--duration", metavar="S", min=0, help="Stop after so many seconds.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON when ready.")] = False,
    data: DataOption = None,
    config_file: ConfigOption = None,
) -> int | None:
    """Run Kobza with an enterprise, an outside line and phones that really call each other, all on this machine."""
    loaded = load_settings(
        ctx,
        data=data,
        config=config_file,
        http=http,
        sip=sip or None,
        rtp_ports=rtp_ports,
        rtp_host=rtp_host,
    )
    settings = loaded.settings
    if loaded.sources["data"] == "default":
        settings = settings.model_copy(update={"data": DEMO_DATA})
    from kobza.app.demo import demo as run

    return run(settings, as_json=as_json, duration=duration)


def sandbox(
    ctx: typer.Context,
    http: HttpOption = None,
    sip: SipOption = None,
    rtp_ports: RtpPortsOption = None,
    rtp_host: RtpHostOption = None,
    speed: Annotated[
        float, typer.Option("--speed", metavar="N", min=1, max=60, help="Run the clock N times as fast as the wall's.")
    ] = 1.0,
    numbers: Annotated[
        int, typer.Option("--numbers", metavar="N", min=2, max=100, help="How many numbers, each with a phone.")
    ] = 8,
    webhook: Annotated[str | None, typer.Option("--webhook", metavar="URL", help="Where the call states go.")] = None,
    webhook_token: Annotated[
        str | None, typer.Option("--webhook-token", metavar="T", help="The Bearer token sent with them.")
    ] = None,
    webhook_secret: Annotated[
        str | None, typer.Option("--webhook-secret", metavar="S", help="Sign them with this secret (whsec_…).")
    ] = None,
    duration: Annotated[
        float | None, typer.Option("--duration", metavar="S", min=0, help="Stop after so many seconds.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON when ready.")] = False,
    data: DataOption = None,
    config_file: ConfigOption = None,
) -> int | None:
    """Run Kobza for tests of integrations: its phones play scenarios that are told to it over HTTP."""
    if (webhook is None) != (webhook_token is None) or (webhook_secret is not None and webhook is None):
        raise typer.BadParameter("goes with --webhook-token (and --webhook-secret)", param_hint="--webhook")
    loaded = load_settings(
        ctx,
        data=data,
        config=config_file,
        http=http,
        sip=sip or None,
        rtp_ports=rtp_ports,
        rtp_host=rtp_host,
    )
    from kobza.sandbox.command import Webhook
    from kobza.sandbox.command import sandbox as run

    endpoint = None
    if webhook is not None and webhook_token is not None:
        endpoint = Webhook(webhook, webhook_token, webhook_secret)
        try:
            endpoint.check()
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--webhook") from None
    return run(
        loaded.settings,
        keep=loaded.sources["data"] != "default",
        speed=speed,
        count=numbers,
        webhook=endpoint,
        as_json=as_json,
        duration=duration,
    )


def phone(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The number of this phone.")],
    password: Annotated[str, typer.Option("--password", metavar="PW", help="Its SIP password.")],
    server: Annotated[str, typer.Option("--server", metavar="HOST:PORT", help="Where Kobza speaks SIP.")],
    answer_after: Annotated[
        float | None, typer.Option("--answer-after", metavar="S", min=0, help="Answer calls after so many seconds.")
    ] = None,
    reject: Annotated[
        int | None, typer.Option("--reject", metavar="CODE", min=300, max=699, help="Reject calls with this status.")
    ] = None,
    dial: Annotated[str | None, typer.Option("--dial", metavar="NUMBER", help="Call this number.")] = None,
    play: Annotated[
        str | None, typer.Option("--play", metavar="tone:HZ|FILE", help="What the other side hears.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="Write what is heard to this WAV file.")
    ] = None,
    duration: Annotated[
        float | None, typer.Option("--duration", metavar="S", min=0, help="Hang up after so many seconds of talk.")
    ] = None,
    transport: Annotated[str, typer.Option("--transport", metavar="udp|tcp", help="Over what it speaks SIP.")] = "udp",
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each thing that happens.")] = False,
) -> int | None:
    """Run a softphone: registers, takes or makes calls, plays and records, and prints what happens."""
    if answer_after is not None and reject is not None:
        raise typer.BadParameter("cannot be given together with --answer-after", param_hint="--reject")
    from kobza.phone.command import run

    return run(
        number=number,
        password=password,
        server=server,
        answer_after=answer_after,
        reject=reject,
        dial=dial,
        play=play,
        record=record,
        duration=duration,
        transport=transport,
        as_json=as_json,
    )
