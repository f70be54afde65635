"""`kobza recordings newkey`, `keys` and `rekey`: the keys by which recordings are encrypted."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kobza.cli.clock import now_ms
from kobza.cli.options import DataOption, JsonOption, load_settings, opened_store
from kobza.cli.output import emit, emit_rows, print_error

if TYPE_CHECKING:
    from kobza.archive.keys import Keys

NEW_EXAMPLES = """\b
Examples:
  kobza recordings newkey
  kobza recordings newkey --id 2027 --json
"""
KEYS_EXAMPLES = """\b
Examples:
  kobza recordings keys
  kobza recordings keys --json
"""
REKEY_EXAMPLES = """\b
Examples:
  kobza recordings rekey
  kobza recordings rekey --json
"""
BATCH = 200
LOST = 1


def register(app: typer.Typer) -> None:
    """Add the commands to those of recordings."""
    app.command("newkey", epilog=NEW_EXAMPLES)(new_key)
    app.command("keys", epilog=KEYS_EXAMPLES)(keys)
    app.command("rekey", epilog=REKEY_EXAMPLES)(rekey)


def new_key(
    ctx: typer.Context,
    key_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="What it is called; without it the day and the time.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a new key to the end of the key file, which is made if need be. The next start encrypts by it."""
    from kobza.archive.keys import add_key

    path = _path(ctx, data)
    name = key_id or f"{datetime.fromtimestamp(now_ms() / 1000, UTC):%Y-%m-%d-%H%M%S}"
    with _told():
        add_key(path, name)
    emit({"key": name, "file": str(path)}, as_json=as_json, title="Key made: restart the server to use it")


def keys(ctx: typer.Context, data: DataOption = None, as_json: JsonOption = False) -> int:
    """List the keys of the key file, and how many recordings need each. One that none needs may be taken out."""
    from kobza.store import recording_keys

    known = _keys(ctx, data)
    with opened_store(ctx, data) as store, store.read() as conn:
        needed = recording_keys.forms(conn, known.ids).needed
    rows = [{"key": key, "recordings": needed[key], "newest": key == known.newest} for key in known.ids]
    emit_rows("keys", rows, as_json=as_json, title="Keys of recordings", none="none.", without_key=needed[""])
    return _lost(needed[""])


def rekey(ctx: typer.Context, data: DataOption = None, as_json: JsonOption = False) -> int:
    """Encrypt the data keys of all recordings by the newest key; their files stay as they are."""
    from kobza.archive.keys import KeyLost
    from kobza.store import recording_keys

    known = _keys(ctx, data)
    done, lost, after = 0, 0, ""
    with opened_store(ctx, data) as store:
        while True:
            with store.write() as conn:
                page = recording_keys.page(conn, known.newest, after, BATCH)
                for each in page:
                    try:
                        key = known.unwrap(each.sealed, each.record_id)
                    except KeyLost as error:
                        lost += 1
                        print_error(str(error))
                    else:
                        done += recording_keys.replace(conn, each, known.wrap(key, each.record_id))
            if not page:
                break
            after = page[-1].record_id
    emit({"key": known.newest, "rekeyed": done, "without_key": lost}, as_json=as_json, title="Rekeyed")
    return _lost(lost)


def _lost(count: int) -> int:
    if not count:
        return 0
    print_error(f"{count} recordings need keys that are not in the key file: they cannot be read; bring the keys back")
    return LOST


def _path(ctx: typer.Context, data: Path | None) -> Path:
    path = load_settings(ctx, data=data).settings.recordings_keys
    if path is None:
        raise typer.BadParameter("set recordings_keys (KOBZA_RECORDINGS_KEYS) to the path of the key file first")
    return path


def _keys(ctx: typer.Context, data: Path | None) -> "Keys":
    from kobza.archive.keys import Keys

    path = _path(ctx, data)
    with _told():
        return Keys.load(path)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what is wrong with a key file into an error of the command line."""
    from kobza.archive.keys import KeysWrong

    try:
        yield
    except KeysWrong as error:
        raise typer.BadParameter(str(error)) from None
