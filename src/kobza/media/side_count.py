"""What the ports of one side moved, added up: for the totals of the relay and for the quality of the call."""

from kobza.media.messages import SideQuality
from kobza.media.reception import Losses, Reports, Totals
from kobza.media.rtp_port import RtpPort


class SideCount:
    """Counts for one side."""

    __slots__ = ("_losses", "_lost", "_received", "_totals")

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._losses = Losses()
        self._received = self._lost = 0
        """RTP packets from the phone, and those that did not come, until they were last added up."""

    def add_up(self, port: RtpPort) -> None:
        """Add what was moved since the last time to the totals, so that the way of a packet costs little for it."""
        traffic, packets = self._totals.traffic, port.packets
        lost = self._losses.look(port.heard, packets)
        traffic.lost += lost
        self._lost += lost
        self._received += packets
        traffic.received += packets
        traffic.received_bytes += port.bytes_received
        traffic.sent += packets + port.beyond
        traffic.sent_bytes += port.bytes_received + port.bytes_beyond
        traffic.dropped += port.dropped
        port.packets = port.bytes_received = port.dropped = port.beyond = port.bytes_beyond = 0

    def quality(self, reports: Reports) -> SideQuality:
        """Return how the packets fared until they were last added up, with what the phone reports of the other way."""
        return SideQuality(
            received=self._received,
            lost=self._lost,
            reports=reports.count,
            lost_beyond=reports.lost_beyond,
            jitter=reports.jitter,
            round_trip=reports.round_trip,
        )
