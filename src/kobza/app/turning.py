"""Encrypting recordings that were made before there were keys, and the reverse, beside a server that goes on.

The other form of a file is made in a folder of its own and compared with what was recorded. Before a file is replaced
by its encrypted form the store has its data key; the file gets its name in the transaction that says so. Which of the
two forms a file has is told by its size, so it is read at any moment, whoever was killed.
"""

from collections.abc import Callable

from kobza.app.moved import Came, Moved, Wrong, move_all, remove_object
from kobza.archive.archive import Archive
from kobza.archive.moving import Workshop
from kobza.store import Store, recording_keys
from kobza.store.recording_homes import BACK, BUCKET, WAITING
from kobza.store.recordings import Recording


def turn_all(
    archive: Archive,
    store: Store,
    *,
    sealed: bool,
    enterprise_id: str | None,
    since_ms: int,
    keep_free: int,
    now_ms: Callable[[], int],
    progress: Callable[[Recording], None],
) -> Moved:
    """Encrypt all that was made since a moment, of an enterprise or of all; without `sealed` decrypt it.

    What is in the bucket is fetched, and waits for its upload again; without uploads it is left there. `keep_free` are
    bytes of the disk. Raises NoRoom when it has no more space: what was done until then is whole.
    """
    workshop = Workshop(archive, keep_free)

    def page(after: str, limit: int) -> list[Recording]:
        with store.read() as conn:
            return recording_keys.page_to_seal(conn, enterprise_id, since_ms, after, limit, sealed=not sealed)

    def turn(recording: Recording) -> Came | None:
        if recording.home == BUCKET and not archive.uploads:
            return Came(wrong=Wrong(recording, "in the bucket", "bring it back first: kobza recordings fetch"))
        is_sealed = recording.sealed is not None
        if is_sealed == sealed and not (sealed and recording.sealing):
            return Came()  # somebody else did it meanwhile
        with_key = recording
        if not is_sealed:
            with_key = recording._replace(sealed=archive.new_key(recording.record_id))
        home = recording.home
        if home is not None:  # a bucket may have the form of before
            home = WAITING if archive.uploads else BACK
        found = archive.find(with_key)
        if (found.key is not None) == sealed:  # a run that was killed got as far as that
            home = home if found.home is archive.folder else recording.home
            with store.write() as conn:
                if not recording_keys.turn(conn, recording, home, now_ms(), sealed=sealed):
                    return None
        else:
            with workshop.turned(with_key, sealed=sealed) as copy:
                if not is_sealed:
                    with store.write() as conn:
                        if not recording_keys.begin_to_seal(conn, recording, with_key.sealed or ""):
                            return None
                with store.write() as conn:
                    if not recording_keys.turn(conn, recording, home, now_ms(), sealed=sealed):
                        return None
                    archive.folder.take(copy, recording.path or "")
        if home == BACK:
            remove_object(archive, store, recording)
        return Came(copied=True, removed=home == BACK)

    return move_all(store, archive.folder.directory, page, turn, progress)
