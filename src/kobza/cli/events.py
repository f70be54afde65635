"""`kobza events`: the journal of call states of any server that speaks the contract."""

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from kobza.cli.event_lines import print_event, wants_colours
from kobza.cli.remote import IntegratorOption, TokenOption, UrlOption, connected

if TYPE_CHECKING:
    from kobza.client import Event

EXAMPLES = """\b
Examples:
  kobza events
  kobza events --follow
  kobza events --follow --number 0671234567 --state finished
  kobza events --after 1715 --json | jq .phone_number
"""


class State(StrEnum):
    """Which states."""

    ALERTING = "alerting"
    ESTABLISHED = "established"
    HELD = "held"
    RESUMED = "resumed"
    FINISHED = "finished"
    RECORD_READY = "record_ready"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("events", epilog=EXAMPLES)(events)


def events(
    url: UrlOption,
    token: TokenOption,
    integrator: IntegratorOption,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens, also after the server was away.")
    ] = False,
    after: Annotated[
        str | None,
        typer.Option(
            "--after",
            metavar="CURSOR",
            help="Begin behind this state. Default: the oldest kept; with --follow what comes.",
        ),
    ] = None,
    number: Annotated[
        list[str] | None, typer.Option("--number", metavar="NUMBER", help="Only of this number of yours; repeatable.")
    ] = None,
    state: Annotated[
        list[State] | None, typer.Option("--state", metavar="STATE", help="Only these states; repeatable.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", metavar="N", min=1, help="Stop after so many.")] = None,
    colours: Annotated[
        bool | None, typer.Option("--color/--no-color", help="Default: on a terminal.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each state.")] = False,
) -> None:
    """Show call states in the order in which they were stored: those of 7 days, or as they come."""
    owners = {_national(each) for each in number or ()}
    colourful = wants_colours(colours)
    if follow:
        with connected(url, token, integrator) as kobza:  # a wrong address or token is said at once
            newest = kobza.newest_cursor()
        after = newest if after is None else after
    with connected(url, token, integrator, patient=follow) as kobza:
        found: Iterable[Event] = kobza.events(after, follow=follow)
        shown = 0
        for event in found:
            if owners and _national(event.state.state_owner) not in owners:
                continue
            if state and event.state.state_type not in state:
                continue
            print_event(event, as_json=as_json, colours=colourful)
            shown += 1
            if shown == count:
                return


def _national(text: str) -> str:
    """Return a number as call states have it. Raises typer.BadParameter."""
    from kobza.call.errors import NumberError
    from kobza.call.numbers import national, normalize

    try:
        return national(normalize(text))
    except NumberError as error:
        raise typer.BadParameter(error.detail, param_hint="--number") from None
