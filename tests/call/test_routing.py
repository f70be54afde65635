"""Where a call goes."""

import pytest

from kobza.call.directory import Directory, Package, Subscriber
from kobza.call.routing import Identity, Party, Refused, ToSubscriber, ToTrunk, identity_of, party_of, route
from kobza.call.trunk import Trunk

NOW = 1_700_000_000.0
OURS = Subscriber("+380671110001", "mriia", "Олена", packages=frozenset(Package))
QUIET = Subscriber("+380671110002", "mriia", dnd=True, dnd_until=1_700_000_060_000)
TRUNK = Trunk("t", "t", "10.0.0.1", 5060)
DIRECTORY = Directory({OURS.number: OURS, QUIET.number: QUIET}, (TRUNK,))
INSIDE = party_of(OURS)
OUTSIDE = Party("+380445550000")


@pytest.mark.parametrize("caller", [INSIDE, OUTSIDE])
def test_a_number_of_our_own(caller: Party) -> None:
    assert route(DIRECTORY, "067 111 00 01", caller=caller, now=NOW) == ToSubscriber(OURS, INSIDE)


def test_dnd_until() -> None:
    refused = route(DIRECTORY, QUIET.number, caller=OUTSIDE, now=NOW)
    assert isinstance(refused, Refused)
    assert (refused.status, refused.cause) == (480, 21)
    assert isinstance(route(DIRECTORY, QUIET.number, caller=OUTSIDE, now=NOW + 60), ToSubscriber)


@pytest.mark.parametrize(("dialled", "dial"), [("0445550000", "+380445550000"), ("101", "101")])
def test_other_numbers_go_out(dialled: str, dial: str) -> None:
    assert route(DIRECTORY, dialled, caller=INSIDE, now=NOW) == ToTrunk((TRUNK,), dial, Party(dial))


def test_never_from_trunk_to_trunk() -> None:
    refused = route(DIRECTORY, "0445550000", caller=OUTSIDE, now=NOW)
    assert isinstance(refused, Refused)
    assert (refused.status, refused.cause) == (404, 1)


def test_no_trunk() -> None:
    refused = route(Directory(), "0445550000", caller=INSIDE, now=NOW)
    assert isinstance(refused, Refused)
    assert (refused.status, refused.cause) == (404, 1)


def test_what_cannot_be_dialled() -> None:
    refused = route(DIRECTORY, "*#06#", caller=INSIDE, now=NOW)
    assert isinstance(refused, Refused)
    assert (refused.status, refused.cause) == (484, 28)


def test_parties() -> None:
    assert Party(OURS.number, "mriia", owner=True, convergent=True, record=True, display_name="Олена") == INSIDE
    assert party_of(QUIET) == Party(QUIET.number, "mriia")


def test_identity() -> None:
    assert identity_of(OURS, NOW) == Identity(OURS.number, "Олена", restricted=False)
    hidden = Subscriber(
        OURS.number, "mriia", presentation_number="+380445551111", clip_restricted=True, clip_until=1_700_000_060_000
    )
    assert identity_of(hidden, NOW) == Identity("+380445551111", "", restricted=True)
    assert identity_of(hidden, NOW + 60) == Identity(OURS.number, "", restricted=False)


@pytest.mark.parametrize(
    ("shown", "shown_as"),
    [
        (None, None),
        (Identity(OURS.number, "Олена", restricted=False), None),
        (Identity(OURS.number, "Олена", restricted=True), "anonymous"),
        (Identity("+380445551111", "", restricted=False), "+380445551111"),
        (Identity("+380445551111", "", restricted=True), "anonymous"),
    ],
)
def test_what_other_enterprises_see_of_a_caller(shown: Identity | None, shown_as: str | None) -> None:
    party = party_of(OURS, shown)
    assert party.shown_as == shown_as
    assert party.seen_by("mriia") == OURS.number
    assert party.seen_by("sokil") == party.seen_by(None) == (shown_as or OURS.number)
