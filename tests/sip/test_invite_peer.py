"""Calls against a peer that does what two of our own never do: forks, odd digest, stray and broken messages."""

import pytest

from kobza.sip.dialog import Dialog
from kobza.sip.digest import DigestOutcome, DigestVerifier, ha1
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow, Transport
from kobza.sip.invite import MAX_EARLY_TAGS, InviteState
from kobza.sip.message import SipRequest
from kobza.sip.request import Credentials
from kobza.sip.ua import (
    InviteAnswered,
    InviteCancelled,
    InviteEnded,
    InviteProgressed,
    InviteRejected,
    RequestFailed,
    ResponseReceived,
)
from tests.sip.network import ANSWER, BOB, OFFER
from tests.sip.stand import CONTACT, SDP_TYPE, TCP, UDP, Stand, state_of

T1 = 0.5
CREDENTIALS = Credentials("alice", "secret")
VERIFIER = DigestVerifier("kobza", b"k" * 32)


def fork_contact(tag: str) -> tuple[str, str]:
    return ("Contact", f"<sip:{tag}@192.0.2.9:5080>")


# forks


def test_forks() -> None:
    """The first 2xx wins; the others are acknowledged and ended (RFC 3261 13.2.2.4)."""
    stand = Stand()
    dialog = stand.invite()
    invite = stand.one("INVITE")
    for tag in ("one", "two"):
        stand.answer(invite, 180, tag=tag, headers=[fork_contact(tag)])
    assert [event.response.to.tag for event in stand.told(InviteProgressed)] == ["one", "two"]
    assert dialog.dialog_id == (invite.call_id, dialog.local_tag, None)
    stand.receive(stand.request("OPTIONS", to_tag=dialog.local_tag, from_tag="two", call_id=dialog.sip_call_id))
    stand.receive(stand.request("OPTIONS", to_tag=dialog.local_tag, from_tag="no", call_id=dialog.sip_call_id))
    stand.receive(stand.request("OPTIONS", to_tag=dialog.local_tag, from_tag="two", call_id="other"))
    assert stand.words[1:] == ["200 OPTIONS", "481 OPTIONS", "481 OPTIONS"]
    stand.forget()
    for tag in ("two", "one", "three"):
        stand.answer(invite, 200, tag=tag, headers=[fork_contact(tag)], body=ANSWER)
    assert stand.words == ["ACK", "ACK", "BYE", "ACK", "BYE"]
    assert [(m.uri_text, m.to.tag, m.cseq.number) for m in stand.sent if isinstance(m, SipRequest)] == [
        ("sip:two@192.0.2.9:5080", "two", 1),
        ("sip:one@192.0.2.9:5080", "one", 1),
        ("sip:one@192.0.2.9:5080", "one", 2),
        ("sip:three@192.0.2.9:5080", "three", 1),
        ("sip:three@192.0.2.9:5080", "three", 2),
    ]
    assert [event.response.to.tag for event in stand.told(InviteAnswered)] == ["two"]
    assert [event.dialog.remote_tag for event in stand.told(InviteAnswered)] == ["two"]
    stand.forget()
    stand.answer(invite, 200, tag="one", headers=[fork_contact("one")], body=ANSWER)
    stand.answer(invite, 200, tag="two", headers=[fork_contact("two")], body=ANSWER)
    assert stand.words == ["ACK", "ACK"]
    assert stand.news == []
    stand.wait(64 * T1)  # the BYEs to the forks get no answer: nobody is told
    assert stand.news == []
    dialog.bye(now=stand.now)
    assert stand.one("BYE").to.tag == "two"
    stand.finish()


def test_fork_that_answers_after_the_call_has_ended() -> None:
    stand = Stand()
    dialog = stand.invite()
    invite = stand.one("INVITE")
    stand.answer(invite, 200, tag="one", body=ANSWER)
    dialog.bye(now=stand.now)
    bye = stand.one("BYE")
    stand.answer(bye, 200)
    stand.answer(invite, 200, tag="two", body=ANSWER)
    assert stand.words[-2:] == ["ACK", "BYE"]
    stand.answer(stand.one("BYE"), 481)
    assert stand.news == ["InviteAnswered"]
    stand.finish()


def test_forks_after_a_cancel_are_ended_and_told_once() -> None:
    stand = Stand()
    dialog = stand.invite()
    invite = stand.one("INVITE")
    stand.answer(invite, 180, tag="one")
    dialog.cancel(now=stand.now)
    stand.answer(invite, 183, tag="one")
    for tag in ("one", "two"):
        stand.answer(invite, 200, tag=tag, body=ANSWER)
    assert stand.words == ["INVITE", "CANCEL", "ACK", "BYE", "ACK", "BYE"]
    assert [event.status for event in stand.told(InviteRejected)] == [487]
    assert len(stand.told(InviteProgressed)) == 1
    stand.finish()


def test_forks_remembered_are_bounded() -> None:
    stand = Stand()
    dialog = stand.invite()
    for number in range(MAX_EARLY_TAGS + 1):
        stand.answer(stand.one("INVITE"), 180, tag=f"fork{number}")
    stand.forget()
    for number in (MAX_EARLY_TAGS - 1, MAX_EARLY_TAGS):
        stand.receive(
            stand.request(
                "OPTIONS",
                number=number,
                to_tag=dialog.local_tag,
                from_tag=f"fork{number}",
                call_id=dialog.sip_call_id,
            )
        )
    assert stand.words == ["200 OPTIONS", "481 OPTIONS"]
    dialog.cancel(now=stand.now)
    stand.finish()


def test_peer_without_tag_and_contact() -> None:
    """An RFC 2543 peer: requests go on to what was called."""
    stand = Stand()
    dialog = stand.invite()
    stand.answer(stand.one("INVITE"), 200, tag=None, headers=[], body=ANSWER)
    assert dialog.state is InviteState.CONFIRMED
    assert dialog.remote_tag is None
    assert stand.one("ACK").uri_text == "sip:peer@192.0.2.9:5080"
    dialog.bye(now=stand.now)
    stand.answer(stand.one("BYE"), 200)
    stand.finish()


# what a peer should not do


def test_bye_of_the_called_before_its_answer_is_refused() -> None:
    stand = Stand()
    dialog = stand.invite()
    stand.answer(stand.one("INVITE"), 180)
    stand.receive(stand.within(dialog, "BYE", number=1, from_tag="peer"))
    assert stand.response().status == 481
    assert dialog.state is InviteState.EARLY
    dialog.cancel(now=stand.now)
    stand.finish()


@pytest.mark.parametrize("ringing", [True, False])
def test_bye_of_the_caller_before_our_answer(ringing: bool) -> None:
    """RFC 3261 15.1.2: the BYE is answered, and the INVITE with 487."""
    stand = Stand()
    dialog = stand.invited()
    if ringing:
        dialog.provisional(180, now=stand.now)
    stand.forget()
    stand.receive(stand.within(dialog, "BYE", number=2))
    assert stand.words == ["200 BYE", "487 INVITE"]
    assert [event.reason for event in stand.told(InviteEnded)] == ["bye"]
    stand.finish()


def test_cancel_after_the_answer_changes_nothing() -> None:
    stand = Stand()
    dialog = stand.invited(branch="z9hG4bKcall")
    dialog.accept(ANSWER, now=stand.now)
    stand.receive(stand.request("CANCEL", branch="z9hG4bKcall"))
    assert stand.words == ["200 INVITE", "200 CANCEL"]
    assert not stand.told(InviteCancelled)
    stand.receive(stand.within(dialog, "ACK", number=1))
    dialog.bye(now=stand.now)
    stand.finish()


def test_ack_with_the_branch_of_its_invite() -> None:
    """Some peers repeat the branch in the ACK to a 2xx: it is found all the same."""
    stand = Stand()
    dialog = stand.invited(branch="z9hG4bKcall")
    dialog.accept(ANSWER, now=stand.now)
    stand.receive(stand.within(dialog, "ACK", number=1, branch="z9hG4bKcall"))
    assert dialog.state is InviteState.CONFIRMED
    dialog.bye(now=stand.now)
    stand.finish()


def test_stray_acks_and_responses_are_counted() -> None:
    stand = Stand()
    dialog = stand.established()
    stand.receive(stand.within(dialog, "ACK", number=1))  # repeated
    stand.receive(stand.within(dialog, "ACK", number=7))  # of nothing
    stand.receive(stand.request("ACK", to_tag="nobody"))
    stand.receive(stand.request("ACK"))
    request = stand.request("INFO", via="SIP/2.0/UDP 192.0.2.1:5060")
    stand.answer(request, 200)
    assert stand.words == []
    assert stand.news == []
    assert stand.ua.counts.stray == 3
    dialog.bye(now=stand.now)
    stand.finish()


def test_requests_out_of_order() -> None:
    """RFC 3261 12.2.2: a lower CSeq than the last is answered 500."""
    stand = Stand()
    dialog = stand.established(number=10)
    assert dialog.state is InviteState.ACCEPTED  # its ACK had another CSeq
    stand.receive(stand.within(dialog, "ACK", number=10))
    stand.receive(stand.within(dialog, "OPTIONS", number=12))
    stand.receive(stand.within(dialog, "OPTIONS", number=11))
    stand.receive(stand.within(dialog, "BYE", number=13))
    assert stand.words == ["200 OPTIONS", "500 OPTIONS", "200 BYE"]
    stand.finish()


def test_malformed_response_is_dropped() -> None:
    """Its sender repeats it, perhaps less broken; the call is not harmed."""
    stand = Stand()
    dialog = stand.invite()
    invite = stand.one("INVITE")
    for header in ("Contact", "Record-Route"):
        stand.answer(invite, 200, headers=[CONTACT, (header, "<sip:"), SDP_TYPE], body=b"")
    assert stand.news == ["MalformedReceived", "MalformedReceived"]
    assert stand.ua.counts.malformed == 2
    assert state_of(dialog) is InviteState.TRYING
    stand.answer(invite, 200, body=ANSWER)
    assert state_of(dialog) is InviteState.CONFIRMED
    dialog.bye(now=stand.now)
    stand.finish()


# digest


def challenge(stand: Stand, request: SipRequest, status: int = 401, *, stale: bool = False, now: float = 0) -> None:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    values = VERIFIER.challenges(now or stand.now, user_agent=None, stale=stale)
    stand.answer(request, status, headers=[(name, value) for value in values])


def is_authorized(stand: Stand, request: SipRequest, header: str = "Authorization") -> bool:
    verdict = VERIFIER.verify(
        request.get(header) or "",
        request.method,
        request.body,
        lambda user, algorithm: ha1(user, "kobza", "secret", algorithm),  # type: ignore[arg-type]
        stand.now,
    )
    return verdict.outcome is DigestOutcome.OK


def test_invite_with_digest_of_proxy_and_server() -> None:
    stand = Stand()
    dialog = stand.invite(credentials=CREDENTIALS)
    first = stand.one("INVITE")
    challenge(stand, first, 407)
    second = stand.one("INVITE")
    assert is_authorized(stand, second, "Proxy-Authorization")
    challenge(stand, second, 401)
    third = stand.one("INVITE")
    assert is_authorized(stand, third, "Proxy-Authorization")
    assert is_authorized(stand, third)
    assert [message.cseq.number for message in (first, second, third)] == [1, 2, 3]
    assert len({message.via.branch for message in (first, second, third)}) == 3
    assert len({(message.call_id, message.from_.tag, message.body) for message in (first, second, third)}) == 1
    assert stand.words == ["INVITE", "ACK", "INVITE", "ACK", "INVITE"]
    stand.answer(third, 200, body=ANSWER)
    ack = stand.one("ACK")
    assert ack.cseq.number == 3
    assert ack.get("Authorization") == third.get("Authorization")
    assert ack.get("Proxy-Authorization") == third.get("Proxy-Authorization")
    assert stand.news == ["InviteAnswered"]
    # requests in the dialog answer their own challenges
    stand.forget()
    dialog.reinvite(OFFER, now=stand.now)
    challenge(stand, stand.one("INVITE"))
    assert is_authorized(stand, stand.one("INVITE"))
    stand.answer(stand.one("INVITE"), 200, body=ANSWER)
    info = dialog.send_request("INFO", now=stand.now)
    challenge(stand, stand.one("INFO"))
    assert info.request is not None
    assert is_authorized(stand, stand.one("INFO"))
    stand.answer(stand.one("INFO"), 200)
    dialog.bye(now=stand.now)
    challenge(stand, stand.one("BYE"))
    assert is_authorized(stand, stand.one("BYE"))
    stand.answer(stand.one("BYE"), 200)
    numbers = [m.cseq.number for m in stand.sent if isinstance(m, SipRequest) and m.method != "ACK"]
    assert numbers == [4, 5, 6, 7, 8, 9]
    assert stand.news == ["OfferAnswered", "ResponseReceived"]
    assert dialog.state is InviteState.ENDED
    stand.finish()


def test_challenged_reinvite_is_limited_in_time_too() -> None:
    stand = Stand()
    dialog = stand.called(credentials=CREDENTIALS)
    dialog.reinvite(OFFER, now=stand.now)
    challenge(stand, stand.one("INVITE"))
    stand.answer(stand.one("INVITE"), 100)
    stand.wait(64 * T1)
    assert stand.words[-1] == "CANCEL"
    stand.wait(64 * T1)
    assert stand.news == ["OfferRejected"]
    dialog.bye(now=stand.now)
    stand.finish()


@pytest.mark.parametrize("case", ["no credentials", "wrong password", "unusable", "cancelled"])
def test_challenge_that_cannot_be_answered(case: str) -> None:
    stand = Stand()
    dialog = stand.invite(credentials=None if case == "no credentials" else CREDENTIALS)
    invite = stand.one("INVITE")
    if case == "unusable":
        stand.answer(invite, 401, headers=[("WWW-Authenticate", 'Bearer realm="kobza"')])
    elif case == "cancelled":
        stand.answer(invite, 100)
        dialog.cancel(now=stand.now)
        challenge(stand, invite)
    else:
        challenge(stand, invite)
    if case == "wrong password":
        challenge(stand, stand.one("INVITE"))
    assert [event.status for event in stand.told(InviteRejected)] == [401]
    stand.finish()


@pytest.mark.parametrize(("stale", "tries"), [(False, 2), (True, 3)])
def test_stale_nonce_is_tried_once_more(stale: bool, tries: int) -> None:
    stand = Stand()
    client = stand.ua.request(
        "REGISTER",
        "sip:192.0.2.9:5080",
        from_=BOB,
        to=BOB,
        flow=UDP,
        headers=[CONTACT, ("Expires", "60")],
        call_id="mine",
        cseq=7,
        credentials=CREDENTIALS,
        now=stand.now,
    )
    for number in range(tries):
        challenge(stand, stand.one("REGISTER"), stale=stale and number == 1)
    assert stand.words == ["REGISTER"] * tries
    assert [message.cseq.number for message in stand.sent] == list(range(7, 7 + tries))
    assert {message.call_id for message in stand.sent} == {"mine"}
    assert [(event.request, event.response.status) for event in stand.told(ResponseReceived)] == [(client, 401)]
    stand.finish()


def test_broken_second_challenge_is_not_stale() -> None:
    stand = Stand()
    stand.invite(credentials=CREDENTIALS)
    challenge(stand, stand.one("INVITE"))
    stand.answer(stand.one("INVITE"), 401, headers=[("WWW-Authenticate", 'Digest realm="kobza')])
    assert [event.status for event in stand.told(InviteRejected)] == [401]
    stand.finish()


def test_credentials_hide_the_password() -> None:
    assert "secret" not in repr(CREDENTIALS)


# connections


def test_dialog_goes_on_over_a_new_connection() -> None:
    stand = Stand(TCP)
    dialog = stand.established()
    other = stand.called()
    assert dialog.flow == TCP
    stand.ua.transport_failed(TCP, stand.now)
    lost = Flow(Transport.TCP, TCP.local, ("192.0.2.9", 5080))
    assert dialog.flow == lost
    assert other.flow == lost
    new = TCP._replace(connection=8)
    stand.receive(stand.within(dialog, "OPTIONS", number=2), new)
    assert dialog.flow == new
    dialog.bye(now=stand.now)
    other.bye(now=stand.now)
    stand.drain()
    assert stand.flows[-2:] == [new, lost]
    stand.finish()


def test_response_goes_over_a_new_connection_when_its_own_broke() -> None:
    """RFC 3261 18.2.2: to the address of the topmost Via."""
    stand = Stand(TCP)
    dialog = stand.invited(via="SIP/2.0/TCP 192.0.2.9:5099")
    stand.forget()
    stand.ua.transport_failed(TCP, stand.now)
    dialog.reject(486, now=stand.now)
    stand.drain()
    assert stand.flows == [Flow(Transport.TCP, TCP.local, ("192.0.2.9", 5099))]
    stand.finish()


def test_udp_that_cannot_be_sent_ends_what_was_asked() -> None:
    stand = Stand()
    dialog = stand.called()
    request = dialog.send_request("INFO", now=stand.now)
    stand.ua.transport_failed(UDP, stand.now)
    assert [(event.request, event.status) for event in stand.told(RequestFailed)] == [(request, 503)]
    assert dialog.flow == UDP
    dialog.bye(now=stand.now)
    stand.ua.transport_failed(UDP, stand.now)
    assert dialog.state is InviteState.ENDED
    stand.finish()


def test_answer_that_cannot_be_sent_is_sent_again() -> None:
    stand = Stand()
    dialog = stand.invited()
    dialog.accept(ANSWER, now=stand.now)
    stand.ua.transport_failed(UDP, stand.now)
    stand.wait(1)
    assert stand.words.count("200 INVITE") == 2
    stand.receive(stand.within(dialog, "ACK", number=1))
    assert dialog.state is InviteState.CONFIRMED
    dialog.bye(now=stand.now)
    stand.finish()


def test_dialog_of_a_request_without_contact() -> None:
    with pytest.raises(MalformedMessage, match="no Contact"):
        Dialog.of_request(Stand().request("INVITE"), "tag", UDP)


def test_a_contact_says_where_to_send_and_not_who_has_sent() -> None:
    """Else who names the address of a trunk would be that trunk."""
    stand = Stand()
    dialog = stand.invited(headers=[("Contact", "<sip:peer@192.0.2.77:5099>"), SDP_TYPE])
    assert dialog.flow.remote == ("192.0.2.77", 5099)
    assert dialog.source == UDP
