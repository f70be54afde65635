"""What may be spent outside, as it is stored."""

from dataclasses import replace

import pytest

from kobza.call.outside import MAX_PREFIXES, MOST, OutsideLimits
from kobza.store import NotInStore, Store, directory, enterprises, numbers, outside
from tests.store.builders import ANNA, BOHDAN

LIMITS = OutsideLimits(1, 2, 3, 4, 5, denied=("+", "+979"), allowed=("+380",))


@pytest.fixture
def enterprise_id(store: Store) -> str:
    with store.write() as conn:
        made = enterprises.add(conn, "A", "a", "hash", 1).enterprise_id
        numbers.add(conn, ANNA, made)
    return made


def test_limits_are_set_read_and_taken_back(store: Store, enterprise_id: str) -> None:
    before = store.directory_version()
    with store.write() as conn:
        assert outside.find(conn, enterprise_id) == OutsideLimits()
        outside.put(conn, enterprise_id, "", OutsideLimits(at_once=7))
        outside.put(conn, enterprise_id, ANNA, replace(LIMITS, at_once=0))
        outside.put(conn, enterprise_id, ANNA, LIMITS)
    assert store.directory_version() == before + 3
    both = {(enterprise_id, ""): OutsideLimits(at_once=7), (enterprise_id, ANNA): LIMITS}
    with store.write() as conn:
        assert outside.find(conn, enterprise_id, ANNA) == LIMITS
        assert directory.load(conn).outside == both
        outside.put(conn, enterprise_id, "", OutsideLimits())
        assert outside.load(conn) == {(enterprise_id, ANNA): LIMITS}
        numbers.remove(conn, enterprise_id, ANNA)
        assert outside.load(conn) == {}


def test_what_is_wrong_is_said(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        for owner, number, words in (("nobody", "", "no enterprise"), (enterprise_id, BOHDAN, "no number")):
            with pytest.raises(NotInStore, match=words):
                outside.put(conn, owner, number, LIMITS)
        with pytest.raises(ValueError, match=f"calls_day: expected 0 .no limit. to {MOST}"):
            outside.put(conn, enterprise_id, "", OutsideLimits(calls_day=MOST + 1))
        many = tuple(f"+{number}" for number in range(MAX_PREFIXES + 1))
        with pytest.raises(ValueError, match=f"denied: expected {MAX_PREFIXES} prefixes"):
            outside.put(conn, enterprise_id, "", OutsideLimits(denied=many))
        assert outside.load(conn) == {}
