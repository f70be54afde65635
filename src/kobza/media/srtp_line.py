"""The sockets of a side whose phone speaks SRTP with keys in the descriptions (RFC 4568): plain toward the relay."""

import base64
import socket
from collections.abc import Callable
from typing import Final

from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session

from kobza.media.messages import SrtpKeys
from kobza.media.secure_socket import NotForTheRelay
from kobza.rtp.ice import Address

_PROFILES: Final = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
}

Receive = Callable[[int], tuple[bytes, Address]]
Send = Callable[[bytes, Address], object]


class SrtpLine:
    """The keys of one side. `configure` before anything else."""

    def __init__(self) -> None:
        self._keys: SrtpKeys | None = None
        self._incoming: Session | None = None
        self._outgoing: Session | None = None
        self._dropped = 0

    def configure(self, keys: SrtpKeys) -> None:
        """Take keys. A direction whose key stays goes on where it is: its numbers count the packets so far."""
        known, profile = self._keys, _PROFILES[keys.suite]
        self._keys = keys
        if known is None or (known.suite, known.incoming) != (keys.suite, keys.incoming):
            self._incoming = None
            if keys.incoming:
                incoming = base64.b64decode(keys.incoming)
                self._incoming = Session(Policy(incoming, Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
        if known is None or (known.suite, known.outgoing) != (keys.suite, keys.outgoing):
            outgoing = base64.b64decode(keys.outgoing)
            self._outgoing = Session(Policy(outgoing, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))

    def dropped(self) -> int:
        """Return how many packets could not be believed since it was asked last."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def receiving(self, opened: socket.SocketType) -> Receive:
        """Return the socket's `recvfrom`, as if nothing were protected; it raises OSError for what is not right."""
        receive = opened.recvfrom

        def recvfrom(size: int) -> tuple[bytes, Address]:
            data, source = receive(size)
            incoming = self._incoming
            if incoming is not None and len(data) > 1:
                try:
                    if 192 <= data[1] <= 223:
                        return incoming.unprotect_rtcp(data), source
                    return incoming.unprotect(data), source
                except (SrtpError, ValueError):
                    pass
            self._dropped += 1
            raise NotForTheRelay

        return recvfrom

    def sending(self, opened: socket.SocketType) -> Send:
        """Return the socket's `sendto` for plain packets; it raises OSError."""
        send = opened.sendto

        def sendto(data: bytes, to: Address) -> object:
            outgoing = self._outgoing
            if outgoing is None:
                raise NotForTheRelay
            try:
                protected = outgoing.protect_rtcp(data) if 192 <= data[1] <= 223 else outgoing.protect(data)
            except (SrtpError, ValueError):  # a packet that came twice, say
                raise NotForTheRelay from None
            return send(protected, to)

        return sendto
