"""Presence: what a number's status is, and since when."""

from dataclasses import replace

import pytest

from kobza.pbx.locations import Locations
from kobza.pbx.presence import Presence, Status
from tests.pbx.office import ANNA, NOW, subscriber
from tests.store.builders import binding


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_nothing_is_known_at_first(clock: Clock) -> None:
    status = Presence(Locations(), clock).of(subscriber())
    assert (status.number, status.status, status.devices, status.since) == (ANNA, Status.UNAVAILABLE, 0, None)


def test_devices_come_and_go(clock: Clock) -> None:
    locations = Locations()
    presence = Presence(locations, clock)
    for contact in ("sip:a@1", "sip:a@2"):
        locations.put(binding(contact=contact, expires_at=NOW + 100))
        presence.changed(ANNA)
        clock.now += 10
    status = presence.of(subscriber())
    assert (status.status, status.devices, status.since) == (Status.AVAILABLE, 2, NOW)
    clock.now = NOW + 100
    status = presence.of(subscriber())
    assert (status.status, status.devices, status.since) == (Status.UNAVAILABLE, 0, None)  # ran out, not yet swept
    presence.changed(ANNA)
    assert presence.of(subscriber()).since == NOW + 100


def test_busy_until_the_last_call_ends(clock: Clock) -> None:
    locations = Locations()
    locations.put(binding(expires_at=NOW + 1000))
    presence = Presence(locations, clock)
    presence.call_began(ANNA)
    clock.now += 5
    presence.call_began(ANNA)
    presence.call_ended(ANNA)
    assert presence.is_busy(ANNA)
    status = presence.of(subscriber())
    assert (status.status, status.since) == (Status.BUSY, NOW)
    presence.call_ended(ANNA)
    assert not presence.is_busy(ANNA)
    status = presence.of(subscriber())
    assert (status.status, status.since) == (Status.AVAILABLE, NOW + 5)


def test_busy_without_devices(clock: Clock) -> None:
    presence = Presence(Locations(), clock)
    presence.call_began(ANNA)
    assert presence.of(subscriber()).status is Status.BUSY


def test_an_end_too_many_harms_nothing(clock: Clock) -> None:
    presence = Presence(Locations(), clock)
    presence.call_ended(ANNA)
    presence.call_began(ANNA)
    assert presence.is_busy(ANNA)


def test_dnd_as_of_now(clock: Clock) -> None:
    presence = Presence(Locations(), clock)
    undisturbed = replace(subscriber(), dnd=True, dnd_until=int((NOW + 60) * 1000))
    assert presence.of(undisturbed).dnd
    clock.now += 60
    assert not presence.of(undisturbed).dnd
