"""The RTP socket of a side whose phone is a browser: plain RTP and RTCP toward the relay, SRTP on the wire.

It has the two methods of a socket that the way of a packet uses, so that this way is the same for all phones. What
else comes to the port, checks of ICE and the handshake, is told apart by its first byte (RFC 7983) and answered here.
"""

import asyncio
import logging
import socket
from typing import Final

from pylibsrtp import Error as SrtpError

from kobza.media.dtls import Certificate, Handshake, HandshakeFailed
from kobza.media.messages import Secure
from kobza.rtp.ice import Address, IceLite

log = logging.getLogger("kobza.media.relay")

BEHIND: Final = ("", 0)
"""The address of everything that comes from a browser: where it really is, ICE says."""


class NotForTheRelay(OSError):
    """What came was no RTP, or nothing can be sent: for the way of a packet as if the socket had nothing."""


class SecureSocket:
    """Wraps a bound socket, which stays its owner's. `configure` before anything else."""

    peer: Final[Address] = BEHIND
    """Where all packets are said to come from, and go to."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, opened: socket.SocketType, certificate: Certificate, call_id: str
    ):
        self._loop = loop
        self._certificate = certificate
        self._about = {"call_id": call_id}
        self._receive, self._send = opened.recvfrom, opened.sendto
        self._ice = IceLite()
        self._secure: Secure | None = None
        self._handshake: Handshake | None = None
        self._failed = False
        self._timer: asyncio.TimerHandle | None = None
        self._dropped = 0

    def configure(self, secure: Secure) -> None:
        """Take how the phone and we know each other.

        Another certificate is another phone, or one that begins anew: everything begins anew with it (RFC 8842,
        section 3). Else the keys stay, whatever ICE does.
        """
        known = self._secure
        self._secure = secure
        if known is None or (known.fingerprints, known.client) != (secure.fingerprints, secure.client):
            self._begin()
        self._ice.configure(secure.ufrag, secure.password, secure.peer_ufrag)

    @property
    def selected(self) -> Address | None:
        """Where the phone really is; None before it has chosen a way."""
        return self._ice.selected

    def close(self) -> None:
        """Forget the phone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def dropped(self) -> int:
        """Return how many packets could not be believed since it was asked last."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def _begin(self) -> None:
        self.close()
        self._ice = IceLite()
        self._handshake = None
        self._failed = False

    # the two methods of a socket

    def recvfrom(self, size: int) -> tuple[bytes, Address]:
        """Return an RTP or RTCP packet that the phone has proved to be its own; raise OSError for anything else."""
        data, source = self._receive(size)
        first = data[0] if data else 0
        if 128 <= first <= 191:
            handshake = self._handshake
            if handshake is not None and handshake.keys is not None and len(data) > 1:
                incoming = handshake.keys[0]
                try:
                    if 192 <= data[1] <= 223:
                        return incoming.unprotect_rtcp(data), BEHIND
                    return incoming.unprotect(data), BEHIND
                except (SrtpError, ValueError):
                    pass
            self._dropped += 1
        elif first <= 3:
            answer = self._ice.receive(data, source)
            if answer is not None:
                self._send_to(answer, source)
                self._begin_handshake()
        elif 20 <= first <= 63 and self._ice.knows(source):
            self._hear(data, source)
        else:
            self._dropped += 1
        raise NotForTheRelay

    def sendto(self, data: bytes, _to: object) -> int:
        """Send a plain packet, protected, on the way that the phone has selected; raise OSError."""
        handshake, to = self._handshake, self._ice.selected
        if handshake is None or handshake.keys is None or to is None:
            raise NotForTheRelay
        outgoing = handshake.keys[1]
        try:
            protected = outgoing.protect_rtcp(data) if 192 <= data[1] <= 223 else outgoing.protect(data)
        except (SrtpError, ValueError):  # a packet that came twice, say
            raise NotForTheRelay from None
        return self._send(protected, to)

    # the handshake

    def _begin_handshake(self) -> None:
        """Begin as the client once there is a way; as the server, the phone begins."""
        if self._handshake is None and not self._failed and self._secure is not None and self._secure.client:
            to = self._ice.selected
            if to is not None:
                self._hear(b"", to)

    def _hear(self, data: bytes, source: Address) -> None:
        """Take a datagram of the handshake."""
        if self._failed or self._secure is None:
            return
        handshake = self._handshake
        if handshake is None:
            handshake = Handshake(self._certificate, self._secure.fingerprints, client=self._secure.client)
            self._handshake = handshake
        try:
            for answer in handshake.receive(data):
                self._send_to(answer, source)
        except HandshakeFailed as failure:
            self._fail(failure)
        else:
            self._wait(handshake)

    def _again(self) -> None:
        self._timer = None
        handshake, to = self._handshake, self._ice.selected
        if handshake is None:
            return
        try:
            for datagram in handshake.again():
                if to is not None:
                    self._send_to(datagram, to)
        except HandshakeFailed as failure:
            self._fail(failure)
        else:
            self._wait(handshake)

    def _wait(self, handshake: Handshake) -> None:
        """Send again after a while what the phone does not answer."""
        self.close()
        seconds = handshake.wait()
        if seconds is not None:
            self._timer = self._loop.call_later(seconds, self._again)

    def _fail(self, failure: HandshakeFailed) -> None:
        """There is no sound for this phone until its description names another certificate."""
        self.close()
        self._failed = True
        self._handshake = None
        log.warning("no media with a browser: %s", failure, extra=self._about)

    def _send_to(self, data: bytes, to: Address) -> None:
        try:
            self._send(data, to)
        except OSError:
            self._dropped += 1
