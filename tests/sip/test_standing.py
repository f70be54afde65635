"""What a user agent keeps of a call that stands, and that nothing is lost by letting go of the rest."""

import gc
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Final

import pytest

from kobza.sip.flow import Flow, Transport
from kobza.sip.invite import InviteDialog
from kobza.sip.invite_client import ANSWERED, SentInvite
from kobza.sip.invite_server import ReceivedInvite
from kobza.sip.message import SipMessage, SipRequest
from kobza.sip.reliable import rseq_of
from kobza.sip.request import IncomingRequest
from kobza.sip.transaction import Transaction
from kobza.sip.ua import (
    InviteCancelled,
    InviteEnded,
    InviteReceived,
    OfferReceived,
    SessionPolicy,
    UserAgent,
)
from tests.sip.network import ANSWER, OFFER
from tests.sip.stand import CONTACT, SDP_TYPE, Stand

TIMEOUT: Final = 32
"""64*T1 in seconds."""
OF_THE_BEGINNING: Final = (SipMessage, Transaction, SentInvite, ReceivedInvite, IncomingRequest)
_SHARED: Final = (type, ModuleType, FunctionType, BuiltinFunctionType)
RELIABLE: Final = (CONTACT, SDP_TYPE, ("Require", "100rel"))
OTHER_WAY: Final = Flow(Transport.UDP, ("192.0.2.1", 5060), ("192.0.2.77", 5060))


def of_the_beginning(ua: UserAgent) -> list[object]:
    """Return what a user agent still has of how its calls came about."""
    found: list[object] = []
    seen: set[int] = set()
    waiting: list[object] = [ua]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, _SHARED):
            continue
        seen.add(id(each))
        if isinstance(each, OF_THE_BEGINNING):
            found.append(each)
        waiting += gc.get_referents(each)
    return found


def stand() -> Stand:
    return Stand(session=SessionPolicy(1800, 90), reliable=True)


def answered(ours: Stand, **options: object) -> tuple[InviteDialog, SipRequest]:
    """Return a call of ours that was answered, and its INVITE."""
    dialog = ours.invite(**options)
    invite = ours.one("INVITE")
    ours.answer(invite, 200, body=ANSWER)
    return dialog, invite


def test_of_a_call_that_stands_only_the_dialog_is_kept() -> None:
    ours = stand()
    called = ours.called()
    taken = ours.established(call_id="other", headers=RELIABLE[:2])
    late = ours.invite(body=b"")
    ours.answer(ours.one("INVITE"), 200, body=OFFER)
    ours.wait(2 * TIMEOUT)  # the owner's answer takes longer than the transaction is there
    assert {type(each).__name__ for each in of_the_beginning(ours.ua)} == {"FirstInvite", "SipRequest"}
    late.acknowledge(ANSWER)
    assert ours.one("ACK").body == ANSWER
    for dialog in (called, taken):
        dialog.reinvite(OFFER, now=ours.now)
        ours.answer(ours.one("INVITE"), 200, body=ANSWER)
    ours.receive(ours.within(taken, "INVITE", number=7, headers=(CONTACT, SDP_TYPE), body=OFFER))
    taken.answer_offer(ANSWER, now=ours.now)
    ours.receive(ours.within(taken, "ACK", number=7))
    ours.forget()
    ours.wait(TIMEOUT)
    assert of_the_beginning(ours.ua) == []
    for dialog in (called, taken, late):
        dialog.bye(now=ours.now)
        ours.answer(ours.one("BYE"), 200)
    ours.finish()


@pytest.mark.parametrize("peer_hangs_up", [True, False])
def test_of_a_call_that_is_over_no_message_is_kept(peer_hangs_up: bool) -> None:
    """Its transactions live on for half a minute, by thousands where many calls are made."""
    ours = stand()
    calls = (ours.called(), ours.established(call_id="other", headers=RELIABLE[:2]))
    for dialog in calls:
        if peer_hangs_up:
            ours.receive(ours.within(dialog, "BYE", number=9))
        else:
            dialog.bye(now=ours.now)
            ours.answer(ours.one("BYE"), 200)
    ours.forget()
    kept = of_the_beginning(ours.ua)
    assert [each for each in kept if isinstance(each, SipMessage)] == [ANSWERED]
    names = {type(each).__name__ for each in kept} - {type(ANSWERED).__name__}
    transactions = {"ServerTransaction"} if peer_hangs_up else {"ServerTransaction", "ClientTransaction"}
    assert names == transactions | {"ClientTransaction", "FirstInvite"}
    ours.wait(TIMEOUT)
    assert of_the_beginning(ours.ua) == []


def test_what_still_comes_for_an_invite_whose_ack_came() -> None:
    ours = stand()
    ours.receive(ours.request("INVITE", headers=(CONTACT, SDP_TYPE), body=OFFER, branch="z9hG4bKfirst"))
    dialog = ours.told(InviteReceived)[0].dialog
    dialog.accept(ANSWER, now=ours.now)
    ack = ours.within(dialog, "ACK", number=1, branch="z9hG4bKfirst")  # as peers of RFC 2543 do
    ours.receive(ack)
    ours.forget()
    ours.receive(ack)
    ours.ua.transport_failed(dialog.flow, ours.now)
    assert (ours.words, dialog.is_standing) == ([], True)
    ours.wait(TIMEOUT)
    assert of_the_beginning(ours.ua) == []
    dialog.bye(now=ours.now)
    ours.answer(ours.one("BYE"), 200)
    ours.finish()


def test_an_answer_that_comes_again_is_acknowledged_again_as_long_as_it_may() -> None:
    ours = stand()
    dialog, invite = answered(ours)
    ack = ours.raw[-1]
    assert dialog.request is None
    ours.wait(TIMEOUT - 1)
    ours.answer(invite, 200, body=ANSWER)
    assert (ours.raw[-1], ours.words.count("ACK")) == (ack, 2)
    ours.wait(2)
    ours.answer(invite, 200, body=ANSWER)
    assert (ours.words.count("ACK"), ours.ua.counts.stray) == (2, 1)
    dialog.bye(now=ours.now)
    ours.answer(ours.one("BYE"), 200)
    ours.finish()


def test_a_fork_that_answers_late_is_acknowledged_and_ended() -> None:
    ours = stand()
    dialog, invite = answered(ours)
    ours.forget()
    ours.wait(TIMEOUT - 1)
    ours.answer(invite, 200, tag="fork", body=ANSWER)
    assert ours.words == ["ACK", "BYE"]
    assert {message.to.tag for message in ours.sent} == {"fork"}
    ours.answer(ours.one("BYE"), 200)
    assert (dialog.is_standing, ours.news) == (True, [])
    dialog.bye(now=ours.now)
    ours.answer(ours.one("BYE"), 200)
    ours.finish()


def test_the_late_invite_and_cancel_of_a_call_that_stands() -> None:
    ours = stand()
    invite = ours.request("INVITE", headers=(CONTACT, SDP_TYPE), body=OFFER, branch="z9hG4bKfirst")
    ours.receive(invite)
    dialog = ours.told(InviteReceived)[0].dialog
    dialog.accept(ANSWER, now=ours.now)
    ours.receive(ours.within(dialog, "ACK", number=1))
    assert dialog.request is None
    ours.forget()
    ours.wait(TIMEOUT - 1)
    ours.receive(invite)  # a copy that the network has delayed
    assert ours.words == []
    ours.receive(ours.request("CANCEL", branch="z9hG4bKfirst"))
    assert (ours.words, ours.response().to.tag) == (["200 CANCEL"], dialog.local_tag)
    ours.receive(ours.request("INVITE", headers=(CONTACT, SDP_TYPE), body=OFFER, branch="z9hG4bKother"), OTHER_WAY)
    assert ours.words[-1] == "482 INVITE"
    assert not ours.told(InviteCancelled)
    assert not ours.told(InviteEnded)
    assert dialog.is_standing
    dialog.bye(now=ours.now)
    ours.answer(ours.one("BYE"), 200)
    ours.finish()


@pytest.mark.parametrize("comes", [True, False])
def test_a_ringing_that_is_acknowledged_after_the_answer(comes: bool) -> None:
    ours = stand()
    dialog = ours.invited(headers=RELIABLE)
    dialog.provisional(180, now=ours.now)
    rseq = rseq_of(ours.response())
    dialog.accept(ANSWER, now=ours.now)
    ours.receive(ours.within(dialog, "ACK", number=1))
    rack = ("RAck", f"{rseq} 1 INVITE")
    if comes:
        ours.receive(ours.within(dialog, "PRACK", number=2, headers=[rack]))
        assert ours.words[-1] == "200 PRACK"
        ours.receive(ours.within(dialog, "PRACK", number=3, headers=[rack]))
        assert ours.words[-1] == "481 PRACK"
    ours.receive(ours.within(dialog, "INVITE", number=4, headers=(CONTACT, SDP_TYPE), body=OFFER))
    assert len(ours.told(OfferReceived)) == 1
    dialog.answer_offer(ANSWER, now=ours.now)
    ours.receive(ours.within(dialog, "ACK", number=4))
    dialog.bye(now=ours.now)
    ours.answer(ours.one("BYE"), 200)
    ours.finish()
