"""Bringing recordings back from a bucket into the folder of this machine, beside a server that goes on.

Each comes on its own, and may be cut off anywhere: first its file is here and compared with what was recorded, then the
store says so, in the transaction in which the file gets its name, and only then its object is removed. Until that is
done its row says `back`, and the next run goes on with it.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from kobza.app.moved import Wrong
from kobza.archive.archive import Archive
from kobza.archive.home import HomeError
from kobza.archive.moving import NoRoom, Workshop, said
from kobza.store import Store, recording_homes, recordings
from kobza.store.recording_homes import UPLOADING
from kobza.store.recordings import READY, Recording

AT_ONCE: Final = 4
"""Recordings fetched at a time."""
PAGE: Final = 200
UNDER_WAY: Final = "under way"


@dataclass
class Homecoming:
    """What came of it."""

    brought: int = 0
    """Recordings whose files were copied."""
    copied_bytes: int = 0
    here: int = 0
    """Recordings that were here whole already."""
    removed: int = 0
    """Objects that were removed from the bucket."""
    wrong: list[Wrong] = field(default_factory=list)


def bring_all(
    archive: Archive,
    store: Store,
    *,
    enterprise_id: str | None,
    since_ms: int,
    keep_free: int,
    keep_objects: bool,
    now_ms: Callable[[], int],
    progress: Callable[[Recording], None] = lambda _: None,
) -> Homecoming:
    """Bring all back that was made since a moment, for who holds the lock; `progress` hears of each that is done.

    `keep_free` are bytes of the disk; with `keep_objects` the bucket keeps its objects. Raises NoRoom when the disk has
    no more space: what came until then is whole.
    """
    result = Homecoming()
    one = _One(archive, store, Workshop(archive, keep_free), now_ms, keep_objects=keep_objects)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as threads:
        try:
            for page in _pages(store, enterprise_id, since_ms):
                for recording, came in zip(page, threads.map(one.bring, page), strict=True):
                    _add(result, came, recording)
                    progress(recording)
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    return result


class _Came(NamedTuple):
    """What came of one."""

    copied: bool = False
    removed: bool = False
    wrong: Wrong | None = None


def _add(result: Homecoming, came: _Came, recording: Recording) -> None:
    result.removed += came.removed
    if came.copied:
        result.brought += 1
        result.copied_bytes += recording.size or 0
    elif came.wrong is None:
        result.here += 1
    if came.wrong is not None:
        result.wrong.append(came.wrong)


def _pages(store: Store, enterprise_id: str | None, since_ms: int) -> Iterator[list[Recording]]:
    after = ""
    while True:
        with store.read() as conn:
            page = recording_homes.away(conn, enterprise_id, since_ms, after, PAGE)
        if not page:
            return
        yield page
        after = page[-1].record_id


class _One:
    """Brings one recording back; in any thread."""

    def __init__(
        self, archive: Archive, store: Store, workshop: Workshop, now_ms: Callable[[], int], *, keep_objects: bool
    ) -> None:
        self._archive = archive
        self._store = store
        self._workshop = workshop
        self._now_ms = now_ms
        self._keep_objects = keep_objects

    def bring(self, recording: Recording) -> _Came:
        """Bring it; one that somebody moves meanwhile is looked at anew. Raises NoRoom."""
        now: Recording | None = recording
        try:
            while now is not None:
                if now.home == UPLOADING:
                    return _Came(wrong=Wrong(now, UNDER_WAY, "it is being uploaded: run the command again"))
                copied = self._settle(now)
                if copied is not None:
                    return _Came(copied, self._remove_object(now))
                now = self._again(now)
        except NoRoom:
            raise
        except HomeError as error:
            return _Came(wrong=Wrong(recording, said(error), str(error)))
        return _Came()

    def _settle(self, recording: Recording) -> bool | None:
        """Have the file here for good; return whether it was copied, None when its row has changed meanwhile."""
        if self._workshop.is_whole_here(recording):
            with self._store.write() as conn:
                return False if recording_homes.bring_back(conn, recording, self._now_ms()) else None
        with self._workshop.brought(recording) as copy, self._store.write() as conn:
            if not recording_homes.bring_back(conn, recording, self._now_ms()):
                return None
            self._archive.folder.take(copy, recording.path or "")
        return True

    def _remove_object(self, recording: Recording) -> bool:
        if self._keep_objects:
            return False
        self._archive.folder.sync(recording.path or "")  # then its name survives whatever happens to the machine
        self._archive.need_bucket().remove(recording.path or "")
        with self._store.write() as conn:
            recording_homes.let_go(conn, recording.record_id)
        return True

    def _again(self, recording: Recording) -> Recording | None:
        """Return a recording as it is now; None when there is nothing to bring any more."""
        with self._store.read() as conn:
            now = recordings.find(conn, recording.enterprise_id, recording.record_id)
        return now if now is not None and now.status == READY and now.home is not None else None
