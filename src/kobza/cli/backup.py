"""`kobza backup` and `kobza restore`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kobza.cli.options import ConfigOption, DataOption, JsonOption, load_settings
from kobza.cli.output import emit, print_error

if TYPE_CHECKING:
    from kobza.app.backups.manifest import Manifest

BACKUP_EXAMPLES = """\b
Examples:
  kobza backup /srv/backups/2026-11-26
  kobza backup /srv/backups/2026-11-26 --without-recordings --json
"""
RESTORE_EXAMPLES = """\b
Examples:
  kobza restore /srv/backups/2026-11-26 --verify
  kobza restore /srv/backups/2026-11-26 --data /var/lib/kobza
  kobza restore /srv/backups/2026-11-26 --data /tmp/trial --webhooks-off
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup", epilog=BACKUP_EXAMPLES)(backup)
    app.command("restore", epilog=RESTORE_EXAMPLES)(restore)


def backup(
    ctx: typer.Context,
    dest: Annotated[Path, typer.Argument(metavar="DEST", help="A directory that does not exist or is empty.")],
    without_recordings: Annotated[
        bool, typer.Option("--without-recordings", help="Leave the mp3 files out, for those who copy them otherwise.")
    ] = False,
    data: DataOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the store, the recordings and the settings into a directory, while calls run."""
    from kobza.app.backups.making import back_up
    from kobza.config.settings import store_place
    from kobza.store.store import Store

    loaded = load_settings(ctx, data=data, config=config_file)
    store = Store.open(store_place(loaded.settings))
    try:
        manifest = back_up(
            store,
            loaded.settings.data,
            dest,
            config=loaded.file,
            now=time.time,
            with_recordings=not without_recordings,
        )
    finally:
        store.close()
    if manifest.missing:
        print_error(
            f"{len(manifest.missing)} recordings that the store knows have no file, such as {manifest.missing[0]}"
        )
    emit(_shown(dest, manifest, as_json=as_json), as_json=as_json, title="Backup made")


def restore(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A directory that `kobza backup` has made.")],
    verify: Annotated[bool, typer.Option("--verify", help="Only compare each file with its SHA-256.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a store and recordings that are there.")
    ] = False,
    webhooks_off: Annotated[
        bool, typer.Option("--webhooks-off", help="Switch every webhook off: to try a backup beside the real server.")
    ] = False,
    data: DataOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the data directory and the store what they were when a backup was made."""
    from kobza.app.backups import restoring
    from kobza.config.settings import store_place

    if verify:
        emit(_shown(source, restoring.verify(source), as_json=as_json), as_json=as_json, title="The backup is whole")
        return
    settings = load_settings(ctx, data=data, config=config_file).settings
    place = store_place(settings)
    restored = restoring.restore(
        source, settings.data, place, overwrite=overwrite, webhooks_off=webhooks_off, now=time.time
    )
    for note in restored.notes:
        print_error(f"note: {note}")
    document = {
        "data": str(settings.data),
        "store": str(place),
        **_shown(source, restored.manifest, as_json=as_json),
        "replaced": None if restored.aside is None else str(restored.aside),
        "notes": restored.notes,
    }
    if not as_json:
        del document["notes"]
    emit(document, as_json=as_json, title="Restored")


def _shown(folder: Path, manifest: "Manifest", *, as_json: bool) -> dict[str, Any]:
    rows = manifest.store.rows
    return {
        "backup": str(folder),
        "made_at": manifest.made_at,
        "kobza": manifest.kobza,
        "database": f"{manifest.store.database} {manifest.store.version}",
        "revision": manifest.store.revision,
        "calls": rows["calls"],
        "calls_on": manifest.store.calls_on,
        "recordings": rows["recordings"],
        "events": rows["events"],
        "files": manifest.files,
        "bytes": manifest.size,
        "in_bucket": manifest.in_bucket,
        "missing": manifest.missing if as_json else len(manifest.missing),
    }
