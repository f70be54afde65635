"""The protection around the ports of one side: as a browser does it, or SRTP with keys in the descriptions, or none."""

from typing import TYPE_CHECKING

from kobza.media.browsers import SecureSockets
from kobza.media.messages import SideFlow
from kobza.media.rtcp_port import RtcpPort
from kobza.media.rtp_port import RtpPort
from kobza.rtp.ice import Address

if TYPE_CHECKING:
    from kobza.media.secure_socket import SecureSocket
    from kobza.media.srtp_line import SrtpLine


class Guard:
    """Puts protection around two ports and takes it away."""

    __slots__ = ("_browser", "_rtcp", "_rtp", "_sockets", "_srtp")

    def __init__(self, rtp: RtpPort, rtcp: RtcpPort, sockets: SecureSockets) -> None:
        self._rtp, self._rtcp = rtp, rtcp
        self._sockets = sockets
        self._browser: SecureSocket | None = None
        """In the place of the RTP socket while the phone is a browser."""
        self._srtp: SrtpLine | None = None
        """Around both sockets while the phone speaks SRTP."""

    @property
    def has_browser(self) -> bool:
        """The phone is a browser."""
        return self._browser is not None

    @property
    def has_srtp(self) -> bool:
        """The phone speaks SRTP: what gets through was made with its key."""
        return self._srtp is not None

    def leave_browser(self) -> Address | None:
        """The phone is a browser no more; return where that one is."""
        browser, self._browser = self._browser, None
        if browser is None:
            return None
        browser.close()
        self._bare()
        return browser.selected

    def leave_srtp(self) -> None:
        """The phone speaks no SRTP any more."""
        if self._srtp is not None:
            self._srtp = None
            self._bare()

    def meet_browser(self, flow: SideFlow) -> Address | None:
        """Take how a browser and we know each other; return where its packets come from and go to."""
        if flow.secure is None:
            return None
        if self._browser is None:
            self._browser = self._sockets.for_browser(self._rtp.sock)
            self._rtp.protect(self._browser.recvfrom, self._browser.sendto)
        self._browser.configure(flow.secure)
        return self._browser.peer

    def meet_srtp(self, flow: SideFlow) -> None:
        """Take the keys of a phone that speaks SRTP."""
        if flow.srtp is None:
            return
        if self._srtp is None:
            line = self._srtp = self._sockets.for_phone()
            for port in (self._rtp, self._rtcp):
                port.protect(line.receiving(port.sock), line.sending(port.sock))
        self._srtp.configure(flow.srtp)

    def dropped(self) -> int:
        """Return how many packets could not be believed since it was asked last."""
        dropped = 0 if self._browser is None else self._browser.dropped()
        return dropped if self._srtp is None else dropped + self._srtp.dropped()

    def close(self) -> None:
        """Forget the phone."""
        if self._browser is not None:
            self._browser.close()

    def _bare(self) -> None:
        self._rtp.bare()
        self._rtcp.bare()
