"""What the switch reads from dialogs and messages, where something unreadable is as good as nothing."""

from collections.abc import Sequence
from typing import cast

from kobza.pbx.live_call import LiveCall
from kobza.sip.errors import MalformedMessage
from kobza.sip.headers import Reason
from kobza.sip.invite import InviteDialog
from kobza.sip.message import SipMessage


def call_of(dialog: InviteDialog) -> tuple[LiveCall, str] | None:
    """Return the call and the branch that a dialog belongs to; None for one that was turned away."""
    return cast("tuple[LiveCall, str] | None", dialog.tag)


def reasons_of(message: SipMessage | None) -> Sequence[Reason]:
    """Return the Reason values of a message; one that cannot be read gives none."""
    if message is None:
        return ()
    try:
        return message.reasons
    except MalformedMessage:
        return ()
