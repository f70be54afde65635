"""Which numbers a call makes busy: each leg's, from when its phone is called until it leaves or the call is over."""

from kobza.call.routing import Party
from kobza.pbx.live_call import LiveCall
from kobza.pbx.presence import Presence


class BusyNumbers:
    """Tells the presence of the numbers that join calls and leave them; of each leg once."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence

    def join(self, live: LiveCall, leg_id: str, party: Party) -> None:
        """Note that a call makes a number busy, unless it does already or is over."""
        if not live.ended and leg_id not in live.present and leg_id not in live.absent:
            live.present += (leg_id,)
            if party.enterprise_id is not None:
                self._presence.call_began(party.number)

    def leave(self, live: LiveCall, leg_id: str, party: Party) -> None:
        """Note that a call does not make a number busy any more."""
        if leg_id in live.present:
            live.present = tuple([each for each in live.present if each != leg_id])
            if party.enterprise_id is not None:
                self._presence.call_ended(party.number)

    def end(self, live: LiveCall) -> None:
        """Note that a call makes nobody busy any more."""
        for leg_id, own, _ in live.parties():
            self.leave(live, leg_id, own)
