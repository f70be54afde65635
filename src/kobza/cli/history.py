"""`kobza history`: the calls of any server that speaks the contract."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kobza.cli.output import print_table
from kobza.cli.remote import (
    FromOption,
    IntegratorOption,
    TokenOption,
    ToOption,
    UrlOption,
    begin_of,
    connected,
    end_of,
    talk_text,
    wall_text,
)

if TYPE_CHECKING:
    from kobza.client import CallQuality, HistoryCall

EXAMPLES = """\b
Examples:
  kobza history
  kobza history --from yesterday --number 0671234567
  kobza history --from 2026-03-01 --to 2026-03-31 --direction incoming --csv > march.csv
  kobza history --from 7d --json
  kobza history --from 7d --quality
"""

TABLE_ROWS: Final = 1000
"""Rows of the table without --limit; more is for programs."""
FIELDS: Final = (
    "call_id",
    "started_at",
    "answered_at",
    "ended_at",
    "calling_number",
    "called_number",
    "answered_number",
    "direction",
    "call_duration",
    "ringing",
    "cause",
    "cause_text",
    "sip_status",
    "released_by",
    "record_id",
    "client_state",
)
WAYS: Final = ("received", "sent")
SIDES: Final = ("caller", "called")
_FORMULA: Final = re.compile(r"\s*[=+\-@\t\r]")
_NUMBER: Final = re.compile(r"\+?[0-9]+")


class Direction(StrEnum):
    """Which calls."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"
    LOCAL = "local"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("history", epilog=EXAMPLES)(history)


def history(
    url: UrlOption,
    token: TokenOption,
    integrator: IntegratorOption,
    from_: FromOption = "today",
    to: ToOption = None,
    number: Annotated[
        str | None, typer.Option("--number", metavar="NUMBER", help="Only calls of this number of yours.")
    ] = None,
    direction: Annotated[
        Direction | None, typer.Option("--direction", metavar="D", help="Only incoming, outgoing or local calls.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many calls.")] = None,
    quality: Annotated[
        bool, typer.Option("--quality", help="Also how the sides heard each other: MOS, loss, jitter, round trip.")
    ] = False,
    language: Annotated[str, typer.Option("--language", metavar="L", help="Of the causes: en or uk.")] = "en",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV for spreadsheets.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")] = False,
) -> None:
    """List finished calls, oldest first, of any span. Times without an offset are wall time of Kyiv."""
    if as_csv and as_json:
        raise typer.BadParameter("cannot be used together with --json", param_hint="--csv")
    if language not in ("en", "uk"):
        raise typer.BadParameter("expected en or uk", param_hint="--language")
    now = datetime.now(UTC)
    begin, end = begin_of(from_, now), end_of(to, now)
    with connected(url, token, integrator, language=language) as kobza:
        calls: Iterator[HistoryCall] = kobza.calls(begin, end, number=number, direction=direction, quality=quality)
        if as_csv:
            _print_csv(islice(calls, limit), quality=quality)
        elif as_json:
            _print_json(islice(calls, limit), quality=quality)
        else:
            rows = list(islice(calls, (limit or TABLE_ROWS) + 1))
            _print_table(rows[: limit or TABLE_ROWS], more=len(rows) > (limit or TABLE_ROWS), quality=quality)


def _print_json(calls: Iterable["HistoryCall"], *, quality: bool) -> None:
    """Print one document, call by call: memory does not grow with the history."""
    separator = '{"calls": ['
    for call in calls:
        fields = _fields(call)
        if quality:
            fields["quality"] = None if call.quality is None else asdict(call.quality)
        sys.stdout.write(f"{separator}\n{json.dumps(fields, ensure_ascii=False)}")
        separator = ","
    sys.stdout.write("\n]}\n" if separator == "," else '{"calls": []}\n')


def _print_csv(calls: Iterable["HistoryCall"], *, quality: bool) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow((*FIELDS, *quality_columns()) if quality else FIELDS)
    for call in calls:
        cells = [_cell(value) for value in _fields(call).values()]
        writer.writerow([*cells, *quality_cells(call.quality)] if quality else cells)


def _print_table(calls: "list[HistoryCall]", *, more: bool, quality: bool) -> None:
    if not calls:
        sys.stdout.write("There were no calls.\n")
        return
    rows = [
        (
            wall_text(call.started_at),
            call.calling_number,
            call.called_number,
            call.direction,
            talk_text(call.call_duration) if call.answered else "-",
            call.cause_text or ("" if call.cause is None else str(call.cause)),
            *(_heard(call.quality) if quality else (call.record_id or "",)),
        )
        for call in calls
    ]
    shown = ("MOS at caller", "MOS at called", "not heard") if quality else ("recording",)
    print_table("Calls", ("began", "from", "to", "direction", "talked", "end", *shown), rows)
    if more:
        sys.stdout.write(f"There are more than these {len(rows)} calls: see --limit, --csv and --json.\n")


def _fields(call: "HistoryCall") -> dict[str, Any]:
    """Return the fields of a call; moments with their offset."""
    values = {name: getattr(call, name) for name in FIELDS}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def _heard(quality: "CallQuality | None") -> tuple[str, str, str]:
    """Return how well each side heard the other one, and who was not heard, for the table."""
    if quality is None:
        return "", "", ""
    at_caller, at_called = quality.caller.sent.mos, quality.called.sent.mos
    scores = ["-" if mos is None else f"{mos:.1f}" for mos in (at_caller, at_called)]
    return scores[0], scores[1], quality.not_heard or ""


def quality_columns() -> list[str]:
    """Return the names of the columns with which CSV tells how the sides heard each other."""
    columns = ["not_heard"]
    for side in SIDES:
        columns += [f"{side}_codec", f"{side}_round_trip_ms", f"{side}_silent_seconds"]
        columns += [f"{side}_{way}_{what}" for way in WAYS for what in ("packets", "lost", "jitter_ms", "mos")]
    return columns


def quality_cells(quality: "CallQuality | None") -> list[Any]:
    """Return the cells of these columns."""
    if quality is None:
        return [""] * len(quality_columns())
    cells: list[Any] = [quality.not_heard]
    for leg in (quality.caller, quality.called):
        cells += [leg.codec, leg.round_trip_ms, leg.silent_seconds]
        for way in (leg.received, leg.sent):
            cells += [way.packets, way.lost, way.jitter_ms, way.mos]
    return [_cell(cell) for cell in cells]


def _cell(value: Any) -> Any:
    """Return a CSV cell that no spreadsheet takes for a formula; a number with its plus is none."""
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return "'" + value
    return value
