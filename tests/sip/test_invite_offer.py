"""Offers in a dialog that stands: re-INVITE and UPDATE, both ways, with glare (RFC 3261 14, RFC 3311)."""

import pytest

from kobza.sip.flow import Transport
from kobza.sip.invite import InviteDialog, InviteState
from kobza.sip.invite_offer import MAX_TRIES
from kobza.sip.ua import (
    InviteAnswered,
    InviteConfirmed,
    InviteEnded,
    OfferAnswered,
    OfferReceived,
    OfferRejected,
    RequestFailed,
    ResponseReceived,
)
from tests.sip.network import ANSWER, OFFER, End, Network
from tests.sip.stand import CONTACT, SDP_TYPE, TCP, Stand

HOLD = b"v=0\r\na=sendonly\r\n"
HELD = b"v=0\r\na=recvonly\r\n"
T1 = 0.5


def talking(**options: object) -> tuple[Network, InviteDialog, InviteDialog]:
    """A call that stands, its beginning forgotten."""
    network = Network(**options)  # type: ignore[arg-type]
    mine, theirs = network.talk()
    for end in (network.caller, network.called):
        end.events.clear()
    network.wire.clear()
    return network, mine, theirs


def agree(end: End, body: bytes = HELD) -> None:
    """Answer every offer."""
    end.reactions[OfferReceived] = lambda event: event.dialog.answer_offer(body, now=end.now)


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize("by_caller", [True, False])
def test_reinvite(transport: Transport, by_caller: bool) -> None:
    network, mine, theirs = talking(transport=transport)
    us, them, one, other = (
        (network.caller, network.called, mine, theirs) if by_caller else (network.called, network.caller, theirs, mine)
    )
    agree(them)
    one.reinvite(HOLD, headers=[("X-Hold", "1")], now=network.now)
    network.settle()
    a, b = us.name, them.name
    assert [word for word in network.ladder if "100" not in word] == [f"{a} INVITE", f"{b} 200 INVITE", f"{a} ACK"]
    received = them.told(OfferReceived)[0]
    assert (received.dialog, received.request.body, received.request.get("X-Hold")) == (other, HOLD, "1")
    assert received.request.to.tag == other.local_tag
    answered = us.told(OfferAnswered)[0]
    assert (answered.dialog, answered.response.body) == (one, HELD)
    confirmed = them.told(InviteConfirmed)[0]
    assert (confirmed.dialog, confirmed.initial) == (other, False)
    other.answer_offer(HELD, now=network.now)  # a second answer is none
    network.wait(40)
    assert (mine.state, theirs.state) == (InviteState.CONFIRMED, InviteState.CONFIRMED)
    mine.bye(now=network.now)
    network.finish()


def test_reinvite_rejected_leaves_the_call() -> None:
    network, mine, theirs = talking()
    network.called.reactions[OfferReceived] = lambda event: event.dialog.reject_offer(
        488, "No", headers=[("Warning", "304 kobza none")], now=network.now
    )
    mine.reinvite(HOLD, now=network.now)
    network.settle()
    assert [(event.dialog, event.status) for event in network.caller.told(OfferRejected)] == [(mine, 488)]
    assert network.sent("b", "488 INVITE")[0].message.get("Warning")
    assert (mine.state, theirs.state) == (InviteState.CONFIRMED, InviteState.CONFIRMED)
    mine.reinvite(HOLD, now=network.now)
    network.settle()
    assert len(network.caller.told(OfferRejected)) == 2
    mine.bye(now=network.now)
    network.finish()


def test_late_offer_in_a_reinvite() -> None:
    network, mine, theirs = talking()
    agree(network.called, OFFER)
    mine.reinvite(b"", now=network.now)
    network.settle()
    assert network.called.told(OfferReceived)[0].request.body == b""
    assert network.caller.told(OfferAnswered)[0].response.body == OFFER
    assert "a ACK" not in network.ladder
    # while the answer is owed neither side may offer
    mine.reinvite(HOLD, now=network.now)
    theirs.reinvite(HOLD, now=network.now)
    theirs.send_request("UPDATE", headers=[SDP_TYPE], body=HOLD, now=network.now)
    network.settle()
    assert [event.status for event in network.caller.told(OfferRejected)] == [491]
    assert [event.response.status for event in network.called.told(ResponseReceived)] == [491]
    mine.acknowledge(ANSWER)
    network.settle()
    assert network.called.told(InviteConfirmed)[0].request.body == ANSWER
    agree(network.caller)
    network.wait(5)  # the offer of the called waited for the ACK
    assert len(network.called.told(OfferAnswered)) == 1
    mine.bye(now=network.now)
    network.finish()


def test_second_offer_before_the_outcome_is_rejected() -> None:
    network, mine, _ = talking()
    mine.reinvite(HOLD, now=network.now)
    mine.reinvite(OFFER, now=network.now)
    network.settle()
    assert [event.status for event in network.caller.told(OfferRejected)] == [491]
    assert len(network.called.told(OfferReceived)) == 1
    mine.bye(now=network.now)
    network.finish()


def test_glare() -> None:
    """RFC 3261 14.1: who owns the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, and both offers succeed."""
    network, mine, theirs = talking()
    agree(network.caller)
    agree(network.called)
    mine.reinvite(HOLD, now=network.now)
    theirs.reinvite(OFFER, now=network.now)
    network.settle()
    assert "a 491 INVITE" in network.ladder
    assert "b 491 INVITE" in network.ladder
    network.wait(2)
    assert len(network.called.told(OfferAnswered)) == 1
    assert not network.caller.told(OfferAnswered)
    network.wait(2)
    assert len(network.caller.told(OfferAnswered)) == 1
    again = network.times("a", "INVITE")[1]
    assert 2.1 <= again <= 4
    assert 0 <= network.times("b", "INVITE")[1] <= 2
    assert not network.caller.told(OfferRejected)
    numbers = [wire.message.cseq.number for wire in network.sent("a", "INVITE")]
    assert numbers == [2, 3]
    mine.bye(now=network.now)
    network.finish()


def test_endless_glare_is_a_rejection() -> None:
    stand = Stand(TCP)  # nothing is repeated there
    dialog = stand.established()
    dialog.reinvite(HOLD, now=stand.now)
    for _ in range(MAX_TRIES):
        stand.answer(stand.one("INVITE"), 491)
        stand.wait(4)
    assert [event.status for event in stand.told(OfferRejected)] == [491]
    assert stand.words.count("INVITE") == MAX_TRIES
    dialog.bye(now=stand.now)
    stand.answer(stand.one("BYE"), 200)
    stand.finish()


@pytest.mark.parametrize("how", ["bye", "peer"])
def test_end_while_an_offer_waits(how: str) -> None:
    stand = Stand()
    dialog = stand.called()
    dialog.reinvite(HOLD, now=stand.now)
    stand.answer(stand.one("INVITE"), 491)
    if how == "bye":
        dialog.bye(now=stand.now)
        stand.answer(stand.one("BYE"), 200)
    else:
        stand.receive(stand.within(dialog, "BYE", number=1))
    stand.finish()
    assert stand.words.count("INVITE") == 1
    assert not stand.told(OfferRejected)


def test_offer_before_the_ack_waits_for_it() -> None:
    stand = Stand()
    dialog = stand.invited()
    dialog.accept(ANSWER, now=stand.now)
    dialog.reinvite(HOLD, now=stand.now)
    assert "INVITE" not in stand.words
    stand.receive(stand.within(dialog, "ACK", number=1))
    stand.wait(2)
    stand.answer(stand.one("INVITE"), 200, body=HELD)
    assert stand.news[-1] == "OfferAnswered"
    stand.receive(stand.within(dialog, "BYE", number=2))
    stand.finish()


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [(481, "481", ["INVITE", "ACK"]), (408, "408", ["INVITE", "ACK", "BYE"]), (None, "408", ["BYE"])],
)
def test_reinvite_that_shows_the_peer_lost_the_call(status: int | None, reason: str, words: list[str]) -> None:
    """RFC 3261 12.2.1.2. After 408 a BYE is tried: the peer may be there still."""
    stand = Stand()
    dialog = stand.called()
    dialog.reinvite(HOLD, now=stand.now)
    if status is None:
        stand.wait(64 * T1)
    else:
        stand.answer(stand.one("INVITE"), status)
    assert [(event.request, event.reason) for event in stand.told(InviteEnded)] == [(None, reason)]
    assert not stand.told(OfferRejected)
    assert stand.words[-len(words) :] == words
    assert dialog.state is (InviteState.ENDED if status == 481 else InviteState.CLOSING)
    stand.finish()


def test_reinvite_whose_connection_breaks() -> None:
    stand = Stand()
    dialog = stand.called()
    dialog.reinvite(HOLD, now=stand.now)
    stand.ua.transport_failed(stand.flow, stand.now)
    assert [event.status for event in stand.told(OfferRejected)] == [503]
    assert dialog.state is InviteState.CONFIRMED
    dialog.bye(now=stand.now)
    stand.finish()


@pytest.mark.parametrize("outcome", ["487", "200", "silence"])
def test_reinvite_that_a_peer_lets_ring_is_taken_back(outcome: str) -> None:
    stand = Stand()
    dialog = stand.called()
    dialog.reinvite(HOLD, now=stand.now)
    stand.answer(stand.one("INVITE"), 180)
    stand.wait(64 * T1)
    assert stand.words[-1] == "CANCEL"
    stand.answer(stand.one("CANCEL"), 200)
    if outcome == "200":
        stand.answer(stand.one("INVITE"), 200, body=HELD)
        assert stand.words[-1] == "ACK"
        assert stand.news == ["OfferAnswered"]
    elif outcome == "487":
        stand.answer(stand.one("INVITE"), 487)
        assert [event.status for event in stand.told(OfferRejected)] == [487]
    else:
        stand.wait(64 * T1)
        assert [event.status for event in stand.told(OfferRejected)] == [487]
    assert dialog.state is InviteState.CONFIRMED
    dialog.bye(now=stand.now)
    stand.finish()


def test_answer_to_a_reinvite_after_our_bye_is_acknowledged() -> None:
    stand = Stand()
    dialog = stand.called()
    dialog.reinvite(HOLD, now=stand.now)
    invite = stand.one("INVITE")
    dialog.bye(now=stand.now)
    stand.answer(stand.one("BYE"), 200)
    stand.answer(invite, 200, body=HELD)
    assert stand.words == ["INVITE", "BYE", "ACK"]
    stand.answer(invite, 200, body=HELD)
    assert stand.words[-2:] == ["ACK", "ACK"]
    assert stand.news == []
    stand.finish()


@pytest.mark.parametrize("status", [491, 481, 500])
def test_refusal_of_a_reinvite_after_our_bye(status: int) -> None:
    stand = Stand()
    dialog = stand.called()
    dialog.reinvite(HOLD, now=stand.now)
    invite = stand.one("INVITE")
    dialog.bye(now=stand.now)
    stand.answer(invite, status)
    stand.answer(stand.one("BYE"), 200)
    assert stand.words == ["INVITE", "BYE", "ACK"]
    assert stand.news == []
    stand.finish()


def test_update_with_an_offer() -> None:
    network, mine, _ = talking()
    agree(network.called)
    update = mine.send_request("UPDATE", headers=[SDP_TYPE], body=HOLD, now=network.now)
    network.settle()
    assert network.ladder == ["a UPDATE", "b 200 UPDATE"]
    response = network.caller.told(ResponseReceived)[0]
    assert response.request is update
    assert response.response.body == HELD
    assert response.response.content_type == "application/sdp"
    assert response.response.contacts
    assert network.sent("a", "UPDATE")[0].message.contacts
    mine.bye(now=network.now)
    network.finish()


def test_update_without_an_offer_is_answered_at_once() -> None:
    stand = Stand()
    dialog = stand.established()
    contact = ("Contact", "<sip:peer@192.0.2.9:5099>")
    stand.receive(stand.within(dialog, "UPDATE", number=2, headers=[contact]))
    assert stand.words == ["200 UPDATE"]
    assert stand.news == []
    assert dialog.remote_target == "sip:peer@192.0.2.9:5099"
    assert dialog.flow.remote == ("192.0.2.9", 5099)
    dialog.bye(now=stand.now)
    assert stand.one("BYE").uri_text == "sip:peer@192.0.2.9:5099"
    stand.finish()


def test_update_with_a_body_that_cannot_be_read_changes_nothing() -> None:
    stand = Stand()
    dialog = stand.established()
    headers = [("Contact", "<sip:peer@192.0.2.9:5099>"), SDP_TYPE, ("Content-Encoding", "gzip")]
    stand.receive(stand.within(dialog, "UPDATE", number=2, headers=headers, body=HOLD))
    assert stand.words == ["415 UPDATE"]
    assert stand.response().get("Accept-Encoding") == "identity"
    assert stand.news == []
    assert dialog.remote_target == "sip:peer@192.0.2.9:5080"
    stand.receive(stand.within(dialog, "BYE", number=3))
    stand.finish()


def test_update_that_is_rejected_and_one_that_nobody_answers() -> None:
    stand = Stand()
    dialog = stand.established()
    headers = [CONTACT, SDP_TYPE]
    stand.receive(stand.within(dialog, "UPDATE", number=2, headers=headers, body=HOLD))
    dialog.reject_offer(488, now=stand.now)
    assert stand.words == ["488 UPDATE"]
    stand.receive(stand.within(dialog, "UPDATE", number=3, headers=headers, body=HOLD))
    stand.wait(64 * T1)  # the owner sleeps: the transaction ends, and the next offer is taken
    stand.receive(stand.within(dialog, "UPDATE", number=4, headers=headers, body=HOLD))
    assert len(stand.told(OfferReceived)) == 3
    dialog.answer_offer(b"", now=stand.now)
    assert stand.words == ["488 UPDATE", "200 UPDATE"]
    dialog.bye(now=stand.now)
    stand.finish()


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_second_offer_of_the_peer_is_told_to_come_back(method: str) -> None:
    """RFC 3261 14.2, RFC 3311 5.2: 500 with Retry-After from 0 to 10 s."""
    stand = Stand()
    dialog = stand.established()
    headers = [CONTACT, SDP_TYPE]
    stand.receive(stand.within(dialog, "INVITE", number=2, headers=headers, body=HOLD))
    stand.receive(stand.within(dialog, method, number=3, headers=headers, body=HOLD))
    response = stand.response()
    assert (response.status, response.cseq.number) == (500, 3)
    assert 0 <= int(response.get("Retry-After") or "") <= 10
    assert stand.news == ["OfferReceived"]
    dialog.answer_offer(HELD, now=stand.now)
    stand.receive(stand.within(dialog, "ACK", number=2))
    assert stand.news == ["OfferReceived", "InviteConfirmed"]
    dialog.bye(now=stand.now)
    stand.finish()


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize(("role", "status"), [("uac", 491), ("uas", 500)])
def test_offer_of_the_peer_before_the_answer(method: str, role: str, status: int) -> None:
    stand = Stand()
    if role == "uac":
        dialog = stand.invite()
        stand.answer(stand.one("INVITE"), 183, tag="peer", body=ANSWER)
        request = stand.within(dialog, method, number=2, from_tag="peer", headers=[CONTACT, SDP_TYPE], body=HOLD)
    else:
        dialog = stand.invited()
        dialog.provisional(183, now=stand.now)
        request = stand.within(dialog, method, number=2, headers=[CONTACT, SDP_TYPE], body=HOLD)
    stand.receive(request)
    assert stand.response().status == status
    assert not stand.told(OfferReceived)
    dialog.bye(now=stand.now)
    stand.finish()


def test_offer_of_the_peer_while_ours_is_under_way() -> None:
    stand = Stand()
    dialog = stand.called()
    dialog.reinvite(HOLD, now=stand.now)
    stand.receive(stand.within(dialog, "INVITE", number=1, headers=[CONTACT, SDP_TYPE], body=HOLD))
    assert stand.response().status == 491
    # UPDATE without an offer is no offer
    stand.receive(stand.within(dialog, "UPDATE", number=2, headers=[CONTACT]))
    assert stand.response().status == 200
    stand.answer(stand.one("INVITE"), 200, body=HELD)
    assert stand.news == ["OfferAnswered"]
    dialog.bye(now=stand.now)
    stand.finish()


def test_offer_of_the_peer_while_we_owe_the_ack_of_the_first_invite() -> None:
    stand = Stand()
    dialog = stand.invite(body=b"")
    stand.answer(stand.one("INVITE"), 200, body=OFFER)
    stand.receive(stand.within(dialog, "INVITE", number=1, headers=[CONTACT, SDP_TYPE], body=HOLD))
    assert stand.response().status == 491
    assert len(stand.told(InviteAnswered)) == 1
    dialog.bye(now=stand.now)
    stand.finish()


@pytest.mark.parametrize(("late", "status"), [(False, None), (True, 491)])
def test_reinvite_whose_predecessors_ack_was_lost(late: bool, status: int | None) -> None:
    """It is taken when offer and answer of the first were complete without the ACK (RFC 5407 3.1.4)."""
    stand = Stand()
    dialog = stand.invited(headers=[CONTACT], body=b"") if late else stand.invited()
    dialog.accept(ANSWER, now=stand.now)
    stand.receive(stand.within(dialog, "INVITE", number=2, headers=[CONTACT, SDP_TYPE], body=HOLD))
    if status is not None:
        assert stand.response().status == status
    else:
        assert len(stand.told(OfferReceived)) == 1
        dialog.answer_offer(HELD, now=stand.now)
        stand.receive(stand.within(dialog, "ACK", number=2))
        assert stand.told(InviteConfirmed)[0].initial is False
    stand.receive(stand.within(dialog, "ACK", number=1))
    assert dialog.state is InviteState.CONFIRMED
    assert stand.told(InviteConfirmed)[-1].initial is True
    dialog.bye(now=stand.now)
    stand.finish()


def test_missing_ack_of_a_reinvite_ends_the_call() -> None:
    stand = Stand()
    dialog = stand.established()
    stand.receive(stand.within(dialog, "INVITE", number=2, headers=[CONTACT, SDP_TYPE], body=HOLD))
    dialog.answer_offer(HELD, now=stand.now)
    stand.wait(64 * T1)
    assert [event.reason for event in stand.told(InviteEnded)] == ["ack timeout"]
    assert stand.words[-1] == "BYE"
    stand.finish()


def test_ack_of_a_reinvite_after_our_bye() -> None:
    stand = Stand()
    dialog = stand.invited()
    dialog.accept(ANSWER, now=stand.now)
    stand.receive(stand.within(dialog, "INVITE", number=2, headers=[CONTACT, SDP_TYPE], body=HOLD))
    dialog.answer_offer(HELD, now=stand.now)
    dialog.bye(now=stand.now)
    stand.receive(stand.within(dialog, "ACK", number=2))
    assert "BYE" not in stand.words  # the one that the BYE waits for is the first
    stand.receive(stand.within(dialog, "ACK", number=1))
    assert stand.words[-1] == "BYE"
    assert not stand.told(InviteConfirmed)
    stand.finish()


@pytest.mark.parametrize("accepted", [False, True])
def test_peers_cancel_of_its_reinvite(accepted: bool) -> None:
    """RFC 3261 9.2: the call goes on as before; a CANCEL after the answer changes nothing."""
    stand = Stand(cancel_headers=[("X-Cancel", "1")])
    dialog = stand.established()
    stand.receive(stand.within(dialog, "INVITE", number=2, branch="z9hG4bKre", headers=[CONTACT, SDP_TYPE], body=HOLD))
    if accepted:
        dialog.answer_offer(HELD, now=stand.now)
    stand.receive(stand.within(dialog, "CANCEL", number=2, branch="z9hG4bKre"))
    assert stand.words[-2:] == (["200 INVITE", "200 CANCEL"] if accepted else ["200 CANCEL", "487 INVITE"])
    if not accepted:
        assert stand.response().get("X-Cancel") == "1"
        dialog.answer_offer(HELD, now=stand.now)
        assert stand.words[-1] == "487 INVITE"
    assert stand.news == ["OfferReceived"]
    assert dialog.state is InviteState.CONFIRMED
    dialog.bye(now=stand.now)
    stand.finish()


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_bye_answers_the_open_offer_of_the_peer(ours: bool, method: str) -> None:
    stand = Stand()
    dialog = stand.established()
    stand.receive(stand.within(dialog, method, number=2, headers=[CONTACT, SDP_TYPE], body=HOLD))
    if ours:
        dialog.bye(now=stand.now)
        assert stand.words[-2:] == [f"487 {method}", "BYE"]
        stand.receive(stand.within(dialog, "INVITE", number=3, headers=[CONTACT, SDP_TYPE], body=HOLD))
        assert stand.response().status == 481
    else:
        stand.receive(stand.within(dialog, "BYE", number=3))
        assert stand.words[-2:] == ["200 BYE", f"487 {method}"]
    stand.finish()


def test_bye_stops_what_is_repeated() -> None:
    stand = Stand()
    dialog = stand.established()
    stand.receive(stand.within(dialog, "INVITE", number=2, headers=[CONTACT, SDP_TYPE], body=HOLD))
    dialog.answer_offer(HELD, now=stand.now)
    stand.receive(stand.within(dialog, "BYE", number=3))
    stand.wait(5)
    assert stand.words.count("200 INVITE") == 1
    stand.finish()


@pytest.mark.parametrize(
    ("method", "status", "ended"),
    [
        ("INFO", 481, True),
        ("INFO", 408, False),
        ("INFO", 415, False),
        ("INFO", None, False),
        ("UPDATE", 481, True),
        ("UPDATE", 408, True),
        ("UPDATE", 491, False),
        ("UPDATE", None, True),
        ("UPDATE", 503, False),
    ],
)
def test_request_that_shows_the_peer_lost_the_call(method: str, status: int | None, ended: bool) -> None:
    """RFC 5057 5.1: 481 ends the usage; 408 only when the request was to refresh it."""
    stand = Stand()
    dialog = stand.called()
    request = dialog.send_request(method, now=stand.now)
    if status is None:
        stand.wait(64 * T1)
        assert [(event.request, event.status) for event in stand.told(RequestFailed)] == [(request, 408)]
    else:
        stand.answer(stand.one(method), status)
        assert [event.response.status for event in stand.told(ResponseReceived)] == [status]
    assert bool(stand.told(InviteEnded)) is ended
    dialog.bye(now=stand.now)
    stand.finish()


def test_two_481s_end_a_call_once() -> None:
    stand = Stand()
    dialog = stand.called()
    first, second = dialog.send_request("INFO", now=stand.now), dialog.send_request("INFO", now=stand.now)
    stand.answer(first.request, 481)
    stand.answer(second.request, 481)
    assert stand.news == ["ResponseReceived", "InviteEnded", "ResponseReceived"]
    stand.finish()


def test_update_moves_the_target() -> None:
    stand = Stand()
    dialog = stand.called()
    dialog.send_request("UPDATE", now=stand.now)
    stand.answer(stand.one("UPDATE"), 200, headers=[("Contact", "<sip:elsewhere@192.0.2.9:5081>")])
    assert dialog.remote_target == "sip:elsewhere@192.0.2.9:5081"
    dialog.bye(now=stand.now)
    stand.finish()


@pytest.mark.parametrize("early", [False, True])
def test_request_before_there_is_a_dialog(early: bool) -> None:
    """A call that rings has no one dialog with the called, so nothing can be asked; the caller can be asked."""
    stand = Stand()
    dialog = stand.invite()
    if early:
        stand.answer(stand.one("INVITE"), 180)
    dialog.send_request("INFO", now=stand.now)
    dialog.reinvite(HOLD, now=stand.now)
    assert [event.status for event in stand.told(RequestFailed)] == [481]
    assert [event.status for event in stand.told(OfferRejected)] == [491]
    dialog.bye(now=stand.now)
    stand.finish()
    stand = Stand()
    dialog = stand.invited()
    if early:
        dialog.provisional(180, now=stand.now)
    dialog.send_request("INFO", now=stand.now)
    assert len(stand.told(RequestFailed)) == (0 if early else 1)
    if early:
        stand.answer(stand.one("INFO"), 481)  # not the end: the INVITE is still to be answered
        assert not stand.told(InviteEnded)
    dialog.reject(486, now=stand.now)
    stand.finish()
