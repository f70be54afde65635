"""Our end toward a phone that is a browser: its names in ICE, its certificate, its part in the handshake. No I/O."""

from collections.abc import Callable

from msgspec.structs import replace

from kobza.media.messages import Secure
from kobza.media.plane import MediaError
from kobza.media.sdes_end import NewKey
from kobza.sdp.negotiation import LocalAudio
from kobza.sdp.webrtc import FIRST_MID, Setup, WebRtcEnd, WebRtcPeer
from kobza.values import Value


class BrowserAccess(Value, frozen=True):
    """How browsers reach the plane: its addresses, the best first, and the fingerprint of the relay's certificate.

    `new_names` makes a name and a password for ICE, random ones (RFC 8445, section 5.3). `new_key` is for other phones
    with SRTP, which is available where browsers are.
    """

    hosts: tuple[str, ...]
    fingerprint: str
    new_names: Callable[[], tuple[str, str]]
    new_key: NewKey


class BrowserEnd:
    """Our end of one side. It is made when a browser is offered something or offers something itself.

    `access` is None where browsers' media is not available: then what needs it makes a MediaError.
    """

    __slots__ = ("_access", "_end", "_peer_ufrag")

    def __init__(self, access: BrowserAccess | None) -> None:
        self._access = access
        self._end: WebRtcEnd | None = None
        self._peer_ufrag = ""

    def meet(self, peer: WebRtcPeer | None) -> None:
        """Take what the phone offers; None: it is no browser. Raises MediaError.

        Another name in ICE than before is a restart, which takes a new one from us too (RFC 8839, section 4.4.3).
        """
        if peer is None:
            self._end = None
            return
        end = self._end
        if end is None or peer.ufrag != self._peer_ufrag:
            end = self._new()
        self._peer_ufrag = peer.ufrag
        self._end = replace(end, setup=peer.setup.answered, mid=peer.mid, bundled=peer.bundled)

    def agree(self, peer: WebRtcPeer, offered: LocalAudio) -> LocalAudio:
        """Return what a browser has answered to of an offer that may have had several forms; raise MediaError."""
        if self._end is None:
            raise MediaError("not acceptable: UDP/TLS/RTP/SAVPF in the answer to an offer of RTP/AVP")
        self._peer_ufrag = peer.ufrag
        self._end = replace(self._end, setup=peer.setup.answered)
        return _secured(offered, self._end)

    def offer(self, local: LocalAudio) -> LocalAudio:
        """Return a first offer as a browser takes it; raise MediaError."""
        end = self._end
        if end is None:
            end = self._end = self._new()
        return _secured(local, replace(end, setup=Setup.ACTPASS))

    def describe(self, local: LocalAudio) -> LocalAudio:
        """Return what is said in a dialog with a browser."""
        return local if self._end is None else _secured(local, self._end)

    def secure(self, peer: WebRtcPeer) -> Secure | None:
        """Return what the relay has to know to talk with a browser."""
        end = self._end
        if end is None:
            return None
        return Secure(end.ufrag, end.password, peer.ufrag, peer.fingerprints, client=end.setup is Setup.ACTIVE)

    def _new(self) -> WebRtcEnd:
        access = self._access
        if access is None:
            raise MediaError("not acceptable: UDP/TLS/RTP/SAVPF, which browsers speak, is not available here")
        ufrag, password = access.new_names()
        return WebRtcEnd(access.hosts, ufrag, password, access.fingerprint, Setup.ACTPASS, FIRST_MID, bundled=True)


def _secured(local: LocalAudio, end: WebRtcEnd) -> LocalAudio:
    return replace(local, host=end.hosts[0], mux=True, webrtc=end)
