"""Requests of ours inside a dialog, by what their outcome means for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.request import ClientRequest, Credentials
from kobza.sip.ua_events import RequestFailed, ResponseReceived

if TYPE_CHECKING:
    from kobza.sip.dialog import Dialog
    from kobza.sip.invite import InviteDialog


class InDialogRequest(ClientRequest):
    """INFO, UPDATE and others on behalf of the owner."""

    __slots__ = ("_owner",)

    def __init__(self, owner: InviteDialog, request: SipRequest, branch: str, credentials: Credentials | None) -> None:
        dialog = owner.dialog
        super().__init__(owner.core, request, branch, dialog.flow, credentials, owner, dialog)
        self._owner = owner

    def answered(self, response: SipResponse, now: float) -> None:
        """Pass it on; a peer that does not know the dialog ends it (RFC 3261 12.2.1.2, RFC 5057)."""
        self.core.events.append(ResponseReceived(self, response))
        status = response.status
        if status == 481 or (status == 408 and self.method == "UPDATE"):
            self._owner.lost(str(status), now)
        elif status < 300 and self.method == "UPDATE":
            self._owner.dialog.refresh(response)
            self._owner.refreshed(response, now)

    def failed(self, status: int, now: float) -> None:
        """Pass it on; no answer to an UPDATE ends the dialog."""
        self.core.events.append(RequestFailed(self, status))
        if status == 408 and self.method == "UPDATE":
            self._owner.lost("408", now)


class ByeRequest(ClientRequest):
    """The BYE that ends a dialog (`dialog`), or a fork that nobody wants (None)."""

    __slots__ = ()

    def answered(self, _response: SipResponse, _now: float) -> None:
        """Whatever the response is, the dialog is over."""
        if self.dialog is not None:
            self.dialog.finish()

    def failed(self, _status: int, _now: float) -> None:
        """So it is without one."""
        if self.dialog is not None:
            self.dialog.finish()


class Prack(ClientRequest):
    """A PRACK of ours. Its outcome concerns nobody: a peer that does not get it refuses the call in the end."""

    __slots__ = ()

    def __init__(
        self, owner: InviteDialog, dialog: Dialog, request: SipRequest, branch: str, credentials: Credentials | None
    ) -> None:
        super().__init__(owner.core, request, branch, dialog.flow, credentials, owner, owner.dialog)

    def answered(self, response: SipResponse, now: float) -> None:
        """Nothing."""

    def failed(self, status: int, now: float) -> None:
        """Nothing."""
