"""What the server sees of a media plane beside its calls: for metrics, readiness and the page of the system."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from kobza.media.messages import Traffic
from kobza.media.plane import MediaPlane


class InstanceNow(NamedTuple):
    """One of several that carry the calls of a plane."""

    name: str
    """Host and port of an rtpengine, or which of the processes."""
    is_up: bool
    """Whether it answers."""
    calls: int
    """Of ours that it carries."""


class ObservedPlane(MediaPlane, Protocol):
    """A media plane that can be looked at. Whatever it tells is some seconds old at most."""

    @property
    def is_ready(self) -> bool:
        """Whether calls may begin."""
        ...

    @property
    def trouble(self) -> str:
        """What is wrong, in words for people; "" while it is ready."""
        ...

    @property
    def deaths(self) -> int:
        """How often calls were lost, as what carried them died."""
        ...

    @property
    def ports_used(self) -> int:
        """Port pairs that calls hold."""
        ...

    @property
    def ports_total(self) -> int:
        """Port pairs that there are."""
        ...

    @property
    def recordings(self) -> int:
        """Recordings that are being written."""
        ...

    @property
    def traffic(self) -> Traffic:
        """What it has moved; zeros of what it does not know."""
        ...

    @property
    def relay_pids(self) -> Mapping[str, int]:
        """The process ids of the relays, which carry or record; without those that are being started again.

        By the number of each where there are several, which it keeps when another one dies; else by "".
        """
        ...

    @property
    def instances(self) -> Sequence[InstanceNow]:
        """Those that carry its calls; none where one relay does it itself."""
        ...
