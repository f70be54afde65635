"""Branches of calls that are no phones, but seats in a mix: they answer each offer at once."""

from collections.abc import Callable, Mapping
from typing import Final

from kobza.call.actions import Dial, SendOffer, SideName
from kobza.call.causes import BEARER_NOT_IMPLEMENTED
from kobza.media.plane import MediaError, MediaPlane, Side
from kobza.pbx.live_call import Enter, LiveCall
from kobza.sip.headers import Reason

SIDES: Final[Mapping[SideName, Side]] = {"caller": Side.CALLER, "callee": Side.CALLEE}
REFUSED: Final = 488
UNMIXABLE: Final = (Reason("Q.850", BEARER_NOT_IMPLEMENTED, ""),)
"""Why there is no seat: the phone on the other side was offered nothing that can be mixed."""


class Seats:
    """Has the media plane answer for them. `feed` gives a call an input; `now` is in seconds."""

    def __init__(self, plane: MediaPlane, feed: Enter, now: Callable[[], float]) -> None:
        self._plane = plane
        self._feed = feed
        self._now = now

    def dial(self, live: LiveCall, action: Dial) -> None:
        """Answer what would be an INVITE."""
        branch_id, call = action.branch_id, live.call
        live.seats = {**live.seats, branch_id: action.side}
        self._answer(
            live,
            action.side,
            action.sdp,
            lambda sdp: call.branch_answered(branch_id, sdp, self._now()),
            lambda: call.branch_rejected(branch_id, REFUSED, UNMIXABLE, self._now()),
        )

    def offer(self, live: LiveCall, action: SendOffer) -> None:
        """Answer what would be a re-INVITE."""
        branch_id, call = action.branch_id, live.call
        self._answer(
            live,
            live.seats[branch_id],
            action.sdp,
            lambda sdp: call.offer_answered(branch_id, sdp, self._now()),
            lambda: call.offer_rejected(branch_id, REFUSED, self._now()),
        )

    def _answer(
        self,
        live: LiveCall,
        side: SideName,
        sdp: bytes,
        answered: Callable[[bytes], None],
        refused: Callable[[], None],
    ) -> None:
        def done(reply: bytes | MediaError) -> None:
            if isinstance(reply, MediaError):
                self._feed(live, refused)
            else:
                said = reply
                self._feed(live, lambda: answered(said))

        self._plane.sit(live.call_id, side=SIDES[side], sdp=sdp, done=done)
