"""An INVITE whose owner is told when nothing at all comes back, in virtual time."""

import pytest

from kobza.sip.flow import Transport
from kobza.sip.ua import InviteAnswered, InviteRejected, InviteSilent
from tests.sip.network import ANSWER, Network


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_the_owner_is_told_once_and_the_invite_goes_on(transport: Transport) -> None:
    network = Network(transport=transport)
    network.drop = lambda wire: wire.sender == "b"
    mine = network.invite(response_within=5)
    network.wait(4.9)
    assert network.caller.words == []
    network.wait(0.2)
    (told,) = network.caller.told(InviteSilent)
    assert told.dialog is mine
    network.drop = lambda _: False
    network.arrived().accept(ANSWER, now=network.now)
    network.wait(10)
    assert network.caller.words == ["InviteSilent", "InviteAnswered"]
    mine.bye(now=network.now)
    network.finish()


def test_any_response_is_a_sign_of_life() -> None:
    network = Network()
    mine = network.invite(response_within=5)
    network.wait(1)  # 100 after 200 ms
    assert network.sent("b", "100 INVITE")
    network.wait(20)
    assert network.caller.told(InviteSilent) == []
    mine.cancel(now=network.now)
    network.finish()


def test_one_that_is_refused_is_not_silent() -> None:
    network = Network()
    network.invite(response_within=5)
    network.arrived().reject(486, now=network.now)
    network.wait(10)
    assert network.caller.words == ["InviteRejected"]
    network.finish()


def test_one_that_was_taken_back_is_not_silent_and_is_given_up() -> None:
    network = Network()
    network.drop = lambda wire: wire.sender == "b"
    mine = network.invite(response_within=5)
    mine.cancel(now=network.now)
    network.wait(40)
    assert network.caller.told(InviteSilent) == []
    assert [event.status for event in network.caller.told(InviteRejected)] == [487]
    network.drop = lambda _: False
    network.arrived().reject(480, now=network.now)  # it never heard of the CANCEL
    network.finish()


def test_one_that_is_taken_back_for_its_silence_rings_no_longer_when_it_comes_back() -> None:
    network = Network()
    network.drop = lambda wire: wire.sender == "b"
    mine = network.invite(response_within=5)
    network.wait(6)
    mine.cancel(now=network.now)
    network.drop = lambda _: False
    network.wait(40)
    assert network.caller.told(InviteAnswered) == []
    assert network.sent("a", "CANCEL")
    assert network.called.words == ["InviteReceived", "InviteCancelled"]
    network.finish()
