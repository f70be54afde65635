"""How INVITEs are addressed, and what they say of who calls."""

from dataclasses import replace as replace_trunk

import pytest
from msgspec.structs import replace

from kobza.call.forwarding import Diversion, Occasion
from kobza.call.routing import Identity
from kobza.call.trunk import NumberFormat, Trunk
from kobza.pbx.dialling import ANONYMOUS, DeviceTarget, TrunkTarget, invitation
from kobza.pbx.diverting import MAX_DIVERTED, diverted_before, numbers_before, told_of
from kobza.sip import diversion as sip
from kobza.sip.flow import Address, Flow, Transport
from kobza.sip.headers import NameAddr
from kobza.sip.location import NextHop
from kobza.sip.request import Credentials
from kobza.sip.uri import SipUri
from kobza.store.diversions import Diverted
from tests.pbx.office import ANNA, BOHDAN, OUTSIDE, request
from tests.store.builders import binding

SHOWN = Identity(ANNA, "Anna", restricted=False)
HIDDEN = Identity(ANNA, "Anna", restricted=True)
CARRIER = Trunk("t", "carrier", "192.0.2.50", 5080)


def flows(remote: Address, transport: Transport, _name: str) -> Flow:
    return Flow(transport, ("::1" if ":" in remote[0] else "192.0.2.1", 5060), remote)


def no_flows(remote: Address, transport: Transport, _name: str) -> Flow:
    raise ValueError("no socket")


def to_trunk(host: str = "192.0.2.50", port: int = 5080) -> TrunkTarget:
    return TrunkTarget(OUTSIDE, Trunk("t", "carrier", host, port), NextHop(Transport.UDP, (host, port)))


def test_a_device_on_udp() -> None:
    device = binding(BOHDAN, "sip:b@10.0.0.5;x=1", transport="UDP", remote_host="198.51.100.7", remote_port=4000)
    made = invitation(DeviceTarget(BOHDAN, device), SHOWN, ANNA, flows)
    assert made.uri == "sip:b@10.0.0.5;x=1"
    assert str(made.from_) == '"Anna" <sip:0671000001@192.0.2.1>'
    assert str(made.to) == "<sip:0671000002@192.0.2.1>"
    assert made.flow == Flow(Transport.UDP, ("192.0.2.1", 5060), ("198.51.100.7", 4000))
    assert made.route_set == ("<sip:p1.example;lr>", "<sip:p2.example;lr>")
    assert (made.headers, made.contact_user) == ((), "0671000001")


def test_a_device_on_tcp_is_reached_over_its_connection() -> None:
    made = invitation(DeviceTarget(BOHDAN, binding(BOHDAN)), SHOWN, ANNA, no_flows)
    assert made.flow == Flow(Transport.TCP, ("127.0.0.1", 5060), ("192.0.2.1", 40000), 7)


A, B = Diversion(ANNA, Occasion.BUSY), Diversion(BOHDAN, Occasion.NO_ANSWER, private=True)
BEFORE = [sip.Diversion(SipUri("sip", user="0445550000", host="carrier"), "away", private=True, display_name="Вера")]


@pytest.mark.parametrize("trusted", [True, False])
def test_a_trunk_is_told_who_sent_the_call_on_and_whose_it_is(*, trusted: bool) -> None:
    trunk = Trunk("t", "carrier", "192.0.2.50", 5080, trusted=trusted, number_format=NumberFormat.DIGITS)
    target = TrunkTarget(OUTSIDE, trunk, NextHop(Transport.UDP, ("192.0.2.50", 5080)), (A, B), BOHDAN)
    made = invitation(target, Identity("+380445559999", "", restricted=False), "+380445559999", flows, BEFORE)
    told = dict(made.headers)
    assert str(made.from_) == "<sip:380445559999@192.0.2.1>"
    assert told.get("P-Asserted-Identity") == ("<sip:380671000002@192.0.2.1>" if trusted else None)
    bohdan = "sip:380671000002@192.0.2.1" if trusted else "sip:anonymous@anonymous.invalid"
    before = '"Вера" <sip:0445550000@carrier>' if trusted else "<sip:anonymous@anonymous.invalid>"
    assert told["Diversion"].split(", ") == [
        f"<{bohdan}>;reason=no-answer;counter=1;privacy=full",
        "<sip:380671000001@192.0.2.1>;reason=user-busy;counter=1;privacy=off",
        f"{before};reason=away;counter=1;privacy=full",
    ]
    assert told["History-Info"].split(", ") == [
        "<sip:380671000001@192.0.2.1?Reason=SIP%3Bcause%3D486>;index=1",
        f"<{bohdan};cause=486?Reason=SIP%3Bcause%3D408&Privacy=history>;index=1.1;mp=1",
        "<sip:380441234567@192.0.2.50:5080;cause=408>;index=1.1.1;mp=1.1",
    ]
    assert [each.index for each in sip.history(request("INVITE", "sip:b@h", headers=made.headers))] == [
        *("1", "1.1", "1.1.1"),
    ]


def test_always_forwarded_says_so_without_an_answer_of_anybody() -> None:
    target = replace(to_trunk(), diversions=(Diversion(ANNA, Occasion.ALWAYS),), payer=ANNA)
    told = dict(invitation(target, SHOWN, BOHDAN, flows).headers)
    assert ";reason=unconditional;" in told["Diversion"]
    assert told["History-Info"].split(", ") == [
        "<sip:+380671000001@192.0.2.1>;index=1",
        "<sip:+380441234567@192.0.2.50:5080;cause=302>;index=1.1;mp=1",
    ]


def test_what_a_caller_says_of_diversions_is_told_to_nobody_unless_we_divert() -> None:
    assert "Diversion" not in dict(invitation(to_trunk(), SHOWN, ANNA, flows, BEFORE).headers)


def test_who_sent_a_call_on_is_told_to_its_enterprise_without_those_who_hide() -> None:
    trunk = replace_trunk(CARRIER, add_incoming="044")
    values = (
        "<sip:5550101@c>;reason=user-busy;counter=2, <tel:+380671110001>;reason=away;privacy=full",
        "<sip:%s@c>;reason=made-up" % ("x" * 70),
        "<sip:c>;privacy=off",
    )
    found = diverted_before(request("INVITE", "sip:1@h", headers=[("Diversion", value) for value in values]))
    assert told_of(found, trunk) == [
        Diverted("+380445550101", "user-busy", 2),
        Diverted("anonymous", "away"),
        Diverted("x" * 64, "unknown"),
        Diverted("anonymous", "unknown"),
    ]


def test_what_a_caller_says_is_read_in_bounds() -> None:
    many = [("Diversion", "<sip:a@h>;reason=no-answer") for _ in range(MAX_DIVERTED + 1)]
    assert len(diverted_before(request("INVITE", "sip:b@h", headers=many))) == MAX_DIVERTED
    assert diverted_before(request("INVITE", "sip:b@h", headers=[("Diversion", "<<")])) == ()
    assert diverted_before(request("INVITE", "sip:b@h", headers=[("History-Info", "<<")])) == ()
    assert numbers_before([sip.Diversion(SipUri("sip", user="x", host="h"), counter=999)], CARRIER) == ("",) * 10


def test_history_info_tells_of_diversions_too() -> None:
    """RFC 7544: as a carrier's IMS sends it, and as we do ourselves."""
    told = (
        "<sip:0800500500@ims>;index=1, <sip:as@ims>;index=1.1;rc=1, "
        "<sip:+380671000001;npdi@ims;cause=302?Privacy=history&Reason=SIP%3Bcause%3D486>;index=1.1.1;mp=1, "
        "<sip:%2B380671000002@ims;cause=408>;index=1.1.1.1;mp=1.1.1, <sip:x@ims;cause=999>;index=2;mp=7"
    )
    message = request("INVITE", "sip:b@h", headers=[("History-Info", told)])
    found = diverted_before(message)
    assert [str(each) for each in found] == [
        "<sip:+380671000001;npdi@ims>;reason=no-answer;counter=1;privacy=full",
        "<sip:0800500500@ims>;reason=unconditional;counter=1;privacy=off",
    ]
    assert numbers_before(found, CARRIER) == ("+380671000001", "+380800500500")
    both = request("INVITE", "sip:b@h", headers=[("History-Info", told), ("Diversion", "<sip:a@h>;reason=away")])
    assert [each.reason for each in diverted_before(both)] == ["away"]


def test_what_we_say_is_what_we_read() -> None:
    target = replace(to_trunk(), diversions=(A, replace(B, private=False)), payer=BOHDAN)
    told = invitation(target, SHOWN, BOHDAN, flows).headers
    by_diversion = diverted_before(
        request("INVITE", "sip:b@h", headers=[each for each in told if each[0] == "Diversion"])
    )
    assert len(by_diversion) == 2
    history = [each for each in told if each[0] == "History-Info"]
    assert diverted_before(request("INVITE", "sip:b@h", headers=history)) == by_diversion


@pytest.mark.parametrize(
    ("contact", "transport", "browser"),
    [
        ("sip:b@10.0.0.5", "UDP", False),
        ("sip:ws@10.0.0.5;transport=tcp", "TCP", False),
        ("sip:k2j@f3.invalid;transport=ws", "WSS", True),
        ("sip:k2j@f3.invalid", "WS", True),
        ("sip:k2j@f3.invalid;Transport=WSS;ob", "UDP", True),  # behind a proxy that speaks WebSocket
    ],
)
def test_who_takes_media_as_browsers_do(contact: str, transport: str, browser: bool) -> None:
    assert DeviceTarget(BOHDAN, binding(BOHDAN, contact, transport=transport)).is_browser is browser


@pytest.mark.parametrize(
    ("contact", "transport", "private"),
    [
        ("sip:b@10.0.0.5", "UDP", False),
        ("sip:tls@10.0.0.5;transport=tcp", "TCP", False),
        ("sip:b@10.0.0.5", "TLS", True),
        ("sips:b@10.0.0.5", "TCP", True),
        ("sip:b@10.0.0.5;transport=TLS", "UDP", True),  # behind a proxy that speaks TLS
    ],
)
def test_whose_signalling_goes_over_tls(contact: str, transport: str, private: bool) -> None:
    assert DeviceTarget(BOHDAN, binding(BOHDAN, contact, transport=transport)).is_private is private


def test_a_device_learns_nothing_of_a_hidden_caller() -> None:
    made = invitation(DeviceTarget(BOHDAN, binding(BOHDAN)), HIDDEN, ANNA, flows)
    assert made.from_ == ANONYMOUS
    assert (made.headers, made.contact_user) == ((("Privacy", "id"),), "anonymous")
    assert "1000001" not in repr((made.from_, made.headers, made.contact_user))
    assert "Anna" not in repr(made)


def test_out_by_a_trunk() -> None:
    made = invitation(to_trunk(), Identity(BOHDAN, "Desk", restricted=False), ANNA, flows)
    assert made.uri == "sip:+380441234567@192.0.2.50:5080"
    assert str(made.from_) == '"Desk" <sip:+380671000002@192.0.2.1>'
    assert str(made.to) == "<sip:+380441234567@192.0.2.50:5080>"
    assert made.headers == (("P-Asserted-Identity", "<sip:+380671000001@192.0.2.1>"),)
    assert made.flow.remote == ("192.0.2.50", 5080)


def test_a_carrier_learns_the_number_of_a_hidden_caller_and_that_it_is_hidden() -> None:
    made = invitation(to_trunk(), HIDDEN, ANNA, flows)
    assert made.from_ == ANONYMOUS
    assert made.headers == (("P-Asserted-Identity", "<sip:+380671000001@192.0.2.1>"), ("Privacy", "id"))
    assert made.contact_user == "anonymous"


@pytest.mark.parametrize("shown", [HIDDEN, Identity(BOHDAN, "", restricted=False)])
def test_an_untrusted_trunk_learns_what_the_called_may_and_no_more(shown: Identity) -> None:
    trunk = Trunk("t", "carrier", "192.0.2.50", 5060, trusted=False)
    made = invitation(TrunkTarget(OUTSIDE, trunk, NextHop(Transport.UDP, ("192.0.2.50", 5060))), shown, ANNA, flows)
    assert made.headers == ((("Privacy", "id"),) if shown.restricted else ())
    assert "1000001" not in repr((made.from_, made.headers, made.contact_user))


def test_over_tcp_if_the_trunk_says_so() -> None:
    target = TrunkTarget(
        OUTSIDE, Trunk("t", "carrier", "c.example", 5060, transport="TCP"), NextHop(Transport.TCP, ("192.0.2.50", 5060))
    )
    assert invitation(target, SHOWN, ANNA, flows).flow.transport is Transport.TCP


def test_numbers_as_the_trunk_wants_them() -> None:
    trunk = Trunk(
        "t", "c", "192.0.2.50", 5080, number_format=NumberFormat.NATIONAL, add="77#", domain="sip.example.net"
    )
    made = invitation(TrunkTarget(OUTSIDE, trunk, NextHop(Transport.UDP, ("192.0.2.50", 5080))), SHOWN, BOHDAN, flows)
    assert made.uri == "sip:77%230441234567@sip.example.net"
    assert str(made.from_) == '"Anna" <sip:0671000001@sip.example.net>'
    assert str(made.to) == "<sip:77%230441234567@sip.example.net>"
    assert made.headers == (("P-Asserted-Identity", "<sip:0671000002@sip.example.net>"),)
    assert made.flow.remote == ("192.0.2.50", 5080)
    assert (made.contact_user, made.credentials) == ("0671000001", None)


@pytest.mark.parametrize("domain", [None, "sip.example.net"])
def test_numbers_are_marked_for_a_trunk_that_asks_for_it(domain: str | None) -> None:
    """RFC 3261, 19.1.1: in each URI that has a global number, and in no other."""
    trunk = replace_trunk(CARRIER, user_phone=True, domain=domain)
    target = TrunkTarget(OUTSIDE, trunk, NextHop(Transport.UDP, ("192.0.2.50", 5080)), (A,), BOHDAN)
    made = invitation(target, SHOWN, ANNA, flows)
    away = f"sip:{OUTSIDE}@{domain or '192.0.2.50:5080'};user=phone"
    assert (made.uri, str(made.to)) == (away, f"<{away}>")
    host = domain or "192.0.2.1"
    assert str(made.from_) == f'"Anna" <sip:{ANNA}@{host};user=phone>'
    told = dict(made.headers)
    assert told["P-Asserted-Identity"] == f"<sip:{BOHDAN}@{host};user=phone>"
    assert told["Diversion"].startswith(f"<sip:{ANNA}@{host};user=phone>;reason=user-busy")
    assert told["History-Info"].startswith(f"<sip:{ANNA}@{host};user=phone?Reason=")
    assert f"<{away};cause=486>" in told["History-Info"]
    code = invitation(replace(target, dial="112", diversions=()), HIDDEN, ANNA, flows)
    assert (code.uri, code.from_) == (f"sip:112@{domain or '192.0.2.50:5080'}", ANONYMOUS)
    added = replace(target, trunk=replace_trunk(trunk, add="77#"))
    assert ";user=phone" not in invitation(added, SHOWN, ANNA, flows).uri


def test_calls_take_the_way_that_the_registrar_wants() -> None:
    routes = ("<sip:edge.example;lr>", "<sip:core.example;lr>")
    made = invitation(replace(to_trunk(), routes=routes), SHOWN, ANNA, flows)
    assert (made.route_set, made.flow.remote) == (routes, ("192.0.2.50", 5080))


def test_an_account_answers_challenges_and_is_the_contact() -> None:
    trunk = Trunk("t", "c", "192.0.2.50", 5060, username="account", password="secret")
    made = invitation(TrunkTarget(OUTSIDE, trunk, NextHop(Transport.UDP, ("192.0.2.50", 5060))), SHOWN, ANNA, flows)
    assert made.credentials == Credentials("account", "secret")
    assert made.contact_user == "account"
    assert "secret" not in repr(made)


@pytest.mark.parametrize("host", ["2001:db8::5", "[2001:db8::5]"])
def test_ipv6_stands_in_one_pair_of_brackets(host: str) -> None:
    target = TrunkTarget(OUTSIDE, Trunk("t", "carrier", host, 5060), NextHop(Transport.UDP, ("2001:db8::5", 5060)))
    made = invitation(target, SHOWN, ANNA, flows)
    assert made.uri == "sip:+380441234567@[2001:db8::5]:5060"
    assert str(made.from_) == '"Anna" <sip:+380671000001@[::1]>'
    assert made.headers == (("P-Asserted-Identity", "<sip:+380671000001@[::1]>"),)
    device = binding(BOHDAN, transport="UDP", remote_host="2001:db8::7")
    assert str(invitation(DeviceTarget(BOHDAN, device), SHOWN, ANNA, flows).to) == "<sip:0671000002@[::1]>"


def test_what_a_stranger_calls_himself_breaks_no_header() -> None:
    shown = Identity('a@b>"', 'An"na', restricted=False)
    made = invitation(DeviceTarget(BOHDAN, binding(BOHDAN)), shown, ANNA, flows)
    read = NameAddr.parse(str(made.from_), "From header")
    assert (read.display_name, read.uri.unescaped_user, read.uri.host) == ('An"na', 'a@b>"', "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "domain", "name"),
    [
        ("sip.example.net", None, "sip.example.net"),
        ("sip.example.net", "example.net", "sip.example.net"),
        ("192.0.2.50", "example.net", "example.net"),
        ("192.0.2.50", None, "192.0.2.50"),
        ("[2001:db8::5]", None, "2001:db8::5"),
    ],
)
def test_over_tls_the_trunk_has_to_be_who_it_is_configured_as(host: str, domain: str | None, name: str) -> None:
    """RFC 5922 7: what was configured counts, never what a resolver or the peer says."""
    asked: list[tuple[Transport, str]] = []

    def noted(remote: Address, transport: Transport, expected: str) -> Flow:
        asked.append((transport, expected))
        return flows(remote, transport, expected)

    trunk = Trunk("t", "c", host, 5061, transport="TLS", domain=domain)
    made = invitation(TrunkTarget(OUTSIDE, trunk, NextHop(Transport.TLS, ("192.0.2.50", 5061))), SHOWN, ANNA, noted)
    assert asked == [(Transport.TLS, name)]
    assert made.flow.transport is Transport.TLS


def test_no_socket() -> None:
    with pytest.raises(ValueError, match="no socket"):
        invitation(to_trunk(), SHOWN, ANNA, no_flows)
