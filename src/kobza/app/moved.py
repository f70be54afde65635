"""What commands that move recordings have in common: some at a time, each on its own, and what came of it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from kobza.archive.archive import Archive
from kobza.archive.home import Changed, HomeError
from kobza.archive.moving import moving, said
from kobza.store import Store, recording_homes, recordings
from kobza.store.recording_homes import UPLOADING
from kobza.store.recordings import READY, Recording

AT_ONCE: Final = 4
"""Recordings moved at a time."""
PAGE: Final = 50
"""Recordings for which the lock is held: some seconds."""
PAUSE: Final = 0.05
"""Seconds between two pages, in which a backup gets the lock."""
UNDER_WAY: Final = "under way"


class Wrong(NamedTuple):
    """A recording that is left as it is."""

    recording: Recording
    found: str
    """missing, damaged, unread, under way, or in the bucket."""
    why: str


class Came(NamedTuple):
    """What came of one recording."""

    copied: bool = False
    """Its file was written anew."""
    removed: bool = False
    """Its object was removed from the bucket."""
    wrong: Wrong | None = None


@dataclass
class Moved:
    """What came of all."""

    copied: int = 0
    copied_bytes: int = 0
    """Of the mp3s."""
    there: int = 0
    """Recordings whose files needed nothing."""
    removed: int = 0
    """Objects that were removed from the bucket."""
    wrong: list[Wrong] = field(default_factory=list)

    def add(self, recording: Recording, came: Came) -> None:
        """Count one."""
        self.removed += came.removed
        if came.wrong is not None:
            self.wrong.append(came.wrong)
        elif came.copied:
            self.copied += 1
            self.copied_bytes += recording.size or 0
        else:
            self.there += 1


Move = Callable[[Recording], Came | None]
"""Moves one recording; None: it changed meanwhile. Raises HomeError, NoRoom."""
Pages = Callable[[str, int], list[Recording]]
"""Returns recordings behind a record id, up to a number, in order."""


def move_all(store: Store, directory: Path, pages: Pages, move: Move, progress: Callable[[Recording], None]) -> Moved:
    """Move all recordings of a directory, and tell `progress` of each.

    Raises NoRoom, OSError: what came until then is whole.
    """
    result, after = Moved(), ""
    while True:
        # The lock is let go of last, when no thread is at work any more.
        with moving(directory), ThreadPoolExecutor(AT_ONCE, thread_name_prefix="moving") as threads:
            page = pages(after, PAGE)
            came = threads.map(lambda recording: _move(store, recording, move), page)
            try:
                for recording, each in zip(page, came, strict=True):
                    result.add(recording, each)
                    progress(recording)
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise
        if not page:
            return result
        after = page[-1].record_id
        time.sleep(PAUSE)


def _move(store: Store, recording: Recording, move: Move) -> Came:
    """Move one, as often as somebody changes it meanwhile."""
    now: Recording | None = recording
    while now is not None:
        if now.home == UPLOADING:
            return Came(wrong=Wrong(now, UNDER_WAY, "it is being uploaded: run the command again"))
        try:
            came = move(now)
        except Changed:
            came = None
        except HomeError as error:
            return Came(wrong=Wrong(now, said(error), str(error)))
        if came is not None:
            return came
        now = _again(store, now)
    return Came()


def _again(store: Store, recording: Recording) -> Recording | None:
    """Return a recording as it is now; None when it is erased."""
    with store.read() as conn:
        now = recordings.find(conn, recording.enterprise_id, recording.record_id)
    return now if now is not None and now.status == READY else None


def remove_object(archive: Archive, store: Store, recording: Recording) -> None:
    """Remove the object of a recording that was brought back. Raises HomeAway, OSError."""
    archive.folder.sync(recording.path or "")  # then its name survives whatever happens to the machine
    archive.need_bucket().remove(recording.path or "")
    with store.write() as conn:
        recording_homes.let_go(conn, recording.record_id)
