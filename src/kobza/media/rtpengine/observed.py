"""What the plane on rtpengines tells of itself."""

from collections.abc import Mapping, Sequence

from kobza.media.embedded import EmbeddedPlane
from kobza.media.messages import Traffic
from kobza.media.observed import InstanceNow
from kobza.media.rtpengine.instance import Instance


class Observed:
    """The part of a plane that others look at (`ObservedPlane`)."""

    def __init__(self, instances: Sequence[Instance], recorder: EmbeddedPlane) -> None:
        self._instances = instances
        self._recorder = recorder

    @property
    def is_ready(self) -> bool:
        """Whether an instance is there, so that calls may begin."""
        return any(instance.is_up for instance in self._instances)

    @property
    def trouble(self) -> str:
        """Why calls cannot begin."""
        if self.is_ready:
            return ""
        return "no rtpengine answers: " + ", ".join(f"{each.name} ({each.reason})" for each in self._instances)

    @property
    def instances(self) -> Sequence[InstanceNow]:
        """Each of them."""
        return [InstanceNow(each.name, each.is_up, len(each.keys)) for each in self._instances]

    @property
    def deaths(self) -> int:
        """How often an instance was there and then was no more."""
        return sum(each.losses for each in self._instances)

    @property
    def ports_used(self) -> int:
        """Pairs of the instances, also for calls of others, as they said last."""
        return sum(each.counts.ports_used for each in self._instances) // 2

    @property
    def ports_total(self) -> int:
        """Pairs of the instances."""
        return sum(each.counts.ports for each in self._instances) // 2

    @property
    def recordings(self) -> int:
        """Recordings that are being written."""
        return self._recorder.recordings

    @property
    def relay_pids(self) -> Mapping[str, int]:
        """The process id of what records."""
        return self._recorder.relay_pids

    @property
    def traffic(self) -> Traffic:
        """What the instances have relayed, as they said last: each packet came and went."""
        packets = sum(each.counts.relayed_packets for each in self._instances)
        octets = sum(each.counts.relayed_bytes for each in self._instances)
        return Traffic(received=packets, received_bytes=octets, sent=packets, sent_bytes=octets)
