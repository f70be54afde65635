"""`kobza compare`: what two servers tell of the same calls."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperCommand

from kobza.cli.options import JsonOption
from kobza.cli.output import print_error
from kobza.cli.remote import FromOption, ToOption, begin_of, connected, end_of

if TYPE_CHECKING:
    from kobza.client import Kobza
    from kobza.client.comparison import ComparedCall, Comparison

EXAMPLES = """\b
Examples:
  kobza compare --theirs https://operator.example --token T1 --ours https://pbx.example.com --token T2 --from 7d
  kobza compare --theirs URL --token T1 --integrator I1 --ours URL --token T2 --integrator I2 --from 2026-03-01 --json
  kobza compare --theirs URL --their-token T1 --ours URL --our-token T2 --from yesterday --to yesterday --slack 1
  kobza compare --only history --from 2025-01-01 --json
"""

TITLES: Final = {"statistics": "Basic call information", "history": "Call history"}
NOT_ASKED: Final = {
    "statistics": "not compared",
    "history": "not compared; it needs the integrator's id of both sides",
}
DIFFERENT: Final = 1
NOT_COMPARED: Final = 2
SIDES: Final = {"--theirs": "their", "--ours": "our"}
BELONGING: Final = ("--token", "--integrator")
"""Options that belong to the URL before them."""


class Section(StrEnum):
    """A part of the interface that is compared."""

    STATISTICS = "statistics"
    HISTORY = "history"


class SidedCommand(TyperCommand):
    """A command whose --token and --integrator belong to the --theirs or --ours before them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line."""
        return super().parse_args(ctx, sided(args))


def sided(arguments: Sequence[str]) -> list[str]:
    """Write --token after --theirs as --their-token, after --ours as --our-token. Raises typer.BadParameter."""
    side: str | None = None
    found: list[str] = []
    is_value = False
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if is_value:
            is_value = False
        elif argument == "--":
            return [*found, *arguments[position:]]
        elif name in BELONGING:
            if side is None:
                raise typer.BadParameter("belongs to the URL before it: give --theirs or --ours first", param_hint=name)
            argument = f"--{side}-{name.removeprefix('--')}{equals}{value}"
            is_value = not equals
        elif name in SIDES:
            side = SIDES[name]
            is_value = not equals
        found.append(argument)
    return found


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare", epilog=EXAMPLES, cls=SidedCommand)(compare)


def compare(
    theirs: Annotated[
        str, typer.Option("--theirs", metavar="URL", envvar="KOBZA_THEIR_URL", help="The server to compare with.")
    ],
    their_token: Annotated[
        str, typer.Option("--their-token", metavar="T", envvar="KOBZA_THEIR_TOKEN", help="Its FMC token.")
    ],
    ours: Annotated[str, typer.Option("--ours", metavar="URL", envvar="KOBZA_URL", help="The server that is checked.")],
    our_token: Annotated[str, typer.Option("--our-token", metavar="T", envvar="KOBZA_TOKEN", help="Its FMC token.")],
    their_integrator: Annotated[
        str | None,
        typer.Option(
            "--their-integrator", metavar="ID", envvar="KOBZA_THEIR_INTEGRATOR_ID", help="Compares call histories too."
        ),
    ] = None,
    our_integrator: Annotated[
        str | None,
        typer.Option(
            "--our-integrator", metavar="ID", envvar="KOBZA_INTEGRATOR_ID", help="Compares call histories too."
        ),
    ] = None,
    _token: Annotated[
        list[str] | None, typer.Option("--token", metavar="T", help="The token of the URL before it.")
    ] = None,
    _integrator: Annotated[
        list[str] | None, typer.Option("--integrator", metavar="ID", help="The integrator's id at the URL before it.")
    ] = None,
    from_: FromOption = "yesterday",
    to: ToOption = None,
    only: Annotated[
        Section | None,
        typer.Option("--only", metavar="PART", help="Compare only statistics, or history, which goes back farther."),
    ] = None,
    tolerance: Annotated[
        int,
        typer.Option(
            "--tolerance", metavar="S", min=0, max=600, help="Seconds by which start or end of one call may differ."
        ),
    ] = 10,
    slack: Annotated[
        int,
        typer.Option(
            "--slack", metavar="S", min=0, max=600, help="Seconds of difference that are not worth a mention."
        ),
    ] = 0,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="FIELD", help="A field that is not compared; may be given several times."),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Fetch the same interval from two servers, match the calls, and say what differs.

    Exit code 0: nothing differs. 1: something does. 2: it could not be compared.
    """
    if only is Section.HISTORY and their_integrator is None:
        raise typer.BadParameter("is needed to compare call histories", param_hint="--their-integrator")
    # Histories are compared only with both: KOBZA_INTEGRATOR_ID may be there for other commands.
    if their_integrator is not None and our_integrator is None and only is not Section.STATISTICS:
        raise typer.BadParameter("is needed as well to compare call histories", param_hint="--our-integrator")
    _check_fields(ignore or ())
    now = datetime.now(UTC)
    begin, end = begin_of(from_, now), end_of(to, now)
    possible = (Section.STATISTICS,) if their_integrator is None else tuple(Section)
    sections = [section for section in possible if only in (None, section)]
    results: dict[str, Comparison] = {}
    with (
        connected(theirs, their_token, their_integrator) as their_client,
        connected(ours, our_token, our_integrator) as our_client,
    ):
        from kobza.client.comparison import compare as compare_calls

        try:
            for section in sections:
                their_calls = _fetched(section, "theirs", their_client, begin, end, now)
                our_calls = _fetched(section, "ours", our_client, begin, end, now)
                results[section] = compare_calls(
                    their_calls, our_calls, tolerance=tolerance, slack=slack, ignored=frozenset(ignore or ())
                )
        except _NotFetched as failure:
            print_error(f"could not compare: {failure}")
            return NOT_COMPARED
    equal = all(result.equal for result in results.values())
    if as_json:
        _print_json(results, equal=equal)
    else:
        _print_words(results)
    return 0 if equal else DIFFERENT


class _NotFetched(Exception):
    """One side did not give its calls; the text says which and why."""


def _fetched(
    section: str, side: str, client: "Kobza", begin: datetime, end: datetime | None, now: datetime
) -> "list[ComparedCall]":
    """Fetch the calls of a side. One that ended after the comparison began may be known to one side only: left out."""
    from kobza.client import ClientError
    from kobza.client.comparison import history_call, statistics_call

    try:
        if section == "history":
            found = [history_call(call) for call in client.calls(begin, end)]
        else:
            rows = client.call_statistics(begin, end, names=True, departments=True, ownership=True, direction=True)
            found = [statistics_call(row) for row in rows]
    except ClientError as error:
        raise _NotFetched(f"{side}, {TITLES[section].lower()}: {error}") from error
    return [call for call in found if call.ended_at <= now.timestamp()]


def _check_fields(names: Sequence[str]) -> None:
    from kobza.client.comparison import HISTORY_FIELDS, STATISTICS_FIELDS

    known = dict.fromkeys((*STATISTICS_FIELDS, *HISTORY_FIELDS))
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(known)}", param_hint="--ignore")


def _print_json(results: "Mapping[str, Comparison]", *, equal: bool) -> None:
    from kobza.client.comparison import as_document

    document: dict[str, Any] = {"equal": equal, "statistics": None, "history": None}
    document |= {section: as_document(result) for section, result in results.items()}
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


def _print_words(results: "Mapping[str, Comparison]") -> None:
    from kobza.client.comparison import in_words

    for section, title in TITLES.items():
        result = results.get(section)
        told = [NOT_ASKED[section]] if result is None else in_words(result)
        lead = f"{title}: "
        for line in told:
            sys.stdout.write(f"{lead}{line}\n")
            lead = "  "
