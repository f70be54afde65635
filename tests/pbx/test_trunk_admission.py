"""Calls by trunks: which let them in, which let them out, and in what order."""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any, cast

import pytest

from kobza.call.actions import InTurn, Servers
from kobza.call.forwarding import Forwarding
from kobza.call.trunk import CallerIn, Inbound, Trunk
from kobza.pbx.admission import Admission, Admitted, Turned
from kobza.pbx.authenticator import Authenticator
from kobza.pbx.dialling import TrunkTarget
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.locations import Locations
from kobza.pbx.place_wanted import WantsPlace
from kobza.pbx.trunk_lines import TrunkLines
from kobza.sip.flow import Flow, Transport
from kobza.sip.invite import InviteDialog
from kobza.sip.message import SipRequest
from kobza.store import Store, enterprises, numbers, trunks
from tests.pbx.office import ANNA, ANNA_USER, BOHDAN, NOW, OUTSIDE, PHONE, hashes, request, signed, verifier
from tests.sip.network import Network
from tests.support.name_server import NameServer
from tests.support.waiting import PATIENCE

CARRIER = Flow(Transport.UDP, ("192.0.2.1", 5060), ("192.0.2.50", 5060))
ELSEWHERE = Flow(Transport.UDP, ("192.0.2.1", 5060), ("203.0.113.9", 5099))


class Exchange:
    """Two subscribers, the trunks of a test, and what is known of them."""

    def __init__(self, store: Store, names: NameServer) -> None:
        self.store = store
        self.names = names
        self.view = DirectoryView(store, locate=names.locator().locate)
        self.lines = TrunkLines()
        self.down: set[str] = set()
        self.admission = Admission(
            self.view,
            Locations(),
            Authenticator(verifier()),
            lines=self.lines,
            usable=lambda trunk: trunk.name not in self.down,
        )

    async def add(self, name: str, host: str = "192.0.2.50", port: int | None = 5060, **settings: Any) -> None:
        with self.store.write() as conn:
            trunks.add(conn, name, host, port, **settings)
        await self.refresh()

    async def refresh(self) -> None:
        await self.view.refresh()
        assert await self.view.hops.settled(PATIENCE)

    def trunk(self, name: str) -> Trunk:
        return next(trunk for trunk in self.view.snapshot.trunks if trunk.name == name)

    def dialled(self, number: str) -> list[TrunkTarget]:
        """Where a call of ours to a number is tried, in order."""
        message = signed(request("INVITE", f"sip:{number}@h", to=f"<sip:{number}@h>"))
        answer = self.admission.admit(message, PHONE, NOW)
        assert isinstance(answer, Admitted), answer
        (target,) = answer.first.targets
        found: list[TrunkTarget] = []
        for each in target.targets if isinstance(target, InTurn) else [target]:
            found += cast("Sequence[TrunkTarget]", each.targets if isinstance(each, Servers) else [each])
        return found

    def tried(self, number: str) -> list[str]:
        return [target.trunk.name for target in self.dialled(number)]

    def hops(self, number: str) -> list[str]:
        return [str(target.hop) for target in self.dialled(number)]

    def comes(self, message: SipRequest, flow: Flow = CARRIER) -> Admitted | Turned:
        answer = self.admission.admit(message, flow, NOW)
        assert not isinstance(answer, WantsPlace)
        return answer


@pytest.fixture
def exchange(store: Store, names: NameServer) -> Exchange:
    with store.write() as conn:
        made = enterprises.add(conn, "A", "admin", "hash", 1).enterprise_id
        for number in (ANNA, BOHDAN):
            numbers.add(conn, number, made, "", "", [], "", *hashes("0" + number[4:]))
    return Exchange(store, names)


def invite(dialled: str, user: str = "0441234567", to: str | None = None, **headers: str) -> SipRequest:
    more = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return request("INVITE", f"sip:{dialled}@h", user=user, to=f"<sip:{to or dialled}@h>", headers=more)


async def test_out_by_prefix_and_priority_those_that_do_not_answer_last(exchange: Exchange) -> None:
    await exchange.add("all", now_ms=1)
    await exchange.add("spare", host="192.0.2.51", priority=20, now_ms=2)
    await exchange.add("lost", host="lost.example", priority=1, now_ms=3)
    await exchange.add("city", host="192.0.2.52", prefix="044", priority=30, now_ms=4)
    assert exchange.tried("0441234567") == ["city", "all", "spare"]
    assert exchange.tried("0501234567") == ["all", "spare"]
    exchange.down = {"city", "all"}
    assert exchange.tried("0441234567") == ["spare", "city", "all"]
    assert exchange.tried("0501234567") == ["spare", "all"]
    exchange.down = {"city", "all", "spare"}
    assert exchange.tried("0501234567") == ["all", "spare"]


async def test_a_trunk_that_wants_no_calls_gets_those_that_nobody_else_takes(exchange: Exchange) -> None:
    await exchange.add("first", now_ms=1)
    await exchange.add("spare", host="192.0.2.51", priority=20, now_ms=2)
    await exchange.add("other", host="192.0.2.52", priority=30, now_ms=3)
    hops = exchange.view.hops

    def rest(name: str, seconds: float) -> None:
        hops.rest(exchange.trunk(name), hops.all(exchange.trunk(name))[0], seconds)

    rest("first", 60)
    assert exchange.tried("0441234567") == ["spare", "other", "first"]
    exchange.down = {"spare"}
    assert exchange.tried("0441234567") == ["other", "first", "spare"]
    exchange.down = {"spare", "other"}
    assert exchange.tried("0441234567") == ["first", "spare", "other"]  # it is the only way
    exchange.down = set()
    rest("spare", 60)
    assert exchange.tried("0441234567") == ["other", "first", "spare"]
    for name in ("first", "spare"):
        rest(name, 0)
    assert exchange.tried("0441234567") == ["first", "spare", "other"]


async def test_no_trunk_whose_address_is_known(exchange: Exchange) -> None:
    await exchange.add("lost", host="lost.example")
    message = signed(request("INVITE", "sip:0441234567@h", to="<sip:0441234567@h>"))
    answer = exchange.comes(message, PHONE)
    assert isinstance(answer, Turned)
    assert (answer.status, answer.detail) == (503, "the address of trunk lost is unknown")
    assert answer.refused is not None
    assert answer.refused[4] == 41


async def test_a_trunk_with_several_addresses(exchange: Exchange) -> None:
    exchange.names.say("carrier.example", "A", "192.0.2.60", "192.0.2.61", ttl=3600)
    await exchange.add("named", host="carrier.example")
    await exchange.add("spare", host="192.0.2.70", priority=20)
    trunk = exchange.trunk("named")
    first, second = exchange.view.hops.all(trunk)
    assert {first.address, second.address} == {("192.0.2.60", 5060), ("192.0.2.61", 5060)}
    spare = "192.0.2.70:5060 (UDP)"
    assert exchange.hops("0441234567") == [str(first), str(second), spare]
    exchange.view.hops.choose(trunk, second, ("<sip:edge.example;lr>",))
    assert [target.routes for target in exchange.dialled("0441234567")] == [("<sip:edge.example;lr>",), (), ()]
    assert exchange.hops("0441234567") == [str(second), str(first), spare]
    exchange.view.hops.avoid(trunk, second)
    assert exchange.hops("0441234567") == [str(first), str(second), spare]
    exchange.view.hops.mark(trunk, first, down=True)
    assert exchange.hops("0441234567") == [str(second), str(first), spare]
    for hop in (first, second):
        assert isinstance(exchange.comes(invite(ANNA_USER), CARRIER._replace(remote=hop.address)), Admitted)
    with exchange.store.write() as conn:
        trunks.change(conn, "named", {"host": "192.0.2.62"})
    await exchange.refresh()
    assert exchange.hops("0441234567") == ["192.0.2.62:5060 (UDP)", spare]
    assert isinstance(exchange.comes(invite(ANNA_USER), CARRIER._replace(remote=first.address)), Turned)


async def test_a_trunk_by_srv_is_let_in_from_every_server_over_its_transport(exchange: Exchange) -> None:
    exchange.names.say("carrier.example", "NAPTR", '1 1 "s" "SIPS+D2T" "" _sips._tcp.carrier.example.')
    exchange.names.say("_sips._tcp.carrier.example", "SRV", *(f"{n} 0 5061 {n}.carrier.example." for n in (1, 2)))
    exchange.names.say("1.carrier.example", "A", "192.0.2.60")
    exchange.names.say("2.carrier.example", "AAAA", "2001:db8::61")
    await exchange.add("named", "carrier.example", None, transport=None)
    assert exchange.hops("0441234567") == ["192.0.2.60:5061 (TLS)", "[2001:db8::61]:5061 (TLS)"]
    for host in ("192.0.2.60", "2001:db8::61"):
        for transport in (Transport.TLS, Transport.TCP):
            flow = Flow(transport, ("192.0.2.1", 5061), (host, 40_000), 1)
            assert isinstance(exchange.comes(invite(ANNA_USER), flow), Admitted) is (transport is Transport.TLS)


async def test_a_trunk_on_udp_sends_what_is_too_long_over_tcp(exchange: Exchange) -> None:
    """A phone behind the same router may name the same port, but never the address of the router as its own."""
    await exchange.add("carrier")
    flow = Flow(Transport.TCP, ("192.0.2.1", 5060), (CARRIER.remote[0], 40_000), 1)
    for host, port, known in (
        (CARRIER.remote[0], "", True),
        (CARRIER.remote[0], ":5062", False),
        ("10.0.0.9", "", False),
    ):
        message = invite(ANNA_USER)
        message.set("Via", f"SIP/2.0/TCP {host}{port};branch=z9hG4bK1")
        assert isinstance(exchange.comes(message, flow), Admitted) is known, (host, port)


async def test_a_trunk_on_tls_is_let_in_over_tls_alone(exchange: Exchange) -> None:
    await exchange.add("secure", host="192.0.2.60", transport="TLS")
    for transport, known in (
        (Transport.TLS, True),
        (Transport.TCP, False),
        (Transport.UDP, False),
        (Transport.WSS, False),
    ):
        flow = Flow(transport, ("192.0.2.1", 5061), ("192.0.2.60", 40_000), 1)
        assert isinstance(exchange.comes(invite(ANNA_USER), flow), Admitted) is known, transport


async def test_in_from_networks_whatever_the_port_and_the_transport(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kobza.pbx.trunk_hops.KNOWN_HOSTS", 2)
    await exchange.add("wide", networks=[ip_network("203.0.113.0/28"), ip_network("2001:db8::/32")])
    hosts = {"203.0.113.9": True, "203.0.113.16": False, "2001:db8::7%eth0": True, "2001:db9::7": False}
    for _ in range(2):  # the second time it is remembered, or forgotten again
        for host, known in hosts.items():
            for transport in (Transport.UDP, Transport.TCP):
                flow = Flow(transport, ("192.0.2.1", 5060), (host, 40_000))
                answer = exchange.comes(invite(ANNA_USER), flow)
                assert isinstance(answer, Admitted) is known, (host, transport)
                if isinstance(answer, Admitted):
                    assert answer.trunk == exchange.trunk("wide")


def by_credentials() -> dict[str, Any]:
    md5, sha256 = hashes("carrier", "secret")
    names = {"incoming_username": "carrier", "incoming_ha1_md5": md5, "incoming_ha1_sha256": sha256}
    return {"inbound": Inbound.CREDENTIALS, **names}


async def test_in_by_credentials_from_wherever_and_not_without(exchange: Exchange) -> None:
    await exchange.add("carrier", **by_credentials())
    for flow in (CARRIER, ELSEWHERE):
        refused = exchange.comes(invite(ANNA_USER), flow)
        assert isinstance(refused, Turned)
        assert (refused.status, refused.trunk) == (407, None)
        call = exchange.comes(signed(invite(ANNA_USER), user="carrier", password="secret", source=flow.remote[0]), flow)
        assert isinstance(call, Admitted)
        assert (call.origin, call.caller.number, call.trunk) == ("trunk", OUTSIDE, exchange.trunk("carrier"))
        wrong = exchange.comes(signed(invite(ANNA_USER), user="carrier", password="guessed"), flow)
        assert isinstance(wrong, Turned)
        assert wrong.status == 407
        call_out = signed(invite("0501234567"), user="carrier", password="secret", source=flow.remote[0])
        out = exchange.comes(call_out, flow)
        assert isinstance(out, Turned)
        assert out.status == 404  # from trunk to trunk nothing goes


async def test_credentials_of_a_trunk_that_is_let_in_otherwise_are_none(exchange: Exchange) -> None:
    await exchange.add("carrier", **by_credentials() | {"inbound": Inbound.ADDRESS})
    refused = exchange.comes(signed(invite(ANNA_USER), user="carrier", password="secret"), ELSEWHERE)
    assert isinstance(refused, Turned)
    assert refused.status == 407
    assert isinstance(exchange.comes(invite(ANNA_USER)), Admitted)


async def test_a_trunk_cannot_register_as_a_phone(exchange: Exchange) -> None:
    await exchange.add("carrier", **by_credentials())
    message = signed(request("REGISTER", "sip:h", user="carrier"), user="carrier", password="secret")
    denied = Authenticator(verifier()).check(message, CARRIER, exchange.view.snapshot, NOW, asked_by="registrar")
    assert getattr(denied, "status", None) == 401


async def test_a_trunk_for_calls_out_only(exchange: Exchange) -> None:
    await exchange.add("out", inbound=Inbound.NOTHING)
    refused = exchange.comes(invite(ANNA_USER))
    assert isinstance(refused, Turned)
    assert refused.status == 407
    assert exchange.tried("0441234567") == ["out"]


@pytest.mark.parametrize(
    ("where", "headers", "number", "name"),
    [
        (CallerIn.FROM, {"P_Asserted_Identity": "<sip:0501112233@c>"}, OUTSIDE, ""),
        (CallerIn.ASSERTED, {"P_Asserted_Identity": '"Olha" <sip:0501112233@c>'}, "+380501112233", "Olha"),
        (CallerIn.ASSERTED, {"P_Asserted_Identity": "<sip:c>, <tel:+380501112233>"}, "+380501112233", ""),
        (CallerIn.ASSERTED, {}, OUTSIDE, ""),
        (CallerIn.ASSERTED, {"P_Asserted_Identity": "<sip:"}, OUTSIDE, ""),
        (CallerIn.ASSERTED, {"P_Asserted_Identity": "<sip:c>"}, OUTSIDE, ""),
        (CallerIn.ASSERTED, {"P_Asserted_Identity": "<sip:0501112233@c>", "Privacy": "id"}, "anonymous", ""),
    ],
)
async def test_who_calls(exchange: Exchange, where: CallerIn, headers: dict[str, str], number: str, name: str) -> None:
    await exchange.add("carrier", caller_in=where)
    call = exchange.comes(invite(ANNA_USER, **headers))
    assert isinstance(call, Admitted)
    assert (call.caller.number, call.caller.display_name) == (number, name)


async def test_numbers_that_come_in_as_the_trunk_writes_them(exchange: Exchange) -> None:
    await exchange.add("carrier", strip_incoming="77#", add_incoming="067")
    call = exchange.comes(invite("77%231000001", user="1000002"))
    assert isinstance(call, Admitted)
    assert (call.callee.number, call.dialled, call.caller.number) == (ANNA, "0671000001", BOHDAN)


async def test_a_call_to_the_registered_contact_is_for_the_number_in_to(exchange: Exchange) -> None:
    await exchange.add("account", username="account")
    await exchange.add("number", host="192.0.2.51", username="0671000002")
    call = exchange.comes(invite("account", to=ANNA_USER))
    assert isinstance(call, Admitted)
    assert (call.callee.number, call.dialled) == (ANNA, ANNA_USER)
    flow = CARRIER._replace(remote=("192.0.2.51", 5060))
    call = exchange.comes(invite("0671000002", to="somebody"), flow)
    assert isinstance(call, Admitted)
    assert call.callee.number == BOHDAN


def dialogs(count: int) -> list[InviteDialog]:
    network = Network()
    return [network.invite() for _ in range(count)]


async def test_no_more_calls_come_in_than_the_trunk_may_carry(exchange: Exchange) -> None:
    await exchange.add("carrier", capacity=2)
    trunk = exchange.trunk("carrier")
    taken = dialogs(2)
    for dialog in taken:
        assert isinstance(exchange.comes(invite(ANNA_USER)), Admitted)
        exchange.lines.take(trunk, dialog)
    refused = exchange.comes(invite(ANNA_USER))
    assert isinstance(refused, Turned)
    assert (refused.status, refused.trunk) == (503, trunk)
    assert refused.refused is not None
    assert refused.refused[4] == 34
    assert ("Reason", 'Q.850;cause=34;text="No circuit available"') in refused.headers
    taken[0].finish()
    assert isinstance(exchange.comes(invite(ANNA_USER)), Admitted)


def test_lines_are_counted_only_where_they_are_bounded() -> None:
    lines = TrunkLines()
    bounded, free = Trunk("b", "b", "192.0.2.1", 5060, capacity=1), Trunk("f", "f", "192.0.2.1", 5060)
    first, second = dialogs(2)
    for dialog in (first, second):
        lines.take(free, dialog)
    assert (lines.has_room(free), lines.in_use(free)) == (True, 0)
    assert (lines.has_room(bounded), lines.in_use(bounded)) == (True, 0)
    lines.take(bounded, first)
    assert (lines.has_room(bounded), lines.in_use(bounded)) == (False, 1)
    lines.keep([bounded, free])
    assert lines.in_use(bounded) == 1
    lines.keep([free])
    assert lines.in_use(bounded) == 0


async def test_parameters_behind_numbers_are_no_part_of_them(exchange: Exchange) -> None:
    """Carriers that look numbers up for porting mark them (`npdi`, `rn`), and say what kind of caller it is (`cpc`)."""
    await exchange.add("carrier", caller_in=CallerIn.ASSERTED)
    message = invite(f"{ANNA};npdi", user="+380441234567;cpc=ordinary")
    answer = exchange.comes(message)
    assert isinstance(answer, Admitted), answer
    assert (answer.callee.number, answer.dialled, answer.caller.number) == (ANNA, ANNA, "+380441234567")
    message = invite(ANNA, P_Asserted_Identity="<tel:5550123;phone-context=+38044>")
    answer = exchange.comes(message)
    assert isinstance(answer, Admitted), answer
    assert answer.caller.number == "+380445550123"


async def test_who_hides_behind_a_host_that_is_none_is_hidden(exchange: Exchange) -> None:
    await exchange.add("carrier")
    hidden = invite(ANNA)
    hidden.set("From", "<sip:c8oqz84zk7z@Anonymous.invalid>;tag=1")
    answer = exchange.comes(hidden)
    assert isinstance(answer, Admitted), answer
    assert (answer.caller.number, answer.identity.restricted) == ("anonymous", True)


async def test_a_call_that_was_sent_out_and_comes_back_goes_out_no_more(
    exchange: Exchange,
) -> None:
    await exchange.add("carrier")
    mobile = "+380501112233"
    with exchange.store.write() as conn:
        (office,) = enterprises.list_all(conn)
        numbers.set_forwarding(conn, office.enterprise_id, ANNA, Forwarding(always=mobile))
    await exchange.refresh()
    first = exchange.comes(invite(ANNA_USER))
    assert isinstance(first, Admitted), first
    told = f"<sip:{mobile};npdi@h>;reason=unconditional, <sip:0{ANNA[4:]}@h>;reason=unconditional"
    again = exchange.comes(invite(ANNA_USER, Diversion=told))
    assert isinstance(again, Turned)
    assert (again.status, again.refused and again.refused[-1]) == (482, 25)


@pytest.mark.parametrize(
    ("called", "caller"),
    [
        (f"sip:{ANNA}@h;user=phone", "<sip:+380441234567@carrier;user=phone>"),
        (f"sip:{ANNA}@h;user=Phone;transport=udp", "<sip:+380441234567;cpc=ordinary@carrier;user=phone>"),
        (f"sip:{ANNA};npdi;rn=+380440000000@h;user=phone", "<sip:0441234567@carrier;user=phone>"),
        (f"sip:{ANNA}@h;user=ip", "<sip:+380441234567@carrier;user=ip>"),
        (f"tel:{ANNA}", "<tel:+380441234567>"),
        ("tel:+380-67-100-00-01;npdi", "<tel:+380(44)123-45-67;cpc=ordinary>"),
        ("tel:671000001;phone-context=+380", "<tel:441234567;phone-context=+380>"),
    ],
)
async def test_numbers_come_in_in_any_form_of_uri(exchange: Exchange, called: str, caller: str) -> None:
    await exchange.add("line")
    message = request("INVITE", called, to=f"<{called}>")
    message.set("From", f"{caller};tag=1")
    answer = exchange.comes(message)
    assert isinstance(answer, Admitted)
    assert (answer.callee.number, answer.caller.number) == (ANNA, "+380441234567")
