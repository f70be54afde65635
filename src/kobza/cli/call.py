"""`kobza call …`: live calls of any server that speaks the contract."""

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from kobza.cli.event_lines import ARROWS, document_of, print_event
from kobza.cli.options import JsonOption
from kobza.cli.output import emit, print_table
from kobza.cli.remote import IntegratorOption, TokenOption, UrlOption, connected, wall_text

app = typer.Typer(name="call", no_args_is_help=True, rich_markup_mode=None, help="Live calls, over HTTP.")

LegArgument = Annotated[
    str, typer.Argument(metavar="LEG", help="The call_control_id, from `kobza call list` or `dial`.")
]


def examples(*lines: str) -> str:
    """Return the epilog with examples of a command."""
    return "\b\nExamples:\n" + "".join(f"  {line}\n" for line in lines)


@app.callback()
def call() -> None:
    """Live calls, over HTTP. Where and who: --url, --token and --integrator, or KOBZA_URL and so on."""


@app.command("list", epilog=examples("kobza call list", "kobza call list --json"))
def list_calls(url: UrlOption, token: TokenOption, integrator: IntegratorOption, as_json: JsonOption = False) -> None:
    """List the legs of your numbers that are not over."""
    with connected(url, token, integrator) as kobza:
        legs = kobza.live_calls()
    if as_json:
        sys.stdout.write(json.dumps({"calls": [document_of(leg) for leg in legs]}, ensure_ascii=False) + "\n")
        return
    rows = [
        (
            leg.call_control_id,
            leg.state_owner,
            ARROWS.get(leg.call_direction, "-"),
            leg.phone_number,
            leg.state_type,
            wall_text(leg.occurred_at),
        )
        for leg in legs
    ]
    if rows:
        print_table("Live calls", ("leg", "number", "", "other side", "state", "since"), rows)
    else:
        sys.stdout.write("There are no live calls.\n")


@app.command(
    epilog=examples(
        "kobza call dial 0671234567 0501112233",
        'kobza call dial 0671234567 0501112233 --timeout 20 --client-state "order 1715" --json',
    )
)
def dial(
    originator: Annotated[str, typer.Argument(metavar="ORIGINATOR", help="The number whose phones ring first.")],
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="Who is called then.")],
    url: UrlOption,
    token: TokenOption,
    integrator: IntegratorOption,
    timeout: Annotated[
        int | None, typer.Option("--timeout", metavar="S", min=5, max=120, help="Seconds for which each side may ring.")
    ] = None,
    clip: Annotated[
        str | None, typer.Option("--clip", metavar="NUMBER", help="The number of yours to show to the destination.")
    ] = None,
    client_state: Annotated[
        str | None, typer.Option("--client-state", metavar="TEXT", help="Echoed in call states and history.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="K", help="Idempotency key: the same one again within 24 h calls nobody."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ring a number's phones; when one answers, call the destination. Returns at once."""
    # Without a key that somebody chose, a person who sees an error decides whether to dial again.
    with connected(url, token, integrator, keys=key is not None) as kobza:
        begun = kobza.originate(
            originator, destination, timeout=timeout, clip=clip, client_state=client_state, idempotency_key=key
        )
    document = {"call_control_id": begun.call_control_id, "call_id": begun.call_id}
    emit(document, as_json=as_json, title="It rings")


@app.command(epilog=examples("kobza call hold LEG"))
def hold(
    leg: LegArgument, url: UrlOption, token: TokenOption, integrator: IntegratorOption, as_json: JsonOption = False
) -> None:
    """Put the other side on hold, with music."""
    _act("hold", leg, url, token, integrator, as_json)


@app.command(epilog=examples("kobza call unhold LEG"))
def unhold(
    leg: LegArgument, url: UrlOption, token: TokenOption, integrator: IntegratorOption, as_json: JsonOption = False
) -> None:
    """Take the other side back."""
    _act("unhold", leg, url, token, integrator, as_json)


@app.command(epilog=examples("kobza call clear LEG"))
def clear(
    leg: LegArgument, url: UrlOption, token: TokenOption, integrator: IntegratorOption, as_json: JsonOption = False
) -> None:
    """Reject an alerting call, end an established one."""
    _act("clear", leg, url, token, integrator, as_json)


@app.command(epilog=examples("kobza call mute LEG"))
def mute(
    leg: LegArgument, url: UrlOption, token: TokenOption, integrator: IntegratorOption, as_json: JsonOption = False
) -> None:
    """Let this side not be heard."""
    _act("mute", leg, url, token, integrator, as_json)


@app.command(epilog=examples("kobza call unmute LEG"))
def unmute(
    leg: LegArgument, url: UrlOption, token: TokenOption, integrator: IntegratorOption, as_json: JsonOption = False
) -> None:
    """Let this side be heard again."""
    _act("unmute", leg, url, token, integrator, as_json)


@app.command(epilog=examples("kobza call dtmf LEG 12#"))
def dtmf(
    leg: LegArgument,
    digits: Annotated[str, typer.Argument(metavar="DIGITS", help="0 to 9, *, #, A to D.")],
    url: UrlOption,
    token: TokenOption,
    integrator: IntegratorOption,
    as_json: JsonOption = False,
) -> None:
    """Send tones to the other side."""
    _act("dtmf", leg, url, token, integrator, as_json, digits)


@app.command(epilog=examples("kobza call transfer LEG 0671234568"))
def transfer(
    leg: LegArgument,
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="Whom the other side is to talk to.")],
    url: UrlOption,
    token: TokenOption,
    integrator: IntegratorOption,
    as_json: JsonOption = False,
) -> None:
    """Connect the other side with another number."""
    _act("transfer", leg, url, token, integrator, as_json, destination)


class Mode(StrEnum):
    """How a supervisor takes part in a call."""

    LISTEN = "listen"
    WHISPER = "whisper"
    JOIN = "join"


@app.command(
    epilog=examples("kobza call supervise LEG 0671234569", "kobza call supervise LEG 0671234569 --mode whisper")
)
def supervise(
    leg: LegArgument,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The supervisor's number, whose phones ring.")],
    url: UrlOption,
    token: TokenOption,
    integrator: IntegratorOption,
    mode: Annotated[
        Mode,
        typer.Option(
            "--mode", help="listen to both; whisper to the owner of the leg alone, too; or join: talk to both."
        ),
    ] = Mode.LISTEN,
    as_json: JsonOption = False,
) -> None:
    """Let a supervisor hear a live call, or take part in it another way. The token needs the scope supervise."""
    _act("supervise", leg, url, token, integrator, as_json, number, str(mode))


@app.command(epilog=examples("kobza call add LEG 0501112233"))
def add(
    leg: LegArgument,
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="Who is called too.")],
    url: UrlOption,
    token: TokenOption,
    integrator: IntegratorOption,
    as_json: JsonOption = False,
) -> None:
    """Call one more number, so that all talk together."""
    _act("add", leg, url, token, integrator, as_json, destination)


class Recording(StrEnum):
    """What to do with the recording of a live call."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


@app.command(epilog=examples("kobza call record LEG start", "kobza call record LEG pause"))
def record(
    leg: LegArgument,
    action: Annotated[Recording, typer.Argument(metavar="ACTION", help="start, pause, resume or stop.")],
    url: UrlOption,
    token: TokenOption,
    integrator: IntegratorOption,
    as_json: JsonOption = False,
) -> None:
    """Record a live call."""
    _act(f"record_{action}", leg, url, token, integrator, as_json)


@app.command(
    epilog=examples("kobza call watch", "kobza call watch --json | jq .phone_number", "kobza call watch --after 1715")
)
def watch(
    url: UrlOption,
    token: TokenOption,
    integrator: IntegratorOption,
    after: Annotated[
        str | None, typer.Option("--after", metavar="CURSOR", help="Begin behind this state, not with what comes.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", metavar="N", min=1, help="Stop after so many states.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each state.")] = False,
) -> None:
    """Show call states as they come, until Ctrl-C."""
    with connected(url, token, integrator) as kobza:
        cursor = kobza.newest_cursor() if after is None else after
        for number, event in enumerate(kobza.events(cursor, follow=True), 1):
            print_event(event, as_json=as_json)
            if number == count:
                return


def _act(action: str, leg: str, url: str, token: str, integrator: str, as_json: bool, *arguments: str) -> None:
    with connected(url, token, integrator) as kobza:
        done = getattr(kobza.call(leg), action)(*arguments)
    document = {
        "call_control_id": done.call_control_id,
        "action": done.action,
        "state": done.state,
        "muted": done.muted,
        "recording": done.recording,
        "record_id": done.record_id,
        "guest_control_id": done.guest_control_id,
    }
    emit(document, as_json=as_json, title="Done")
