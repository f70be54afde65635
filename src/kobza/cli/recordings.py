"""`kobza recordings …`: the recordings of this installation, their files and who heard them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kobza.cli import recording_keys, recording_moves
from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, JsonOption, load_settings, opened_store
from kobza.cli.output import emit, emit_rows, print_error

if TYPE_CHECKING:
    from kobza.archive.archive import Archive
    from kobza.store.hearings import Hearing
    from kobza.store.recordings import Recording
    from kobza.store.store import Store

app = typer.Typer(
    name="recordings", no_args_is_help=True, rich_markup_mode=None, help="Recordings: their files, who heard them."
)

SHOW_EXAMPLES = """\b
Examples:
  kobza recordings show 0192f3c4a5b67d8e9f0a1b2c3d4e5f61
  kobza recordings show 0192f3c4a5b67d8e9f0a1b2c3d4e5f61 --json
"""
VERIFY_EXAMPLES = """\b
Examples:
  kobza recordings verify
  kobza recordings verify --enterprise ID --days 30
  kobza recordings verify --record 0192f3c4a5b67d8e9f0a1b2c3d4e5f61 --json
"""
DAY_MS: Final = 24 * 3_600_000
PAGE: Final = 500
HEARINGS: Final = 1000
"""Entries of the access log that are shown, the last first."""
NOT_WHOLE: Final = 1
UNREAD: Final = "unread"


recording_keys.register(app)
recording_moves.register(app)


@app.callback()
def recordings() -> None:
    """Recordings: their files, who heard them."""


@app.command(epilog=SHOW_EXAMPLES)
def show(
    ctx: typer.Context,
    record_id: Annotated[str, typer.Argument(metavar="RECORD_ID", help="As `kobza history` shows it.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a recording with its SHA-256, and who got it: when, from where, how much."""
    from kobza.store import hearings
    from kobza.store import recordings as rows
    from kobza.store.errors import NotInStore

    with opened_store(ctx, data) as store, store.read() as conn:
        found = rows.find_any(conn, record_id)
        heard = [
            _heard(each)
            for row in found
            for each in hearings.of_records(conn, row.enterprise_id, [record_id], HEARINGS)
        ]
    if not found:
        raise NotInStore(f"there is no recording {record_id}: see kobza history")
    for row in found:
        if not as_json:
            emit(_shown(row), as_json=False, title="Recording")
    emit_rows(
        "heard",
        heard,
        as_json=as_json,
        title="Who got it",
        none="nobody has heard or fetched it.",
        recordings=[_shown(row) for row in found],
    )


@app.command(epilog=VERIFY_EXAMPLES)
def verify(
    ctx: typer.Context,
    enterprise: Annotated[
        str | None, typer.Option("--enterprise", metavar="ID", help="Of this enterprise; else of all.")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", metavar="N", min=1, help="Made in the last N days; else all.")
    ] = None,
    record: Annotated[str | None, typer.Option("--record", metavar="RECORD_ID", help="This one alone.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> int:
    """Read every recording and compare it with the SHA-256 that was stored when it was made."""
    from kobza.app.archiving import archive_of
    from kobza.archive.archive import Verdict
    from kobza.archive.keys import KeysWrong
    from kobza.store import recordings as rows

    try:
        archive = archive_of(load_settings(ctx, data=data).settings)
    except KeysWrong as error:
        raise typer.BadParameter(str(error), param_hint="recordings_keys") from None
    since_ms = 0 if days is None else now_ms() - days * DAY_MS
    counts = dict.fromkeys((*map(str, Verdict), UNREAD), 0)
    wrong: list[dict[str, Any]] = []
    last = None
    with opened_store(ctx, data) as store:
        for row in _ready(store, enterprise, since_ms, record):
            if row.path is None or row.path == last:  # two enterprises share a file; they come one after the other
                continue
            last = row.path
            verdict, why = _verdict(archive, row)
            if verdict == UNREAD:  # perhaps it was encrypted since its row was read
                with store.read() as conn:
                    now = rows.find(conn, row.enterprise_id, row.record_id)
                if now is None or now.status != rows.READY:
                    continue
                verdict, why = _verdict(archive, now)
            counts[verdict] += 1
            if verdict != Verdict.WHOLE:
                wrong.append(_wrong(row, verdict, why))
    if as_json:
        emit({**counts, "wrong": wrong}, as_json=True, title="")
    else:
        emit(counts, as_json=False, title="Recordings")
        if wrong:
            emit_rows("wrong", wrong, as_json=False, title="Not whole", none="")
    if wrong:
        print_error(f"{len(wrong)} of {sum(counts.values())} recordings are not what was recorded, or cannot be read")
        return NOT_WHOLE
    return 0


def _verdict(archive: "Archive", row: "Recording") -> tuple[str, str]:
    """Return what a look at all bytes of a recording says, and why it cannot be had."""
    from kobza.archive.home import HomeError

    try:
        return str(archive.verify(row)), ""
    except HomeError as error:
        return UNREAD, str(error)


def _ready(store: "Store", enterprise: str | None, since_ms: int, record: str | None) -> "Iterator[Recording]":
    """Give the recordings that are ready, read in small steps: reading their files takes long."""
    from kobza.store import recordings as rows
    from kobza.store.errors import NotInStore

    if record is not None:
        with store.read() as conn:
            found = [each for each in rows.find_any(conn, record) if each.status == rows.READY]
        if not found:
            raise NotInStore(f"there is no recording {record} that is ready: see kobza recordings show {record}")
        yield from found
        return
    after = ("", "")
    while True:
        with store.read() as conn:
            page = rows.page_ready(conn, enterprise, since_ms, after, PAGE)
        if not page:
            return
        yield from page
        after = (page[-1].record_id, page[-1].enterprise_id)


def _wrong(row: "Recording", verdict: str, why: str) -> dict[str, Any]:
    return {
        "record_id": row.record_id,
        "enterprise_id": row.enterprise_id,
        "call_id": row.call_id,
        "found": verdict,
        "file": row.path,
        "why": why,
    }


def _shown(row: "Recording") -> dict[str, Any]:
    from kobza.call.durations import rfc3339
    from kobza.store.recordings import said_side

    return {
        "record_id": row.record_id,
        "enterprise_id": row.enterprise_id,
        "call_id": row.call_id,
        "status": row.status,
        "file": row.path,
        "home": row.home or "local",
        "no_room": row.noted.no_room,
        "announced": [f"{said_side(side)}={at / 1000:.3f}" for side, at in row.noted.announced],
        "unannounced": [said_side(side) for side in row.noted.unannounced],
        "key": None if row.sealed is None else row.sealed.partition(".")[0],
        "seconds": None if row.duration_ms is None else row.duration_ms / 1000,
        "bytes": row.size,
        "sha256": row.sha256,
        "changed_at": rfc3339(row.changed_at),
    }


def _heard(hearing: "Hearing") -> dict[str, Any]:
    from kobza.call.durations import rfc3339

    entry = hearing.entry
    return {
        "at": rfc3339(entry.at),
        "who": entry.who,
        "via": entry.via,
        "address": entry.address,
        "action": entry.action.removeprefix("recording."),
        "requests": hearing.requests,
        "sent_bytes": hearing.sent,
        "of_bytes": hearing.size,
        "until": None if hearing.last_at is None else rfc3339(hearing.last_at),
    }
