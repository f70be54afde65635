"""Recordings: from the spool that the media plane wrote to the mp3 that the API serves.

A spool is encoded when its call is over, one after the other in a thread of its own. What a crash or a stop left is
taken up at the next start.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kobza.archive.archive import SPOOLS
from kobza.measures import Histogram
from kobza.media.encoder import Encoded, encode
from kobza.media.plane import RecordingClosed
from kobza.media.spool import EmptySpool
from kobza.pbx.disk_space import Space
from kobza.pbx.journal import JournalStopped
from kobza.pbx.record_books import RecordBooks
from kobza.pbx.uploads import Uploads
from kobza.store import Store, recordings
from kobza.store.entries import RecordingStored
from kobza.store.recording_homes import WAITING
from kobza.store.recordings import Remarks

log = logging.getLogger(__name__)

MAX_WAITING: Final = 10_000
"""Recordings that wait for the encoder: two hours of its work. What is beyond waits on the disk for the next start."""
STOP_SECONDS: Final = 10.0
"""How long a stop waits for the recordings that are being encoded; what is left then is for the next start."""


FIRST_RETRY, LAST_RETRY = 2.0, 60.0
"""Seconds until a recording is encoded again whose disk failed: doubled from the first to the last."""


def spools_of(directory: Path) -> Path:
    """Return where the spools are, for a directory of recordings."""
    return directory / SPOOLS


def spool_of(directory: Path, record_id: str) -> Path:
    """Return where the spool of a recording is, for a directory of recordings."""
    return spools_of(directory) / f"{record_id}.spool"


Seal = Callable[[Path, str, str], str]
"""Encrypts a file (where it is, its name to be, the record id) into the directory of recordings; returns what the row
is to keep of it. Blocks."""

ENCODE_BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds of encoding: a minute of stereo takes a twentieth of one."""


class RecordingCounts:
    """What became of recordings, for metrics. All only grow."""

    def __init__(self) -> None:
        self.ready = 0
        self.failed = 0
        self.not_begun = 0
        """Calls that should have been recorded while there was no room."""
        self.cut = 0
        """Recordings that ended early, as the room did."""
        self.encode_seconds = Histogram(ENCODE_BOUNDS)
        self.encoded_seconds = 0.0
        """Seconds of sound."""


@dataclass(slots=True)
class _Owners:
    """Whose a recording is."""

    call_id: str
    enterprise_ids: list[str]
    failures: int = 0
    """Of the disk, while it was encoded."""
    running: bool = False
    begun: bool = True
    """There is, or was, a spool."""
    no_room: bool = False
    """There was no room for it, or not for all of it."""


class Recordings:
    """The recordings in the making. `directory` holds the mp3 files by day, and the spools in `spool`."""

    def __init__(
        self,
        directory: Path,
        *,
        store: Store,
        results: RecordBooks,
        now: Callable[[], float],
        uploads: Uploads | None = None,
        seal: Seal | None = None,
    ) -> None:
        """`uploads` takes those that are ready further, into a bucket; None: they stay here. `seal` encrypts them."""
        self.directory = directory
        self._uploads = uploads
        self._seal = seal
        self._spools = spools_of(directory)
        self._store = store
        self._results = results
        self._now = now
        self._owners: dict[str, _Owners] = {}
        self._waiting: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)
        self._later: dict[str, asyncio.TimerHandle] = {}
        """Those that are encoded again later."""
        self.counts = RecordingCounts()
        self.space = Space.ENOUGH
        """How much there is on the disk, as whoever looks at it says."""
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Recordings that are not encoded yet, those of running calls included."""
        return len(self._owners)

    @property
    def spools_waiting(self) -> int:
        """Spools of calls that are over, which wait for the encoder; not the one that is being encoded."""
        return self._waiting.qsize()

    async def start(self) -> None:
        """Make the directories, take up what is left from before, and begin to encode."""
        self._spools.mkdir(parents=True, exist_ok=True)
        for left in await asyncio.to_thread(self._unfinished):
            owners = self._owners.setdefault(left.record_id, _Owners(left.call_id, []))
            owners.enterprise_ids.append(left.enterprise_id)
        for record_id in self._owners:
            log.info("recording %s was left unfinished", record_id, extra=self._about(record_id))
            self._wait_for_encoder(record_id)
        self._task = asyncio.create_task(self._encode_all(), name="encoder")
        self._task.add_done_callback(_seen)

    async def stop(self) -> None:
        """Finish what waits, as far as the time allows. The media plane must have closed its spools before."""
        if self._task is None:
            return
        for timer in self._later.values():
            timer.cancel()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._waiting.join()
        except TimeoutError:
            log.warning("what is not encoded yet is left to the next start, recordings: %d", self.waiting)
        self._stopping.set()  # a thread cannot be cancelled, and an hour of sound takes it seconds
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)

    def began(self, record_id: str, call_id: str, enterprise_ids: list[str]) -> Path | None:
        """Note a recording that begins; return where its spool belongs, None when there is no room for one.

        Then the history of the call says so.
        """
        owners = self._owners[record_id] = _Owners(call_id, enterprise_ids, running=True)
        if self.space < Space.NONE:
            return self._spool_of(record_id)
        self.counts.not_begun += 1
        owners.begun, owners.no_room = False, True
        log.warning("the call is not recorded: the disk is nearly full", extra=self._about(record_id))
        self._finish(record_id)
        return None

    def cut_short(self, stop: Callable[[str, str], None]) -> None:
        """Have every recording that runs ended by `stop` (call id, record id): there is no room for any."""
        for record_id, owners in list(self._owners.items()):
            if owners.running and not owners.no_room:
                self.counts.cut += 1
                owners.no_room = True
                log.warning("recording %s ends early: the disk is full", record_id, extra=self._about(record_id))
                stop(owners.call_id, record_id)

    def closed(self, event: RecordingClosed) -> None:
        """Take over a spool to which nothing more will be written."""
        if event.record_id in self._owners:
            self._finish(event.record_id)

    def _about(self, record_id: str) -> dict[str, str]:
        """Return the fields of a log line about a recording."""
        owners = self._owners.get(record_id)
        fields = {"record_id": record_id}
        if owners is not None:
            fields["call_id"] = owners.call_id
            if len(owners.enterprise_ids) == 1:
                fields["enterprise_id"] = owners.enterprise_ids[0]
        return fields

    def _spool_of(self, record_id: str) -> Path:
        return spool_of(self.directory, record_id)

    def _unfinished(self) -> list[recordings.Recording]:
        with self._store.read() as conn:
            return recordings.list_unfinished(conn)

    def _finish(self, record_id: str) -> None:
        self._owners[record_id].running = False
        self._wait_for_encoder(record_id)

    def _wait_for_encoder(self, record_id: str) -> None:
        self._later.pop(record_id, None)
        try:
            self._waiting.put_nowait(record_id)
        except asyncio.QueueFull:
            log.warning(
                "recording %s waits for the next start: %d wait for the encoder",
                record_id,
                MAX_WAITING,
                extra=self._about(record_id),
            )

    async def _encode_all(self) -> None:
        while True:
            record_id = await self._waiting.get()
            try:
                await self._encode(record_id)
            except Exception:
                about = self._about(record_id)
                log.exception("recording %s could not be finished; its spool is kept", record_id, extra=about)
            finally:
                self._waiting.task_done()

    async def _encode(self, record_id: str) -> None:
        spool = self._spool_of(record_id)
        name = f"{datetime.fromtimestamp(self._now(), UTC):%Y/%m/%d}/{record_id}.mp3"
        if not self._owners[record_id].begun:
            await self._store_result(record_id, name, None)
            return
        made: tuple[Encoded, str | None] | None = None
        began = time.monotonic()
        try:
            made = await asyncio.get_running_loop().run_in_executor(self._threads, self._make, record_id, spool, name)
        except FileNotFoundError:
            about = self._about(record_id)
            log.error("recording %s has no spool: nothing of it reached the disk", record_id, extra=about)  # noqa: TRY400
        except EmptySpool:
            about = self._about(record_id)
            log.error("recording %s is empty: nothing of it reached the disk", record_id, extra=about)  # noqa: TRY400
            await asyncio.to_thread(spool.unlink, missing_ok=True)
        except OSError as error:  # a disk that is full will not stay so: the recording waits, as in a crash
            self._encode_later(record_id, error)
            return
        except Exception:
            about = self._about(record_id)
            log.exception("recording %s could not be encoded; its spool is kept", record_id, extra=about)
        encoded, sealed = made or (None, None)
        if encoded is None or not encoded.heard:
            self.counts.failed += 1
        else:
            self.counts.ready += 1
            self.counts.encode_seconds.observe(time.monotonic() - began)
            self.counts.encoded_seconds += encoded.duration_ms / 1000
        if encoded is not None and not encoded.heard:
            await self._unheard(record_id, name, encoded)
            return
        await self._store_result(record_id, name, encoded, sealed)
        if encoded is not None:
            await asyncio.to_thread(spool.unlink, missing_ok=True)

    def _make(self, record_id: str, spool: Path, name: str) -> tuple[Encoded, str | None]:
        """Make the file of a recording, and encrypt it where that is wanted; in the encoder's thread.

        Until then it is beside its spool, which is not encrypted either.
        """
        if self._seal is None:
            return encode(spool, self.directory / name, lambda: not self._stopping.is_set()), None
        plain = spool.with_suffix(".mp3")
        try:
            encoded = encode(spool, plain, lambda: not self._stopping.is_set())
            return encoded, self._seal(plain, name, record_id)
        finally:
            plain.unlink(missing_ok=True)

    async def _unheard(self, record_id: str, name: str, encoded: Encoded) -> None:
        """Give up a recording of nothing that is decoded: an mp3 of silence would say that nobody spoke.

        Its spool is kept, as it holds the voices.
        """
        codecs = ", ".join(sorted({codec for _, codec in encoded.undecoded}))
        about = self._about(record_id)
        log.warning(
            "recording %s holds nothing that is decoded (%s); its spool is kept", record_id, codecs, extra=about
        )
        await asyncio.to_thread((self.directory / name).unlink, missing_ok=True)
        await self._store_result(record_id, name, encoded)

    def _encode_later(self, record_id: str, error: OSError) -> None:
        owners = self._owners[record_id]
        wait = min(LAST_RETRY, FIRST_RETRY * 2 ** min(owners.failures, 8))
        owners.failures += 1
        log.error(
            "recording %s cannot be encoded now and is tried again in %g s: %s",
            record_id,
            wait,
            error.strerror or error,
            extra=self._about(record_id),
        )
        self._later[record_id] = asyncio.get_running_loop().call_later(wait, self._wait_for_encoder, record_id)

    async def _store_result(
        self, record_id: str, name: str, encoded: Encoded | None, sealed: str | None = None
    ) -> None:
        """Store what became of a recording, and return once it is stored: only then may the spool go."""
        owners = self._owners[record_id]
        at = self._now()
        remarks = _remarks(encoded, no_room=owners.no_room).to_json()
        entries = [
            RecordingStored(record_id, enterprise_id, owners.call_id, "failed", at, remarks=remarks)
            if encoded is None or not encoded.heard
            else RecordingStored(
                record_id,
                enterprise_id,
                owners.call_id,
                "ready",
                at,
                path=name,
                duration_ms=encoded.duration_ms,
                size=encoded.size,
                sha256=encoded.sha256,
                remarks=remarks,
                home=None if self._uploads is None else WAITING,
                sealed=sealed,
            )
            for enterprise_id in owners.enterprise_ids
        ]
        try:
            await self._results.write(entries)
        except JournalStopped:
            about = self._about(record_id)
            log.warning("recording %s is left to the next start: the journal has stopped", record_id, extra=about)
            raise
        del self._owners[record_id]
        if self._uploads is not None and encoded is not None:
            self._uploads.wake()


def _remarks(encoded: Encoded | None, *, no_room: bool) -> Remarks:
    if encoded is None:
        return Remarks(no_room=no_room)
    undecoded: dict[str, list[str]] = {}
    for side, codec in encoded.undecoded:
        undecoded.setdefault(side.value, []).append(codec)
    return Remarks(
        list(encoded.paused),
        undecoded,
        no_room,
        announced=[(side.value, ms) for side, ms in encoded.announced],
        unannounced=[side.value for side in encoded.unannounced],
    )


def _seen(task: asyncio.Task[None]) -> None:
    """Say that the encoder died; it never should."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("the encoder stopped", exc_info=error)
