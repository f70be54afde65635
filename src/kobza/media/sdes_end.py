"""Our end toward a phone that speaks SRTP with keys in the descriptions (RFC 4568). No I/O."""

from collections.abc import Callable

from msgspec.structs import replace

from kobza.media.messages import SrtpKeys
from kobza.media.plane import MediaError
from kobza.sdp.negotiation import LocalAudio
from kobza.sdp.sdes import OFFERED, Crypto

NewKey = Callable[[str], str]
"""Makes a random key with its salt for a suite, in base64."""


class SdesEnd:
    """Our key of one side. It is made when the phone offers SRTP or is offered it, and stays while the suite does.

    `new_key` is None where SRTP is not available: then what needs it makes a MediaError.
    """

    __slots__ = ("_new_key", "_ours")

    def __init__(self, new_key: NewKey | None) -> None:
        self._new_key = new_key
        self._ours: Crypto | None = None

    def settle(self, key: str | None) -> None:
        """Take the key that was made elsewhere for what the phone has offered; there is none for anything else."""
        self._new_key = None
        if self._ours is not None and key is not None:
            self._ours = replace(self._ours, key=key)

    def meet(self, theirs: Crypto | None) -> None:
        """Take what the phone offers; None: no SRTP. Raises MediaError."""
        if theirs is None:
            self._ours = None
        elif self._ours is None or self._ours.suite != theirs.suite:
            self._ours = Crypto(theirs.tag, theirs.suite, self._key(theirs.suite))
        else:
            self._ours = replace(self._ours, tag=theirs.tag)

    def agree(self, theirs: Crypto, offered: LocalAudio) -> LocalAudio:
        """Return what the phone has answered to of an offer that may have had several forms; raise MediaError."""
        if self._ours is None or theirs.suite != self._ours.suite:
            raise MediaError("not acceptable: an answer with a suite of SRTP that was not offered")
        return replace(offered, sdes=self._ours)

    def offer(self, local: LocalAudio) -> LocalAudio:
        """Return a first offer as a phone with SRTP takes it; raise MediaError."""
        if self._ours is None:
            self._ours = Crypto("1", OFFERED, self._key(OFFERED))
        return replace(local, sdes=self._ours)

    def describe(self, local: LocalAudio) -> LocalAudio:
        """Return what is said in a dialog with such a phone."""
        return replace(local, sdes=self._ours)

    def keys(self, theirs: Crypto | None) -> SrtpKeys | None:
        """Return the keys for the relay; `theirs` None: the phone has not named its own."""
        ours = self._ours
        return None if ours is None else SrtpKeys(ours.suite, "" if theirs is None else theirs.key, ours.key)

    def _key(self, suite: str) -> str:
        if self._new_key is None:
            raise MediaError("not acceptable: SRTP is not available here")
        return self._new_key(suite)
