from typing import Any

import pytest

from kobza.call.directory import Package
from kobza.store import NotInStore, Store, numbers, services
from kobza.store.services import Services, ServicesChange, ServicesChanged
from tests.store.builders import ANNA, BOHDAN, NOW, NOW_MS

CONVERGENT, RECORDING = frozenset([Package.CONVERGENT]), frozenset([Package.CONVERGENT, Package.CALL_RECORDING])


@pytest.fixture
def own(store: Store, enterprise_id: str) -> str:
    with store.write() as conn:
        numbers.add(conn, ANNA, enterprise_id, "Анна", "Збут", CONVERGENT)
        numbers.add(conn, BOHDAN, enterprise_id)
        numbers.set_dnd(conn, enterprise_id, ANNA, True, NOW_MS - 1)
        numbers.set_clip(conn, enterprise_id, BOHDAN, None, True, NOW_MS + 1)
    return enterprise_id


def known(store: Store, enterprise_id: str) -> list[Services]:
    with store.read() as conn:
        return services.list_for(conn, enterprise_id, NOW)


def change(one: Services, **values: Any) -> ServicesChange:
    return ServicesChange(one, one._replace(**values))


def test_services_are_as_at_the_moment(store: Store, own: str) -> None:
    assert known(store, own) == [
        Services(ANNA, "Анна", "Збут", CONVERGENT, dnd=False, hidden=False),
        Services(BOHDAN, "", "", frozenset(), dnd=False, hidden=True),
    ]


def test_many_change_together_and_for_good(store: Store, own: str) -> None:
    anna, bohdan = known(store, own)
    version = store.directory_version()
    changes = [
        change(anna, name="Ганна", packages=RECORDING, dnd=True),
        change(bohdan, department="Склад", hidden=False, packages=CONVERGENT),
    ]
    with store.write() as conn:
        services.apply(conn, own, changes, NOW)
    assert known(store, own) == [each.after for each in changes]
    assert store.directory_version() == version + 1
    with store.read() as conn:
        found = numbers.find(conn, own, ANNA)
        assert found is not None
        assert (found.dnd, found.dnd_until) == (True, None)
    with store.write() as conn:
        services.apply(conn, own, [change(changes[0].after, packages=frozenset())], NOW)
        services.apply(conn, own, [], NOW)
    assert known(store, own)[0].packages == frozenset()


def test_what_changed_meanwhile_changes_nothing(store: Store, own: str) -> None:
    anna, bohdan = known(store, own)
    wrong = (
        [change(anna, name="Ганна"), change(bohdan._replace(name="Хтось"), name="Б")],
        [change(anna._replace(number="+380671234567"), name="Чужий")],
        [ServicesChange(anna, bohdan)],
    )
    for changes in wrong:
        with pytest.raises(ServicesChanged), store.write() as conn:
            services.apply(conn, own, changes, NOW)
    with pytest.raises(ServicesChanged), store.write() as conn:
        services.apply(conn, "another", [change(anna, name="Ганна")], NOW)
    assert known(store, own) == [anna, bohdan]


def test_a_user_name_is_the_own_one(store: Store, own: str) -> None:
    with store.read() as conn:
        assert numbers.username(conn, own, ANNA) == ANNA
        with pytest.raises(NotInStore):
            numbers.username(conn, "another", ANNA)
