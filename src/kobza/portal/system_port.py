"""What the system page is told of the whole installation: a port, behind which the composition root has the parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PartNow:
    """A part that the server cannot do without. `reason` is empty while all is well."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class TrunkNow:
    """How a trunk does."""

    name: str
    address: str
    found: Sequence[str]
    """Where its name leads, the best first; empty: it has an address, or leads nowhere."""
    reach: str
    """`up`, `down`, or `unknown`: it is not asked, or has not answered yet."""
    registration: str | None
    """`registered`, `trying` or `failed`; None: it does not register."""
    usable: bool
    detail: str
    """What went wrong last."""
    incoming: int
    outgoing: int
    capacity: int | None
    """Most calls at a time; None: no bound."""


@dataclass(frozen=True, slots=True)
class QueueNow:
    """What waits: how much, and for how many seconds the oldest of it."""

    waiting: int
    oldest: float


@dataclass(frozen=True, slots=True)
class BackupMade:
    """A backup that was made of this store. The moment is in milliseconds."""

    made_at: int
    path: str
    size: int
    """Bytes."""
    with_recordings: bool


@dataclass(frozen=True, slots=True)
class Versions:
    """Which program runs on what."""

    kobza: str
    build: str
    python: str
    store: str
    revision: str
    """Of the store's tables."""


@dataclass(frozen=True, slots=True)
class SystemNow:
    """The installation at a moment."""

    started_at: float
    parts: Sequence[PartNow]
    trunks: Sequence[TrunkNow]
    enterprises: int
    numbers: int
    registered: int
    """Numbers with a phone."""
    calls: int
    talking: int
    calls_per_second: float
    """Of the last minute."""
    lag: float | None
    """Seconds within which the loop was on time 99 times in 100 in the last minute; None: that was not measured yet."""
    lag_beyond: bool
    """Whether it was later than the largest that is told apart."""
    journal: QueueNow
    owed: QueueNow | None
    """Call states owed to endpoints that are on; None while the store does not answer."""
    held_back: QueueNow | None
    """Those for endpoints that are off."""
    spools: int
    """Recordings that wait for the encoder."""
    bucket: QueueNow | None
    """Recordings that wait for the bucket; None: there is none."""
    bucket_up: bool
    """Whether it answered last."""
    media_up: bool
    media_parts: Sequence[bool]
    """Of several that share the calls, media processes or rtpengines: whether each is up; none where there is one."""
    media_deaths: int
    ports_used: int
    ports: int
    bans: int
    """Sources that are banned at the SIP door now."""
    dropped: int
    """Messages that were dropped there since the start."""
    disk_free: int
    disk_total: int
    """Bytes."""
    room: int
    """For recordings: 0 enough, 1 little, 2 new calls are not recorded, 3 nothing is."""
    backups: Sequence[BackupMade]
    """The newest first."""
    versions: Versions


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of the doctor, in its words."""

    check: str
    state: str
    """`good`, `look` or `bad`."""
    found: str
    advice: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What the doctor found, and when (s)."""

    at: float
    findings: Sequence[Found]


class SystemPort(Protocol):
    """The installation, for the operator."""

    async def now(self) -> SystemNow:
        """Return how it is."""

    def examine(self) -> None:
        """Have the doctor look at it, in the background, unless one does."""

    @property
    def examining(self) -> bool:
        """Whether the doctor is at work."""

    @property
    def examined(self) -> Examined | None:
        """What the doctor found last; None: nobody has asked since the start."""
