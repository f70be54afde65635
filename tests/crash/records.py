"""Recordings as they were on the disk: every spool is kept by a second name, and measured against its mp3."""

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from kobza.media.spool import END, TICKS, MalformedSpool, read_header, read_records
from kobza.rtp.errors import MalformedRtp
from kobza.rtp.packet import RtpPacket
from tests.crash.watch import CREATED, Watch
from tests.support.spectrum import RATE, Samples, duration, read_audio

LOUD: Final = 0.02
"""Root mean square from which 20 ms count as sound; the phones' tones have 0.2."""
WINDOW: Final = RATE // 50


@dataclass(frozen=True)
class Measured:
    """How long a recording is, and how much sound its two sides have. Seconds."""

    length: float
    caller: float
    callee: float

    def __str__(self) -> str:
        return f"{self.length:.2f} s (caller {self.caller:.2f}, callee {self.callee:.2f})"


@dataclass(frozen=True)
class KeptSpool:
    """A spool that was on the disk."""

    record_id: str
    call_id: str
    measured: Measured


def measure_spool(path: Path) -> KeptSpool | None:
    """Measure what is on the disk of a spool; None when not even its header is."""
    ticks, sound = 0, [0, 0]
    with path.open("rb") as file:
        try:
            header = read_header(file)
        except MalformedSpool:
            return None
        for record in read_records(file):
            ticks = max(ticks, record.ticks)
            if record.kind != END:
                with suppress(MalformedRtp):
                    sound[record.kind] += len(RtpPacket.parse(record.packet).payload)
    measured = Measured(ticks / TICKS, sound[0] / RATE, sound[1] / RATE)
    return KeptSpool(header.record_id, header.call_id, measured)


def measure_mp3(path: Path) -> Measured:
    """Decode an mp3 and measure it. Raises `subprocess.CalledProcessError` when it does not play."""
    left, right = read_audio(path)
    return Measured(duration(left), _loud(left), _loud(right))


def _loud(samples: Samples) -> float:
    """Return how many seconds are not silent."""
    windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
    return float(np.sum(np.sqrt(np.mean(windows**2, axis=1)) > LOUD)) * WINDOW / RATE


class Keeper:
    """Gives every spool a second name the moment it is made: what was written to it stays, whoever removes it."""

    def __init__(self, spools: Path, kept: Path) -> None:
        self._kept = kept
        kept.mkdir(parents=True, exist_ok=True)
        self._watch = Watch()
        self._watch.add(spools, CREATED)
        self._spools = spools
        self._stopping = False
        self._thread = threading.Thread(target=self._keep, name="spools", daemon=True)
        self._thread.start()

    def take(self) -> list[KeptSpool]:
        """Return what was kept since the last time, measured, and let go of it."""
        found = []
        for path in sorted(self._kept.iterdir()):
            if (spool := measure_spool(path)) is not None:
                found.append(spool)
            path.unlink()
        return found

    def stop(self) -> None:
        """Keep no more."""
        self._stopping = True
        self._thread.join()
        self._watch.close()

    def _keep(self) -> None:
        while not self._stopping:
            for change in self._watch.read(0.2):
                if not change.name.endswith(".spool"):
                    continue
                with suppress(FileNotFoundError, FileExistsError):
                    os.link(self._spools / change.name, self._kept / change.name)
