"""Both phones of a call send G.711 from now on, so that their voices can be mixed."""

from functools import partial

from kobza.call.core import CallCore
from kobza.call.errors import CommandRefusedError, WrongStateError
from kobza.call.leg import Leg
from kobza.call.phases import Phase
from kobza.call.renegotiation import Renegotiation

REFUSED = "A phone goes on to send a codec other than G.711, which alone can be mixed."


class Narrowing:
    """Asks the caller's phone, then the called one; a phone that sends G.711 already is not asked."""

    __slots__ = ("_core", "_leg", "_renegotiation", "token")

    def __init__(self, core: CallCore, renegotiation: Renegotiation, leg: Leg) -> None:
        """Begin for whoever acts on a leg. Raises WrongStateError."""
        if core.phase is not Phase.TALKING:
            raise WrongStateError("The call is not established, or is being transferred.")
        self._core = core
        self._renegotiation = renegotiation
        self._leg = leg
        self.token = core.begin_command(leg)
        """Under which the outcome comes."""
        core.narrow = True
        renegotiation.align(core.caller, partial(self._narrowed, core.callee))

    def _narrowed(self, following: Leg | None, ok: bool, _now: float) -> None:
        core = self._core
        if ok and following is not None:
            self._renegotiation.align(following, partial(self._narrowed, None))
        elif ok:
            core.command_done(self.token, self._leg.state)
        else:
            core.narrow = False
            core.command_failed(self.token, CommandRefusedError(REFUSED, sip_status=488))
            self._renegotiation.align(core.caller, _whatever)


def _whatever(_ok: bool, _now: float) -> None:
    """Go on either way."""
