"""Calls between two user agents, one after the other as RFC 3261 13 and 15 tell of them."""

from collections.abc import Callable
from typing import Any

import pytest

from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Transport
from kobza.sip.invite import InviteDialog, InviteState
from kobza.sip.message import SipResponse
from kobza.sip.ua import (
    InviteAnswered,
    InviteCancelled,
    InviteConfirmed,
    InviteEnded,
    InviteProgressed,
    InviteRejected,
    OfferRejected,
    RequestFailed,
    RequestReceived,
    ResponseReceived,
)
from tests.sip.network import ANSWER, OFFER, Network, Wire
from tests.sip.stand import CONTACT, SDP_TYPE, Stand

Q850 = [("Reason", 'Q.850;cause=16;text="Normal call clearing"')]
T1 = 0.5


def is_a(sender: str, word: str) -> Callable[[Wire], bool]:
    return lambda wire: wire.sender == sender and wire.word == word


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize("caller_ends", [True, False])
def test_call(transport: Transport, caller_ends: bool) -> None:
    network = Network(transport=transport)
    mine = network.invite(headers=[("X-Call", "7")], contact_user="alice", max_forwards=12)
    theirs = network.arrived()
    invite = theirs.request
    assert invite is not None
    assert invite.body == OFFER
    assert invite.get("X-Call") == "7"
    assert invite.max_forwards == 12
    assert invite.from_.display_name == "Аліса"
    assert str(invite.contacts[0].uri).startswith("sip:alice@192.0.2.1:5060")
    assert (mine.state, theirs.state) == (InviteState.TRYING, InviteState.TRYING)
    theirs.provisional(183, body=ANSWER, headers=[("P-Early-Media", "sendrecv")], now=network.now)
    network.settle()
    assert (mine.state, theirs.state) == (InviteState.EARLY, InviteState.EARLY)
    theirs.accept(ANSWER, headers=[("X-Answer", "yes")], now=network.now)
    assert theirs.state is InviteState.ACCEPTED
    network.settle()
    assert (mine.state, theirs.state) == (InviteState.CONFIRMED, InviteState.CONFIRMED)
    assert mine.dialog_id == (theirs.sip_call_id, theirs.remote_tag, theirs.local_tag)
    assert mine.remote_target.startswith("sip:bob@192.0.2.2:5070")
    network.wait(10)
    ender, other = (mine, theirs) if caller_ends else (theirs, mine)
    ender.bye(headers=Q850, now=network.now)
    assert ender.state is InviteState.CLOSING
    network.settle()
    assert (mine.state, theirs.state) == (InviteState.ENDED, InviteState.ENDED)
    a, b = ("a", "b") if caller_ends else ("b", "a")
    start = ["a INVITE", "b 183 INVITE", "b 200 INVITE", "a ACK"]
    assert network.ladder == [*start, f"{a} BYE", f"{b} 200 BYE"]
    progressed = network.caller.told(InviteProgressed)[0]
    assert (progressed.status, progressed.response.body) == (183, ANSWER)
    answered = network.caller.told(InviteAnswered)[0]
    assert answered.dialog is mine
    assert answered.response.get("X-Answer") == "yes"
    assert answered.response.content_type == "application/sdp"
    confirmed = network.called.told(InviteConfirmed)[0]
    assert (confirmed.dialog, confirmed.initial, confirmed.request.body) == (theirs, True, b"")
    end = (network.called if caller_ends else network.caller).told(InviteEnded)[0]
    assert end.dialog is other
    assert end.reason == "bye"
    assert end.request is not None
    assert end.request.reasons[0].cause == 16
    assert not (network.caller if caller_ends else network.called).told(InviteEnded)
    network.finish()


@pytest.mark.parametrize("status", [302, 404, 486, 603])
def test_rejection(status: int) -> None:
    network = Network()
    mine, theirs = network.ring()
    theirs.reject(status, "Not now", headers=Q850, now=network.now)
    network.settle()
    rejected = network.caller.told(InviteRejected)[0]
    assert rejected.dialog is mine
    assert rejected.status == status
    assert rejected.response is not None
    assert rejected.response.reason == "Not now"
    assert rejected.response.reasons[0].cause == 16
    assert network.ladder[-2:] == [f"b {status} INVITE", "a ACK"]
    assert network.words() == (["InviteProgressed", "InviteRejected"], ["InviteReceived"])
    network.finish()


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_cancel(transport: Transport) -> None:
    network = Network(transport=transport, called={"cancel_headers": Q850})
    mine, theirs = network.ring(headers=[("X-Call", "7")])
    mine.cancel(headers=[("Reason", "SIP;cause=200")], now=network.now)
    assert mine.state is InviteState.CANCELLING
    mine.cancel(now=network.now)
    mine.bye(now=network.now)
    network.settle()
    assert network.ladder[2:] == ["a CANCEL", "b 200 CANCEL", "b 487 INVITE", "a ACK"]
    invite, cancel = network.sent("a", "INVITE")[0].message, network.sent("a", "CANCEL")[0].message
    assert str(cancel.via) == str(invite.via)
    assert (cancel.to.tag, cancel.get("X-Call"), cancel.cseq.number) == (None, None, 1)
    tags = {network.sent("b", word)[0].message.to.tag for word in ("180 INVITE", "200 CANCEL", "487 INVITE")}
    assert tags == {theirs.local_tag}
    cancelled = network.called.told(InviteCancelled)[0]
    assert cancelled.dialog is theirs
    assert cancelled.request.reasons[0].protocol == "SIP"
    rejected = network.caller.told(InviteRejected)[0]
    assert rejected.status == 487
    assert rejected.response is not None
    assert rejected.response.reasons[0].cause == 16
    assert (mine.state, theirs.state) == (InviteState.ENDED, InviteState.ENDED)
    network.finish()


@pytest.mark.parametrize("reliable", [False, True])
def test_an_invitation_expires(reliable: bool) -> None:
    """RFC 3261 13.3.1: who gives an Expires is told 487 when nobody has answered by then."""
    ours = Stand(cancel_headers=Q850, reliable=True)
    required = [("Require", "100rel")] if reliable else []
    dialog = ours.invited(headers=[CONTACT, SDP_TYPE, ("Expires", "20"), *required])
    dialog.provisional(180, now=ours.now)
    ours.wait(19)
    assert not ours.told(InviteCancelled)
    ours.wait(2)
    assert ours.told(InviteCancelled)[0].dialog is dialog
    assert ours.words[-1] == "487 INVITE"
    last = ours.sent[-1]
    assert isinstance(last, SipResponse)
    assert last.reasons[0].cause == 16
    dialog.accept(ANSWER, now=ours.now)  # too late
    assert "200 INVITE" not in ours.words


@pytest.mark.parametrize("expires", ["20", "0", "soon", str(2**32)])
def test_what_does_not_expire(expires: str) -> None:
    ours = Stand()
    dialog = ours.invited(headers=[CONTACT, SDP_TYPE, ("Expires", expires)])
    ours.wait(10)
    dialog.accept(ANSWER, now=ours.now)
    ours.receive(ours.within(dialog, "ACK", number=1))
    ours.wait(60)
    assert dialog.state is InviteState.CONFIRMED
    assert not ours.told(InviteCancelled)


def test_cancel_waits_for_a_provisional_response() -> None:
    """RFC 3261 9.1: a CANCEL must not overtake its INVITE."""
    network = Network()
    network.drop = is_a("a", "INVITE")
    mine = network.invite()
    mine.cancel(now=network.now)
    network.wait(1.2)
    assert set(network.ladder) == {"a INVITE"}
    network.drop = lambda _: False
    network.wait(1)
    assert network.words() == (["InviteRejected"], ["InviteReceived", "InviteCancelled"])
    assert network.ladder[-5:] == ["b 100 INVITE", "a CANCEL", "b 200 CANCEL", "b 487 INVITE", "a ACK"]
    network.finish()


def test_cancel_of_an_invite_that_nobody_answers() -> None:
    network = Network()
    network.drop = lambda _: True
    mine = network.invite()
    mine.cancel(now=network.now)
    network.finish()
    assert network.caller.told(InviteRejected)[0].status == 487
    assert not network.sent("a", "CANCEL")


def test_answer_that_crosses_a_cancel_is_ended() -> None:
    network = Network()
    mine, theirs = network.ring()
    theirs.accept(ANSWER, now=network.now)
    mine.cancel(now=network.now)
    network.settle()
    assert sorted(network.ladder[2:]) == ["a ACK", "a BYE", "a CANCEL", "b 200 BYE", "b 200 CANCEL", "b 200 INVITE"]
    rejected = network.caller.told(InviteRejected)
    assert [(event.status, event.response) for event in rejected] == [(487, None)]
    assert not network.caller.told(InviteAnswered)
    assert network.called.words == ["InviteReceived", "InviteConfirmed", "InviteEnded"]
    network.finish()


def test_cancel_that_is_never_answered() -> None:
    """RFC 3261 9.1: 64*T1 after the CANCEL the INVITE counts as cancelled."""
    network = Network()
    mine, _ = network.ring()
    network.drop = lambda wire: wire.sender == "b"
    mine.cancel(now=network.now)
    network.wait(64 * T1 - 0.01)
    assert not network.caller.told(InviteRejected)
    network.wait(0.02)
    assert [(event.status, event.response) for event in network.caller.told(InviteRejected)] == [(487, None)]
    network.finish()


def test_nobody_answers() -> None:
    network = Network()
    network.drop = lambda _: True
    mine = network.invite()
    network.wait(40)
    assert network.times("a", "INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    rejected = network.caller.told(InviteRejected)[0]
    assert (rejected.dialog, rejected.status, rejected.response) == (mine, 408, None)
    network.finish()


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_transport_fails(transport: Transport) -> None:
    network = Network(transport=transport)
    network.drop = lambda _: True
    network.invite()
    network.caller.ua.transport_failed(network.out, network.now)
    network.settle()
    assert [(event.status, event.response) for event in network.caller.told(InviteRejected)] == [(503, None)]
    network.finish()


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_answer_is_repeated_until_the_ack_comes(transport: Transport) -> None:
    network = Network(transport=transport)
    network.drop = is_a("a", "ACK")
    _, theirs = network.talk()
    network.wait(12)
    assert network.times("b", "200 INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 11.5]
    assert network.times("a", "ACK") == [0, 0.5, 1.5, 3.5, 7.5, 11.5]
    assert network.caller.words.count("InviteAnswered") == 1
    assert len({wire.data for wire in network.sent("a", "ACK")}) == 1
    network.drop = lambda _: False
    network.wait(10)
    assert network.times("b", "200 INVITE")[-1] == 15.5
    assert network.called.words == ["InviteReceived", "InviteConfirmed"]
    theirs.bye(now=network.now)
    network.finish()


def test_ack_that_never_comes_ends_the_call() -> None:
    network = Network()
    network.drop = is_a("a", "ACK")
    _, theirs = network.talk()
    network.wait(64 * T1)
    assert network.called.words == ["InviteReceived", "InviteEnded"]
    ended = network.called.told(InviteEnded)[0]
    assert (ended.dialog, ended.request, ended.reason) == (theirs, None, "ack timeout")
    assert network.ladder[-2:] == ["b BYE", "a 200 BYE"]
    assert network.caller.words[-1] == "InviteEnded"
    network.finish()


@pytest.mark.parametrize("ack_comes", [True, False])
def test_bye_of_the_called_waits_for_the_ack(ack_comes: bool) -> None:
    """RFC 3261 15: the called may not send BYE before the ACK, or before its 2xx has been repeated in vain."""
    network = Network()
    network.drop = is_a("a", "ACK")
    _, theirs = network.talk()
    theirs.bye(headers=Q850, now=network.now)
    assert theirs.state is InviteState.CLOSING
    network.wait(2)
    assert not network.sent("b", "BYE")
    if ack_comes:
        network.drop = lambda _: False
    network.wait(31)
    assert network.called.words == ["InviteReceived"]
    bye = network.sent("b", "BYE")[0].message
    assert bye.reasons[0].cause == 16
    assert network.caller.words[-1] == "InviteEnded"
    network.finish()


def test_bye_of_the_caller_overtakes_its_ack() -> None:
    network = Network()
    network.drop = is_a("a", "ACK")
    mine, theirs = network.talk()
    mine.bye(now=network.now)
    network.settle()
    assert network.called.words == ["InviteReceived", "InviteEnded"]
    assert theirs.state is InviteState.ENDED
    network.wait(5)
    assert network.times("b", "200 INVITE") == [0]
    network.finish()


def test_both_hang_up_at_once() -> None:
    network = Network()
    mine, theirs = network.talk()
    mine.bye(now=network.now)
    theirs.bye(now=network.now)
    network.settle()
    assert sorted(network.ladder[4:]) == ["a 200 BYE", "a BYE", "b 200 BYE", "b BYE"]
    assert not network.caller.told(InviteEnded)
    assert not network.called.told(InviteEnded)
    network.finish()


def test_bye_before_the_answer() -> None:
    """The owner need not know how far a call is: bye ends it."""
    network = Network()
    mine, _ = network.ring()
    mine.bye(headers=Q850, now=network.now)
    network.settle()
    assert network.words() == (["InviteProgressed", "InviteRejected"], ["InviteReceived", "InviteCancelled"])
    assert network.sent("a", "CANCEL")[0].message.reasons[0].cause == 16
    network.finish()
    network = Network()
    _, theirs = network.ring()
    theirs.bye(headers=Q850, now=network.now)
    network.settle()
    assert network.caller.told(InviteRejected)[0].status == 480
    network.finish()


def test_cancel_after_the_answer_is_a_bye() -> None:
    network = Network()
    mine, _ = network.talk()
    mine.cancel(headers=Q850, now=network.now)
    network.settle()
    assert network.ladder[-2:] == ["a BYE", "b 200 BYE"]
    network.finish()


def test_late_offer() -> None:
    network = Network()
    mine = network.invite(body=b"")
    theirs = network.arrived()
    assert theirs.request is not None
    assert (theirs.request.body, theirs.request.content_type) == (b"", None)
    theirs.accept(OFFER, now=network.now)
    network.wait(2)
    assert (mine.state, theirs.state) == (InviteState.ACCEPTED, InviteState.ACCEPTED)
    assert not network.sent("a", "ACK")
    mine.acknowledge(ANSWER)
    network.settle()
    assert network.called.told(InviteConfirmed)[0].request.body == ANSWER
    assert (mine.state, theirs.state) == (InviteState.CONFIRMED, InviteState.CONFIRMED)
    mine.acknowledge(ANSWER)
    assert network.times("b", "200 INVITE") == [0, 0.5, 1.5]
    mine.bye(now=network.now)
    network.finish()
    assert len(network.sent("a", "ACK")) == 1


def test_answer_to_a_late_offer_after_the_peer_has_hung_up() -> None:
    """The 2xx is acknowledged all the same, and nothing more."""
    stand = Stand()
    dialog = stand.invite(body=b"")
    stand.answer(stand.one("INVITE"), 200, body=OFFER)
    stand.receive(stand.within(dialog, "BYE", number=1))
    dialog.acknowledge(ANSWER)
    assert stand.words == ["INVITE", "200 BYE", "ACK"]
    assert dialog.state is InviteState.ENDED
    stand.finish()


def test_bye_while_the_answer_to_a_late_offer_is_owed() -> None:
    network = Network()
    mine = network.invite(body=b"")
    network.arrived().accept(OFFER, now=network.now)
    network.settle()
    mine.bye(now=network.now)
    network.settle()
    assert network.ladder[-4:] == ["b 200 INVITE", "a ACK", "a BYE", "b 200 BYE"]
    network.finish()


def test_ringing_is_repeated_every_minute() -> None:
    """RFC 3261 13.3.1.1."""
    network = Network()
    mine, theirs = network.ring()
    network.wait(150)
    assert network.times("b", "180 INVITE") == [0, 60, 120]
    theirs.provisional(183, now=network.now)
    network.wait(59)
    theirs.accept(ANSWER, now=network.now)
    network.wait(100)
    assert network.times("b", "180 INVITE") == [0, 60, 120]
    assert network.times("b", "183 INVITE") == [0]
    mine.bye(now=network.now)
    network.finish()


TOO_LATE: dict[str, Callable[[InviteDialog, float], Any]] = {
    "provisional": lambda dialog, now: dialog.provisional(180, now=now),
    "accept": lambda dialog, now: dialog.accept(ANSWER, now=now),
    "reject": lambda dialog, now: dialog.reject(486, now=now),
    "cancel": lambda dialog, now: dialog.cancel(now=now),
    "bye": lambda dialog, now: dialog.bye(now=now),
    "acknowledge": lambda dialog, _now: dialog.acknowledge(ANSWER),
    "answer_offer": lambda dialog, now: dialog.answer_offer(ANSWER, now=now),
    "reject_offer": lambda dialog, now: dialog.reject_offer(488, now=now),
}


@pytest.mark.parametrize("name", TOO_LATE)
def test_what_comes_too_late_does_nothing(name: str) -> None:
    network = Network()
    mine, theirs = network.talk()
    mine.bye(now=network.now)
    network.settle()
    network.caller.events.clear()
    network.called.events.clear()
    before = len(network.wire)
    for dialog in (mine, theirs):
        TOO_LATE[name](dialog, network.now)
        assert dialog.state is InviteState.ENDED
    network.finish()
    assert len(network.wire) == before
    assert network.words() == ([], [])


def test_too_late_to_offer_or_ask() -> None:
    network = Network()
    mine, _ = network.talk()
    mine.bye(now=network.now)
    network.settle()
    mine.reinvite(OFFER, now=network.now)
    request = mine.send_request("INFO", now=network.now)
    network.settle()
    assert [event.status for event in network.caller.told(OfferRejected)] == [481]
    assert [(event.request, event.status) for event in network.caller.told(RequestFailed)] == [(request, 481)]
    assert request.method == "INFO"
    network.finish()


@pytest.mark.parametrize("act", ["invite", "cancel", "bye", "provisional", "accept", "reject", "reinvite", "request"])
def test_header_that_would_forge_another_is_refused_at_once(act: str) -> None:
    """Also those that are sent later, when nobody could be told."""
    network = Network()
    bad = [("X-Name", "a\r\nX-Forged: b")]
    now = network.now
    ringing, rung = network.ring()
    acts: dict[str, Callable[[], Any]] = {
        "invite": lambda: network.invite(headers=bad),
        "cancel": lambda: ringing.cancel(headers=bad, now=now),
        "provisional": lambda: rung.provisional(180, headers=bad, now=now),
        "accept": lambda: rung.accept(ANSWER, headers=bad, now=now),
        "reject": lambda: rung.reject(486, headers=bad, now=now),
    }
    if act not in acts:
        rung.accept(ANSWER, now=now)
        if act == "bye":
            network._collect()
            with pytest.raises(MalformedMessage):
                rung.bye(headers=bad, now=now)
        network.settle()
        acts["bye"] = lambda: ringing.bye(headers=bad, now=now)
        acts["reinvite"] = lambda: ringing.reinvite(OFFER, headers=bad, now=now)
        acts["request"] = lambda: ringing.send_request("INFO", headers=bad, now=now)
    states = ringing.state, rung.state
    with pytest.raises(MalformedMessage):
        acts[act]()
    assert (ringing.state, rung.state) == states
    ringing.bye(now=now)
    network.finish()
    assert not any(b"Forged" in wire.data for wire in network.wire)


def test_info_and_options_in_a_dialog() -> None:
    network = Network()
    mine, theirs = network.talk()
    network.called.reactions[RequestReceived] = lambda event: network.called.ua.respond(
        event.incoming, 200, headers=[("X-Seen", event.incoming.request.body.decode())], now=network.now
    )
    options = mine.send_request("OPTIONS", now=network.now)
    info = mine.send_request(
        "INFO", headers=[("Content-Type", "application/dtmf-relay")], body=b"Signal=5", now=network.now
    )
    network.settle()
    answers = {event.request: event.response for event in network.caller.told(ResponseReceived)}
    assert answers[options].status == 200
    assert "UPDATE" in answers[options].tokens("Allow")
    assert answers[info].get("X-Seen") == "Signal=5"
    received = network.called.told(RequestReceived)
    assert [event.incoming.dialog for event in received] == [theirs]
    assert not received[0].incoming.is_open
    theirs.bye(now=network.now)
    network.finish()


def test_representation() -> None:
    network = Network()
    mine, _ = network.talk()
    assert repr(mine) == f"<InviteDialog uac confirmed {mine.sip_call_id}>"
    assert mine.flow == network.out


def test_a_peer_names_our_dialog() -> None:
    network = Network()
    mine, theirs = network.talk()
    named = network.called.ua.dialog_named(mine.sip_call_id, theirs.local_tag, mine.local_tag)
    assert named is theirs
    for call_id, ours, other in (
        ("other", theirs.local_tag, mine.local_tag),
        (mine.sip_call_id, "other", mine.local_tag),
        (mine.sip_call_id, theirs.local_tag, "other"),
    ):
        assert network.called.ua.dialog_named(call_id, ours, other) is None
    notify = mine.send_request("NOTIFY", now=network.now)
    assert notify.request.contacts
    mine.bye(now=network.now)
    network.finish()


def test_who_rings_has_a_tag() -> None:
    network = Network()
    ringing, rung = network.ring()
    assert ringing.ringing_tag == rung.local_tag
    assert rung.ringing_tag is None
    rung.accept(ANSWER, now=network.now)
    network.settle()
    assert [ringing.ringing_tag, ringing.remote_tag] == [None, rung.local_tag]
    ringing.bye(now=network.now)
    network.finish()


@pytest.mark.parametrize("ringing", [True, False])
def test_who_takes_info_says_so_in_allow(ringing: bool) -> None:
    """Both ends of these calls do: the called one learns it from the INVITE, the caller from what first has Allow."""
    network = Network()
    mine = network.invite()
    theirs = network.arrived()
    assert (mine.takes_info, theirs.takes_info) == (False, True)
    if ringing:
        theirs.provisional(183, body=ANSWER, now=network.now)
        network.settle()
        assert mine.takes_info
    theirs.accept(ANSWER, now=network.now)
    network.settle()
    assert mine.takes_info


@pytest.mark.parametrize(("allow", "takes"), [("INVITE, ACK, BYE", False), ("INVITE,INFO", True), (None, False)])
def test_who_does_not_say_that_it_takes_info_does_not(allow: str | None, takes: bool) -> None:
    stand = Stand()
    dialog = stand.invite()
    stand.answer(stand.one("INVITE"), 200, headers=[CONTACT, *([] if allow is None else [("Allow", allow)])])
    assert dialog.takes_info is takes
