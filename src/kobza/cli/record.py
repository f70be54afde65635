"""`kobza record …`: recordings of any server that speaks the contract."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kobza.cli.options import JsonOption
from kobza.cli.output import emit
from kobza.cli.remote import IntegratorOption, TokenOption, UrlOption, connected

if TYPE_CHECKING:
    from kobza.client.recording import Progress

app = typer.Typer(name="record", no_args_is_help=True, rich_markup_mode=None, help="Recordings, over HTTP.")

EXAMPLES = """\b
Examples:
  kobza record get RECORD_ID
  kobza record get RECORD_ID -o call.mp3
  kobza record get RECORD_ID -o recordings/ --wait 300 --json
"""


@app.callback()
def record() -> None:
    """Recordings, over HTTP. Where and who: --url, --token and --integrator, or KOBZA_URL and so on."""


@app.command(epilog=EXAMPLES)
def get(
    record_id: Annotated[str, typer.Argument(metavar="RECORD_ID", help="As `kobza history` shows it.")],
    url: UrlOption,
    token: TokenOption,
    integrator: IntegratorOption,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; a folder gets RECORD_ID.mp3 in it."),
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait", metavar="S", min=0, help="Seconds to wait for one that is still being made.")
    ] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Fetch a recording. After a cut it goes on where it was; at the end it is checked."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", record_id).lstrip(".")[:100] + ".mp3"
    file = Path() if output is None else output
    if file.is_dir():
        file /= name
    if not file.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {file.parent}", param_hint="--output")
    with connected(url, token, integrator) as kobza, _shown(file.name) as progress:
        done = kobza.download_recording(record_id, file, progress=progress, wait=wait)
    document = {
        "record_id": record_id,
        "file": done.path,
        "bytes": done.size,
        "sha256": done.sha256,
        "verified": done.verified,
    }
    emit(document, as_json=as_json, title="Recording")


@contextmanager
def _shown(name: str) -> "Iterator[Progress | None]":
    """Show how far it is, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.fields[name]}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, name=name)
        yield lambda there, total: bar.update(task, completed=there, total=total)
