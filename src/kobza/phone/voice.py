"""The audio of one call: an RTP socket, 20 ms packets out without drift, what comes in to the ear and the recording."""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable
from itertools import count

from kobza.net.addresses import family_of
from kobza.phone.recording import Ear, WavRecording
from kobza.phone.sound import PACKET_SAMPLES, PACKET_SECONDS, Sound
from kobza.rtp.errors import MalformedRtp
from kobza.rtp.event import TelephoneEvent
from kobza.rtp.g711 import SILENCE, Law, decode
from kobza.rtp.packet import SEQUENCES, TIMESTAMPS, RtpPacket, is_rtp

log = logging.getLogger(__name__)

PORT_TRIES = 100
"""Pairs of ports tried before giving up; about every second one is even and free."""
PACKETS_PER_WAKEUP = 50
TOO_LATE = 0.2
"""Seconds behind its time after which the sender skips instead of catching up: a burst would only fill buffers."""


class Voice:
    """Sends and hears. `sends` and `muted` may change at any time; it sends only once it knows where to.

    Counters: `packets_sent`, `packets_heard`. Digits (RFC 4733) go to `on_digit`, each once.
    """

    def __init__(self, host: str, sound: Sound, speed: float = 1.0) -> None:
        """Bind an even port and its odd neighbour at `host`; raises `OSError` when there is none.

        `speed` is how many seconds of media pass in one of the wall. It changes the timestamps only: there are 50
        packets a second whatever it is, and between them lies what was not said.
        """
        self.sound = sound
        self.recording: WavRecording | None = None
        self.ear = Ear()
        self.packets_sent = 0
        self.packets_heard = 0
        self.sends = False
        self.muted = False
        self.on_digit: Callable[[str], None] = lambda _: None
        self._loop = asyncio.get_running_loop()
        self._rtp, self._rtcp = _bind_pair(host)
        self.host, self.port = self._rtp.getsockname()[:2]
        self._remote: tuple[str, int] | None = None
        self._law = Law.A
        self._payload_type = int(Law.A)
        self._laws: dict[int, Law] = {}
        self._event_type: int | None = None
        self._last_event: int | None = None
        self._step = PACKET_SAMPLES * speed
        self._sequence = secrets.randbelow(SEQUENCES)
        self._timestamp = float(secrets.randbelow(TIMESTAMPS))
        self._ssrc = secrets.randbits(32)
        self._place = count()
        self._talking = False
        self._next_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._rtp, self._readable)
        self._loop.add_reader(self._rtcp, self._drain_rtcp)

    def connect(self, remote: tuple[str, int] | None, law: Law, payload_type: int, event_type: int | None) -> None:
        """Talk to `remote` with this law from now on; None: it gave no address, so nothing is sent."""
        self._remote, self._law, self._payload_type = remote, law, payload_type
        self._event_type = event_type
        self._laws = {int(Law.MU): Law.MU, int(Law.A): Law.A, payload_type: law}
        if self._timer is None and remote is not None:
            self._next_at = self._loop.time()
            self._tick()

    def close(self) -> None:
        """Stop sending, free the ports, finish the recording. A second time does nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for sock in (self._rtp, self._rtcp):
            if sock.fileno() >= 0:
                self._loop.remove_reader(sock)
                sock.close()
        if self.recording is not None:
            self.recording.close()

    def _tick(self) -> None:
        """Send the packet of this moment and set the next one by the plan, not by when this one really left."""
        now = self._loop.time()
        if now - self._next_at > TOO_LATE:
            missed = int((now - self._next_at) / PACKET_SECONDS)
            self._next_at += missed * PACKET_SECONDS
            self._timestamp += missed * self._step
        if self.sends and self._remote is not None:
            self._send_packet(self._remote)
        else:
            self._talking = False
        self._timestamp += self._step
        self._next_at += PACKET_SECONDS
        self._timer = self._loop.call_at(self._next_at, self._tick)

    def _send_packet(self, remote: tuple[str, int]) -> None:
        payloads = self.sound.payloads(self._law)
        payload = payloads[next(self._place) % len(payloads)]
        if self.muted:
            payload = bytes([SILENCE[self._law]]) * PACKET_SAMPLES
        self._sequence = (self._sequence + 1) % SEQUENCES
        packet = RtpPacket(
            self._payload_type,
            self._sequence,
            int(self._timestamp) % TIMESTAMPS,
            self._ssrc,
            payload,
            marker=not self._talking,
        )
        self._talking = True
        try:
            self._rtp.sendto(packet.to_bytes(), remote)
            self.packets_sent += 1
        except (BlockingIOError, InterruptedError):
            pass  # a lost packet, as on any network
        except OSError as error:
            log.debug("RTP to %s:%s: %s", *remote, error)

    def _readable(self) -> None:
        for _ in range(PACKETS_PER_WAKEUP):
            try:
                data = self._rtp.recv(2048)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                log.debug("RTP: %s", error)
                continue
            self._hear(data)

    def _hear(self, data: bytes) -> None:
        if not is_rtp(data):
            return
        try:
            packet = RtpPacket.parse(data)
            if packet.payload_type == self._event_type:
                self._hear_event(packet)
                return
        except MalformedRtp:
            return
        law = self._laws.get(packet.payload_type)
        if law is None:
            return
        self.packets_heard += 1
        pcm = decode(packet.payload, law)
        self.ear.hear(pcm)
        if self.recording is not None:
            self.recording.write(pcm, ssrc=packet.ssrc, timestamp=packet.timestamp, at=self._loop.time())

    def _hear_event(self, packet: RtpPacket) -> None:
        """All packets of one event carry its first timestamp: that is what tells two digits apart."""
        event = TelephoneEvent.parse(packet.payload)
        if packet.timestamp != self._last_event:
            self._last_event = packet.timestamp
            if event.digit is not None:
                self.on_digit(event.digit)

    def _drain_rtcp(self) -> None:
        """Read RTCP away: nothing here needs it, and a full buffer would only cost memory."""
        for _ in range(PACKETS_PER_WAKEUP):
            try:
                self._rtcp.recv(2048)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue


def _bind_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Return sockets on an even port and the next one (RFC 3550 section 11)."""
    for _ in range(PORT_TRIES):
        rtp = _bind(host, 0)
        port = rtp.getsockname()[1]
        if port % 2 == 0:
            try:
                return rtp, _bind(host, port + 1)
            except OSError:
                pass
        rtp.close()
    raise OSError(f"no pair of free ports at {host}")


def _bind(host: str, port: int) -> socket.socket:
    sock = socket.socket(family_of(host), socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
