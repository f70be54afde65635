"""Presence: what a number's status is, and since when."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    assert (status.status, status.devices, status.since) == (Status.UNAVAILABLE, 0, NOW + 100)  # ran out, not yet swept
    clock.now += 3
    presence.changed(ANNA)
    assert presence.of(subscriber()).since == NOW + 100


def test_the_end_of_the_last_device_is_known_though_nobody_looked_until_the_sweep(clock: Clock) -> None:
    locations = Locations()
    presence = Presence(locations, clock)
    for contact, seconds in (("sip:a@1", 50), ("sip:a@2", 100)):
        locations.put(binding(contact=contact, expires_at=NOW + seconds))
    presence.changed(ANNA)
    clock.now = NOW + 104
    presence.changed(ANNA)
    assert presence.of(subscriber()).since == NOW + 100


def test_what_has_not_changed_is_the_same_object(clock: Clock) -> None:
    locations = Locations()
    locations.put(binding(expires_at=NOW + 100))
    locations.put(binding(contact="sip:a@2", expires_at=NOW + 50))
    presence = Presence(locations, clock)
    first = presence.of(subscriber())
    clock.now += 49
    assert presence.of(replace(subscriber(), name="Ганна")) is first
    clock.now += 1
    second = presence.of(subscriber())
    assert (second.devices, second.status) == (1, Status.AVAILABLE)
    undisturbed = replace(subscriber(), dnd=True, dnd_until=int((NOW + 60) * 1000))
    third = presence.of(undisturbed)
    assert third.dnd
    assert presence.of(undisturbed) is third
    clock.now += 10
    assert not presence.of(undisturbed).dnd
    presence.call_began(ANNA)
    assert presence.of(undisturbed).status is Status.BUSY


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["put", "remove", "began", "ended", "wait", "dnd"]), st.integers(0, 40))))
def test_what_is_remembered_is_what_would_be_found(steps: list[tuple[str, int]]) -> None:
    clock, locations, own = Clock(), Locations(), subscriber()
    presence = Presence(locations, clock)
    for step, number in steps:
        device = binding(contact=f"sip:a@{number % 3}", expires_at=clock.now + number)
        match step:
            case "put":
                locations.put(device)
                presence.changed(ANNA)
            case "remove":
                presence.changed(ANNA)
                locations.remove(device)
                presence.changed(ANNA)
            case "began":
                presence.call_began(ANNA)
            case "ended":
                presence.call_ended(ANNA)
            case "dnd":
                own = replace(own, dnd=not own.dnd, dnd_until=int((clock.now + number) * 1000))
            case _:
                clock.now += number
        told = presence.of(own)
        devices = len(locations.of(ANNA, clock.now))
        busy = presence.is_busy(ANNA)
        assert told.devices == devices
        assert told.status == (Status.BUSY if busy else Status.AVAILABLE if devices else Status.UNAVAILABLE)
        assert told.dnd is own.dnd_at(clock.now)
        assert told.since is None or told.since <= clock.now


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


def test_when_the_last_call_was_over(clock: Clock) -> None:
    presence = Presence(Locations(), clock)
    assert presence.idle_since(ANNA) == -math.inf
    presence.call_began(ANNA)
    presence.call_began(ANNA)
    presence.call_ended(ANNA)
    assert presence.idle_since(ANNA) == -math.inf
    clock.now += 5
    presence.call_ended(ANNA)
    assert presence.idle_since(ANNA) == NOW + 5
