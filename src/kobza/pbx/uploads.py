"""Uploads: from the folder of this machine into the bucket, in the background, each recording until it is there.

What waits is in the store, so a restart loses nothing and a long outage fills no memory. A recording counts as uploaded
when the bucket has given the same bytes back; the copy that is here goes some hours after that. While the bucket is
away everything waits together.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from kobza.archive.archive import Archive
from kobza.archive.home import HomeError, NotThere
from kobza.archive.moving import MovingTaken, moving
from kobza.archive.sealing import Damaged
from kobza.measures import Histogram
from kobza.pbx.daemons import in_daemon
from kobza.store import Store, recording_homes
from kobza.store.errors import StoreAway
from kobza.store.recording_homes import CONFIRMED, REFUSED, WAITING
from kobza.store.recordings import Recording

log = logging.getLogger(__name__)

AT_ONCE: Final = 4
"""Recordings uploaded at a time: an hour of sound is 14 MB in memory."""
BATCH: Final = 500
"""Rows changed in one transaction: some milliseconds."""
COPIES_AT_ONCE: Final = 50
"""Files removed within one transaction, so that whoever brings recordings back sees them here or there: as short."""
PAUSE: Final = 0.05
"""Seconds between two such transactions, in which others write."""
LOOK_EVERY: Final = 60.0
"""Seconds after which a look is taken at old copies, when nothing else happens."""
FIRST_RETRY, LAST_RETRY = 2.0, 300.0
"""Seconds until the bucket is asked again, doubled from the first to the last."""
STOP_SECONDS: Final = 5.0
"""How long a stop waits for uploads under way; one that is cut off begins anew at the next start."""
HOUR_MS: Final = 3_600_000
UPLOAD_BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds of an upload, reading back included."""


class UploadCounts:
    """What became of uploads, for metrics. All only grow."""

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        """Tries for which the bucket was to blame; they are repeated."""
        self.refused = 0
        """Files that are not what was recorded."""
        self.sent_bytes = 0
        self.seconds = Histogram(UPLOAD_BOUNDS)


class Uploads:
    """Owns the task that uploads. `up` tells whether the bucket answered last, None before anybody knows."""

    def __init__(self, archive: Archive, store: Store, *, now: Callable[[], float], local_hours: int) -> None:
        """`local_hours`: for how long copies stay here after they were confirmed."""
        self._archive = archive
        self._store = store
        self._now = now
        self._local_ms = local_hours * HOUR_MS
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._busy = self._stopping = False
        self._look_at = 0.0
        """The moment (monotonic) of the next look at old copies."""
        self.counts = UploadCounts()
        self.up: bool | None = None
        self.looks = 0
        """How often old copies were looked for and what waits was counted."""
        self.waiting = 0
        """Rows that wait or are being uploaded, as the store said last."""
        self.oldest_at: float | None = None
        """When the oldest of them was made, in seconds."""

    @property
    def wanted(self) -> bool:
        """Whether recordings are to go into a bucket."""
        return self._archive.uploads

    @property
    def oldest_age(self) -> float:
        """Seconds for which the oldest that waits has waited; 0 when none does."""
        return 0.0 if self.oldest_at is None else max(0.0, self._now() - self.oldest_at)

    def start(self) -> None:
        """Begin, with what was left before."""
        self._task = asyncio.create_task(self._upload_all(), name="uploads")
        self._task.add_done_callback(_seen)

    async def stop(self) -> None:
        """Begin no more; wait a little for those under way."""
        if self._task is None:
            return
        self._stopping = True
        if self._busy:
            await asyncio.wait((self._task,), timeout=STOP_SECONDS)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def wake(self) -> None:
        """Hear that a recording waits."""
        self._wanted.set()

    async def _upload_all(self) -> None:
        taken_up = False
        while True:
            self._wanted.clear()
            more = False
            self._busy = True
            try:
                if not taken_up:
                    await in_daemon("uploads", self._take_up)
                    taken_up = True
                more = await self._round()
            except StoreAway as error:
                self._failures += 1
                log.warning("uploads wait for the store: %s", error)
            except HomeError as error:
                self._failures += 1
                self.up = False
                log.warning("uploads wait for the bucket: %s", error)
            except Exception:
                self._failures += 1
                log.exception("uploads wait a while")
            finally:
                self._busy = False
            if self._stopping:
                return
            if self._failures:
                await asyncio.sleep(min(LAST_RETRY, FIRST_RETRY * 2 ** min(self._failures - 1, 10)))
            elif not more:
                await self._until_wanted()

    async def _until_wanted(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await self._wanted.wait()
        except TimeoutError:
            pass

    def _take_up(self) -> None:
        """Let wait again what was cut off, and wait too what was made before there was a bucket."""
        with self._store.write() as conn:
            recording_homes.resume(conn)
        self._archive.remove_copies()
        try:
            with moving(self._archive.folder.directory, wait=False):  # what a killed command left goes too
                if self._archive.uploads:
                    with self._store.write() as conn:
                        recording_homes.send_again(conn)
        except MovingTaken as error:
            log.warning("what is brought back stays here until the next start: %s", error)
        last: str | None = ""
        while self._archive.uploads and last is not None:
            with self._store.write() as conn:
                last = recording_homes.take_along(conn, last, BATCH)
            time.sleep(PAUSE)

    async def _round(self) -> bool:
        """Upload the next few, and remove old copies; return whether there may be more."""
        batch = await asyncio.to_thread(self._look)
        if not batch:
            self._failures = 0
            return False
        done = await asyncio.gather(*(in_daemon("upload", partial(self._upload, each)) for each in batch))
        self.up = any(done)
        self._failures = 0 if self.up else self._failures + 1
        return True

    def _look(self) -> list[Recording]:
        """Return what is to be uploaded next; once in a while remove old copies and count what waits."""
        if time.monotonic() >= self._look_at:
            self._remove_old_copies()
            with self._store.read() as conn:
                self.waiting, oldest = recording_homes.waiting(conn)
            self.oldest_at = None if oldest is None else oldest / 1000
            self._look_at = time.monotonic() + LOOK_EVERY
            self.looks += 1
        if not self._archive.uploads:
            return []
        with self._store.read() as conn:
            return recording_homes.next_waiting(conn, AT_ONCE)

    def _upload(self, recording: Recording) -> bool:
        """Upload one; return whether the bucket did its part. Whatever happens, its row says where it is."""
        record_id, began = recording.record_id, time.monotonic()
        about = {"record_id": record_id, "call_id": recording.call_id}
        with self._store.write() as conn:
            if not recording_homes.claim(conn, record_id):
                return True
        home, fine = WAITING, False
        try:
            self._archive.upload(recording)
        except (NotThere, Damaged) as error:
            home, fine = REFUSED, True
            self.counts.refused += 1
            log.error("recording %s cannot be uploaded: %s", record_id, error, extra=about)  # noqa: TRY400
        except HomeError as error:
            self.counts.failed += 1
            log.warning("recording %s is not uploaded yet: %s", record_id, error, extra=about)
        except Exception:
            self.counts.failed += 1
            log.exception("recording %s is not uploaded yet", record_id, extra=about)
        else:
            home, fine = CONFIRMED, True
            self.counts.done += 1
            self.counts.sent_bytes += recording.size or 0
            self.counts.seconds.observe(time.monotonic() - began)
        with self._store.write() as conn:
            recording_homes.settle(conn, record_id, home, self._now_ms())
        if home == CONFIRMED and not self._local_ms:
            self._remove_copies([recording])
        return fine

    def _remove_copies(self, confirmed: list[Recording]) -> None:
        """Remove what is here of recordings that the bucket has; one that it has no more is uploaded again."""
        there, again = list[Recording](), list[str]()
        for each in confirmed:
            try:
                self._archive.ask_bucket(each)
            except NotThere:
                again.append(each.record_id)
                log.error("recording %s was in the bucket and is not any more: it is uploaded again", each.record_id)  # noqa: TRY400
            else:
                there.append(each)
        with self._store.write() as conn:
            forgotten = recording_homes.forget_copies(conn, [each.record_id for each in there])
            for each in there:
                if each.record_id in forgotten:
                    self._archive.remove_copy(each)
            recording_homes.upload_again(conn, again)

    def _remove_old_copies(self) -> None:
        while self._archive.bucket is not None:  # settings without it: what is here is all that can be heard
            with self._store.read() as conn:
                old = recording_homes.old_copies(conn, self._now_ms() - self._local_ms, COPIES_AT_ONCE)
            self._remove_copies(old)
            if len(old) < COPIES_AT_ONCE:
                return
            time.sleep(PAUSE)

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


def _seen(task: "asyncio.Task[None]") -> None:
    """Say that the uploads died; they never should."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("the uploads stopped", exc_info=error)
