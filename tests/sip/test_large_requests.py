"""Requests that are too long for a datagram go over a connection, and by datagrams where none can be had (18.1.1)."""

import pytest

from kobza.sip.flow import Flow, Transport
from kobza.sip.message import SipRequest
from kobza.sip.request import Credentials
from kobza.sip.ua import InviteAnswered, InviteRejected
from tests.sip.network import ALICE, ANSWER, BOB, OFFER
from tests.sip.stand import PEER, UDP, US, Stand

STREAM = Flow(Transport.TCP, US, PEER)
LARGE = OFFER + b"a=x:" + b"x" * 1300 + b"\r\n"


def stand(stream: Flow | None = STREAM) -> Stand:
    ours = Stand()
    ours.ua.send_large_by(lambda flow: stream if flow == UDP else None, 1300)
    return ours


def ways(ours: Stand, method: str) -> list[tuple[Transport, str]]:
    """Where our requests of a method went, and what their Via says."""
    ours.drain()
    sent = zip(ours.sent, ours.flows, strict=True)
    return [
        (flow.transport, message.via.transport)
        for message, flow in sent
        if isinstance(message, SipRequest) and message.method == method
    ]


BY_UDP, BY_TCP = (Transport.UDP, "UDP"), (Transport.TCP, "TCP")


def test_a_large_invite_and_all_that_belongs_to_its_transaction() -> None:
    ours = stand()
    dialog = ours.invite(body=LARGE, credentials=Credentials("a", "b"))
    first = ours.one("INVITE")
    ours.wait(5)
    assert ways(ours, "INVITE") == [BY_TCP]  # and is not repeated
    challenge = ("Proxy-Authenticate", 'Digest realm="r", nonce="n"')
    ours.answer(first, 407, headers=[challenge], flow=STREAM)
    assert ways(ours, "ACK") == [BY_TCP]
    second = ours.one("INVITE")
    assert (second.get("Proxy-Authorization") is not None, second.cseq.number) == (True, 2)
    assert second.via.branch != first.via.branch
    ours.answer(second, 180, flow=STREAM)
    dialog.cancel(now=ours.now)
    assert ways(ours, "CANCEL") == [BY_TCP]
    assert ours.one("CANCEL").via == second.via
    ours.answer(ours.one("CANCEL"), 200, flow=STREAM)
    ours.answer(second, 487, flow=STREAM)
    assert ways(ours, "INVITE") == [BY_TCP] * 2
    assert ours.told(InviteRejected)[0].status == 487
    ours.finish()


def test_the_dialog_of_a_large_invite_stays_where_it_was() -> None:
    ours = stand()
    dialog = ours.invite(body=LARGE)
    assert "transport" not in ours.one("INVITE").get_all("contact")[0]
    ours.answer(ours.one("INVITE"), 200, body=ANSWER)
    ours.forget()
    assert dialog.flow == UDP
    dialog.reinvite(LARGE, now=ours.now)
    ours.answer(ours.one("INVITE"), 200, body=ANSWER, flow=STREAM)
    dialog.bye(now=ours.now)
    ours.answer(ours.one("BYE"), 200)
    assert (ways(ours, "INVITE"), ways(ours, "ACK"), ways(ours, "BYE")) == ([BY_TCP], [BY_UDP], [BY_UDP])
    ours.finish()


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_who_takes_no_connection_gets_datagrams(method: str) -> None:
    ours = stand()
    if method == "INVITE":
        ours.invite(body=LARGE)
    else:
        ours.ua.request(method, "sip:peer@192.0.2.9", from_=ALICE, to=BOB, flow=UDP, body=LARGE, now=ours.now)
        ours.drain()
    first = ours.one(method)
    ours.ua.transport_failed(STREAM, ours.now)
    ours.drain()
    assert ways(ours, method) == [BY_TCP, BY_UDP]
    again = ours.one(method)
    assert (again.cseq, again.call_id, again.body, again.via.branch) == (
        first.cseq,
        first.call_id,
        LARGE,
        first.via.branch,
    )
    ours.wait(0.6)
    assert ways(ours, method) == [BY_TCP, BY_UDP, BY_UDP]  # repeated, as datagrams are
    ours.ua.transport_failed(STREAM, ours.now)  # it is no longer of that connection
    ours.answer(again, 200, body=ANSWER)
    assert method != "INVITE" or ours.told(InviteAnswered)


def test_what_was_responded_to_does_not_fall_back() -> None:
    ours = stand()
    ours.invite(body=LARGE)
    ours.answer(ours.one("INVITE"), 180, flow=STREAM)
    ours.ua.transport_failed(STREAM, ours.now)
    assert ways(ours, "INVITE") == [BY_TCP]
    ours.answer(ours.one("INVITE"), 486, flow=STREAM._replace(connection=3))  # the peer has opened another one
    ours.finish()


def test_the_fallback_fails_as_any_request_does() -> None:
    ours = stand()
    ours.invite(body=LARGE)
    ours.ua.transport_failed(STREAM, ours.now)
    ours.ua.transport_failed(UDP, ours.now)
    assert [event.status for event in ours.told(InviteRejected)] == [503]
    ours.finish()


def test_small_ones_and_those_without_another_way_are_datagrams() -> None:
    for ours, body in ((stand(), OFFER), (stand(None), LARGE), (Stand(), LARGE)):
        ours.invite(body=body)
        assert ways(ours, "INVITE") == [BY_UDP]
