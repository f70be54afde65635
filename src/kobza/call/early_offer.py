"""Our offer to a caller that made none and acknowledges that it rings: it goes out with the ringing (RFC 3262, 5)."""

from collections.abc import Callable

from kobza.call.actions import MediaAnswer, MediaOffer, Progress
from kobza.call.core import CallCore
from kobza.call.phases import Phase

Failed = Callable[[str, float], None]


class EarlyOffer:
    """The offer of one call, and its answer in the PRACK. Who answers at once is offered in the 200 as ever."""

    __slots__ = ("_core", "_is_asked", "is_out")

    def __init__(self, core: CallCore) -> None:
        self._core = core
        self._is_asked = False
        self.is_out = False
        """The caller has it, so the 200 needs none."""

    def ring(self) -> bool:
        """Tell the caller with the offer that it rings; False: it has that already."""
        if self._is_asked:
            return False
        self._is_asked = True
        request_id = self._core.outbox.ask(self._send, _no_ringing)
        self._core.outbox.actions.append(MediaOffer(request_id, None, "caller", None))
        return True

    def _send(self, sdp: bytes, _now: float) -> None:
        if self._core.phase is Phase.RINGING:
            self.is_out = True
            self._core.outbox.actions.append(Progress(self._core.caller.branches[0].branch_id, 180, sdp))

    def answered(self, sdp: bytes, agreed: Callable[[bytes, float], None], failed: Failed) -> None:
        """Take the caller's answer; `agreed` follows, or `failed` when it does not fit."""
        request_id = self._core.outbox.ask(agreed, failed)
        branch_id = self._core.caller.branches[0].branch_id
        self._core.outbox.actions.append(MediaAnswer(request_id, "caller", sdp, branch_id))


def _no_ringing(_reason: str, _now: float) -> None:
    """Leave the caller without: there is nothing that it could be offered."""
