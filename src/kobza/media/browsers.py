"""What the relay needs to speak with browsers. Its libraries are loaded here, and only when browsers may call."""

import socket
from asyncio import AbstractEventLoop
from typing import TYPE_CHECKING

from kobza.media.messages import Certified

if TYPE_CHECKING:
    from kobza.media.dtls import Certificate
    from kobza.media.relay_side import SecureSockets
    from kobza.media.secure_socket import SecureSocket


class Browsers:
    """The certificate of this process; `certified` is what the PBX has to know of it."""

    def __init__(self) -> None:
        self._certificate: Certificate | None = None
        try:
            from kobza.media.dtls import Certificate as Made
        except ImportError as error:
            self.certified = Certified("", f"the libraries of DTLS-SRTP cannot be loaded: {error}")
        else:
            self._certificate = Made()
            self.certified = Certified(self._certificate.fingerprint)

    def sockets(self, loop: AbstractEventLoop, call_id: str) -> "SecureSockets | None":
        """Return what protects the sockets of a call; None without the libraries."""
        certificate = self._certificate
        if certificate is None:
            return None

        def protected(opened: socket.socket) -> "SecureSocket":
            from kobza.media.secure_socket import SecureSocket

            return SecureSocket(loop, opened, certificate, call_id)

        return protected
