"""What may be spent outside, as it is stored."""

from dataclasses import replace
from typing import Any

import pytest

from kobza.call.outside import MAX_PREFIXES, MOST, OutsideLimits
from kobza.store import NotInStore, Store, directory, enterprises, numbers, outside
from kobza.store.entries import CdrClosed, CdrOpened
from tests.store.builders import ANNA, BOHDAN, NOW, OUTSIDE, ended
from tests.store.conftest import Write

COLLEAGUE = "+380672000001"
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


def test_what_was_spent_is_read_from_the_calls_of_the_day(store: Store, enterprise_id: str, write: Write) -> None:
    """By who paid: the caller, or who sent the call on; nobody for calls among colleagues, from outside, or refused."""
    minute, hour, day = NOW - 20, NOW - 1000, NOW - 30_000
    out: dict[str, Any] = {"calling_number": ANNA, "called_number": OUTSIDE, "direction": "outgoing"}
    with store.write() as conn:
        numbers.add(conn, BOHDAN, enterprise_id)
        other = enterprises.add(conn, "B", "b", "hash", 1).enterprise_id
        numbers.add(conn, COLLEAGUE, other)
    rows = [
        ended("now", enterprise_id, talk=90, **out),
        ended("this hour", enterprise_id, talk=None, **{**out, "started_at": hour + 1}),
        ended("today", enterprise_id, talk=600, **{**out, "started_at": day}),
        ended("yesterday", enterprise_id, **{**out, "started_at": day - 1}),
        ended("refused", enterprise_id, talk=None, **out, sip_status=403),
        ended("to another enterprise", enterprise_id, **{**out, "called_number": COLLEAGUE}),
        ended("from outside", enterprise_id, called_number=BOHDAN, answered_number=BOHDAN),
        ended("sent on", enterprise_id, talk=30, called_number=BOHDAN, answered_number="+380501112233"),
        ended("of the other one", other, **{**out, "calling_number": COLLEAGUE}),
    ]
    write(*(entry for row in rows for entry in (CdrOpened(row), CdrClosed(row))))
    with store.read() as conn:
        found = {each.number: each[2:] for each in outside.spent_since(conn, minute, hour, day)}
    assert found == {ANNA: (1, 2, 3, 690.0), BOHDAN: (1, 1, 1, 30.0), COLLEAGUE: (1, 1, 1, 10.0)}
