"""Which transaction a message belongs to (RFC 3261 17.1.3, 17.2.3), and the bounds."""

import pytest

from kobza.sip import layer as module
from kobza.sip.errors import MalformedMessage
from kobza.sip.layer import MAX_CLIENT_TRANSACTIONS, MAX_SERVER_TRANSACTIONS, TransactionLayer, server_key
from kobza.sip.message import SipRequest
from kobza.sip.responses import response_to
from kobza.sip.timers import TimerQueue, Timers
from kobza.sip.transaction_tables import Input, State
from tests.sip.laboratory import TCP, UDP, Laboratory, request


def key(message: SipRequest, method: str | None = None) -> module.Key:
    return server_key(message, message.via, method or message.method)


@pytest.fixture
def lab() -> Laboratory:
    return Laboratory()


# responses, 17.1.3


def test_a_response_finds_its_request(lab: Laboratory) -> None:
    invite, bye = lab.client(), lab.client("BYE", "z9hG4bKbye")
    assert lab.layer.client_for(response_to(lab.asked[invite], 180)) is invite
    assert lab.layer.client_for(response_to(lab.asked[bye], 200)) is bye


def test_a_cancel_has_the_branch_of_its_invite_and_another_method(lab: Laboratory) -> None:
    invite, cancel = lab.client(), lab.client("CANCEL")
    assert lab.layer.client_for(response_to(lab.asked[invite], 487)) is invite
    assert lab.layer.client_for(response_to(lab.asked[cancel], 200)) is cancel


def test_stray_responses_find_nothing(lab: Laboratory) -> None:
    lab.client()
    for stray in (
        request(branch="z9hG4bKother"),
        request(branch="Z9HG4BKONE"),
        request(branch=None),
        request("BYE"),
        request(via="192.0.2.1:5061"),
        request(via="192.0.2.1"),
        request(via="192.0.2.9:5060"),
    ):
        assert lab.layer.client_for(response_to(stray, 200)) is None


def test_a_response_for_somebody_behind_us_is_no_ours(lab: Laboratory) -> None:
    """8.1.3.3: more than one Via means that it went astray."""
    lab.client()
    two_lines = response_to(request(), 200)
    two_lines.add("Via", "SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK2")
    assert lab.layer.client_for(two_lines) is None
    one_line = response_to(request(), 200)
    one_line.set("Via", f"{request().get('via')}, SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK2")
    assert lab.layer.client_for(one_line) is None


def test_what_the_way_adds_to_the_via_does_not_matter(lab: Laboratory) -> None:
    invite = lab.client()
    response = response_to(request(), 200)
    response.set("Via", "SIP / 2.0 / UDP 192.0.2.1:5060 ;received=203.0.113.9;BRANCH=z9hG4bKone;rport=40000")
    assert lab.layer.client_for(response) is invite


def test_a_response_whose_via_is_broken_says_so(lab: Laboratory) -> None:
    response = response_to(request(), 200)
    response.set("Via", "rubbish")
    with pytest.raises(MalformedMessage):
        lab.layer.client_for(response)


def test_nothing_is_found_after_the_end(lab: Laboratory) -> None:
    invite = lab.client()
    invite.give_up(0.0)
    assert lab.layer.client_for(response_to(lab.asked[invite], 200)) is None


# requests, 17.2.3


def test_requests_of_one_transaction_have_one_key() -> None:
    invite = request()
    assert key(request(to="<sip:bob@example.net>;tag=1", uri="sip:other@h", number=2)) == key(invite)
    assert key(request("ACK"), "INVITE") == key(invite)
    assert key(request("CANCEL"), "INVITE") == key(invite)


def test_requests_of_other_transactions_have_other_keys() -> None:
    """The branch alone is not enough: anybody may send any branch."""
    keys = [
        key(one)
        for one in (
            request(),
            request("CANCEL"),
            request("ACK"),
            request(branch="z9hG4bKtwo"),
            request(branch="z9hG4bKONE"),
            request(via="192.0.2.9:5060"),
            request(via="192.0.2.1:5061"),
            request(via="192.0.2.1"),
        )
    ]
    assert len(set(keys)) == len(keys)


def test_the_host_of_a_via_has_no_case() -> None:
    assert key(request(via="PBX.example.net")) == key(request(via="pbx.Example.NET"))


@pytest.mark.parametrize("branch", [None, "1", "z9hg4bK1", "390skdjuw"])
def test_a_peer_of_rfc_2543_is_known_by_everything_else(branch: str | None) -> None:
    invite = request(branch=branch)
    assert key(request(branch=branch)) == key(invite)
    assert key(request("ACK", branch=branch, to="<sip:bob@example.net>;tag=ours"), "INVITE") == key(invite)
    others = [
        request(branch=branch, uri="sip:other@h"),
        request(branch=branch, from_tag="carol"),
        request(branch=branch, call_id="call-2"),
        request(branch=branch, number=2),
        request(branch=branch, via="192.0.2.1:5061"),
        request("BYE", branch=branch),
        request(branch="z9hG4bKone"),
    ]
    keys = [key(invite), *map(key, others)]
    assert len(set(keys)) == len(keys)


def test_a_request_is_kept_under_its_key_until_it_ends(lab: Laboratory) -> None:
    bye = lab.server("BYE")
    assert lab.layer.servers == {key(request("BYE")): bye}
    lab.respond(bye, 200)
    lab.wait(31)
    assert lab.layer.servers == {key(request("BYE")): bye}
    lab.wait(2)
    assert lab.layer.servers == {}


# merged requests, 8.2.2.2


def test_a_merged_request_is_found_as_long_as_the_first_lives(lab: Laboratory) -> None:
    first = lab.layer.start_server(request(), ("a",), UDP, ("merge",), 0.0)
    assert lab.layer.merged == {("merge",): first}
    second = lab.layer.start_server(request(), ("b",), UDP, ("merge",), 0.0)
    lab.drain()
    lab.respond(first, 486)
    first.feed(Input.RECEIVE_ACK, request("ACK"), 0.0)
    lab.wait(6)
    assert lab.layer.merged == {("merge",): second}
    lab.respond(second, 486)
    lab.wait(40)
    assert lab.is_empty


# a broken connection, 18.2.2


def test_responses_take_another_way_when_the_connection_is_gone() -> None:
    again = TCP._replace(connection=0)
    lab = Laboratory(TCP)
    invite = lab.layer.start_server(request(), ("k",), TCP, None, 0.0, again)
    lab.drain()
    lab.layer.transport_failed(TCP, 0.0)
    assert (invite.flow, invite.state) == (again, State.TRYING)
    lab.flow = again
    lab.respond(invite, 486)
    assert lab.times("486") == [0.0]


def test_without_a_fallback_the_way_stays(lab: Laboratory) -> None:
    invite = lab.server()
    lab.layer.transport_failed(UDP, 0.0)
    assert invite.flow == UDP
    other = Laboratory(TCP)
    invite = other.server()
    other.layer.transport_failed(TCP, 0.0)
    assert invite.flow == TCP


# bounds


def test_a_full_layer_still_lets_calls_end(lab: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SERVER_TRANSACTIONS", 3)
    monkeypatch.setattr(module, "DIALOG_RESERVE", 2)
    invite, bye, cancel = request(), request("BYE"), request("CANCEL")

    def room() -> tuple[bool, bool, bool, bool]:
        has_room = lab.layer.has_room_for
        return has_room(invite, False), has_room(invite, True), has_room(bye, True), has_room(cancel, False)

    for number in range(6):
        assert room() == ((True,) * 4 if number < 3 else (False, *(True,) * 3) if number < 5 else (False,) * 4)
        lab.layer.start_server(invite, (number,), UDP, None, 0.0)


def test_our_requests_have_a_bound_too(lab: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CLIENT_TRANSACTIONS", 2)
    room = [lab.layer.has_room_for_client]
    one = lab.client("BYE", "z9hG4bK1")
    room.append(lab.layer.has_room_for_client)
    lab.client("BYE", "z9hG4bK2")
    room.append(lab.layer.has_room_for_client)
    one.give_up(0.0)
    room.append(lab.layer.has_room_for_client)
    assert room == [True, True, False, True]


def test_the_bounds_are_what_a_process_can_hold() -> None:
    layer = TransactionLayer(Timers(), TimerQueue())
    assert layer.has_room_for(request(), False)
    assert MAX_SERVER_TRANSACTIONS == MAX_CLIENT_TRANSACTIONS == 50_000
