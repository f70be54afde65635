"""Transfers of running calls, whoever asks for them: an integrator's command, or a phone's REFER."""

from typing import Final

from kobza.call.actions import SideName
from kobza.call.errors import DestinationUnreachableError, NoRouteError, NumberError, WrongStateError
from kobza.call.events import ReleasedBy
from kobza.call.phases import Phase
from kobza.call.reach import OCCUPIED
from kobza.call.routing import ANONYMOUS, Identity, Party, Refused, identity_of
from kobza.call.step import Destination, Step
from kobza.pbx.admission import Admission, called
from kobza.pbx.dialling import TakenTarget
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.live_call import LiveCall, branch_of
from kobza.sip.invite_offer import REQUEST_PENDING

NO_ROUTE: Final = {
    404: "Nothing leads to the destination: it is nobody's here, and no trunk takes it.",
    482: "The destination is forwarded in a circle, or too often.",
    503: "The trunk to the destination cannot be reached.",
}
"""Why no call goes to a number, by the SIP status that a phone would get."""


class Transfers:
    """Begins them. What becomes of one is the call's own affair (`kobza.call.transfer`)."""

    def __init__(self, admission: Admission, view: DirectoryView) -> None:
        self._admission = admission
        self._view = view

    def find(self, destination: str, caller: Party, now: float) -> Step | Refused:
        """Return who rings first for a destination, or that it is not to be disturbed.

        Raises NumberError or NoRouteError for a number to which no call can go now, whoever is asked there.
        """
        found = self._admission.reach(destination, caller).first(now)
        if isinstance(found, Refused) and found.status != 480:
            if found.status == 484:
                raise NumberError(found.text, parameter="destination")
            raise NoRouteError(NO_ROUTE[found.status], parameter="destination")
        return found

    def begin(
        self,
        live: LiveCall,
        leg_id: str,
        destination: str,
        now: float,
        *,
        ring_timeout: float,
        by: ReleasedBy = "api",
    ) -> str:
        """Have the owner of a leg leave, and a number (normalized) called in its place; return the command's token.

        A number that is always forwarded is followed to where it leads.

        Raises NumberError, NoRouteError, DestinationUnreachableError, WrongStateError; the call is then as it was.
        """
        own, other = _parties(live, leg_id)
        if destination in (own.number, other.seen_by(own.enterprise_id)):
            raise NumberError("A call cannot be transferred to one who takes part in it.", parameter="destination")
        if live.call.phase is not Phase.TALKING:  # before the destination is looked at: this is the nearer fault
            raise WrongStateError("The call is not established, or is being transferred.")
        found = self.find(destination, own, now)
        if isinstance(found, Refused):
            raise WrongStateError(found.text, parameter="destination")
        if found.members:
            raise WrongStateError("A call cannot be transferred to a ringing group yet.", parameter="destination")
        if not found.targets and found.empty is OCCUPIED:
            raise DestinationUnreachableError("The destination takes no further call now.", parameter="destination")
        if not found.targets:
            raise DestinationUnreachableError("No phone of the destination is registered.", parameter="destination")
        party = found.hops[-1] if found.hops else called(self._view.snapshot, destination, own.enterprise_id)
        return self._transfer(live, leg_id, Destination(party, found.targets), now, ring_timeout=ring_timeout, by=by)

    def join(
        self,
        live: LiveCall,
        leg_id: str,
        other_call: LiveCall,
        other_leg_id: str,
        now: float,
        *,
        ring_timeout: float,
        by: ReleasedBy,
    ) -> str:
        """Have the owner of a leg leave, and whom it talks to in another call take its place; return the token.

        The other call ends. Raises WrongStateError when one of the two is not established; both are then as they were.
        """
        for each in (live, other_call):
            if each.call.phase is not Phase.TALKING:
                raise WrongStateError("One of the calls is not established, or is being transferred.")
        kept_leg_id, party, _ = next(side for side in other_call.parties() if side[0] != other_leg_id)
        leaves_first: ReleasedBy = "caller" if other_leg_id == other_call.caller_leg_id else "called"
        kept = [each for each in other_call.dialogs if other_call.call.leg_of(branch_of(each)) == kept_leg_id]
        if not kept:
            raise WrongStateError("On the other side of one of the calls is no phone, but a conference.")
        target = TakenTarget(kept[0])
        if target.is_browser:  # it would keep the keys of the old call, and both sides hear nothing
            raise WrongStateError("A browser cannot be taken over from another call; transfer to it without asking.")
        destination = Destination(party, [target])
        token = self._transfer(live, leg_id, destination, now, ring_timeout=ring_timeout, by=by)
        other_call.call.hand_over(kept_leg_id, leaves_first, now)
        other_call.give_away(kept[0])
        kept[0].reject_offer(REQUEST_PENDING, now=now)  # ours follows
        live.taken = kept[0]
        return token

    def _transfer(
        self, live: LiveCall, leg_id: str, to: Destination, now: float, *, ring_timeout: float, by: ReleasedBy
    ) -> str:
        own, other = _parties(live, leg_id)
        subscriber = self._view.snapshot.subscribers.get(own.number)
        devices = [] if subscriber is None else self._admission.devices_of(subscriber, now)
        token = live.call.transfer(leg_id, to, Destination(own, devices), now, ring_timeout=ring_timeout, by=by)
        side: SideName = "caller" if leg_id == live.caller_leg_id else "callee"
        live.show({side: live.shown_to(side) or self._identity_of(other, now)})
        live.asserted = own.number if other.enterprise_id is None else None
        return token

    def _identity_of(self, party: Party, now: float) -> Identity:
        """Return what those may learn of a party to whom it is transferred."""
        if party.shown_as is not None:
            return Identity(party.shown_as, "", restricted=party.shown_as == ANONYMOUS)
        subscriber = self._view.snapshot.subscribers.get(party.number)
        if subscriber is not None:
            return identity_of(subscriber, now)
        return Identity(party.number, party.display_name, restricted=party.number == ANONYMOUS)


def _parties(live: LiveCall, leg_id: str) -> tuple[Party, Party]:
    """Return whose a leg is, and who is on the other side."""
    return next((own, other) for own_leg_id, own, other in live.parties() if own_leg_id == leg_id)
