"""The calls that are on: who takes part in them, by which dialogs, and which numbers they make busy."""

from typing import Final

from kobza.call.actions import AddLeg, DropLeg, ReplaceLeg
from kobza.pbx.busy import BusyNumbers
from kobza.pbx.call_dialogs import CallDialogs
from kobza.pbx.live_call import LiveCall, without
from kobza.pbx.presence import Presence
from kobza.sip.invite import InviteDialog


class RunningCalls:
    """Finds calls by their id and by their legs. Belongs into the loop's thread."""

    def __init__(self, presence: Presence) -> None:
        self.by_id: Final[dict[str, LiveCall]] = {}
        self.dialogs: Final = CallDialogs()
        """Which SIP dialog is of which call; also of calls that were over a moment ago, or never began."""
        self._by_leg: dict[str, LiveCall] = {}
        self._busy = BusyNumbers(presence)

    def by_leg(self, leg_id: str) -> LiveCall | None:
        """Return the call of a leg, as long as it is on."""
        return self._by_leg.get(leg_id)

    # the life of a call

    def begin(self, live: LiveCall) -> None:
        """Take in a call. The number that calls is busy from now on."""
        self.by_id[live.call_id] = live
        for leg_id, _, _ in live.parties():
            self._by_leg[leg_id] = live
        self._busy.join(live, live.caller_leg_id, live.caller)

    def called(self, live: LiveCall) -> None:
        """Note that the number called is being rung; nothing happens the second time."""
        self._busy.join(live, live.callee_leg_id, live.callee)

    def hung_up(self, live: LiveCall) -> None:
        """Note that a call makes nobody busy any more, though it is not over for SIP."""
        self._busy.end(live)

    def end(self, live: LiveCall) -> bool:
        """Forget a call; return False for one that is not known."""
        if self.by_id.pop(live.call_id, None) is None:
            return False
        for leg_id, _, _ in live.parties():
            self._by_leg.pop(leg_id, None)
        return True

    # who takes part

    def add_dialog(self, live: LiveCall, branch_id: str, dialog: InviteDialog, trunk: str | None = None) -> None:
        """Note that a dialog is a branch of a call. `trunk`: the name of the trunk that it goes over."""
        live.add_dialog(branch_id, dialog)
        self.dialogs.join(live.call_id, dialog, trunk)

    def add_leg(self, live: LiveCall, action: AddLeg) -> None:
        """Note that a member of a ringing group is called."""
        live.ringing = {**live.ringing, action.leg_id: action.party}
        self._by_leg[action.leg_id] = live
        self._busy.join(live, action.leg_id, action.party)

    def drop_leg(self, live: LiveCall, action: DropLeg) -> None:
        """Note that a member of a ringing group is called no longer."""
        party = live.ringing[action.leg_id]
        live.ringing = without(live.ringing, action.leg_id)
        del self._by_leg[action.leg_id]
        self._busy.leave(live, action.leg_id, party)

    def replace_leg(self, live: LiveCall, action: ReplaceLeg) -> None:
        """Note that a side has left, and another number is called in its place, or is the called side by now."""
        leg_id, gone = (
            (live.caller_leg_id, live.caller) if action.side == "caller" else (live.callee_leg_id, live.callee)
        )
        del self._by_leg[leg_id]
        self._busy.leave(live, leg_id, gone)
        live.replace(action.side, action.leg_id, action.party)
        self._by_leg[action.leg_id] = live
        self._busy.join(live, action.leg_id, action.party)

    def leave_line(self, live: LiveCall, leg_id: str) -> None:
        """Note that the owner of a leg is not on that line, so that it makes them not busy."""
        live.absent += (leg_id,)
        for own_leg_id, own, _ in live.parties():
            if own_leg_id == leg_id:
                self._busy.leave(live, leg_id, own)
