"""Session timers (RFC 4028): who refreshes, how, and what becomes of a peer that is heard of no more."""

from typing import Any

import pytest

from kobza.sip.flow import Transport
from kobza.sip.invite import InviteDialog, InviteState
from kobza.sip.message import SipRequest
from kobza.sip.session_timer import MAX_RAISES
from kobza.sip.ua import (
    Credentials,
    InviteEnded,
    InviteRejected,
    MalformedReceived,
    OfferAnswered,
    OfferReceived,
    RefreshDue,
    ResponseReceived,
    SessionPolicy,
)
from tests.sip.network import ANSWER, OFFER, Network
from tests.sip.stand import CONTACT, SDP_TYPE, Headers, Stand

HOUR = 3600.0
POLICY = SessionPolicy(interval=1800, min_se=90)
REASON = ("Reason", 'Q.850;cause=102;text="Recovery on timer expiry"')
ALLOW = ("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE")
TIMER = ("Supported", "timer")


def stand(policy: SessionPolicy = POLICY, **options: Any) -> Stand:
    return Stand(session=policy, lost_headers=[REASON], **options)


def called(stand: Stand, *headers: tuple[str, str]) -> InviteDialog:
    """A call of ours whose 200 had these headers."""
    dialog = stand.invite()
    stand.answer(stand.one("INVITE"), 200, headers=[CONTACT, *headers], body=ANSWER)
    stand.forget()
    return dialog


def said(message: object, name: str) -> str | None:
    """A header of a message."""
    assert hasattr(message, "get")
    value = message.get(name)
    assert value is None or isinstance(value, str)
    return value


# agreeing


def test_an_invite_of_ours_asks_for_a_session() -> None:
    ours = stand(supported=["path"])
    ours.invite()
    invite = ours.one("INVITE")
    assert said(invite, "Session-Expires") == "1800"
    assert said(invite, "Min-SE") is None  # 90 goes without saying
    assert invite.tokens("Supported") == ["path", "timer"]
    other = stand(SessionPolicy(interval=600, min_se=300))
    other.invite()
    assert said(other.one("INVITE"), "Min-SE") == "300"
    plain = Stand()
    plain.invite()
    assert said(plain.one("INVITE"), "Session-Expires") is None
    assert said(plain.one("INVITE"), "Supported") is None


@pytest.mark.parametrize(
    ("headers", "answer", "require"),
    [
        ([], None, None),
        ([TIMER], "1800;refresher=uas", "timer"),
        ([TIMER, ("Session-Expires", "600")], "600;refresher=uas", "timer"),
        ([TIMER, ("Session-Expires", "7200")], "1800;refresher=uas", "timer"),
        ([TIMER, ("Session-Expires", "7200"), ("Min-SE", "3600")], "3600;refresher=uas", "timer"),
        ([TIMER, ("Min-SE", "2000")], "2000;refresher=uas", "timer"),
        ([("k", "100rel, Timer"), ("x", "600;refresher=uac")], "600;refresher=uac", "timer"),
        ([TIMER, ("Session-Expires", "600 ; Refresher=UAS")], "600;refresher=uas", "timer"),
        ([("Session-Expires", "600;refresher=uac")], "600;refresher=uas", None),  # of a proxy, and only we know timers
        ([("Session-Expires", "60")], "90;refresher=uas", None),
        ([("Require", "timer"), TIMER, ("Session-Expires", "600")], "600;refresher=uas", "timer"),
    ],
)
def test_a_session_is_agreed_to(headers: Headers, answer: str | None, require: str | None) -> None:
    """RFC 4028, section 9 and table 2."""
    ours = stand()
    dialog = ours.invited(headers=[CONTACT, SDP_TYPE, *headers])
    dialog.accept(ANSWER, now=ours.now)
    response = ours.response()
    assert (said(response, "Session-Expires"), said(response, "Require")) == (answer, require)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_session_that_is_too_short(method: str) -> None:
    ours = stand()
    if method == "INVITE":
        headers = [CONTACT, SDP_TYPE, TIMER, ("Session-Expires", "89")]
        ours.receive(ours.request("INVITE", headers=headers, body=OFFER))
    else:
        dialog = ours.established()
        ours.receive(ours.within(dialog, "UPDATE", number=2, headers=[CONTACT, TIMER, ("Session-Expires", "89")]))
        assert dialog.state is InviteState.CONFIRMED
    response = ours.response()
    assert (response.status, said(response, "Min-SE")) == (422, "90")
    assert not ours.news


@pytest.mark.parametrize(
    "header", [("Session-Expires", "soon"), ("Session-Expires", "90;refresher=me"), ("Min-SE", "")]
)
def test_a_session_that_cannot_be_read(header: tuple[str, str]) -> None:
    ours = stand()
    ours.receive(ours.request("INVITE", headers=[CONTACT, SDP_TYPE, TIMER, header], body=OFFER))
    assert ours.response().status == 400
    assert [type(event) for event in ours.events] == [MalformedReceived]
    plain = Stand()  # knows nothing of it
    plain.invited(headers=[CONTACT, SDP_TYPE, header])


def test_without_timers_they_are_refused() -> None:
    plain = Stand()
    plain.receive(plain.request("INVITE", headers=[CONTACT, SDP_TYPE, ("Require", "timer")], body=OFFER))
    assert (plain.response().status, said(plain.response(), "Unsupported")) == (420, "timer")


def test_a_longer_session_is_asked_for_when_ours_is_too_short() -> None:
    ours = stand()
    dialog = ours.invite(credentials=Credentials("a", "b"))
    challenge = ("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')
    ours.answer(ours.one("INVITE"), 401, headers=[challenge])
    ours.answer(ours.one("INVITE"), 422, headers=[("Min-SE", "3600")])
    again = ours.one("INVITE")
    assert (said(again, "Session-Expires"), said(again, "Min-SE"), again.cseq.number) == ("3600", "3600", 3)
    assert said(again, "Authorization")
    assert (again.call_id, again.from_.tag) == (dialog.sip_call_id, dialog.local_tag)
    ours.answer(again, 200, headers=[CONTACT, ALLOW, ("Session-Expires", "3600;refresher=uac")], body=ANSWER)
    ours.wait(1800)
    update = ours.one("UPDATE")
    assert (said(update, "Session-Expires"), said(update, "Min-SE")) == ("3600;refresher=uac", "3600")


@pytest.mark.parametrize("headers", [[], [("Min-SE", "1800")], [("Min-SE", "86401")], [("Min-SE", "long")]])
def test_a_422_that_says_nothing_is_a_refusal(headers: Headers) -> None:
    ours = stand()
    ours.invite()
    ours.answer(ours.one("INVITE"), 422, headers=headers)
    assert [event.status for event in ours.told(InviteRejected)] == [422]
    ours.finish()


def test_422_after_422_comes_to_an_end() -> None:
    ours = stand()
    ours.invite()
    for step in range(MAX_RAISES + 1):
        ours.answer(ours.one("INVITE"), 422, headers=[("Min-SE", str(2000 + step))])
    assert ours.words.count("INVITE") == 1 + MAX_RAISES
    assert [event.status for event in ours.told(InviteRejected)] == [422]
    ours.finish()


# refreshing


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize(
    ("caller", "refresher"), [(POLICY, "b"), (None, "b")], ids=["both know timers", "the called alone"]
)
def test_a_call_of_hours(transport: Transport, caller: SessionPolicy | None, refresher: str) -> None:
    network = Network(transport=transport, caller={"session": caller}, called={"session": POLICY})
    mine, theirs = network.talk()
    network.wire.clear()
    network.wait(2 * HOUR)
    assert network.ladder == [f"{refresher} UPDATE", "a 200 UPDATE"] * 8
    assert network.times("b", "UPDATE") == [900.0 * step for step in range(8)]
    assert not network.wire[0].message.body
    assert (mine.state, theirs.state) == (InviteState.CONFIRMED, InviteState.CONFIRMED)
    mine.bye(now=network.now)
    network.finish()


def test_a_peer_without_timers_is_asked_all_the_same() -> None:
    network = Network(caller={"session": POLICY})
    mine, _ = network.talk()
    network.wire.clear()
    network.wait(HOUR)
    assert network.ladder == ["a UPDATE", "b 200 UPDATE"] * 4
    mine.bye(now=network.now)
    network.finish()


@pytest.mark.parametrize("by", ["UPDATE", "INVITE", "UPDATE with an offer", "our re-INVITE", "our UPDATE"])
def test_every_offer_is_a_refresh(by: str) -> None:
    ours = stand()
    dialog = called(ours, ALLOW, ("Session-Expires", "600;refresher=uas"))
    for number in range(1, 6):
        ours.wait(500)
        timer = [CONTACT, TIMER, ("Session-Expires", "600;refresher=uac")]
        agreed = [CONTACT, ("Session-Expires", "600;refresher=uas")]
        if by == "our re-INVITE":
            dialog.reinvite(OFFER, now=ours.now)
            assert said(ours.one("INVITE"), "Session-Expires") == "600;refresher=uas"
            ours.answer(ours.one("INVITE"), 200, headers=agreed, body=ANSWER)
        elif by == "our UPDATE":
            dialog.send_request("UPDATE", headers=[SDP_TYPE], body=OFFER, now=ours.now)
            assert said(ours.one("UPDATE"), "Session-Expires") == "600;refresher=uas"
            ours.answer(ours.one("UPDATE"), 200, headers=agreed, body=ANSWER)
        elif by == "UPDATE":
            ours.receive(ours.within(dialog, "UPDATE", number=number, headers=timer))
        else:
            method = by.split()[0]
            ours.receive(ours.within(dialog, method, number=number, headers=[*timer, SDP_TYPE], body=OFFER))
            dialog.answer_offer(ANSWER, now=ours.now)
        if not by.startswith("our"):
            assert said(ours.response(), "Session-Expires") == "600;refresher=uac"
            assert said(ours.response(), "Require") == "timer"
        if "INVITE" in by and not by.startswith("our"):
            ours.receive(ours.within(dialog, "ACK", number=number))
    assert not ours.told(InviteEnded)
    assert not ours.told(RefreshDue)
    ours.wait(568)
    assert [event.reason for event in ours.told(InviteEnded)] == ["expired"]


def test_who_refreshes_stays_who_it_was() -> None:
    """A re-INVITE that says nothing of it changes nothing (table 2)."""
    ours = stand()
    dialog = called(ours, ALLOW, ("Session-Expires", "600;refresher=uas"))
    ours.receive(
        ours.within(
            dialog, "INVITE", number=1, headers=[CONTACT, SDP_TYPE, TIMER, ("Session-Expires", "600")], body=OFFER
        )
    )
    dialog.answer_offer(ANSWER, now=ours.now)
    assert said(ours.response(), "Session-Expires") == "600;refresher=uac"


@pytest.mark.parametrize("status", [405, 501])
def test_a_peer_that_takes_no_update_after_all(status: int) -> None:
    ours = stand()
    dialog = called(ours, ALLOW)
    ours.wait(900)
    ours.answer(ours.one("UPDATE"), status)
    assert [event.dialog for event in ours.told(RefreshDue)] == [dialog]
    assert not ours.told(ResponseReceived)


def test_refresh_by_reinvite() -> None:
    ours = stand()
    dialog = called(ours, ("Allow", "INVITE, ACK, BYE"), ("Session-Expires", "1800;refresher=uac"))
    ours.wait(900)
    assert [event.dialog for event in ours.told(RefreshDue)] == [dialog]
    dialog.reinvite(OFFER, now=ours.now)
    assert said(ours.one("INVITE"), "Session-Expires") == "1800;refresher=uac"
    ours.answer(ours.one("INVITE"), 200, headers=[CONTACT, ("Session-Expires", "1800;refresher=uac")], body=ANSWER)
    assert ours.told(OfferAnswered)
    ours.forget()
    ours.wait(899)
    assert not ours.news
    ours.wait(1)
    assert ours.news == ["RefreshDue"]
    # an owner that does nothing about it is asked again, and the session ends in its time
    ours.wait(868)
    assert set(ours.news) == {"RefreshDue", "InviteEnded"}
    assert ours.news[-1] == "InviteEnded"


def test_a_refresh_waits_for_an_offer_and_is_done_by_it() -> None:
    """Our re-INVITE that is on its way, and the peer's that awaits our answer."""
    ours = stand()
    dialog = called(ours, ALLOW)
    ours.wait(890)
    dialog.reinvite(OFFER, now=ours.now)
    ours.answer(ours.one("INVITE"), 100)
    ours.wait(11)
    assert "UPDATE" not in ours.words
    ours.answer(ours.one("INVITE"), 200, body=ANSWER)
    ours.wait(889)
    headers = [CONTACT, SDP_TYPE]
    ours.receive(ours.within(dialog, "INVITE", number=1, headers=headers, body=OFFER))
    ours.wait(12)
    assert "UPDATE" not in ours.words
    dialog.answer_offer(ANSWER, now=ours.now)
    ours.receive(ours.within(dialog, "ACK", number=1))
    ours.wait(899)
    assert "UPDATE" not in ours.words
    ours.wait(1)
    assert "UPDATE" in ours.words
    assert not ours.told(InviteEnded)


def test_refresh_and_hold_meet() -> None:
    """An UPDATE without SDP is no offer: both go through."""
    network = Network(caller={"session": POLICY}, called={"session": POLICY}, delay=0.4)
    mine, theirs = network.invite(), None
    network.wait(1)
    theirs = network.arrived()
    theirs.accept(ANSWER, now=network.now)
    network.called.reactions[OfferReceived] = lambda event: event.dialog.answer_offer(ANSWER, now=network.now)
    network.wait(899)
    for _ in range(20):
        mine.reinvite(OFFER, now=network.now)
        network.wait(0.1)
    network.wait(HOUR)
    assert network.caller.told(OfferAnswered)
    assert mine.state is theirs.state is InviteState.CONFIRMED
    mine.bye(now=network.now)
    network.finish()


# a peer that is not there any more


@pytest.mark.parametrize(
    ("status", "reason", "words"), [(481, "481", []), (408, "408", ["BYE"]), (None, "408", ["BYE"])]
)
def test_a_refresh_that_shows_the_peer_lost_the_call(status: int | None, reason: str, words: list[str]) -> None:
    ours = stand()
    called(ours, ALLOW)
    ours.wait(900)
    update = ours.one("UPDATE")
    ours.forget()
    if status is None:
        ours.wait(32)
        ours.sent = [message for message in ours.sent if message.cseq.method != "UPDATE"]
    else:
        ours.answer(update, status)
    assert [(event.request, event.reason) for event in ours.told(InviteEnded)] == [(None, reason)]
    assert ours.words == words
    if words:
        assert said(ours.one("BYE"), "Reason") == REASON[1]
    ours.finish()


def test_a_session_that_nobody_refreshes() -> None:
    ours = stand()
    dialog = called(ours, ALLOW, ("Session-Expires", "90;refresher=uas"))
    ours.wait(59.9)
    assert not ours.news
    ours.wait(0.2)  # a third of it before the end
    assert [(event.request, event.reason) for event in ours.told(InviteEnded)] == [(None, "expired")]
    assert ours.words == ["BYE"]
    assert said(ours.one("BYE"), "Reason") == REASON[1]
    dialog.bye(now=ours.now)
    ours.answer(ours.one("BYE"), 200)
    ours.finish()
    assert ours.words == ["BYE"]


def test_a_peer_that_refuses_refreshes() -> None:
    """One that knows timers has to agree, one that does not has shown that it is there."""
    ours = stand()
    called(ours, ALLOW)
    for _ in range(8):
        ours.wait(900)
        ours.answer(ours.one("UPDATE"), 488)
    assert ours.words.count("UPDATE") == 8
    assert not ours.told(InviteEnded)
    other = stand()
    called(other, ALLOW, ("Session-Expires", "1800;refresher=uac"))
    while not other.told(InviteEnded):
        other.wait(1)
        for message in [message for message in other.sent if message.cseq.method == "UPDATE"]:
            assert isinstance(message, SipRequest)
            other.answer(message, 500)
            other.sent.remove(message)
    assert other.now == pytest.approx(100 + 1800 - 32, abs=1)
    assert [event.reason for event in other.told(InviteEnded)] == ["expired"]


def test_a_reinvite_that_is_refused_is_a_sign_of_life() -> None:
    ours = stand()
    dialog = called(ours)
    for _ in range(4):
        ours.wait(900)
        dialog.reinvite(OFFER, now=ours.now)
        ours.answer(ours.one("INVITE"), 488)
    assert not ours.told(InviteEnded)
    assert len(ours.told(RefreshDue)) == 4


def test_a_longer_session_is_agreed_to_in_a_refresh() -> None:
    ours = stand()
    called(ours, ALLOW, ("Session-Expires", "1800;refresher=uac"))
    ours.wait(900)
    ours.answer(ours.one("UPDATE"), 422, headers=[("Min-SE", "2000")])
    assert said(ours.one("UPDATE"), "Session-Expires") == "2000;refresher=uac"
    ours.answer(ours.one("UPDATE"), 200, headers=[CONTACT, ("Session-Expires", "2000;refresher=uas")])
    ours.forget()
    ours.wait(1900)
    assert not ours.news
    assert not ours.words


def test_the_connection_of_the_refresh_breaks() -> None:
    ours = stand()
    called(ours, ALLOW, ("Session-Expires", "1800;refresher=uac"))
    ours.wait(900)
    ours.ua.transport_failed(ours.flow, ours.now)
    assert not ours.told(InviteEnded)
    ours.wait(434)  # half of what is left
    assert ours.words.count("UPDATE") >= 2
    ours.answer(ours.one("UPDATE"), 200, headers=[CONTACT])
    ours.wait(899)
    assert not ours.told(InviteEnded)


def test_one_refresh_at_a_time() -> None:
    """With a session so short that an UPDATE may take longer, there is still only one of them under way."""
    ours = stand(SessionPolicy(interval=6, min_se=2))
    called(ours, ALLOW, ("Session-Expires", "6;refresher=uac"))
    ours.wait(3.9)
    assert len({message.cseq.number for message in ours.sent}) == 1
    ours.wait(0.2)
    assert [event.reason for event in ours.told(InviteEnded)] == ["expired"]
    ours.answer(
        next(message for message in ours.sent if isinstance(message, SipRequest)), 200
    )  # late, and nothing of it
    ours.answer(ours.one("BYE"), 200)
    ours.finish()


def test_a_refresh_crosses_the_end() -> None:
    ours = stand()
    dialog = called(ours, ALLOW)
    ours.wait(900)
    ours.receive(ours.within(dialog, "BYE", number=1))
    ours.answer(ours.one("UPDATE"), 481)
    assert [event.reason for event in ours.told(InviteEnded)] == ["bye"]
    ours.finish()


def test_a_session_that_cannot_be_read_in_an_answer_is_none() -> None:
    ours = stand()
    called(ours, ALLOW, ("Session-Expires", "half an hour"))
    ours.wait(900)
    assert "UPDATE" in ours.words


def test_a_short_session_that_was_not_asked_for_is_not_kept_busy_with() -> None:
    ours = stand()
    called(ours, ALLOW, ("Session-Expires", "1"))
    ours.wait(44)
    assert not ours.words
    ours.wait(1)
    assert ours.words == ["UPDATE"]


# what has no session


def test_no_session_before_the_answer() -> None:
    """An UPDATE while it rings agrees on none."""
    ours = stand()
    dialog = ours.invited(headers=[CONTACT, SDP_TYPE, TIMER])
    dialog.provisional(180, now=ours.now)
    ours.receive(ours.within(dialog, "UPDATE", number=2, headers=[CONTACT, TIMER, ("Session-Expires", "90")]))
    assert said(ours.response(), "Session-Expires") is None
    ours.wait(HOUR)
    assert dialog.state is InviteState.EARLY
    dialog.reject(486, now=ours.now)
    ours.receive(ours.request("ACK", to_tag=dialog.local_tag, branch="z9hG4bKpeer1"))
    ours.finish()


def test_forks_that_answer_beside_the_first_have_none() -> None:
    ours = stand()
    dialog = ours.invite()
    invite = ours.one("INVITE")
    ours.answer(invite, 200, headers=[CONTACT, ALLOW, ("Session-Expires", "1800;refresher=uac")], body=ANSWER)
    ours.answer(invite, 200, tag="other", headers=[CONTACT, ALLOW, ("Session-Expires", "90;refresher=uac")])
    ours.answer(ours.one("BYE"), 200)
    ours.forget()
    ours.wait(899)
    assert not ours.words
    ours.wait(1)
    assert ours.one("UPDATE").to.tag == "peer"
    assert dialog.state is InviteState.CONFIRMED


def test_a_call_that_is_hung_up_before_its_ack_has_none() -> None:
    ours = stand(SessionPolicy(interval=6, min_se=2))
    dialog = ours.invited()
    dialog.accept(ANSWER, now=ours.now)
    dialog.bye(now=ours.now)
    ours.wait(20)
    assert "BYE" not in ours.words
    assert not ours.told(InviteEnded)
    ours.receive(ours.within(dialog, "ACK", number=1))
    ours.answer(ours.one("BYE"), 200)
    ours.finish()


def test_no_ack_ends_with_a_reason() -> None:
    ours = stand()
    dialog = ours.invited()
    dialog.accept(ANSWER, now=ours.now)
    ours.wait(32)
    assert said(ours.one("BYE"), "Reason") == REASON[1]
    ours.answer(ours.one("BYE"), 200)
    ours.finish()
