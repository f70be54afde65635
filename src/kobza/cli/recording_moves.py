"""`kobza recordings fetch`, `seal` and `unseal`: what moves and turns recordings, beside a server that goes on."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, JsonOption, load_settings, opened_store
from kobza.cli.output import emit, emit_rows, print_error

if TYPE_CHECKING:
    from kobza.app.moved import Wrong
    from kobza.archive.archive import Archive
    from kobza.config.settings import Settings
    from kobza.store.recordings import Recording

FETCH_EXAMPLES = """\b
Examples:
  kobza recordings fetch
  kobza recordings fetch --enterprise ID --since 2026-01-01
  kobza recordings fetch --since 90d --keep-objects --json
"""
SEAL_EXAMPLES = """\b
Examples:
  kobza recordings seal
  kobza recordings seal --enterprise ID --since 2026-01-01 --json
"""
UNSEAL_EXAMPLES = """\b
Examples:
  kobza recordings unseal
  kobza recordings unseal --enterprise ID --json
"""
INCOMPLETE: Final = 1

EnterpriseOrAllOption = Annotated[
    str | None, typer.Option("--enterprise", metavar="ID", help="Of this enterprise; else of all.")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="Made since a day (2026-01-31), a time, or so long ago (90d)."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to those of recordings."""
    app.command("fetch", epilog=FETCH_EXAMPLES)(fetch)
    app.command("seal", epilog=SEAL_EXAMPLES)(seal)
    app.command("unseal", epilog=UNSEAL_EXAMPLES)(unseal)


def fetch(
    ctx: typer.Context,
    enterprise: EnterpriseOrAllOption = None,
    since: SinceOption = None,
    keep_objects: Annotated[
        bool, typer.Option("--keep-objects", help="Leave the objects in the bucket; another run removes them.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> int:
    """Bring recordings back from the bucket into the folder of recordings, for good.

    Each is compared with its SHA-256 before its object is removed. The server may go on; the command may be ended at
    any time, and run again: it goes on where it was.
    """
    from kobza.app.homecoming import bring_all
    from kobza.store import recording_homes

    settings = load_settings(ctx, data=data).settings
    archive = _archive(settings)
    if archive.uploads:
        raise typer.BadParameter(
            'what comes back would be uploaded again: set recordings_store = "local" and restart the server first',
            param_hint="recordings_store",
        )
    if archive.bucket is None:
        raise typer.BadParameter("expected the bucket where the recordings are", param_hint="s3_bucket")
    since_ms = _since_ms(since)
    with opened_store(ctx, data) as store:
        with store.read() as conn:
            count, size = recording_homes.count_away(conn, enterprise, since_ms)
        with shown("Fetching", count, size) as progress:
            result = bring_all(
                archive,
                store,
                enterprise_id=enterprise,
                since_ms=since_ms,
                keep_free=settings.recordings_keep_free_mb * 1_000_000,
                keep_objects=keep_objects,
                now_ms=now_ms,
                progress=progress,
            )
    done = {
        "brought": result.copied,
        "bytes": result.copied_bytes,
        "were_here": result.there,
        "objects_removed": result.removed,
    }
    return _emit(done, result.wrong, as_json=as_json, title="Fetched")


def seal(
    ctx: typer.Context,
    enterprise: EnterpriseOrAllOption = None,
    since: SinceOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> int:
    """Encrypt recordings that were made before there were keys; in the bucket they are replaced by the server.

    Start the server with the keys first. It may go on; the command may be ended at any time, and run again.
    """
    return _turn(ctx, data, enterprise, since, sealed=True, as_json=as_json)


def unseal(
    ctx: typer.Context,
    enterprise: EnterpriseOrAllOption = None,
    since: SinceOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> int:
    """Decrypt recordings; in the bucket they are replaced by the server. It needs their keys.

    The server may go on; the command may be ended at any time, and run again.
    """
    return _turn(ctx, data, enterprise, since, sealed=False, as_json=as_json)


def _turn(
    ctx: typer.Context, data: Path | None, enterprise: str | None, since: str | None, *, sealed: bool, as_json: bool
) -> int:
    from kobza.app.turning import turn_all
    from kobza.store import recording_keys

    settings = load_settings(ctx, data=data).settings
    archive = _archive(settings)
    if archive.keys is None:
        raise typer.BadParameter("set recordings_keys (KOBZA_RECORDINGS_KEYS) to the path of the key file first")
    since_ms = _since_ms(since)
    with opened_store(ctx, data) as store:
        with store.read() as conn:
            count, size = recording_keys.count_to_seal(conn, enterprise, since_ms, sealed=not sealed)
        with shown("Encrypting" if sealed else "Decrypting", count, size) as progress:
            result = turn_all(
                archive,
                store,
                sealed=sealed,
                enterprise_id=enterprise,
                since_ms=since_ms,
                keep_free=settings.recordings_keep_free_mb * 1_000_000,
                now_ms=now_ms,
                progress=progress,
            )
    done = {"encrypted" if sealed else "decrypted": result.copied, "bytes": result.copied_bytes}
    return _emit(done, result.wrong, as_json=as_json, title="Encrypted" if sealed else "Decrypted")


def _archive(settings: "Settings") -> "Archive":
    from kobza.app.archiving import archive_of
    from kobza.archive.keys import KeysWrong

    try:
        return archive_of(settings)
    except KeysWrong as error:
        raise typer.BadParameter(str(error), param_hint="recordings_keys") from None


def _since_ms(since: str | None) -> int:
    from kobza.cli.moments import parse_since

    if since is None:
        return 0
    try:
        return parse_since(since, now_ms())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None


@contextmanager
def shown(what: str, count: int, size: int) -> "Iterator[Callable[[Recording], None]]":
    """Show how far a command is, on a terminal only: recordings and bytes of all, and how long it takes still."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description} {task.fields[done]:,} of {task.fields[count]:,}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    done = 0
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=size, done=0, count=count)

        def advance(recording: "Recording") -> None:
            nonlocal done
            done += 1
            bar.update(task, advance=recording.size or 0, done=done)

        yield advance


def _emit(done: dict[str, Any], wrong: "Sequence[Wrong]", *, as_json: bool, title: str) -> int:
    """Print what was done and what was not; return the exit code."""
    rows = [
        {"record_id": each.recording.record_id, "found": each.found, "file": each.recording.path, "why": each.why}
        for each in wrong
    ]
    if as_json:
        emit({**done, "left": rows}, as_json=True, title="")
    else:
        emit(done, as_json=False, title=title)
        if rows:
            emit_rows("left", rows, as_json=False, title="Left as they are", none="")
    if rows:
        print_error(f"{len(rows)} recordings are left as they are")
        return INCOMPLETE
    return 0
