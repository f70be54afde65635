from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from kobza.call.directory import Package, Subscriber
from kobza.call.forwarding import NO_FORWARDING, Forwarding
from kobza.store import NotInStore, NumberTaken, Store, address_book, bindings, enterprises, numbers
from kobza.store.address_book import Entry
from kobza.store.entries import BindingStored
from tests.store.builders import ANNA, BOHDAN, OUTSIDE, binding
from tests.store.conftest import Write


@pytest.fixture
def anna(store: Store, enterprise_id: str) -> str:
    with store.write() as conn:
        numbers.add(
            conn,
            ANNA,
            enterprise_id,
            "Ганна",
            "Продажі",
            [Package.CONVERGENT, Package.API_FMC],
            "0671000001",
            "md5",
            "sha256",
        )
    return ANNA


def found(store: Store, enterprise_id: str, number: str = ANNA) -> Subscriber:
    with store.read() as conn:
        subscriber = numbers.find(conn, enterprise_id, number)
    assert subscriber is not None
    return subscriber


def test_a_number_comes_back_whole(store: Store, enterprise_id: str, anna: str) -> None:
    assert found(store, enterprise_id) == Subscriber(
        number=ANNA,
        enterprise_id=enterprise_id,
        name="Ганна",
        department="Продажі",
        packages=frozenset({Package.CONVERGENT, Package.API_FMC}),
        ha1_md5="md5",
        ha1_sha256="sha256",
    )


@pytest.mark.parametrize(
    "forwarding", [Forwarding(always=BOHDAN), Forwarding(None, OUTSIDE, OUTSIDE, OUTSIDE, 30), NO_FORWARDING]
)
def test_where_its_calls_go(store: Store, enterprise_id: str, anna: str, forwarding: Forwarding) -> None:
    with store.write() as conn:
        version = store.directory_version()
        numbers.set_forwarding(conn, enterprise_id, ANNA, Forwarding(busy=OUTSIDE))
        numbers.set_forwarding(conn, enterprise_id, ANNA, forwarding)
        with pytest.raises(NotInStore):
            numbers.set_forwarding(conn, "another", ANNA, forwarding)
    assert found(store, enterprise_id).forwarding == forwarding
    assert store.directory_version() > version


def test_its_name_is_in_the_address_book(store: Store, enterprise_id: str, anna: str) -> None:
    with store.read() as conn:
        assert address_book.find(conn, enterprise_id, ANNA) == Entry(ANNA, "Ганна", "Продажі")


def test_a_number_belongs_to_one(store: Store, enterprise_id: str, anna: str) -> None:
    with store.write() as conn:
        other = enterprises.add(conn, "B", "other", "hash", 1).enterprise_id
        with pytest.raises(NumberTaken, match=f"0{ANNA[4:]} is a number already"):
            numbers.add(conn, ANNA, other)
        with pytest.raises(NumberTaken, match="user name 0671000001"):
            numbers.add(conn, BOHDAN, other, username="0671000001")
        assert numbers.list_for(conn, other) == []


def test_a_number_needs_an_enterprise(store: Store) -> None:
    with store.write() as conn, pytest.raises(NotInStore):
        numbers.add(conn, ANNA, "nobody")


def test_numbers_are_listed_by_enterprise(store: Store, enterprise_id: str, anna: str) -> None:
    with store.write() as conn:
        other = enterprises.add(conn, "B", "other", "hash", 1).enterprise_id
        numbers.add(conn, OUTSIDE, other, packages=[Package.CALL_RECORDING])
        numbers.add(conn, BOHDAN, enterprise_id)
        assert [subscriber.number for subscriber in numbers.list_for(conn, enterprise_id)] == [ANNA, BOHDAN]
        assert [subscriber.packages for subscriber in numbers.list_for(conn, other)] == [{Package.CALL_RECORDING}]
        assert numbers.find(conn, other, ANNA) is None
        assert [subscriber.number for subscriber in numbers.load(conn)] == [OUTSIDE, ANNA, BOHDAN]
        assert numbers.count_by_enterprise(conn) == {enterprise_id: 2, other: 1}


def test_dnd_with_and_without_an_end(store: Store, enterprise_id: str, anna: str) -> None:
    with store.write() as conn:
        numbers.set_dnd(conn, enterprise_id, ANNA, True, 5000)
    assert (found(store, enterprise_id).dnd, found(store, enterprise_id).dnd_until) == (True, 5000)
    with store.write() as conn:
        numbers.set_dnd(conn, enterprise_id, ANNA, True)
    assert (found(store, enterprise_id).dnd, found(store, enterprise_id).dnd_until) == (True, None)
    with store.write() as conn:
        numbers.set_dnd(conn, enterprise_id, ANNA, False, 5000)
    assert (found(store, enterprise_id).dnd, found(store, enterprise_id).dnd_until) == (False, None)


def test_clip(store: Store, enterprise_id: str, anna: str) -> None:
    with store.write() as conn:
        numbers.add(conn, BOHDAN, enterprise_id)
        numbers.set_clip(conn, enterprise_id, ANNA, BOHDAN, False, 5000)
    subscriber = found(store, enterprise_id)
    assert (subscriber.presentation_number, subscriber.clip_restricted, subscriber.clip_until) == (BOHDAN, False, 5000)
    with store.write() as conn:
        numbers.set_clip(conn, enterprise_id, ANNA, None, False, 5000)
    subscriber = found(store, enterprise_id)
    assert (subscriber.presentation_number, subscriber.clip_restricted, subscriber.clip_until) == (None, False, None)


def test_packages_and_credentials_are_replaced(store: Store, enterprise_id: str, anna: str) -> None:
    with store.write() as conn:
        numbers.set_packages(conn, enterprise_id, ANNA, [Package.CALL_RECORDING])
        numbers.set_credentials(conn, enterprise_id, ANNA, "m", "s")
    subscriber = found(store, enterprise_id)
    assert subscriber.packages == {Package.CALL_RECORDING}
    assert (subscriber.ha1_md5, subscriber.ha1_sha256) == ("m", "s")


def test_a_number_that_is_removed_takes_its_devices_along(
    store: Store, enterprise_id: str, anna: str, write: Write
) -> None:
    write(BindingStored(binding(ANNA)), BindingStored(binding(BOHDAN)))
    with store.write() as conn:
        numbers.remove(conn, enterprise_id, ANNA)
    with store.read() as conn:
        assert numbers.load(conn) == []
        assert [kept.number for kept in bindings.load_all(conn)] == [BOHDAN]
        assert address_book.find(conn, enterprise_id, ANNA) is not None
        assert conn.exec_driver_sql("SELECT count(*) FROM number_packages").scalar_one() == 0


CHANGES: list[Callable[[Connection, str], Any]] = [
    lambda conn, enterprise_id: numbers.set_dnd(conn, enterprise_id, ANNA, True),
    lambda conn, enterprise_id: numbers.set_clip(conn, enterprise_id, ANNA, None, True),
    lambda conn, enterprise_id: numbers.set_packages(conn, enterprise_id, ANNA, []),
    lambda conn, enterprise_id: numbers.set_credentials(conn, enterprise_id, ANNA, "m", "s"),
    lambda conn, enterprise_id: numbers.remove(conn, enterprise_id, ANNA),
]


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_seen_in_the_version_and_only_ones_own_can_be_changed(
    store: Store, enterprise_id: str, anna: str, change: Callable[[Connection, str], Any]
) -> None:
    before, version = found(store, enterprise_id), store.directory_version()
    with store.write() as conn, pytest.raises(NotInStore, match=f"\\{ANNA}"):
        change(conn, "someone-else")
    assert found(store, enterprise_id) == before
    with store.write() as conn:
        change(conn, enterprise_id)
    assert store.directory_version() > version
