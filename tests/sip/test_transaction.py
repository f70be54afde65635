"""The four machines in virtual time: each timer by its name, on UDP and on TCP, and what the network may do."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.sip.flow import Flow
from kobza.sip.message import SipRequest, SipResponse, parse_message
from kobza.sip.timers import Timers
from kobza.sip.transaction import ClientTransaction, ack_for_refusal, trying_for
from kobza.sip.transaction_tables import Input, State
from tests.sip.laboratory import TCP, UDP, Laboratory, Peers, request, state_of

DOUBLING = [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
"""Sent at T1, 2*T1, 4*T1 … after one another."""
DOUBLING_TO_T2 = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
"""The same, never more than T2 apart."""

both = pytest.mark.parametrize("flow", [UDP, TCP], ids=["UDP", "TCP"])


@pytest.fixture
def lab(flow: Flow) -> Laboratory:
    return Laboratory(flow)


# RFC 3261 17.1.1 with RFC 6026: INVITE client


@both
def test_timer_a_repeats_an_invite_ever_more_slowly_until_anything_comes(lab: Laboratory, flow: Flow) -> None:
    lab.client()
    lab.wait(31.9)
    assert lab.times("INVITE") == (DOUBLING if flow is UDP else [0.0])
    assert len(set(lab.wire)) == 1

    ringing = Laboratory(flow)
    invite = ringing.client()
    ringing.wait(0.7)
    ringing.answer(invite, 180)
    ringing.wait(100)
    assert ringing.times("INVITE") == ([0.0, 0.5] if flow is UDP else [0.0])


@both
def test_timer_b_ends_an_invite_that_nobody_answers(lab: Laboratory) -> None:
    invite = lab.client()
    lab.wait(31.9)
    assert (lab.user.told, state_of(invite)) == ([], State.CALLING)
    lab.wait(0.2)
    assert (lab.user.told, state_of(invite)) == ([(32.0, "failed 408")], State.TERMINATED)
    assert lab.is_empty


@both
def test_timer_c_is_a_proxys_so_a_phone_may_ring_for_hours(lab: Laboratory) -> None:
    """Who is no proxy ends a call that rings too long by itself, with CANCEL."""
    invite = lab.client()
    lab.answer(invite, 180)
    lab.wait(7200)
    assert (lab.user.words, state_of(invite), len(lab.queue)) == (["180"], State.PROCEEDING, 0)
    lab.answer(invite, 200)
    assert lab.user.words == ["180", "200"]


@both
@pytest.mark.parametrize("rings", [False, True])
def test_timer_d_keeps_a_refused_invite_to_acknowledge_it_again(lab: Laboratory, flow: Flow, rings: bool) -> None:
    invite = lab.client()
    if rings:
        lab.answer(invite, 180)
    lab.answer(invite, 486)
    assert lab.user.words[-1] == "486"
    assert lab.times("ACK") == [0.0]
    if flow is TCP:
        assert state_of(invite) is State.TERMINATED
        assert lab.is_empty
        return
    told = len(lab.user.told)
    lab.wait(1)
    lab.answer(invite, 486)
    lab.wait(30.9)
    lab.answer(invite, 486)
    assert lab.times("ACK") == [0.0, 1.0, 31.9]
    assert state_of(invite) is State.COMPLETED
    lab.wait(0.2)
    assert state_of(invite) is State.TERMINATED
    lab.answer(invite, 486)
    assert (len(lab.times("ACK")), len(lab.user.told)) == (3, told)
    assert lab.is_empty


@both
def test_timer_m_passes_every_2xx_of_every_fork(lab: Laboratory) -> None:
    invite = lab.client()
    lab.answer(invite, 200, "desk")
    lab.wait(10)
    lab.answer(invite, 200, "mobile")
    lab.answer(invite, 200, "desk")
    lab.answer(invite, 180)
    lab.answer(invite, 486)
    assert (lab.user.words, lab.times("ACK"), state_of(invite)) == (["200", "200", "200"], [], State.ACCEPTED)
    lab.wait(21.9)
    assert state_of(invite) is State.ACCEPTED
    lab.wait(0.2)
    assert state_of(invite) is State.TERMINATED
    lab.answer(invite, 200)
    assert len(lab.user.told) == 3
    assert lab.is_empty


# RFC 3261 17.1.2: non-INVITE client


@both
def test_timer_e_repeats_a_request_up_to_every_t2(lab: Laboratory, flow: Flow) -> None:
    lab.client("BYE")
    lab.wait(31.9)
    assert lab.times("BYE") == (DOUBLING_TO_T2 if flow is UDP else [0.0])


@both
def test_timer_e_is_t2_once_a_provisional_response_came(lab: Laboratory, flow: Flow) -> None:
    options = lab.client("OPTIONS")
    lab.wait(0.6)
    lab.answer(options, 100)
    lab.answer(options, 100)
    lab.wait(13)
    assert lab.times("OPTIONS") == ([0.0, 0.5, 1.5, 5.5, 9.5, 13.5] if flow is UDP else [0.0])
    assert lab.user.words == ["100", "100"]


@both
@pytest.mark.parametrize("provisional", [False, True])
def test_timer_f_ends_a_request_that_nobody_answers(lab: Laboratory, provisional: bool) -> None:
    options = lab.client("OPTIONS")
    if provisional:
        lab.answer(options, 100)
    lab.wait(31.9)
    assert "failed 408" not in lab.user.words
    lab.wait(0.2)
    assert lab.user.told[-1] == (32.0, "failed 408")
    assert lab.is_empty


@both
@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("provisional", [False, True])
def test_timer_k_absorbs_repeated_answers(lab: Laboratory, flow: Flow, status: int, provisional: bool) -> None:
    options = lab.client("OPTIONS")
    if provisional:
        lab.answer(options, 100)
    lab.answer(options, status)
    assert state_of(options) is (State.COMPLETED if flow is UDP else State.TERMINATED)
    lab.wait(4.9)
    lab.answer(options, status)
    assert lab.user.words.count(str(status)) == 1
    assert lab.times("OPTIONS") == [0.0]
    assert lab.is_empty is (flow is TCP)
    lab.wait(0.2)
    assert lab.is_empty


# RFC 3261 17.2.1 with RFC 6026: INVITE server


@both
def test_timer_g_repeats_a_refusal_until_it_is_acknowledged(lab: Laboratory, flow: Flow) -> None:
    invite = lab.server()
    lab.respond(invite, 486)
    lab.wait(31.9)
    assert lab.times("486") == (DOUBLING_TO_T2 if flow is UDP else [0.0])

    heard = Laboratory(flow)
    invite = heard.server()
    heard.respond(invite, 486)
    heard.wait(0.7)
    heard.feed(invite, Input.RECEIVE_ACK)
    heard.wait(40)
    assert heard.times("486") == ([0.0, 0.5] if flow is UDP else [0.0])
    assert heard.user.words == []


@both
def test_timer_h_gives_up_waiting_for_the_ack(lab: Laboratory) -> None:
    lab.respond(lab.server(), 486)
    lab.wait(31.9)
    assert lab.user.told == []
    lab.wait(0.2)
    assert lab.user.told == [(32.0, "failed 408")]
    assert lab.is_empty


@both
def test_timer_i_absorbs_repeated_acks(lab: Laboratory, flow: Flow) -> None:
    invite = lab.server()
    lab.respond(invite, 486)
    lab.feed(invite, Input.RECEIVE_ACK)
    assert state_of(invite) is (State.CONFIRMED if flow is UDP else State.TERMINATED)
    sent = len(lab.sent)
    lab.wait(4.9)
    assert not lab.feed(invite, Input.RECEIVE_ACK)
    assert not lab.feed(invite, Input.RECEIVE_REQUEST)
    assert lab.is_empty is (flow is TCP)
    lab.wait(0.2)
    assert (len(lab.sent), lab.user.told) == (sent, [])
    assert lab.is_empty


@both
def test_timer_l_keeps_an_accepted_invite_for_its_repetitions(lab: Laboratory) -> None:
    invite = lab.server()
    assert lab.respond(invite, 180)
    assert lab.respond(invite, 200)
    assert not lab.feed(invite, Input.RECEIVE_REQUEST)
    lab.wait(3)
    assert lab.respond(invite, 200)  # repeated by its user until the ACK comes
    lab.feed(invite, Input.RECEIVE_ACK)
    assert not lab.respond(invite, 486)
    assert not lab.respond(invite, 180)
    assert [word for _, word in lab.sent] == ["180", "200", "200"]
    assert lab.user.words == ["ACK"]
    lab.wait(28.9)
    assert state_of(invite) is State.ACCEPTED
    lab.wait(0.2)
    assert lab.is_empty
    assert lab.user.words == ["ACK"]


# RFC 3261 17.2.2: non-INVITE server


@both
def test_timer_j_answers_a_repeated_request_again(lab: Laboratory, flow: Flow) -> None:
    bye = lab.server("BYE")
    lab.wait(1)
    lab.respond(bye, 200)
    assert state_of(bye) is (State.COMPLETED if flow is UDP else State.TERMINATED)
    lab.wait(31)
    assert lab.feed(bye, Input.RECEIVE_REQUEST) is (flow is UDP)
    assert lab.times("200") == ([1.0, 32.0] if flow is UDP else [1.0])
    lab.wait(0.9)
    assert lab.is_empty is (flow is TCP)
    lab.wait(0.2)
    assert lab.is_empty


@both
@pytest.mark.parametrize("provisional", [False, True])
def test_patience_ends_a_request_whose_user_never_answers(lab: Laboratory, provisional: bool) -> None:
    options = lab.server("OPTIONS")
    if provisional:
        lab.respond(options, 182)
    lab.wait(31.9)
    assert state_of(options) is (State.PROCEEDING if provisional else State.TRYING)
    assert options.is_open
    lab.wait(0.2)
    assert state_of(options) is State.TERMINATED
    assert not lab.respond(options, 200)
    assert (lab.times("200"), lab.user.told) == ([], [])
    assert lab.is_empty


def test_timers_follow_their_base_values() -> None:
    lab = Laboratory(timers=Timers(t1=0.1, t2=0.3, t4=1.0))
    lab.client("BYE")
    lab.wait(2)
    assert lab.times("BYE") == pytest.approx([0.0, 0.1, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8])
    lab.wait(4.5)
    assert lab.user.words == ["failed 408"]
    assert lab.user.told[0][0] == pytest.approx(6.4)


def test_on_a_beat_transactions_are_forgotten_together_and_what_is_sent_keeps_its_time() -> None:
    lab = Laboratory(timers=Timers(beat=0.25))
    lab.wait(0.1)
    lab.respond(lab.server(), 200)  # timer L
    lab.wait(0.05)
    lab.respond(lab.server("BYE"), 200)  # timer J
    lab.wait(0.05)
    assert lab.queue.next_deadline() == pytest.approx(32.25)
    lab.client("BYE")
    lab.wait(1.0)
    assert lab.times("BYE") == pytest.approx([0.2, 0.7])
    lab.wait(31.03)  # until 32.23: whoever was answered at 0.1 is heard longer than 32 s
    assert len(lab.layer.servers) == 2
    lab.wait(0.03)
    assert not lab.layer.servers


# what is absorbed, and what is repeated


@both
def test_an_invite_without_any_answer_gets_100_after_200_ms(lab: Laboratory) -> None:
    """RFC 3261 17.2.1."""
    invite = lab.server()
    lab.wait(0.19)
    assert lab.sent == []
    lab.wait(40)
    assert lab.times("100") == pytest.approx([0.2])
    lab.respond(invite, 180)
    lab.respond(invite, 486)
    assert [word for _, word in lab.sent[:3]] == ["100", "180", "486"]


@both
@pytest.mark.parametrize("status", [180, 200, 401])
def test_an_invite_that_is_answered_within_200_ms_gets_no_100(lab: Laboratory, status: int) -> None:
    lab.respond(lab.server(), status)
    lab.wait(1)
    assert lab.times("100") == []


def test_a_repeated_invite_is_answered_at_once_100_and_then_with_the_last_response() -> None:
    lab = Laboratory()
    invite = lab.server()
    lab.wait(0.1)
    lab.feed(invite, Input.RECEIVE_REQUEST)
    assert lab.times("100") == pytest.approx([0.1])
    lab.feed(invite, Input.RECEIVE_REQUEST)
    lab.wait(1)
    lab.respond(invite, 180)
    lab.feed(invite, Input.RECEIVE_REQUEST)
    lab.respond(invite, 486)
    lab.feed(invite, Input.RECEIVE_REQUEST)
    assert [word for _, word in lab.sent] == ["100", "100", "180", "180", "486", "486"]
    assert invite.is_open is False


def test_a_request_is_answered_only_when_its_user_answers() -> None:
    lab = Laboratory()
    options = lab.server("OPTIONS")
    assert options.is_open
    assert not lab.feed(options, Input.RECEIVE_REQUEST)
    lab.respond(options, 100)
    lab.feed(options, Input.RECEIVE_REQUEST)
    lab.respond(options, 100)
    lab.respond(options, 404)
    lab.feed(options, Input.RECEIVE_REQUEST)
    assert [word for _, word in lab.sent] == ["100", "100", "100", "404", "404"]
    assert not lab.respond(options, 200)


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_a_request_given_up_is_silent(method: str) -> None:
    for rings in (False, True):
        lab = Laboratory()
        client = lab.client(method)
        if rings:
            lab.answer(client, 100)
        client.give_up(lab.now)
        lab.wait(100)
        assert lab.user.words == (["100"] if rings else [])
        assert len(lab.sent) == 1
        assert lab.is_empty
        client.give_up(lab.now)


def test_late_provisional_responses_are_absorbed() -> None:
    lab = Laboratory()
    invite, bye = lab.client(), lab.client("BYE")
    for client in (invite, bye):
        lab.answer(client, 500)
        lab.answer(client, 180)
        lab.answer(client, 200)
    assert lab.user.words == ["500", "500"]


# transport errors


@both
def test_an_invite_that_cannot_be_sent_fails(lab: Laboratory) -> None:
    lab.client()
    lab.layer.transport_failed(lab.flow, lab.now)
    assert lab.user.words == ["failed 503"]
    assert lab.is_empty


@both
def test_a_ringing_invite_survives_its_connection(lab: Laboratory) -> None:
    """The response may come over another one (RFC 3261 17.1.1.2 knows no error there)."""
    invite = lab.client()
    lab.answer(invite, 180)
    lab.layer.transport_failed(lab.flow, lab.now)
    lab.answer(invite, 200)
    assert lab.user.words == ["180", "200"]


@both
@pytest.mark.parametrize("provisional", [False, True])
def test_a_request_that_cannot_be_sent_fails(lab: Laboratory, provisional: bool) -> None:
    options = lab.client("OPTIONS")
    if provisional:
        lab.answer(options, 100)
    lab.layer.transport_failed(lab.flow, lab.now)
    assert lab.user.words[-1] == "failed 503"
    assert lab.is_empty


def test_an_ack_that_cannot_be_sent_changes_no_outcome() -> None:
    lab = Laboratory()
    invite = lab.client()
    lab.answer(invite, 486)
    lab.layer.transport_failed(UDP, lab.now)
    assert lab.user.words == ["486"]
    assert lab.is_empty


def test_a_broken_flow_harms_no_other() -> None:
    lab = Laboratory()
    lab.client()
    lab.server()
    for other in (TCP, UDP._replace(remote=("192.0.2.3", 5070)), UDP._replace(local=("192.0.2.1", 5061))):
        lab.layer.transport_failed(other, lab.now)
    assert lab.user.words == []
    assert (len(lab.layer.clients), len(lab.layer.servers)) == (1, 1)


@both
@pytest.mark.parametrize("status", [180, 200, 486])
def test_an_invite_server_stays_when_a_response_cannot_be_sent(lab: Laboratory, status: int) -> None:
    """RFC 6026 7.1: the peer may be reached again, and an ACK may come."""
    invite = lab.server()
    lab.respond(invite, status)
    state = state_of(invite)
    lab.layer.transport_failed(lab.flow, lab.now)
    assert (lab.user.words, state_of(invite)) == (["failed 503"], state)


@pytest.mark.parametrize("status", [182, 200])
def test_a_server_of_another_request_ends_when_its_response_cannot_be_sent(status: int) -> None:
    lab = Laboratory()
    options = lab.server("OPTIONS")
    lab.respond(options, status)
    lab.layer.transport_failed(UDP, lab.now)
    assert lab.user.words == ["failed 503"]
    assert lab.is_empty


def test_a_server_without_a_user_ends_in_silence() -> None:
    for method, status in (("INVITE", 486), ("OPTIONS", 200)):
        lab = Laboratory()
        transaction = lab.server(method)
        transaction.user = None
        lab.respond(transaction, status)
        lab.layer.transport_failed(UDP, lab.now)
        lab.wait(100)
        assert lab.is_empty
    lab = Laboratory()
    transaction = lab.server()
    transaction.user = None
    lab.respond(transaction, 200)
    lab.feed(transaction, Input.RECEIVE_ACK)
    lab.wait(100)
    assert lab.is_empty


# what a transaction writes by itself


def test_the_ack_to_a_refusal() -> None:
    lab = Laboratory()
    invite = lab.client()
    asked = lab.asked[invite]
    asked.add("Route", "<sip:edge;lr>")
    asked.add("Authorization", "Digest x=y")
    lab.answer(invite, 486, "bob")
    ack = parse_message(lab.wire[-1])
    assert isinstance(ack, SipRequest)
    assert (ack.method, ack.uri_text, ack.cseq.number, ack.body) == ("ACK", "sip:bob@192.0.2.2:5070", 1, b"")
    assert (ack.via, ack.from_, ack.call_id) == (asked.via, asked.from_, "call-1")
    assert (ack.to.tag, ack.get("route"), ack.max_forwards) == ("bob", "<sip:edge;lr>", 70)
    assert [name for name, _ in ack.items()] == [
        *("Via", "Max-Forwards", "From", "Call-ID", "Route", "To", "CSeq", "Content-Length"),
    ]


def test_the_ack_keeps_bytes_that_are_not_utf_8() -> None:
    invite = request()
    invite.set("From", '"\udcff" <sip:a@b>;tag=1')
    response = SipResponse.create(486, "x", [("To", '"\udcfe" <sip:b@c>;tag=2')])
    written = ack_for_refusal(invite, response)
    assert b'From: "\xff" <sip:a@b>;tag=1\r\nCall-ID' in written
    assert b'To: "\xfe" <sip:b@c>;tag=2\r\n' in written


def test_the_100() -> None:
    invite = request()
    invite.prepend("Via", "SIP/2.0/UDP edge;branch=z9hG4bKx")
    invite.add("Timestamp", "54")
    invite.add("Record-Route", "<sip:edge;lr>")
    trying = parse_message(trying_for(invite))
    assert isinstance(trying, SipResponse)
    assert (trying.status, trying.reason, trying.to.tag) == (100, "Trying", None)
    assert [name for name, _ in trying.items()] == [
        *("Via", "Via", "From", "To", "Call-ID", "CSeq", "Timestamp", "Content-Length"),
    ]


# everything at once

INPUTS = st.lists(st.tuples(st.sampled_from(Input), st.floats(0, 20)), max_size=25)


@given(st.sampled_from(["INVITE", "BYE"]), st.booleans(), st.sampled_from([UDP, TCP]), INPUTS)
def test_no_order_of_inputs_leaves_anything_behind(
    method: str, is_client: bool, flow: Flow, inputs: list[tuple[Input, float]]
) -> None:
    """Whatever comes in whatever order: at most two timers run, and who has ended sends and tells nothing more."""
    lab = Laboratory(flow)
    one = lab.client(method) if is_client else lab.server(method)
    for what, pause in inputs:
        if what is Input.START or what.name.startswith("TIMER_") or what is Input.PATIENCE:
            continue
        if isinstance(one, ClientTransaction) and what.name.startswith("RECEIVE_") and what.name[-1] in "X9":
            lab.answer(one, {Input.RECEIVE_1XX: 180, Input.RECEIVE_2XX: 200}.get(what, 486))
        elif not isinstance(one, ClientTransaction) and what.name.startswith("RESPOND_"):
            lab.respond(one, {Input.RESPOND_1XX: 180, Input.RESPOND_2XX: 200}.get(what, 486))
        elif not isinstance(one, ClientTransaction) or what in (Input.TRANSPORT_ERROR, Input.GIVE_UP):
            lab.feed(one, what)
        assert len(lab.queue) <= 2
        if state_of(one) is State.TERMINATED:
            break
        lab.wait(pause)
    unanswered = (State.TRYING, State.PROCEEDING)
    if state_of(one) not in unanswered or method != "INVITE":
        lab.wait(64.1)
        assert state_of(one) is State.TERMINATED
    if state_of(one) is State.TERMINATED:
        before = (list(lab.sent), list(lab.user.told))
        for what in Input:
            assert not lab.feed(one, what)
        lab.wait(100)
        assert (lab.sent, lab.user.told) == before
        assert lab.is_empty


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
@pytest.mark.parametrize("status", [200, 486])
@pytest.mark.parametrize("loss", [0.0, 0.3, 0.6])
def test_a_bad_network_loses_no_answer(method: str, status: int, loss: float) -> None:
    """With loss, duplicates and reordering: one request for the user there, one final outcome for the user here."""
    answered = 0
    for seed in range(40):
        peers = Peers(random.Random(seed), loss, status)
        peers.near.client(method)
        peers._carry()
        peers.run(200.0)
        final = [word for word in peers.near.user.words if word != "100"]
        assert peers.requests <= 1
        if method == "INVITE" and status == 200:  # repeated by the user until the ACK comes: here by nobody
            assert set(final) <= {"200", "failed 408"}
        else:
            assert len(final) == 1
        answered += str(status) in final
        assert peers.far.is_empty
        if final:
            assert peers.near.is_empty
    assert answered >= (40 if not loss else 30 if method == "OPTIONS" or status == 486 else 10)


def test_a_dead_network_ends_everything() -> None:
    peers = Peers(random.Random(1), 1.0, 486)
    peers.near.client()
    peers.near.client("OPTIONS", "z9hG4bKtwo")
    peers._carry()
    peers.run(200.0)
    assert peers.near.user.words == ["failed 408", "failed 408"]
    assert peers.requests == 0
    assert peers.near.is_empty
