"""What the ports of one side moved, added up: for the totals of the relay and for the quality of the call."""

from kobza.media.arrivals import Arrivals
from kobza.media.media_profile import MediaProfile, Voice
from kobza.media.messages import SideQuality
from kobza.media.reception import Doubles, Losses, Reports, Totals
from kobza.media.rtp_port import RtpPort


class SideCount:
    """Counts for one side of which anything has come, or to which anything went."""

    __slots__ = ("_arrivals", "_doubles", "_losses", "_received", "_totals", "voice")

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._losses = Losses()
        self._doubles = Doubles()
        self._arrivals = Arrivals()
        self.voice: Voice | None = None
        """What the phone spoke last."""
        self._received = 0
        """RTP packets from the phone, each once, until they were last added up."""

    def look(self, port: RtpPort, newest: bytes, profile: MediaProfile, *, reported: bool) -> None:
        """Look at the newest packet, once a sweep: what it is and, if it came last to its port, when that was.

        `reported`: RTCP came since the last look.
        """
        voice = profile.voices.get(newest[1] & 0x7F)
        if voice is None:
            return
        self.voice = voice
        if not port.dropped and not (reported and profile.mux):
            self._arrivals.look(port.sock, newest, voice.clock)

    def add_up(self, port: RtpPort) -> None:
        """Add what was moved since the last time to the totals, so that the way of a packet costs little for it."""
        traffic, packets = self._totals.traffic, port.packets
        arrived = packets - port.repeated - self._doubles.look(port.numbers)  # those make up for none that is lost
        first = [number[:2] + number[6:] for number in port.numbers[:1]]
        if port.first is not None:
            first.append(port.first[2:4] + port.first[8:12])
        lost = self._losses.look(port.heard, arrived, first)
        traffic.lost += lost
        self._received += arrived
        traffic.received += packets
        traffic.received_bytes += port.bytes_received
        traffic.sent += packets + port.beyond
        traffic.sent_bytes += port.bytes_received + port.bytes_beyond
        traffic.dropped += port.dropped
        port.packets = port.bytes_received = port.dropped = port.beyond = port.bytes_beyond = port.repeated = 0
        port.numbers, port.first = [], None

    def quality(self, reports: Reports) -> SideQuality:
        """Return how the packets fared until they were last added up, with what the phone reports of the other way."""
        return SideQuality(
            received=self._received,
            lost=self._losses.total,
            reports=reports.count,
            lost_beyond=reports.lost_beyond,
            jitter=reports.jitter,
            round_trip=reports.round_trip,
            arrival_jitter=self._arrivals.jitter,
            codec="" if self.voice is None else self.voice.name,
        )
