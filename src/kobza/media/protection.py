"""How the audio of one side is protected: not, as a browser does it, or with keys in the descriptions. No I/O."""

from typing import Literal

from kobza.media.browser_end import BrowserAccess, BrowserEnd
from kobza.media.messages import Secure, SrtpKeys
from kobza.media.plane import MediaError, OfferForm
from kobza.media.sdes_end import SdesEnd
from kobza.sdp.audio import Audio
from kobza.sdp.negotiation import LocalAudio

Kind = Literal["browser", "srtp", ""]


class Protection:
    """Our ends toward the phones of a side: the one that talks, or those that ring and may be of several kinds."""

    __slots__ = ("_browser", "_sdes")

    def __init__(self, access: BrowserAccess | None) -> None:
        self._browser = BrowserEnd(access)
        self._sdes = SdesEnd(None if access is None else access.new_key)

    def expect_key(self) -> None:
        """Take SRTP with keys in the description; ours comes later, by `settle_key`, before we answer."""
        self._sdes = SdesEnd(lambda _suite: "")

    def settle_key(self, key: str | None) -> None:
        """Take our key; None: the phone has offered no SRTP. From now on no other suite is taken."""
        self._sdes.settle(key)

    def meet(self, audio: Audio) -> None:
        """Take what the phone offers; raise MediaError."""
        self._browser.meet(audio.webrtc)
        self._sdes.meet(audio.sdes)

    def offer(self, form: OfferForm, local: LocalAudio) -> LocalAudio:
        """Return a first offer in another form; raise MediaError."""
        return self._browser.offer(local) if form == "browser" else self._sdes.offer(local)

    def agree(self, audio: Audio, offered: LocalAudio) -> LocalAudio:
        """Return what the phone has answered to of an offer that may have had several forms; raise MediaError.

        A later offer had one form.
        """
        said, form = _kind(audio), _kind(offered)
        if form not in ("", said):
            raise MediaError(f"not acceptable: {audio.protocol} in the answer to an offer of {offered.protocol}")
        if audio.webrtc is not None:
            return self._browser.agree(audio.webrtc, offered)
        return offered if audio.sdes is None else self._sdes.agree(audio.sdes, offered)

    def describe(self, audio: Audio, local: LocalAudio) -> LocalAudio:
        """Return what is said in a dialog with a phone that said `audio`."""
        if audio.webrtc is not None:
            return self._browser.describe(local)
        return local if audio.sdes is None else self._sdes.describe(local)

    def secure(self, audio: Audio) -> Secure | None:
        """Return what the relay has to know of a browser; None: it is none."""
        return None if audio.webrtc is None else self._browser.secure(audio.webrtc)

    def srtp(self, audio: Audio | None) -> SrtpKeys | None:
        """Return the relay's keys for a phone with SRTP, or for one that was offered it and has not answered yet."""
        if audio is not None and audio.sdes is None:
            return None
        return self._sdes.keys(None if audio is None else audio.sdes)


def is_protected(audio: Audio) -> bool:
    """Tell whether a phone speaks in another form than the plain one."""
    return audio.webrtc is not None or audio.sdes is not None


def _kind(said: Audio | LocalAudio) -> Kind:
    if said.webrtc is not None:
        return "browser"
    return "" if said.sdes is None else "srtp"
