"""`kobza trace`: the SIP messages of a call as a ladder."""

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kobza.call.errors import Fault, KobzaError
from kobza.cli.options import DataOption, opened_store
from kobza.cli.remote import wall_text

if TYPE_CHECKING:
    from kobza.capture.drawing import Drawing, Peer
    from kobza.store.calls import HistoryRow

EXAMPLES = """\b
Examples:
  kobza trace 019ac2f3b1d07a4c8e21f5d0937b6e4c
  kobza trace 019ac2f3b1d0
  kobza trace 019ac2f3b1d0 --json | jq '.messages[].what'
  kobza trace 019ac2f3b1d0 --svg call.svg
"""
LEAST_WIDTH: Final = 80
MOST_WIDTH: Final = 120
CANDIDATES: Final = 5
"""Calls named when the beginning of an id fits several."""


class TraceFailure(KobzaError):
    """The ladder of a call cannot be shown."""

    code = "no_trace"
    http_status = 404
    sip_status = 404
    fault = Fault.CALLER


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("trace", epilog=EXAMPLES)(trace)


def trace(
    ctx: typer.Context,
    call_id: Annotated[
        str, typer.Argument(metavar="CALL_ID", help="As the history shows it; its beginning if no other call has it.")
    ],
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Write the drawing into this file instead.")
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(
            "--width", metavar="N", min=LEAST_WIDTH, max=400, help="Columns of the text. Default: as fit, 80 to 120."
        ),
    ] = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")] = False,
) -> None:
    """Draw who said what in a call: each SIP message between Kobza and a phone or trunk, with its moment."""
    from kobza.capture.drawing import drawn
    from kobza.store import messages

    if svg is not None and as_json:
        raise typer.BadParameter("cannot be used together with --json", param_hint="--svg")
    with opened_store(ctx, data) as store, store.read() as conn:
        records = _records(conn, call_id.strip())
        said = messages.find_of_anybody(conn, records[0].call_id)
    if said is None:
        raise TraceFailure(_why_not(records[0]))
    drawing = drawn(said, lambda peer: _name(peer, records[0]))
    if as_json:
        sys.stdout.write(json.dumps(_document(records, drawing), ensure_ascii=False) + "\n")
    elif svg is not None:
        _write_svg(svg, drawing, records[0])
    else:
        _print(drawing, records, width or min(max(shutil.get_terminal_size().columns, LEAST_WIDTH), MOST_WIDTH))


def _records(conn: Any, beginning: str) -> "list[HistoryRow]":
    """Return the records of the one call that is meant: one for each enterprise. Raises TraceFailure."""
    from kobza.store import calls

    found = calls.of_anybody(conn, beginning, limit=4 * CANDIDATES) if beginning else []
    exact = [each for each in found if each.call_id == beginning] or found
    ids = list(dict.fromkeys(each.call_id for each in exact))
    if not ids:
        raise TraceFailure(
            f"there is no call {beginning!r}: `kobza history` and the portal show the ids of calls; what is older than "
            "the enterprise keeps its calls is gone"
        )
    if len(ids) > 1:
        shown = "\n".join(
            f"  {each.call_id}  {_moment(each.started_at)}  {each.calling_number} to {each.called_number}"
            for each in {each.call_id: each for each in exact}.values()
        )
        raise TraceFailure(f"several calls begin with {beginning!r}; give more of the id, such as one of\n{shown}")
    return exact


def _why_not(call: "HistoryRow") -> str:
    if not call.ended_at:
        return f"call {call.call_id} is on: its messages are stored some seconds after its end"
    return (
        f"the messages of call {call.call_id} of {_moment(call.started_at)} are not kept: they are stored some seconds "
        "after the end of a call, and not when the server dies before that; releases without ladders kept none"
    )


def _name(peer: "Peer", call: "HistoryRow") -> str:
    """Name who is at the other end of a dialog; by the number where that is certain."""
    from kobza.call.numbers import national

    if peer.trunk:
        return f"Trunk {peer.trunk}"
    if peer.is_caller:
        return f"Caller {national(call.calling_number)}"
    return f"Phone {national(call.called_number)}" if peer.alone else f"Phone {peer.number}"


def _document(records: "list[HistoryRow]", drawing: "Drawing") -> dict[str, Any]:
    from kobza.call.durations import rfc3339

    call = records[0]
    return {
        "call_id": call.call_id,
        "calling_number": call.calling_number,
        "called_number": call.called_number,
        "started_at": rfc3339(call.started_at),
        "ended_at": rfc3339(call.ended_at) if call.ended_at else None,
        "cause": call.cause,
        "sip_status": call.sip_status,
        "enterprises": [each.enterprise_id for each in records],
        "lanes": drawing.columns,
        "messages": [
            {
                "at": rfc3339(each.at_ms),
                "after_ms": each.after_ms,
                "from": each.from_column,
                "to": each.to_column,
                "what": each.what,
                "sdp": each.about or None,
            }
            for each in drawing.arrows
        ],
    }


def _print(drawing: "Drawing", records: "list[HistoryRow]", width: int) -> None:
    from kobza.capture.ladder_text import ASCII, UNICODE, lines

    try:
        "".join(UNICODE).encode(sys.stdout.encoding or "ascii")
        signs = UNICODE
    except (UnicodeEncodeError, LookupError):
        signs = ASCII
    text = [*_heading(records), "", *lines(drawing, width, signs), ""]
    sys.stdout.write("\n".join(text))


def _heading(records: "list[HistoryRow]") -> list[str]:
    from kobza.call.causes import cause_text
    from kobza.call.durations import ringing_seconds, talk_seconds

    call = records[0]
    out = [f"Call {call.call_id}", f"{call.calling_number} to {call.called_number}, began {_moment(call.started_at)}"]
    if call.ended_at:
        rang = ringing_seconds(call.ringing_at, call.answered_at, call.ended_at)
        talked = f"talked {talk_seconds(call.answered_at, call.ended_at)} s" if call.answered_at else "not answered"
        status = "" if call.sip_status is None else f", SIP {call.sip_status}"
        out.append(
            f"Rang {rang} s, {talked}, ended by {call.released_by}: {call.cause} {cause_text(call.cause)}{status}"
        )
    return out


def _write_svg(file: Path, drawing: "Drawing", call: "HistoryRow") -> None:
    from kobza.capture.ladder_svg import file as written
    from kobza.capture.ladder_text import seconds

    label = f"SIP messages of call {call.call_id}, {_moment(call.started_at)}"
    file.write_text(written(drawing, label, lambda arrow: seconds(arrow.after_ms)), "utf-8")
    sys.stdout.write(f"{file}: {len(drawing.arrows)} messages\n")


def _moment(at_ms: int) -> str:
    from datetime import UTC, datetime

    return wall_text(datetime.fromtimestamp(at_ms / 1000, UTC))
