from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from kobza.store import NotInStore, NotPresentable, NumberTaken, Store, enterprises, numbers, presentation
from tests.store.builders import ANNA, BOHDAN, OUTSIDE

HOTLINE = "+380800123456"


@pytest.fixture
def other_id(store: Store, enterprise_id: str) -> str:
    with store.write() as conn:
        numbers.add(conn, ANNA, enterprise_id)
        return enterprises.add(conn, "B", "other", "hash", 1).enterprise_id


def shown(conn: Connection, enterprise_id: str, number: str = ANNA) -> str | None:
    subscriber = numbers.find(conn, enterprise_id, number)
    assert subscriber is not None
    return subscriber.presentation_number


def test_an_enterprise_may_present_its_own_numbers_and_its_registered_ones(
    store: Store, enterprise_id: str, other_id: str
) -> None:
    with store.write() as conn:
        assert presentation.may_present(conn, enterprise_id, ANNA)
        assert not presentation.may_present(conn, other_id, ANNA)
        assert not presentation.may_present(conn, enterprise_id, HOTLINE)
        presentation.add(conn, enterprise_id, HOTLINE)
        presentation.add(conn, enterprise_id, "101")
        presentation.add(conn, other_id, HOTLINE)  # a group of companies shares its hotline
        assert presentation.may_present(conn, enterprise_id, HOTLINE)
        assert presentation.list_for(conn, enterprise_id) == [HOTLINE, "101"]
        numbers.set_clip(conn, enterprise_id, ANNA, HOTLINE, False)
        assert shown(conn, enterprise_id) == HOTLINE


WRONG: list[tuple[Callable[[Connection, str, str], Any], type[Exception], str]] = [
    (lambda conn, _, other: presentation.add(conn, other, ANNA), NumberTaken, "a number of another"),
    (lambda conn, own, _: presentation.add(conn, own, ANNA), NumberTaken, "which may be presented"),
    (lambda conn, own, _: presentation.add(conn, own, HOTLINE), NumberTaken, "registered already"),
    (lambda conn, _, __: presentation.add(conn, "nobody", OUTSIDE), NotInStore, "no enterprise nobody"),
    (lambda conn, _, other: presentation.remove(conn, other, HOTLINE), NotInStore, "no presentation number"),
    (lambda conn, own, _: numbers.set_clip(conn, own, ANNA, OUTSIDE, False), NotPresentable, "may not present"),
]


@pytest.mark.parametrize(("change", "error", "words"), WRONG)
def test_what_may_not_be_presented(
    store: Store,
    enterprise_id: str,
    other_id: str,
    change: Callable[[Connection, str, str], Any],
    error: type[Exception],
    words: str,
) -> None:
    with store.write() as conn:
        presentation.add(conn, enterprise_id, HOTLINE)
        with pytest.raises(error, match=words):
            change(conn, enterprise_id, other_id)
        assert presentation.list_for(conn, enterprise_id) == [HOTLINE]
        assert presentation.list_for(conn, other_id) == []


def test_whoever_presented_a_number_that_is_removed_presents_its_own(
    store: Store, enterprise_id: str, other_id: str
) -> None:
    with store.write() as conn:
        numbers.add(conn, BOHDAN, other_id)
        for each, number in ((enterprise_id, ANNA), (other_id, BOHDAN)):
            presentation.add(conn, each, HOTLINE)
            numbers.set_clip(conn, each, number, HOTLINE, False)
    version = store.directory_version()
    with store.write() as conn:
        presentation.remove(conn, enterprise_id, HOTLINE)
        assert presentation.list_for(conn, enterprise_id) == []
        assert shown(conn, enterprise_id) is None
        assert shown(conn, other_id, BOHDAN) == HOTLINE
    assert store.directory_version() > version


def test_a_presentation_number_that_becomes_a_subscribers_is_presented_by_nobody_else(
    store: Store, enterprise_id: str, other_id: str
) -> None:
    with store.write() as conn:
        presentation.add(conn, enterprise_id, BOHDAN)
        presentation.add(conn, other_id, BOHDAN)
        numbers.set_clip(conn, enterprise_id, ANNA, BOHDAN, False)
        numbers.add(conn, BOHDAN, other_id)
        assert shown(conn, enterprise_id) is None
        assert presentation.list_for(conn, enterprise_id) == presentation.list_for(conn, other_id) == []
        assert not presentation.may_present(conn, enterprise_id, BOHDAN)
        assert presentation.may_present(conn, other_id, BOHDAN)


def test_an_own_number_that_goes_is_presented_no_more(store: Store, enterprise_id: str, other_id: str) -> None:
    with store.write() as conn:
        numbers.add(conn, BOHDAN, enterprise_id)
        numbers.set_clip(conn, enterprise_id, ANNA, BOHDAN, False)
        numbers.remove(conn, enterprise_id, BOHDAN)
        assert shown(conn, enterprise_id) is None
