"""What the relay needs to speak with browsers and with phones that have SRTP.

Its libraries are loaded here, and only when such phones may call.
"""

import socket
from asyncio import AbstractEventLoop
from typing import TYPE_CHECKING

from kobza.media.messages import Certified

if TYPE_CHECKING:
    from kobza.media.dtls import Certificate
    from kobza.media.secure_socket import SecureSocket
    from kobza.media.srtp_line import SrtpLine


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
        return None if self._certificate is None else SecureSockets(loop, self._certificate, call_id)


class SecureSockets:
    """Puts protection around the sockets of a call."""

    def __init__(self, loop: AbstractEventLoop, certificate: "Certificate", call_id: str) -> None:
        self._loop = loop
        self._certificate = certificate
        self._call_id = call_id

    def for_browser(self, opened: socket.SocketType) -> "SecureSocket":
        """Return the RTP socket of a side as a browser wants it."""
        from kobza.media.secure_socket import SecureSocket

        return SecureSocket(self._loop, opened, self._certificate, self._call_id)

    @staticmethod
    def for_phone() -> "SrtpLine":
        """Return the keys of a side whose phone speaks SRTP."""
        from kobza.media.srtp_line import SrtpLine

        return SrtpLine()
