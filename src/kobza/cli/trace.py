"""`kobza trace`: the SIP messages of a call as a ladder."""

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kobza.call.errors import Fault, KobzaError
from kobza.cli.options import DataOption, load_settings, opened_store
from kobza.cli.remote import wall_text

if TYPE_CHECKING:
    from kobza.capture.drawing import Drawing, Peer
    from kobza.capture.message import Seen
    from kobza.store.calls import HistoryRow

EXAMPLES = """\b
Examples:
  kobza trace 019ac2f3b1d07a4c8e21f5d0937b6e4c
  kobza trace 019ac2f3b1d0
  kobza trace 019ac2f3b1d0 --json | jq '.messages[].what'
  kobza trace 019ac2f3b1d0 --svg call.svg
  kobza trace 019ac2f3b1d0 --messages
  kobza trace 019ac2f3b1d0 --pcap call.pcapng
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
    messages: Annotated[
        bool, typer.Option("--messages", help="Whole messages too, as far as the running server has them in memory.")
    ] = False,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Write the drawing into this file instead.")
    ] = None,
    pcap: Annotated[
        Path | None,
        typer.Option("--pcap", metavar="FILE", help="Write whole messages into this file for Wireshark instead."),
    ] = None,
    with_secrets: Annotated[
        bool,
        typer.Option("--with-secrets", help="Digest answers, keys and DTMF digits as they are, not written over."),
    ] = False,
    width: Annotated[
        int | None,
        typer.Option("--width", metavar="N", min=LEAST_WIDTH, max=400, help="Columns of text; default: 80 to 120."),
    ] = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")] = False,
) -> None:
    """Draw who said what in a call: each SIP message between Kobza and a phone or trunk, with its moment."""
    from kobza.capture.drawing import drawn
    from kobza.capture.reading import said_in
    from kobza.cli.whole_messages import in_order
    from kobza.store import messages as stored_messages

    if [as_json, svg is not None, pcap is not None].count(True) > 1:
        raise typer.BadParameter("give one of --svg, --pcap and --json", param_hint="--svg")
    directory = load_settings(ctx, data=data).settings.data
    with opened_store(ctx, data) as store, store.read() as conn:
        records = _records(conn, call_id.strip())
        said = stored_messages.find_of_anybody(conn, records[0].call_id)
    whole = _whole(directory, records[0].call_id, needed=messages or pcap is not None, secrets=with_secrets)
    if pcap is not None:
        _write_pcap(pcap, in_order(whole))
        return
    newer = stored_messages.ladder([(lane, [said_in(each) for each in seen]) for lane, seen in whole])
    if newer is not None and (messages or said is None or len(newer.messages) >= len(said.messages)):
        said = newer
    if said is None:
        raise TraceFailure(_why_not(records[0]))
    drawing = drawn(said, lambda peer: _name(peer, records[0]))
    texts = in_order(whole) if messages else []
    if as_json:
        sys.stdout.write(json.dumps(_document(records, drawing, texts), ensure_ascii=False) + "\n")
    elif svg is not None:
        _write_svg(svg, drawing, records[0])
    else:
        columns = width or min(max(shutil.get_terminal_size().columns, LEAST_WIDTH), MOST_WIDTH)
        _print(drawing, records, columns, texts)


def _whole(directory: Path, call_id: str, *, needed: bool, secrets: bool) -> "list[tuple[str, list[Seen]]]":
    """Ask the running server for whole messages. Without them a ladder can do, unless they are `needed`."""
    from kobza.app.control.client import NoServer
    from kobza.cli.whole_messages import ask_for

    try:
        found = ask_for(directory, call_id, secrets=secrets)
    except NoServer as error:
        if needed:
            raise TraceFailure(f"whole messages are in the memory of the running server alone, and {error}") from None
        return []
    if needed and not found:
        raise TraceFailure(
            f"the server has no whole messages of call {call_id} any more: it keeps the last of all calls in so many "
            "mebibytes as sip_kept_mb says, and none from before its start; without --messages and --pcap there may be "
            "a ladder"
        )
    return found


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
        return (
            f"call {call.call_id} is on: its messages are stored some seconds after its end; before, the running "
            "server tells them, if it works with this data directory and sip_kept_mb is not 0"
        )
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


def _document(records: "list[HistoryRow]", drawing: "Drawing", texts: "list[Seen]") -> dict[str, Any]:
    from kobza.call.durations import rfc3339
    from kobza.cli.whole_messages import document_of

    more = [document_of(each) for each in texts] or [{}] * len(drawing.arrows)

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
                **whole,
            }
            for each, whole in zip(drawing.arrows, more, strict=True)
        ],
    }


def _print(drawing: "Drawing", records: "list[HistoryRow]", width: int, texts: "list[Seen]") -> None:
    from kobza.capture.ladder_text import ASCII, UNICODE, lines
    from kobza.cli.whole_messages import text_of

    try:
        "".join(UNICODE).encode(sys.stdout.encoding or "ascii")
        signs = UNICODE
    except (UnicodeEncodeError, LookupError):
        signs = ASCII
    text = [*_heading(records), "", *lines(drawing, width, signs), *(text_of(drawing, texts) if texts else []), ""]
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


def _write_pcap(file: Path, seen: "list[Seen]") -> None:
    """Write a file for its owner alone: it tells of people."""
    from kobza.capture.pcapng import PcapngWriter

    writer = PcapngWriter("Kobza")
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(writer.begin() + b"".join(writer.message(each) for each in seen))
    sys.stdout.write(f"{file}: {len(seen)} messages\n")


def _moment(at_ms: int) -> str:
    from datetime import UTC, datetime

    return wall_text(datetime.fromtimestamp(at_ms / 1000, UTC))
