"""Dialogs that are of no call: one that goes from a call to another, and one whose call is over."""

from kobza.pbx.dialog_events import DialogEvents
from kobza.sip.invite import InviteDialog
from kobza.sip.message import SipResponse
from kobza.sip.ua import OfferReceived
from tests.sip.network import OFFER
from tests.sip.stand import CONTACT, SDP_TYPE, Stand


def offered_anew(ours: Stand, dialog: InviteDialog) -> OfferReceived:
    """Let the peer send a re-INVITE; return what is told of it."""
    assert dialog.tag is None
    ours.receive(ours.within(dialog, "INVITE", number=2, headers=(CONTACT, SDP_TYPE), body=OFFER))
    return ours.told(OfferReceived)[-1]


def tell(ours: Stand, event: OfferReceived) -> list[int]:
    """Give an event to the calls; return the statuses of what is answered."""
    ours.forget()
    events = DialogEvents(lambda _live, _enter: None, lambda: ours.now, lambda _dialog, _response: None)
    events.by_type[OfferReceived](event)
    ours.drain()
    return [sent.status for sent in ours.sent if isinstance(sent, SipResponse)]


def test_an_offer_between_two_calls_is_to_come_again() -> None:
    """481 would end the dialog (RFC 3261, section 12.2.1.2), which is to stand in the other call."""
    ours = Stand()
    dialog = ours.established()
    assert tell(ours, offered_anew(ours, dialog)) == [491]
    assert dialog.is_standing


def test_an_offer_whose_call_has_ended_meanwhile_is_answered_once() -> None:
    ours = Stand()
    dialog = ours.established()
    event = offered_anew(ours, dialog)
    ours.forget()
    dialog.bye(now=ours.now)
    ours.drain()
    assert [sent.status for sent in ours.sent if isinstance(sent, SipResponse)] == [487]
    assert tell(ours, event) == []
