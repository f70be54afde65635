"""Bringing recordings back from a bucket into the folder of this machine, beside a server that goes on.

Each comes on its own, and may be cut off anywhere: first its file is here and compared with what was recorded, then the
store says so, in the transaction in which the file gets its name, and only then its object is removed. Until that is
done its row says `back`, and the next run goes on with it.
"""

from collections.abc import Callable

from kobza.app.moved import Came, Moved, move_all, remove_object
from kobza.archive.archive import Archive
from kobza.archive.moving import Workshop
from kobza.store import Store, recording_homes
from kobza.store.recordings import Recording


def bring_all(
    archive: Archive,
    store: Store,
    *,
    enterprise_id: str | None,
    since_ms: int,
    keep_free: int,
    keep_objects: bool,
    now_ms: Callable[[], int],
    progress: Callable[[Recording], None],
) -> Moved:
    """Bring all back that was made since a moment, of an enterprise or of all.

    `keep_free` are bytes of the disk; with `keep_objects` the bucket keeps its objects. Raises NoRoom when the disk has
    no more space: what came until then is whole.
    """
    workshop = Workshop(archive, keep_free)

    def page(after: str, limit: int) -> list[Recording]:
        with store.read() as conn:
            return recording_homes.away(conn, enterprise_id, since_ms, after, limit)

    def settle(recording: Recording) -> bool | None:
        """Have the file here for good; return whether it was copied, None when its row has changed meanwhile."""
        if workshop.is_whole_here(recording):
            with store.write() as conn:
                return False if recording_homes.bring_back(conn, recording, now_ms()) else None
        with workshop.brought(recording) as copy, store.write() as conn:
            if not recording_homes.bring_back(conn, recording, now_ms()):
                return None
            archive.folder.take(copy, recording.path or "")
        return True

    def bring(recording: Recording) -> Came | None:
        if recording.home is None:
            return Came()
        copied = settle(recording)
        if copied is None:
            return None
        if not keep_objects:
            remove_object(archive, store, recording)
        return Came(copied, removed=not keep_objects)

    return move_all(store, archive.folder.directory, page, bring, progress)
