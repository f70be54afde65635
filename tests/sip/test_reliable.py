"""Reliable provisional responses (RFC 3262), in both roles: RSeq, PRACK and the answers in them."""

from typing import Any

import pytest

from kobza.sip.flow import Transport
from kobza.sip.invite import InviteDialog, InviteState
from kobza.sip.invite_client import MAX_EARLY_DIALOGS
from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.reliable import RAck
from kobza.sip.ua import (
    Credentials,
    EarlyAnswered,
    InviteAnswered,
    InviteCancelled,
    InviteConfirmed,
    InviteEnded,
    InviteProgressed,
    InviteRejected,
    MalformedReceived,
    OfferAnswered,
    OfferReceived,
    RefreshDue,
)
from tests.sip.network import ANSWER, OFFER, Network
from tests.sip.stand import CONTACT, SDP_TYPE, TCP, Stand

REQUIRE = ("Require", "100rel")
OTHER = b"v=0\r\no=- 9 2 IN IP4 192.0.2.2\r\n"
T1 = 0.5


def stand(**options: Any) -> Stand:
    return Stand(reliable=True, **options)


def invited(ours: Stand, **options: Any) -> InviteDialog:
    """A call of a peer that requires reliable responses."""
    return ours.invited(headers=[CONTACT, SDP_TYPE, REQUIRE], **options)


def rseq(response: SipResponse) -> int:
    assert response.tokens("Require") == ["100rel"]
    text = response.get("RSeq")
    assert text is not None
    return int(text)


def prack(ours: Stand, dialog: InviteDialog, number: int, rack: str, **options: Any) -> int:
    """Let a PRACK arrive; returns our answer's status."""
    headers = [("RAck", rack), *options.pop("headers", ())]
    request = ours.within(dialog, "PRACK", number=number, headers=headers, **options)
    ours.receive(request)
    answers = [message for message in ours.sent if isinstance(message, SipResponse) and message.cseq == request.cseq]
    assert [message.cseq.method for message in answers] == ["PRACK"]
    return answers[0].status


def acknowledge(ours: Stand, dialog: InviteDialog, number: int) -> None:
    """Let the PRACK to the last response arrive."""
    last = [message for message in ours.sent if isinstance(message, SipResponse) and message.get("RSeq")][-1]
    assert prack(ours, dialog, number, f"{rseq(last)} 1 INVITE") == 200


def provisionals(ours: Stand) -> list[tuple[int, bytes]]:
    """What reliable responses there were, each once."""
    found: dict[str | None, tuple[int, bytes]] = {}
    ours.drain()
    for message in ours.sent:
        if isinstance(message, SipResponse) and message.get("RSeq"):
            found[message.get("RSeq")] = message.status, message.body
    return list(found.values())


# as the called


def test_ringing_is_sent_until_it_is_acknowledged() -> None:
    ours = stand()
    dialog = invited(ours)
    dialog.provisional(180, headers=[("X-Ring", "1")], now=ours.now)
    assert ours.response().get("X-Ring")
    assert ours.response().get("Contact")
    number = rseq(ours.response())
    ours.wait(7 * T1 + 0.1)
    assert ours.words == ["180 INVITE"] * 4  # 0, T1, 3 T1, 7 T1
    assert len(set(ours.raw)) == 1
    for wrong in (f"{number + 1} 1 INVITE", f"{number} 2 INVITE", f"{number} 1 OPTIONS"):
        assert prack(ours, dialog, 2, wrong) == 481
        ours.sent = [message for message in ours.sent if message.cseq.method != "PRACK"]
    assert prack(ours, dialog, 3, f"{number}   1 INVITE") == 200
    assert prack(ours, dialog, 4, f"{number} 1 INVITE") == 481  # another one, and nothing waits for it
    ours.forget()
    ours.wait(56)
    assert not ours.words
    ours.wait(1)  # a minute later it rings still: another response, that has to be acknowledged as well
    assert set(ours.words) == {"180 INVITE"}
    assert rseq(ours.response()) == number + 1
    assert ours.response().get("X-Ring")
    acknowledge(ours, dialog, 5)
    dialog.accept(ANSWER, now=ours.now)
    assert (ours.response().status, ours.response().body) == (200, ANSWER)
    assert ours.response().get("Require") is None
    ours.receive(ours.within(dialog, "ACK", number=1))
    ours.receive(ours.within(dialog, "BYE", number=6))
    ours.finish()


def test_nobody_acknowledges() -> None:
    ours = stand()
    dialog = invited(ours)
    dialog.provisional(180, now=ours.now)
    ours.wait(64 * T1 - 0.1)
    assert not ours.told(InviteEnded)
    ours.wait(0.2)
    assert ours.response().status == 504
    assert [(event.request, event.reason) for event in ours.told(InviteEnded)] == [(None, "prack timeout")]
    assert dialog.state is InviteState.ENDED
    dialog.accept(ANSWER, now=ours.now)  # too late
    ours.finish()
    assert "200 INVITE" not in ours.words


def test_responses_wait_for_each_other() -> None:
    """Only the newest of those that wait is sent, but no answer is lost."""
    ours = stand()
    dialog = invited(ours)
    for status, body in ((180, b""), (181, b""), (183, ANSWER), (182, b"")):
        dialog.provisional(status, body=body, now=ours.now)
    assert provisionals(ours) == [(180, b"")]
    acknowledge(ours, dialog, 2)
    assert provisionals(ours) == [(180, b""), (182, ANSWER)]
    acknowledge(ours, dialog, 3)
    dialog.provisional(183, body=OTHER, now=ours.now)
    assert provisionals(ours)[2:] == [(183, b"")]  # there is one answer
    dialog.accept(ANSWER, now=ours.now)  # an open one without SDP does not hold it up
    assert (ours.response().status, ours.response().body) == (200, b"")
    ours.receive(ours.within(dialog, "ACK", number=1))
    acknowledge(ours, dialog, 4)
    assert ours.news == ["InviteReceived", "InviteConfirmed"]
    ours.receive(ours.within(dialog, "BYE", number=5))
    ours.finish()


@pytest.mark.parametrize(("body", "differs"), [(ANSWER, False), (OTHER, True)])
def test_the_200_waits_for_the_prack_to_our_answer(body: bytes, differs: bool) -> None:
    ours = stand()
    dialog = invited(ours)
    dialog.provisional(183, body=ANSWER, now=ours.now)
    dialog.accept(body, headers=[("X-Who", "desk")], now=ours.now)
    assert "200 INVITE" not in ours.words
    acknowledge(ours, dialog, 2)
    assert ours.words[-2:] == ["200 INVITE", "200 PRACK"]
    answered = next(message for message in ours.sent if isinstance(message, SipResponse) and message.status == 200)
    assert (answered.body, answered.get("X-Who")) == (b"", "desk")
    ours.receive(ours.within(dialog, "ACK", number=1))
    assert len(ours.told(InviteConfirmed)) == 1
    assert len(ours.told(RefreshDue)) == differs
    ours.receive(ours.within(dialog, "BYE", number=3))
    ours.finish()


@pytest.mark.parametrize("how", ["cancel", "bye", "silence", "hang up"])
def test_the_end_while_the_200_waits(how: str) -> None:
    ours = stand()
    dialog = invited(ours, branch="z9hG4bKinvite")
    dialog.provisional(183, body=ANSWER, now=ours.now)
    dialog.accept(ANSWER, now=ours.now)
    if how == "cancel":
        ours.receive(ours.request("CANCEL", branch="z9hG4bKinvite"))
        assert [event.reason for event in ours.told(InviteEnded)] == ["cancel"]
        assert not ours.told(InviteCancelled)
        final = 487
    elif how == "bye":
        ours.receive(ours.within(dialog, "BYE", number=2))
        assert [event.reason for event in ours.told(InviteEnded)] == ["bye"]
        final = 487
    elif how == "silence":
        ours.wait(64 * T1)
        assert [event.reason for event in ours.told(InviteEnded)] == ["prack timeout"]
        final = 504
    else:
        dialog.bye(now=ours.now)
        final = 480
    assert f"{final} INVITE" in ours.words
    assert dialog.state is InviteState.ENDED
    ours.finish()
    assert "200 INVITE" not in ours.words


def test_a_refusal_does_not_wait() -> None:
    ours = stand()
    dialog = invited(ours)
    dialog.provisional(183, body=ANSWER, now=ours.now)
    dialog.reject(486, now=ours.now)
    assert ours.response().status == 486
    ours.forget()
    ours.wait(20)
    assert set(ours.words) == {"486 INVITE"}
    ours.finish()


def test_a_cancel_while_it_rings() -> None:
    ours = stand()
    dialog = invited(ours, branch="z9hG4bKinvite")
    dialog.provisional(180, now=ours.now)
    ours.receive(ours.request("CANCEL", branch="z9hG4bKinvite"))
    assert len(ours.told(InviteCancelled)) == 1
    ours.finish()


def asked_for_offer(ours: Stand, **options: Any) -> InviteDialog:
    """A call of a peer that requires reliable responses and makes no offer."""
    return ours.invited(headers=[CONTACT, REQUIRE], body=b"", **options)


def test_a_late_offer_hears_nothing_before_there_is_an_offer() -> None:
    ours = stand()
    dialog = asked_for_offer(ours)
    dialog.provisional(181, now=ours.now)
    ours.wait(1)
    assert ours.words == ["100 INVITE"]
    dialog.accept(OFFER, now=ours.now)
    assert (ours.response().status, ours.response().body) == (200, OFFER)
    ours.receive(ours.within(dialog, "ACK", number=1))
    ours.receive(ours.within(dialog, "BYE", number=2))
    ours.finish()


@pytest.mark.parametrize("waits", [False, True], ids=["it rings on", "the 200 waits for the PRACK"])
def test_a_late_offer_is_made_with_the_ringing_and_answered_in_the_prack(waits: bool) -> None:
    ours = stand()
    dialog = asked_for_offer(ours)
    dialog.provisional(180, body=OFFER, now=ours.now)
    rack = f"{rseq(ours.response())} 1 INVITE"
    ours.wait(T1 + 0.1)
    assert ours.words == ["180 INVITE", "180 INVITE"]
    if waits:
        dialog.accept(b"", now=ours.now)
        assert "200 INVITE" not in ours.words
    update = ours.within(dialog, "UPDATE", number=2, headers=[SDP_TYPE, CONTACT], body=OTHER)
    ours.receive(update)
    assert "491 UPDATE" in ours.words  # our offer has no answer yet (RFC 3311, section 5.2)
    assert prack(ours, dialog, 3, rack, headers=[SDP_TYPE], body=ANSWER) == 200
    (event,) = ours.told(EarlyAnswered)
    assert (event.dialog, event.request.body) == (dialog, ANSWER)
    assert not ours.told(OfferReceived)
    if not waits:
        dialog.provisional(183, body=OTHER, now=ours.now)
        assert provisionals(ours) == [(180, OFFER), (183, b"")]  # what was agreed holds
        acknowledge(ours, dialog, 4)
        ours.receive(ours.within(dialog, "UPDATE", number=5, headers=[SDP_TYPE, CONTACT], body=OTHER))
        assert len(ours.told(OfferReceived)) == 1
        dialog.answer_offer(ANSWER, now=ours.now)
        dialog.accept(b"", now=ours.now)
    ours.drain()
    accepted = [message for message in ours.sent if isinstance(message, SipResponse) and message.status == 200]
    assert [each.body for each in accepted if each.cseq.method == "INVITE"] == [b""]
    ours.receive(ours.within(dialog, "ACK", number=1))
    assert len(ours.told(InviteConfirmed)) == 1
    assert not ours.told(RefreshDue)
    ours.receive(ours.within(dialog, "BYE", number=6))
    ours.finish()


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [((), b"", 400), ((("Content-Type", "text/plain"),), b"yes", 415)],
    ids=["nothing", "no SDP"],
)
def test_a_prack_that_owes_the_answer(headers: Any, body: bytes, status: int) -> None:
    ours = stand()
    dialog = asked_for_offer(ours)
    dialog.provisional(180, body=OFFER, now=ours.now)
    rack = f"{rseq(ours.response())} 1 INVITE"
    assert prack(ours, dialog, 2, rack, headers=headers, body=body) == status
    assert [event.request.body for event in ours.told(EarlyAnswered)] == [body]
    dialog.reject(500, now=ours.now)
    ours.finish()


def test_nobody_acknowledges_a_late_offer() -> None:
    ours = stand()
    dialog = asked_for_offer(ours)
    dialog.provisional(180, body=OFFER, now=ours.now)
    ours.wait(64 * T1 + 0.1)
    assert ours.response().status == 504
    assert [event.reason for event in ours.told(InviteEnded)] == ["prack timeout"]
    ours.finish()


def test_who_only_knows_them_gets_ordinary_ones() -> None:
    ours = stand()
    dialog = ours.invited(headers=[CONTACT, SDP_TYPE, ("Supported", "100rel")])
    dialog.provisional(180, now=ours.now)
    assert ours.response().get("RSeq") is None
    assert ours.response().get("Require") is None
    assert prack(ours, dialog, 2, "1 1 INVITE") == 481
    dialog.reject(486, now=ours.now)
    ours.finish()


def answered_early(ours: Stand, **options: Any) -> tuple[InviteDialog, str]:
    """A call whose first offer has our answer in a 183; also what a PRACK says of that."""
    dialog = invited(ours, **options)
    dialog.provisional(183, body=ANSWER, now=ours.now)
    return dialog, f"{rseq(ours.response())} 1 INVITE"


@pytest.mark.parametrize("how", ["PRACK", "UPDATE"])
def test_a_new_offer_before_the_answer(how: str) -> None:
    """The 200 to the INVITE waits for the owner's answer to it, and has none of its own (RFC 6337, section 2.2)."""
    ours = stand()
    dialog, rack = answered_early(ours)
    headers = [SDP_TYPE, ("RAck", rack)] if how == "PRACK" else [SDP_TYPE, CONTACT]
    if how == "UPDATE":
        assert prack(ours, dialog, 2, rack) == 200
    ours.receive(ours.within(dialog, how, number=3, headers=headers, body=OFFER))
    (event,) = ours.told(OfferReceived)
    assert event.request.body == OFFER
    assert f"200 {how}" not in ours.words
    dialog.provisional(180, now=ours.now)
    dialog.accept(b"", now=ours.now)
    assert "200 INVITE" not in ours.words
    ours.receive(ours.within(dialog, "UPDATE", number=4, headers=[SDP_TYPE, CONTACT], body=OFFER))
    assert "500 UPDATE" in ours.words  # one at a time
    dialog.answer_offer(OTHER, now=ours.now)
    assert ours.words[-2:] == [f"200 {how}", "200 INVITE"]
    bodies = {m.cseq.method: m.body for m in ours.sent if isinstance(m, SipResponse) and m.status == 200}
    assert (bodies[how], bodies["INVITE"]) == (OTHER, b"")
    ours.receive(ours.within(dialog, "ACK", number=1))
    assert not ours.told(RefreshDue)
    ours.receive(ours.within(dialog, "BYE", number=5))
    ours.finish()


def test_a_new_offer_that_the_owner_refuses_and_one_that_is_no_sdp() -> None:
    ours = stand()
    dialog, rack = answered_early(ours)
    ours.receive(ours.within(dialog, "PRACK", number=2, headers=[SDP_TYPE, ("RAck", rack)], body=OFFER))
    dialog.provisional(180, now=ours.now)
    dialog.reject_offer(488, now=ours.now)
    assert "488 PRACK" in ours.words
    last = [message for message in ours.sent if isinstance(message, SipResponse) and message.get("RSeq")][-1]
    again = f"{rseq(last)} 1 INVITE"
    kind = ("Content-Type", "text/plain")
    assert prack(ours, dialog, 3, again, headers=[kind], body=b"hello") == 415
    dialog.accept(ANSWER, now=ours.now)
    assert "200 INVITE" in ours.words
    ours.receive(ours.within(dialog, "ACK", number=1))
    assert not ours.told(RefreshDue)  # the answer is what it was
    ours.receive(ours.within(dialog, "BYE", number=4))
    ours.finish()


@pytest.mark.parametrize("how", ["cancel", "bye", "reject"])
def test_the_end_while_a_new_offer_waits(how: str) -> None:
    ours = stand()
    dialog, rack = answered_early(ours, branch="z9hG4bKinvite")
    ours.receive(ours.within(dialog, "PRACK", number=2, headers=[SDP_TYPE, ("RAck", rack)], body=OFFER))
    dialog.accept(b"", now=ours.now)
    if how == "cancel":
        ours.receive(ours.request("CANCEL", branch="z9hG4bKinvite"))
    elif how == "bye":
        ours.receive(ours.within(dialog, "BYE", number=3))
    else:
        dialog.reject(486, now=ours.now)
    assert "487 PRACK" in ours.words
    assert "200 INVITE" not in ours.words
    dialog.answer_offer(OTHER, now=ours.now)
    assert "200 PRACK" not in ours.words
    ours.finish()


def test_an_offer_in_a_prack_is_refused_before_our_answer() -> None:
    ours = stand()
    dialog = invited(ours)
    dialog.provisional(180, now=ours.now)
    number = rseq(ours.response())
    assert prack(ours, dialog, 2, f"{number} 1 INVITE", headers=[SDP_TYPE], body=OFFER) == 488
    ours.forget()
    ours.wait(20)
    assert not ours.words  # it counts as acknowledged
    assert not ours.told(OfferReceived)
    dialog.reject(486, now=ours.now)
    ours.finish()


@pytest.mark.parametrize(
    "rack", [None, "1", "1 2", "1 x INVITE", "x 1 INVITE", "1 1 INVITE 1", str(2**32) + " 1 INVITE"]
)
def test_a_prack_that_cannot_be_read(rack: str | None) -> None:
    ours = stand()
    dialog = invited(ours)
    dialog.provisional(180, now=ours.now)
    headers = [] if rack is None else [("RAck", rack)]
    ours.receive(ours.within(dialog, "PRACK", number=2, headers=headers))
    assert ours.response().status == 400
    assert len(ours.told(MalformedReceived)) == 1
    dialog.reject(486, now=ours.now)
    ours.finish()


def test_prack_outside_a_call() -> None:
    ours = stand()
    ours.receive(ours.request("PRACK", headers=[("RAck", "1 1 INVITE")]))
    assert ours.response().status == 481
    dialog = ours.called()
    ours.receive(ours.within(dialog, "PRACK", number=2, headers=[("RAck", "1 1 INVITE")]))
    assert ours.response().status == 481
    plain = Stand()
    plain.receive(plain.request("PRACK", headers=[("RAck", "1 1 INVITE")]))
    assert plain.response().status == 405
    plain.receive(plain.request("INVITE", headers=[CONTACT, SDP_TYPE, REQUIRE], body=OFFER))
    assert (plain.response().status, plain.response().get("Unsupported")) == (420, "100rel")


# as the caller


def reliably(number: int, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [CONTACT, REQUIRE, ("RSeq", str(number)), *more]


def racks(ours: Stand) -> list[str | None]:
    """What our PRACKs acknowledge."""
    return [message.get("RAck") for message in pracks(ours)]


def pracks(ours: Stand) -> list[SipRequest]:
    return [message for message in ours.sent if isinstance(message, SipRequest) and message.method == "PRACK"]


def test_a_reliable_response_is_acknowledged() -> None:
    ours = stand(supported=["path"])
    dialog = ours.invite()
    invite = ours.one("INVITE")
    assert invite.tokens("Supported") == ["path", "100rel"]
    assert "PRACK" in invite.tokens("Allow")
    route = ("Record-Route", "<sip:192.0.2.50;lr>")
    ours.answer(invite, 183, headers=reliably(776656, route, ("Contact", "<sip:fork@192.0.2.9:5099>"))[1:], body=ANSWER)
    acknowledged = ours.one("PRACK")
    assert (acknowledged.get("RAck"), acknowledged.cseq.number) == ("776656 1 INVITE", 2)
    assert (acknowledged.uri_text, acknowledged.get("Route")) == ("sip:fork@192.0.2.9:5099", "<sip:192.0.2.50;lr>")
    assert acknowledged.to.tag == "peer"
    assert [event.response.body for event in ours.told(InviteProgressed)] == [ANSWER]
    ours.answer(acknowledged, 200)
    ours.answer(invite, 200, headers=[CONTACT, route])
    assert ours.one("ACK").cseq.number == 1
    assert len(ours.told(InviteAnswered)) == 1
    dialog.bye(now=ours.now)
    assert ours.one("BYE").cseq.number == 3
    ours.answer(ours.one("BYE"), 200)
    ours.finish()


def test_only_in_order_and_once() -> None:
    ours = stand()
    dialog = ours.invite()
    invite = ours.one("INVITE")
    for number in (5, 5, 7, 6, 7, 6):
        ours.answer(invite, 180, headers=reliably(number))
    assert racks(ours) == ["5 1 INVITE", "6 1 INVITE", "7 1 INVITE"]
    assert len(ours.told(InviteProgressed)) == 3
    ours.answer(invite, 180)  # one that is not reliable in between
    ours.answer(invite, 180, headers=[CONTACT, REQUIRE])  # and one that says so but has no number
    ours.answer(invite, 180, headers=[CONTACT, ("Require", "other"), ("RSeq", "9")])
    assert len(ours.told(InviteProgressed)) == 6
    ours.answer(invite, 180, headers=[CONTACT, REQUIRE, ("RSeq", "eight")])
    assert len(ours.told(InviteProgressed)) == 6
    assert len(racks(ours)) == 3
    ours.answer(invite, 486)
    assert [event.status for event in ours.told(InviteRejected)] == [486]
    for message in pracks(ours):
        ours.answer(message, 481)  # nothing comes of it
    assert dialog.state is InviteState.ENDED
    ours.finish()


def test_each_fork_counts_by_itself() -> None:
    ours = stand()
    dialog = ours.invite()
    invite = ours.one("INVITE")
    for tag, number in (("one", 10), ("two", 20), ("one", 11), ("two", 21), ("two", 11)):
        ours.answer(invite, 180, tag=tag, headers=reliably(number))
    assert racks(ours) == [f"{number} 1 INVITE" for number in (10, 20, 11, 21)]
    assert [message.to.tag for message in pracks(ours)] == ["one", "two", "one", "two"]
    assert [message.cseq.number for message in pracks(ours)] == [2, 3, 4, 5]
    for number in range(MAX_EARLY_DIALOGS):
        ours.answer(invite, 180, tag=f"more{number}", headers=reliably(1))
    assert len(racks(ours)) == 4 + MAX_EARLY_DIALOGS - 2
    ours.answer(invite, 200, tag="two", body=ANSWER)
    dialog.bye(now=ours.now)
    assert ours.one("BYE").to.tag == "two"
    ours.answer(ours.one("BYE"), 200)
    ours.finish()


def test_the_invite_is_sent_again_with_credentials() -> None:
    """The new one has responses and a count of its own; a PRACK that is challenged is sent again as well."""
    ours = stand()
    ours.invite(credentials=Credentials("a", "b"))
    challenge = ("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')
    ours.answer(ours.one("INVITE"), 180, headers=reliably(5))
    ours.answer(ours.one("INVITE"), 401, headers=[challenge])
    ours.answer(ours.one("INVITE"), 180, headers=reliably(1))
    assert racks(ours) == ["5 1 INVITE", "1 3 INVITE"]
    ours.answer(ours.one("PRACK"), 401, headers=[challenge])
    again = ours.one("PRACK")
    assert (again.get("RAck"), again.cseq.number) == ("1 3 INVITE", 5)
    assert again.get("Authorization")


def test_after_our_cancel_nothing_is_acknowledged() -> None:
    ours = stand()
    dialog = ours.invite()
    ours.answer(ours.one("INVITE"), 100)
    dialog.cancel(now=ours.now)
    ours.answer(ours.one("INVITE"), 180, headers=reliably(1))
    assert racks(ours) == []
    ours.answer(ours.one("CANCEL"), 200)
    ours.answer(ours.one("INVITE"), 487)
    ours.finish()


def test_a_reinvite_that_rings() -> None:
    ours = stand()
    dialog = ours.called()
    dialog.reinvite(OFFER, now=ours.now)
    ours.answer(ours.one("INVITE"), 183, headers=reliably(3))
    assert racks(ours) == ["3 2 INVITE"]
    ours.answer(ours.one("PRACK"), 200)
    ours.answer(ours.one("INVITE"), 200, body=ANSWER)
    assert ours.told(OfferAnswered)


def test_an_invite_without_offer_does_not_ask_for_them() -> None:
    ours = stand()
    ours.invite(body=b"")
    assert "100rel" not in ours.one("INVITE").tokens("Supported")
    plain = Stand()
    plain.invite()
    plain.answer(plain.one("INVITE"), 180, headers=reliably(3))
    assert racks(plain) == []
    assert plain.told(InviteProgressed)


# both


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_over_a_bad_network(seed: int, transport: Transport) -> None:
    """Every response arrives once, in order, whatever the network loses (UDP) and repeats."""
    bad = {"loss": 0.2, "duplication": 0.2, "delay": 0.5} if transport is Transport.UDP else {}
    network = Network(transport=transport, seed=seed, caller={"reliable": True}, called={"reliable": True}, **bad)
    mine = network.invite(headers=[REQUIRE])
    network.wait(5)
    theirs = network.arrived()
    for status in (180, 182, 183):
        theirs.provisional(status, body=ANSWER if status == 183 else b"", now=network.now)
        network.wait(15)
    theirs.accept(ANSWER, now=network.now)
    network.wait(20)
    progressed = network.caller.told(InviteProgressed)
    assert [(event.status, event.response.body) for event in progressed] == [(180, b""), (182, b""), (183, ANSWER)]
    assert mine.state is InviteState.CONFIRMED
    assert theirs.state is InviteState.CONFIRMED
    mine.bye(now=network.now)
    network.finish()


def test_rack() -> None:
    assert str(RAck.parse(" 7  01 INVITE ")) == "7 1 INVITE"


def test_on_a_stream_they_are_sent_again_too() -> None:
    """RFC 3262, section 3: independent of the transport."""
    ours = stand(flow=TCP)
    dialog = invited(ours)
    dialog.provisional(180, now=ours.now)
    ours.wait(1.6)
    assert ours.words == ["180 INVITE"] * 3
    dialog.reject(486, now=ours.now)
