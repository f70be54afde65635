from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from kobza.call.directory import Endpoint, Enterprise, Package
from kobza.call.trunk import Trunk
from kobza.store import Store, directory, endpoints, enterprises, numbers, trunks
from tests.store.builders import ANNA


def test_an_empty_directory(store: Store) -> None:
    with store.read() as conn:
        loaded = directory.load(conn)
    assert (loaded.subscribers, loaded.trunks, loaded.endpoints, loaded.enterprises) == ({}, (), {}, {})
    assert loaded.version == store.directory_version()


def test_the_directory_has_everything_that_routing_needs(store: Store) -> None:
    with store.write() as conn:
        added = enterprises.add(conn, "Ромашка", "admin", "hash", 1)
        numbers.add(conn, ANNA, added.enterprise_id, "Ганна", packages=[Package.CONVERGENT])
        first = trunks.add(conn, "city", "192.0.2.1", 5060, prefix="044", transport="TCP", now_ms=1)
        second = trunks.add(conn, "world", "192.0.2.2", 5090, now_ms=2)
        endpoints.set(conn, added.enterprise_id, "https://crm.example/hook", "token", "whsec_x", extended=True)
    with store.read() as conn:
        loaded = directory.load(conn)
    assert loaded.version == store.directory_version()
    assert loaded.enterprises == {added.enterprise_id: Enterprise(added.enterprise_id, "Ромашка", added.integrator_id)}
    assert [subscriber.name for subscriber in loaded.subscribers.values()] == ["Ганна"]
    assert loaded.subscribers[ANNA].packages == {Package.CONVERGENT}
    assert loaded.trunks == (
        Trunk(first, "city", "192.0.2.1", 5060, "044", "TCP"),
        Trunk(second, "world", "192.0.2.2", 5090, None, "UDP"),
    )
    assert loaded.endpoints == {
        added.enterprise_id: Endpoint(
            added.enterprise_id, "https://crm.example/hook", "token", "whsec_x", extended=True, active=True
        )
    }


CHANGES: list[Callable[[Connection, str], Any]] = [
    lambda conn, enterprise_id: trunks.add(conn, "new", "192.0.2.9", 5060),
    lambda conn, enterprise_id: trunks.remove(conn, "old"),
    lambda conn, enterprise_id: endpoints.set(conn, enterprise_id, "https://b.example", "u"),
    lambda conn, enterprise_id: endpoints.deactivate(conn, enterprise_id, "no", 2),
    lambda conn, enterprise_id: endpoints.delete(conn, enterprise_id),
]


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_seen_in_the_version(
    store: Store, enterprise_id: str, change: Callable[[Connection, str], Any]
) -> None:
    with store.write() as conn:
        trunks.add(conn, "old", "192.0.2.1", 5060)
        endpoints.set(conn, enterprise_id, "https://a.example", "t")
    version = store.directory_version()
    with store.write() as conn:
        change(conn, enterprise_id)
    assert store.directory_version() > version


def test_what_changes_nothing_is_not_seen(store: Store, enterprise_id: str) -> None:
    version = store.directory_version()
    with store.write() as conn:
        assert not trunks.remove(conn, "none")
        assert not endpoints.delete(conn, enterprise_id)
        assert not endpoints.deactivate(conn, enterprise_id, "no", 1)
    assert store.directory_version() == version
