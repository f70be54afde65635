"""The sounds of enterprises, as files that the media plane plays, and who hears which of them in a call.

The store keeps them; a server writes those that its directory names into a folder of its own, by their hash, and
removes the others. Until one is there, calls hear our own music.
"""

import asyncio
import logging
from pathlib import Path
from typing import Final

from kobza.call.actions import SideName
from kobza.call.directory import Directory
from kobza.call.recording_notices import Audience
from kobza.media.announcements import ANNOUNCEMENTS
from kobza.media.plane import MediaPlane, RecordingNotice, Side, SideSounds
from kobza.media.sound_files import SUFFIX
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.live_call import LiveCall
from kobza.store import Store, StoreAway, sounds

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 5.0
"""Seconds until the next try after a sound could not be fetched."""

_USUAL: Final = SideSounds()


class SoundLibrary:
    """Follows the directory. Everything but files and the store is done in the loop's thread."""

    def __init__(self, folder: Path, *, store: Store, view: DirectoryView) -> None:
        self._folder = folder
        self._store = store
        self._view = view
        self._ready: dict[str, str] = {}
        """Hash -> path of the sounds that are there."""
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Make the folder, and fetch what is wanted from now on. Raises OSError."""
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        self._view.followers.append(self._follow)
        self._changed.set()
        self._task = asyncio.create_task(self._fetch_all(), name="sounds")
        self._task.add_done_callback(_seen)

    async def stop(self) -> None:
        """Fetch no more."""
        if self._task is not None:
            self._view.followers.remove(self._follow)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def dress(self, live: LiveCall, plane: MediaPlane) -> None:
        """Tell the plane what each side of a call hears where it is held or waits.

        Who is held hears the music of the enterprise that holds; ringback is that of one's own enterprise, and for
        somebody outside that of the enterprise which is called.
        """
        directory = self._view.snapshot
        if not directory.music and not directory.ringback:
            return
        caller, callee = live.caller.enterprise_id, live.callee.enterprise_id
        for side, own, other in ((Side.CALLER, caller, callee), (Side.CALLEE, callee, caller)):
            plane.dress(live.call_id, target=side, sounds=self._sounds(directory, own, other))

    def notice(self, live: LiveCall, enterprise_id: str) -> RecordingNotice | None:
        """Return what the sides of a call are told when it is recorded for an enterprise; None: nothing.

        Where a side is no phone but a seat in a mix, nobody hears anything there.
        """
        chosen = self._view.snapshot.recording_notices.get(enterprise_id)
        if chosen is None:
            return None
        seats = live.seats.values()
        parties: dict[SideName, str | None] = {
            "caller": live.caller.enterprise_id,
            "callee": live.callee.enterprise_id,
        }
        sides = tuple(
            Side(name)
            for name, party in parties.items()
            if name not in seats and _is_told(chosen.announced_to, name, own=party == enterprise_id)
        )
        own = self._ready.get(chosen.sound)
        return RecordingNotice(sides, own or str(ANNOUNCEMENTS[chosen.voice]), float(chosen.beep_every))

    def _sounds(self, directory: Directory, own: str | None, other: str | None) -> SideSounds:
        music = directory.music.get(other or own or "", "")
        ringback = directory.ringback.get(own or other or "", "")
        return SideSounds(self._ready.get(music, ""), ringback) if music or ringback else _USUAL

    def _follow(self, _directory: Directory) -> None:
        self._changed.set()

    async def _fetch_all(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            directory = self._view.snapshot
            wanted = set(directory.music.values())
            wanted |= {notices.sound for notices in directory.recording_notices.values() if notices.sound}
            if wanted == self._ready.keys():
                continue
            try:
                self._ready = await asyncio.to_thread(self._keep, wanted)
            except (StoreAway, OSError) as error:
                log.error("sounds of enterprises cannot be fetched, which is tried again: %s", error)  # noqa: TRY400
                await asyncio.sleep(RETRY_SECONDS)
                self._changed.set()

    def _keep(self, wanted: set[str]) -> dict[str, str]:
        """Have a file for each sound that is wanted, and no other; return where they are. In a thread."""
        paths = {sha256: self._folder / f"{sha256}{SUFFIX}" for sha256 in wanted}
        for left in set(self._folder.iterdir()) - set(paths.values()):
            left.unlink(missing_ok=True)
        for sha256, path in list(paths.items()):
            if path.exists():
                continue
            with self._store.read() as conn:
                octets = sounds.content(conn, sha256)
            if octets is None:  # changed again meanwhile, of which the next look hears
                del paths[sha256]
                continue
            partial = path.with_suffix(".partial")
            partial.write_bytes(octets)
            partial.replace(path)
        return {sha256: str(path) for sha256, path in paths.items()}


def _is_told(to: Audience, side: SideName, *, own: bool) -> bool:
    """Whether a side hears the announcement. `own`: it is of the enterprise that records."""
    match to:
        case "both":
            return True
        case "outside":
            return not own
        case "caller":
            return side == "caller"
        case "called":
            return side == "callee"
        case "nobody":
            return False


def _seen(task: asyncio.Task[None]) -> None:
    """Say that the fetching died; it never should."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("sounds are fetched no more", exc_info=error)
