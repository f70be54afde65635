"""Ringing groups in the store."""

from dataclasses import replace

import pytest

from kobza.call.group import RingingGroup, Strategy
from kobza.store import NotInStore, NumberTaken, Store, directory, enterprises, groups, numbers
from tests.store.builders import ANNA, BOHDAN, OUTSIDE

HOTLINE = "+380443334455"


@pytest.fixture
def sales(store: Store, enterprise_id: str) -> RingingGroup:
    made = RingingGroup("200", enterprise_id, "Продажі", Strategy.IN_TURN, (BOHDAN, ANNA), 15, OUTSIDE)
    with store.write() as conn:
        for number in (ANNA, BOHDAN):
            numbers.add(conn, number, enterprise_id)
        groups.put(conn, made)
    return made


def test_a_group_comes_back_whole_and_changes_whole(store: Store, enterprise_id: str, sales: RingingGroup) -> None:
    with store.read() as conn:
        assert groups.load(conn) == groups.load(conn, enterprise_id) == [sales]
        assert groups.find(conn, enterprise_id, "200") == sales
        assert groups.find(conn, "another", "200") is None
        assert directory.load(conn).groups == {f"{enterprise_id}/200": sales}
    version = store.directory_version()
    changed = replace(sales, strategy=Strategy.ALL, members=(ANNA,), then=None)
    with store.write() as conn:
        groups.put(conn, changed)
    with store.read() as conn:
        assert groups.load(conn) == [changed]
    assert store.directory_version() > version


def test_members_go_with_their_numbers_and_groups_with_a_word(
    store: Store, enterprise_id: str, sales: RingingGroup
) -> None:
    with store.write() as conn:
        numbers.remove(conn, enterprise_id, BOHDAN)
    with store.read() as conn:
        assert groups.load(conn) == [replace(sales, members=(ANNA,))]
    with store.write() as conn:
        groups.remove(conn, enterprise_id, "200")
        with pytest.raises(NotInStore, match="has no group 200"):
            groups.remove(conn, enterprise_id, "200")
    with store.read() as conn:
        assert groups.load(conn) == []


def test_whose_number_a_groups_may_be(store: Store, enterprise_id: str, sales: RingingGroup) -> None:
    with store.write() as conn:
        other = enterprises.add(conn, "B", "other", "hash", 1).enterprise_id
        groups.put(conn, replace(sales, enterprise_id=other, members=()))  # short codes are each enterprise's own
        groups.put(conn, replace(sales, number=HOTLINE))
        for number in (ANNA, HOTLINE):
            with pytest.raises(NumberTaken):
                groups.put(conn, RingingGroup(number, other))
        with pytest.raises(NumberTaken, match="ringing group's"):
            numbers.add(conn, HOTLINE, other)
        with pytest.raises(NotInStore, match=f"has no number \\{BOHDAN}"):
            groups.put(conn, replace(sales, enterprise_id=other))
        with pytest.raises(NotInStore, match="no enterprise"):
            groups.put(conn, replace(sales, enterprise_id="nobody"))
    with store.read() as conn:
        assert set(directory.load(conn).groups) == {f"{enterprise_id}/200", f"{other}/200", HOTLINE}
