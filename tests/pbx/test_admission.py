"""Admission: who calls, where to, and what the called side may learn."""

import math
from datetime import UTC, datetime

import pytest

from kobza.call.directory import Package, Subscriber
from kobza.call.group import RingingGroup
from kobza.call.routing import Identity, Party
from kobza.pbx.admission import Admission, Admitted, Turned
from kobza.pbx.authenticator import Authenticator
from kobza.pbx.dialling import DeviceTarget, TrunkTarget
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.locations import Locations
from kobza.pbx.place_wanted import PlaceWanted, WantsPlace
from kobza.pbx.presence import Presence
from kobza.sip.flow import Flow, Transport
from kobza.sip.message import SipRequest
from kobza.sip.refer import Replaces
from kobza.store import Store, enterprises, groups, hours, numbers, trunks
from kobza.store.hours import COMPANY
from tests.pbx.office import (
    ANNA,
    ANNA_USER,
    BOHDAN,
    BOHDAN_USER,
    NOW,
    OUTSIDE,
    PHONE,
    REALM,
    VERA,
    hashes,
    request,
    signed,
    verifier,
)
from tests.store.builders import binding
from tests.support.hours import working
from tests.support.name_server import NameServer

CARRIER = Flow(Transport.UDP, ("192.0.2.1", 5060), ("192.0.2.50", 5060))


@pytest.fixture
def enterprise_id(store: Store) -> str:
    with store.write() as conn:
        made = enterprises.add(conn, "Ромашка", "admin", "hash", 1).enterprise_id
        for number, packages in ((ANNA, [Package.API_FMC, Package.CONVERGENT]), (BOHDAN, []), (VERA, [])):
            md5, sha256 = hashes("0" + number[4:])
            numbers.add(conn, number, made, "Anna" if number == ANNA else "", "", packages, "", md5, sha256)
        numbers.set_dnd(conn, made, VERA, on=True)
        trunks.add(conn, "carrier", "192.0.2.50", 5060)
        trunks.add(conn, "lost", "lost.example", 5060, prefix="0800")
    return made


@pytest.fixture
async def admission(store: Store, enterprise_id: str, names: NameServer) -> Admission:
    view = DirectoryView(store, locate=names.locator().locate)
    await view.refresh()
    locations = Locations()
    locations.put(binding(BOHDAN, "sip:b@1", expires_at=NOW + 60))
    locations.put(binding(BOHDAN, "sip:b@2", expires_at=NOW))
    return Admission(view, locations, Authenticator(verifier()))


def invite(dialled: str, user: str = ANNA_USER, **headers: str) -> SipRequest:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return request("INVITE", f"sip:{dialled}@{REALM}", user=user, headers=lines)


def admitted(result: Admitted | Turned | WantsPlace) -> Admitted:
    assert isinstance(result, Admitted), result
    return result


def turned(result: Admitted | Turned | WantsPlace) -> Turned:
    assert isinstance(result, Turned), result
    return result


def test_a_phone_calls_a_phone(admission: Admission, enterprise_id: str) -> None:
    call = admitted(admission.admit(signed(invite("067-100-00-02")), PHONE, NOW))
    assert call.caller == Party(ANNA, enterprise_id, owner=True, convergent=True, display_name="Anna")
    assert call.callee == Party(BOHDAN, enterprise_id)
    assert (call.dialled, call.origin) == ("067-100-00-02", "phone")
    assert call.identity == Identity(ANNA, "Anna", restricted=False)
    (target,) = call.first.targets  # the other one has run out
    assert isinstance(target, DeviceTarget)
    assert (target.number, target.binding.contact) == (BOHDAN, "sip:b@1")


def test_an_invite_that_begins_no_call(admission: Admission) -> None:
    """It is known by its Replaces, or by the code for pickup, once it is known who sent it; trunks have no code."""
    admission._pickup_code = "*8"
    answer = admission.admit(signed(invite("*80671000002")), PHONE, NOW)
    assert isinstance(answer, WantsPlace)
    assert isinstance(answer.who, Subscriber)
    assert (answer.who.number, answer.wanted) == (ANNA, PlaceWanted(at="0671000002"))
    assert turned(admission.admit(invite("*8"), PHONE, NOW)).status == 407
    assert turned(admission.admit(invite("*8"), CARRIER, NOW)).status == 484
    named = admission.admit(invite("0671000002", Replaces="id@host;to-tag=a;from-tag=b;early-only"), CARRIER, NOW)
    assert isinstance(named, WantsPlace)
    assert (named.who.name, named.wanted.replaces) == ("carrier", Replaces("id@host", "a", "b", early_only=True))
    for text in ("id@host;to-tag=a", "", "id@host"):
        assert turned(admission.admit(invite("0671000002", Replaces=text), CARRIER, NOW)).status == 400
    twice = [("Replaces", "id@host;to-tag=a;from-tag=b")] * 2
    asked = request("INVITE", f"sip:0671000002@{REALM}", user=ANNA_USER, headers=twice)
    assert "expected one" in turned(admission.admit(asked, PHONE, NOW)).detail


def test_nobody_there(admission: Admission) -> None:
    assert admitted(admission.admit(signed(invite("0671000002")), PHONE, NOW + 60)).first.targets == []


async def test_what_the_caller_wants_shown(admission: Admission, store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        numbers.set_clip(conn, enterprise_id, ANNA, BOHDAN, True)
    await admission._view.refresh()
    call = admitted(admission.admit(signed(invite("0671000002")), PHONE, NOW))
    assert call.identity == Identity(BOHDAN, "", restricted=True)
    assert (call.caller.number, call.caller.shown_as) == (ANNA, "anonymous")
    with store.write() as conn:
        numbers.set_clip(conn, enterprise_id, ANNA, BOHDAN, False)
    await admission._view.refresh()
    call = admitted(admission.admit(signed(invite("0671000002")), PHONE, NOW))
    assert call.identity == Identity(BOHDAN, "", restricted=False)
    assert (call.caller.seen_by(enterprise_id), call.caller.seen_by("another")) == (ANNA, BOHDAN)


def test_a_phone_proves_who_it_is(admission: Admission) -> None:
    first = turned(admission.admit(invite("0671000002"), PHONE, NOW))
    assert first.status == 407
    assert [name for name, _ in first.headers] == ["Proxy-Authenticate", "Proxy-Authenticate"]
    assert (first.refused, first.detail) == (None, "")
    wrong = turned(admission.admit(signed(invite("0671000002"), password="x"), PHONE, NOW))
    assert (wrong.status, wrong.refused) == (407, None)
    assert wrong.headers[-1][0] == "Reason"
    assert "cause=21" in wrong.headers[-1][1]


def test_the_caller_is_who_has_the_password_not_who_from_says(admission: Admission) -> None:
    message = signed(invite("0671000002", BOHDAN_USER), user=ANNA_USER)
    assert admitted(admission.admit(message, PHONE, NOW)).caller.number == ANNA


def test_out_by_the_trunk(admission: Admission) -> None:
    call = admitted(admission.admit(signed(invite("0441234567")), PHONE, NOW))
    (target,) = call.first.targets
    assert isinstance(target, TrunkTarget)
    assert (target.dial, target.hop.address, target.trunk.name) == (OUTSIDE, ("192.0.2.50", 5060), "carrier")
    assert call.callee == Party(OUTSIDE)


def test_a_trunk_whose_address_is_unknown_is_passed_over(admission: Admission) -> None:
    call = admitted(admission.admit(signed(invite("0800123456")), PHONE, NOW))
    (target,) = call.first.targets
    assert isinstance(target, TrunkTarget)
    assert target.trunk.name == "carrier"


@pytest.mark.parametrize(
    ("dialled", "status", "cause", "called"),
    [("0671000003", 480, 21, VERA), ("nobody", 484, 28, "nobody"), ("0" * 70, 484, 28, "0" * 64)],
)
def test_where_no_call_goes(
    admission: Admission, enterprise_id: str, dialled: str, status: int, cause: int, called: str
) -> None:
    result = turned(admission.admit(signed(invite(dialled)), PHONE, NOW))
    assert result.status == status
    assert any(name == "Reason" and f"cause={cause}" in value for name, value in result.headers)
    assert result.refused is not None
    caller, callee, text, origin, noted = result.refused
    assert (caller.number, callee.number, text, origin, noted) == (ANNA, called, dialled, "phone", cause)
    assert callee.enterprise_id == (enterprise_id if called == VERA else None)


def test_a_trunk_calls_a_phone_without_digest(admission: Admission) -> None:
    call = admitted(admission.admit(invite("380671000002", "380441234567"), CARRIER, NOW))
    assert call.caller == Party(OUTSIDE)
    assert (call.callee.number, call.origin) == (BOHDAN, "trunk")
    assert call.identity == Identity(OUTSIDE, "", restricted=False)


async def test_outside_working_hours_a_caller_is_told_when_to_call_again(
    store: Store, enterprise_id: str, admission: Admission
) -> None:
    with store.write() as conn:
        hours.put(conn, enterprise_id, COMPANY, working("closed", "2026-09-22 09:00-18:00"))
    await admission._view.refresh()
    result = turned(admission.admit(invite("0671000002"), CARRIER, NOW))
    assert (result.status, result.detail) == (480, "It is outside the working hours of the number.")
    opening = datetime(2026, 9, 22, 6, tzinfo=UTC).timestamp()
    assert result.headers == (
        ("Reason", 'Q.850;cause=20;text="Subscriber absent"'),
        ("Retry-After", str(math.ceil(opening - NOW))),
    )
    assert result.refused is not None
    assert result.refused[-1] == 20
    with store.write() as conn:
        hours.put(conn, enterprise_id, COMPANY, working("closed"))
    await admission._view.refresh()
    assert [name for name, _ in turned(admission.admit(invite("0671000002"), CARRIER, NOW)).headers] == ["Reason"]


async def test_a_number_that_has_as_many_calls_as_it_may_makes_no_further_one(
    store: Store, enterprise_id: str, admission: Admission
) -> None:
    presence = Presence(Locations(), lambda: NOW)
    admission._presence = presence
    with store.write() as conn:
        numbers.set_calls(conn, enterprise_id, ANNA, call_waiting=False, max_calls=2)
    await admission._view.refresh()
    presence.call_began(ANNA)
    admitted(admission.admit(signed(invite(BOHDAN_USER)), PHONE, NOW))
    presence.call_began(ANNA)
    assert admission.calls_of(ANNA) == 2
    refused = turned(admission.admit(signed(invite(BOHDAN_USER)), PHONE, NOW))
    assert (refused.status, refused.headers) == (403, (("Reason", 'Q.850;cause=21;text="Call rejected"'),))
    assert refused.refused is not None
    assert (refused.refused[0].number, refused.refused[1].number, refused.refused[-1]) == (ANNA, BOHDAN, 21)


@pytest.mark.parametrize(
    "flow",
    [
        CARRIER._replace(remote=("192.0.2.50", 5061)),
        CARRIER._replace(remote=("192.0.2.51", 5060)),
        CARRIER._replace(transport=Transport.TCP),
    ],
)
def test_only_the_trunks_own_address_needs_no_digest(admission: Admission, flow: Flow) -> None:
    assert turned(admission.admit(invite("0671000002", "380441234567"), flow, NOW)).status == 407


@pytest.mark.parametrize("dialled", ["0501234567", "0441234567", "112"])
def test_from_trunk_to_trunk_nothing_goes(admission: Admission, dialled: str) -> None:
    result = turned(admission.admit(invite(dialled, "380441234567"), CARRIER, NOW))
    assert result.status == 404
    assert result.refused is not None
    assert result.refused[4] == 1


def test_a_trunk_cannot_call_as_one_of_ours(admission: Admission) -> None:
    call = admitted(admission.admit(invite("0671000002", ANNA_USER), CARRIER, NOW))
    assert call.caller == Party(ANNA)
    assert turned(admission.admit(invite("0501234567", ANNA_USER), CARRIER, NOW)).status == 404


def _from(text: str, **headers: str) -> SipRequest:
    message = invite("0671000002", "x", **headers)
    message.set("From", f"{text};tag=1")
    return message


PAI = f"<sip:{OUTSIDE}@carrier.example>"


HIDDEN = [
    ('"Anonymous" <sip:anonymous@anonymous.invalid>', {"Privacy": "id", "P_Asserted_Identity": f'"Olha" {PAI}'}),
    ("<sip:anonymous@anonymous.invalid>", {"P_Asserted_Identity": PAI}),
    ("<sip:anonymous@anonymous.invalid>", {"P_Asserted_Identity": "<<"}),
    ("<sip:Restricted@carrier.example>", {}),
    ("<sip:carrier.example>", {"P_Asserted_Identity": PAI}),
    ('"Olha" <sip:0441234567@h>', {"Privacy": "user;id"}),
    ('"Olha" <sip:0441234567@h>', {"Privacy": "critical; ID"}),
    ('"Olha" <sip:0441234567@h>', {"Privacy": "header"}),
    ('"Olha" <sip:0441234567@h>', {"Privacy": "user"}),
]


@pytest.mark.parametrize(("from_", "headers"), HIDDEN)
def test_a_hidden_caller_is_unknown_to_phones_states_and_history(
    admission: Admission, from_: str, headers: dict[str, str]
) -> None:
    call = admitted(admission.admit(_from(from_, **headers), CARRIER, NOW))
    assert call.identity == Identity("anonymous", "", restricted=True)
    assert call.caller == Party("anonymous")
    assert "441234567" not in repr((call.caller, call.identity))


@pytest.mark.parametrize("privacy", ["none", "session", "history", "critical", "idle"])
def test_other_kinds_of_privacy_do_not_hide_the_number(admission: Admission, privacy: str) -> None:
    call = admitted(admission.admit(_from('"Olha" <sip:0441234567@h>', Privacy=privacy), CARRIER, NOW))
    assert call.identity == Identity(OUTSIDE, "Olha", restricted=False)
    assert call.caller == Party(OUTSIDE, display_name="Olha")


def test_a_phone_may_hide_its_number_in_one_call(admission: Admission, enterprise_id: str) -> None:
    message = signed(invite("0671000002", "anonymous", Privacy="id"), user=ANNA_USER)
    call = admitted(admission.admit(message, PHONE, NOW))
    assert (call.identity.number, call.identity.restricted) == (ANNA, True)
    assert call.caller.seen_by(enterprise_id) == ANNA
    assert call.caller.seen_by("another") == "anonymous"


def test_a_caller_that_is_no_number(admission: Admission) -> None:
    call = admitted(admission.admit(_from(f'"Olha" <sip:{"o" * 70}@h>'), CARRIER, NOW))
    assert call.identity == Identity("o" * 64, "Olha", restricted=False)
    assert call.caller == Party("o" * 64, display_name="Olha")


async def test_a_mobile_phone_rings_beside_the_devices_at_the_numbers_expense(
    store: Store, admission: Admission, enterprise_id: str
) -> None:
    def targets(number: str = BOHDAN) -> list[object]:
        subscriber = admission.directory.subscribers[number]
        return list(admission.phones_of(subscriber, NOW))

    (desk,) = targets()
    for mobile, found in ((OUTSIDE, 1), (ANNA, 0), ("0800", 1)):  # one of ours, by now, is no longer outside
        with store.write() as conn:
            numbers.set_mobile(conn, enterprise_id, BOHDAN, mobile)
        await admission._view.refresh()
        first, *others = targets()
        assert first == desk
        assert len(others) == found
        assert all(isinstance(each, TrunkTarget) and each.payer == BOHDAN for each in others)


async def test_a_group_is_who_is_called_before_anybody_answers(
    store: Store, admission: Admission, enterprise_id: str
) -> None:
    with store.write() as conn:
        groups.put(conn, RingingGroup("200", enterprise_id, "Sales", members=(ANNA, BOHDAN, VERA)))
    await admission._view.refresh()
    call = admitted(admission.admit(signed(invite("200")), PHONE, NOW))
    assert call.callee == Party("200", enterprise_id, convergent=True, display_name="Sales")
    assert [member.party.number for member in call.first.members] == [BOHDAN]
    assert (admission.is_busy(BOHDAN), admission.idle_since(BOHDAN)) == (False, -math.inf)
