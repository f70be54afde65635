"""The session timer of a dialog: who says when that it is still there, and the end of one that nobody hears of.

RFC 4028. A session ends when nobody has refreshed it in its time. We are the refresher unless the peer wants to be, and
also toward a peer that knows nothing of this: any answer shows that it is there, silence or a 481 that it is not. We
refresh by UPDATE without SDP; where the peer takes none, the owner is asked for a re-INVITE (`RefreshDue`). Each 2xx to
a re-INVITE or UPDATE, of either side and whatever for, is a refresh (section 7.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kobza.sip.dialog import RawLine
from kobza.sip.errors import MalformedMessage
from kobza.sip.message import SipMessage, SipRequest, SipResponse
from kobza.sip.request import ClientRequest, Credentials
from kobza.sip.session_expires import (
    DEFAULT_MIN_SE,
    LONGEST,
    OPTION_TAG,
    SessionExpires,
    SessionPolicy,
    knows_timers,
    min_se_of,
    session_expires_of,
)
from kobza.sip.timers import Timer
from kobza.sip.ua_core import UaCore
from kobza.sip.ua_events import RefreshDue

if TYPE_CHECKING:
    from kobza.sip.invite import InviteDialog

SESSION_INTERVAL_TOO_SMALL = 422
MARGIN: Final = 32.0
"""Seconds before its time is up in which a session is ended; a third of the time when that is less (section 10)."""
MAX_RAISES: Final = 4
"""422s in a row to which the same request is sent again with a longer time: one from each server on the way."""
SOON: Final = 1.0
"""Seconds before the end in which no refresh is tried any more."""

_NO_UPDATE: Final = frozenset({405, 501})
"""Statuses of a peer that does not take UPDATE, whatever its Allow said."""
_LOST: Final = frozenset({408, 481})
"""Statuses of a peer that does not know the dialog (RFC 3261 12.2.1.2)."""


class SessionTimer:
    """The timer of one dialog; it runs from the first 2xx on."""

    __slots__ = (
        "_core",
        "_end",
        "_is_agreed",
        "_is_ours",
        "_min_se",
        "_owner",
        "_policy",
        "_raises",
        "_seconds",
        "_takes_update",
        "_timer",
        "_update",
    )

    def __init__(self, core: UaCore, owner: InviteDialog, policy: SessionPolicy) -> None:
        self._core = core
        self._owner = owner
        self._policy = policy
        self._seconds = policy.interval
        self._min_se = policy.min_se
        self._is_ours = True
        """We refresh."""
        self._is_agreed = False
        """The peer takes part: only a 2xx is a refresh."""
        self._takes_update = False
        self._raises = 0
        self._end = 0.0
        """When the session ends unless it is refreshed."""
        self._timer: Timer | None = None
        self._update: RefreshUpdate | None = None
        """Our refresh that is under way."""

    # what goes into messages

    def request_lines(self) -> tuple[RawLine, ...]:
        """Lines for a re-INVITE or UPDATE of ours: who refreshes stays who it was (7.4)."""
        value = SessionExpires(self._seconds, "uac" if self._is_ours else "uas")
        line = ("session-expires", f"Session-Expires: {value}")
        if self._min_se == DEFAULT_MIN_SE:
            return (line,)
        return line, ("min-se", f"Min-SE: {self._min_se}")

    def accept(self, request: SipRequest, now: float) -> tuple[RawLine, ...]:
        """Agree to what an INVITE or UPDATE wants, and count from now; return the lines for its 2xx (section 9)."""
        self._learn(request)
        asked = session_expires_of(request)
        wanted = self._policy.interval if asked is None else min(asked.seconds, self._policy.interval)
        self._seconds = max(wanted, self._min_se, min_se_of(request) or 0)
        self._is_agreed = knows_timers(request)
        if not self._is_agreed:
            self._is_ours = True
        elif asked is not None and asked.refresher:
            self._is_ours = asked.refresher == "uas"
        self._restart(now)
        if asked is None and not self._is_agreed:
            return ()
        value = SessionExpires(self._seconds, "uas" if self._is_ours else "uac")
        line = ("session-expires", f"Session-Expires: {value}")
        return (line, ("require", f"Require: {OPTION_TAG}")) if self._is_agreed else (line,)

    # what comes of ours

    def agreed(self, response: SipResponse, now: float) -> None:
        """Take the 2xx to an INVITE or UPDATE of ours, and count from now (7.2)."""
        self._learn(response)
        try:
            said = session_expires_of(response)
        except MalformedMessage:
            said = None  # a call is worth more than its timer
        self._is_agreed = said is not None
        self._is_ours = said is None or said.refresher != "uas"
        if said is not None:
            self._seconds = max(said.seconds, self._policy.min_se)
        self._restart(now)

    def raised(self, response: SipResponse) -> dict[str, str] | None:
        """Take a 422 (7.3): the headers with which the same request is to be sent again; None when it is none."""
        if response.status != SESSION_INTERVAL_TOO_SMALL or self._raises == MAX_RAISES:
            return None
        try:
            least = min_se_of(response)
        except MalformedMessage:
            return None
        if least is None or not self._seconds < least <= LONGEST:
            return None
        self._raises += 1
        self._seconds = self._min_se = least
        value = SessionExpires(least, ("uac" if self._is_ours else "uas") if self._owner.is_standing else "")
        return {"Session-Expires": str(value), "Min-SE": str(least)}

    def refused(self, now: float) -> None:
        """Take a refusal of a refresh: a peer that knows no timers has shown that it is there."""
        if not self._is_agreed:
            self._restart(now)

    # time

    def stop(self) -> None:
        """The dialog is over."""
        self._core.queue.stop(self._timer)
        self._timer = None

    def timer_fired(self, _kind: int, now: float) -> None:
        """Refresh, or end a session that nobody has refreshed."""
        if now >= self._end:
            self._timer = None
            self._owner.expired(now)
        else:
            self.refresh(now)

    def refresh(self, now: float) -> None:
        """Refresh, and look again in half of what is left: nothing may come of it.

        An offer that is under way, of either side, refreshes as well.
        """
        left = self._end - now
        self._wake(self._end if left < SOON else now + left / 2)
        owner = self._owner
        if self._update is not None or owner.offer_out is not None or not owner.is_free_to_offer:
            return
        if not self._takes_update:
            self._core.events.append(RefreshDue(owner))
            return
        self._update = owner.refresh_by_update(self)
        self._update.send(now)

    # for the UPDATE

    def update_answered(self, response: SipResponse, now: float) -> None:
        """Take the final response to our UPDATE."""
        self._update = None
        owner = self._owner
        if not owner.is_standing:
            return
        status = response.status
        if status < 300:
            owner.dialog.refresh(response)
            self.agreed(response, now)
        elif status in _LOST:
            owner.lost(str(status), now)
        elif self.raised(response) is not None:
            self.refresh(now)
        elif status in _NO_UPDATE:
            self._takes_update = False
            self.refresh(now)
        else:
            self.refused(now)

    def update_failed(self, status: int, now: float) -> None:
        """Take that no response will come: the peer is gone (408), or out of reach for now."""
        self._update = None
        if status == 408:
            self._owner.lost("408", now)

    # inside

    def _learn(self, message: SipMessage) -> None:
        """Learn from a peer's Allow whether it takes UPDATE; one that says nothing stays as it was."""
        said = message.allows("UPDATE")
        if said is not None:
            self._takes_update = said

    def _restart(self, now: float) -> None:
        self._raises = 0
        seconds = self._seconds
        self._end = now + seconds - min(MARGIN, seconds / 3)
        self._wake(now + seconds / 2 if self._is_ours else self._end)

    def _wake(self, moment: float) -> None:
        queue = self._core.queue
        queue.stop(self._timer)
        self._timer = queue.start(moment, self, 0)


class RefreshUpdate(ClientRequest):
    """The UPDATE without SDP by which we refresh a session."""

    __slots__ = ("_session",)

    def __init__(
        self,
        session: SessionTimer,
        owner: InviteDialog,
        request: SipRequest,
        branch: str,
        credentials: Credentials | None,
    ) -> None:
        dialog = owner.dialog
        super().__init__(owner.core, request, branch, dialog.flow, credentials, owner, dialog)
        self._session = session

    def answered(self, response: SipResponse, now: float) -> None:
        """Tell the timer."""
        self._session.update_answered(response, now)

    def failed(self, status: int, now: float) -> None:
        """Tell the timer."""
        self._session.update_failed(status, now)
