from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.store import Store, address_book
from kobza.store import search as module
from kobza.store.entries import CdrClosed, CdrOpened
from kobza.store.export import CallReader
from kobza.store.search import CallSearch, CallSearcher, FoundCall, Order, Position, TooManyToSort, digits_of, searcher
from tests.store.builders import ANNA, BOHDAN, NOW, NOW_MS, OUTSIDE, cdr, ended, many
from tests.store.conftest import Write

EVERY_ORDER: tuple[Order, ...] = ("newest", "oldest", "longest")


@pytest.fixture
def look(store: Store) -> Iterator[CallSearcher]:
    """Search as the portal does, over a connection of the store."""
    with store.read() as conn:
        yield searcher(conn)


def walk(look: CallSearcher, search: CallSearch, limit: int) -> list[FoundCall]:
    return [call for page in look.pages(search, limit) for call in page]


@pytest.fixture
def office(store: Store, write: Write, enterprise_id: str) -> str:
    """Four calls, an unfinished one, and one of another enterprise; three numbers with names. Return the enterprise."""
    with store.write() as conn:
        book = [(ANNA, "Анна Ґудзь", "Збут"), (BOHDAN, "Богдан", "Склад"), ("+48221234567", "Żabka", "")]
        address_book.put(conn, enterprise_id, [address_book.Entry(*entry) for entry in book])
    own: dict[str, Any] = {"enterprise_id": enterprise_id}
    write(
        CdrClosed(ended("answered", started_at=NOW, **own)),
        CdrClosed(ended("missed", started_at=NOW + 10, talk=None, **own)),
        CdrClosed(ended("busy", started_at=NOW + 20, talk=None, cause=17, called_number=BOHDAN, **own)),
        CdrClosed(
            ended(
                "long",
                started_at=NOW + 30,
                talk=600.0,
                calling_number=ANNA,
                called_number="+48221234567",
                answered_number=BOHDAN,
                direction="outgoing",
                record_id="rec",
                **own,
            )
        ),
        CdrOpened(cdr("still on", started_at=NOW + 40, **own)),
        CdrClosed(ended("of others", "ent-2", started_at=NOW + 50)),
    )
    return enterprise_id


FOUND: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["long", "busy", "missed", "answered"]),
    ({"order": "oldest"}, ["answered", "missed", "busy", "long"]),
    ({"order": "longest"}, ["long", "answered", "busy", "missed"]),
    ({"text": "044 123"}, ["busy", "missed", "answered"]),
    ({"text": "+48 22"}, ["long"]),
    ({"text": "ґудзь"}, ["long", "missed", "answered"]),
    ({"text": "ЗБУТ анна"}, ["long", "missed", "answered"]),
    ({"text": "богдан"}, ["long", "busy"]),
    ({"text": "nobody"}, []),
    ({"text": "%"}, []),
    ({"text": "żab"}, ["long"]),
    ({"direction": "outgoing"}, ["long"]),
    ({"answered": True}, ["long", "answered"]),
    ({"answered": False}, ["busy", "missed"]),
    ({"answered": False, "cause": 17}, ["busy"]),
    ({"talk_from": 10}, ["long", "answered"]),
    ({"talk_from": 11}, ["long"]),
    ({"talk_below": 600}, ["answered"]),
    ({"recorded": True}, ["long"]),
    ({"recorded": False}, ["busy", "missed", "answered"]),
    ({"from_ms": NOW_MS + 10_000, "to_ms": NOW_MS + 20_000}, ["busy", "missed"]),
    ({"text": "анна", "answered": True, "direction": "outgoing", "order": "longest"}, ["long"]),
]


def test_what_is_found(look: CallSearcher, office: str) -> None:
    for what, found in FOUND:
        page = look.page(CallSearch(office, **what), None, 100)
        assert (what, [call.call_id for call in page.calls]) == (what, found)
        assert page.after is None


def test_the_people_of_a_page(look: CallSearcher, office: str) -> None:
    assert look.people(office, [ANNA, OUTSIDE]) == {ANNA: ("Анна Ґудзь", "Збут")}
    assert look.people("ent-2", [ANNA]) == look.people(office, []) == {}


def test_pages_follow_each_other_without_gap_or_doubling(
    look: CallSearcher, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where many calls begin in one millisecond or last equally long, and where the bound ends a look."""
    monkeypatch.setattr(module, "LOOKED", 4)
    made = [
        ended(f"c{number:02}", started_at=NOW + number // 3, talk=[5.0, None, 5.0, 9.0][number % 4])
        for number in range(23)
    ]
    write(*(CdrClosed(call) for call in made))
    for order, text in product(EVERY_ORDER, ("", "123")):
        search = CallSearch("ent-1", order=order, text=text)
        expected = sorted(walk(look, search, 100), key=_key(order), reverse=order != "oldest")
        assert len(expected) == 23
        for limit in (1, 3, 7, 23):
            assert walk(look, search, limit) == expected


def _key(order: Order) -> Any:
    if order == "longest":
        return lambda call: (call.talk_ms, call.started_at, call.call_id)
    return lambda call: (call.started_at, call.call_id)


def test_a_look_has_a_bound_and_says_how_far_it_came(
    look: CallSearcher, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKED", 10)
    write(*(CdrClosed(ended(f"c{number:02}", started_at=NOW + number, cause=number)) for number in range(25)))
    search = CallSearch("ent-1", cause=0)
    first = look.page(search, None, 5)
    assert (first.calls, first.looked_to) == ([], NOW_MS + 15_000)
    second = look.page(search, first.after, 5)
    assert (second.calls, second.looked_to) == ([], NOW_MS + 5_000)
    third = look.page(search, second.after, 5)
    assert ([call.call_id for call in third.calls], third.after, third.looked_to) == (["c00"], None, None)


def test_too_many_calls_are_not_sorted_by_length(
    look: CallSearcher, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SORTED", 3)
    write(*(CdrClosed(ended(f"c{number}", started_at=NOW + number)) for number in range(4)))
    with pytest.raises(TooManyToSort):
        look.page(CallSearch("ent-1", order="longest"), None, 5)
    assert len(look.page(CallSearch("ent-1", order="longest", from_ms=NOW_MS + 1), None, 5).calls) == 3


def test_an_export_finds_the_same(store: Store, look: CallSearcher, office: str) -> None:
    reader = CallReader.open(store.place)
    for search in (CallSearch(office), CallSearch(office, text="анна"), CallSearch(office, text="044", cause=17)):
        assert walk(reader.searcher(), search, 2) == walk(look, search, 2) != []
    assert reader.searcher().people(office, [BOHDAN]) == {BOHDAN: ("Богдан", "Склад")}
    reader.close()


def test_every_statement_goes_by_the_index(store: Store, write: Write) -> None:
    write(*many(600))
    for what in ({}, {"text": "123", "answered": False}, {"order": "longest"}):
        _goes_by_the_index(store, what)


def _goes_by_the_index(store: Store, what: dict[str, Any]) -> None:
    with store.read() as conn:
        if postgres := conn.dialect.name == "postgresql":
            conn.exec_driver_sql("SET LOCAL enable_seqscan = off")  # so few calls are read faster without an index
        plans = []

        def fetch(query: str, values: tuple[Any, ...]) -> Sequence[Any]:
            query = query.replace("?", "%s") if postgres else query
            explained = conn.exec_driver_sql(f"EXPLAIN {'' if postgres else 'QUERY PLAN '}{query}", values)
            plans.append(" ".join(str(row) for row in explained))
            return conn.exec_driver_sql(query, values).fetchall()

        where = CallSearch("ent-1", from_ms=1, **what)
        found = CallSearcher(fetch, postgres=postgres)
        found.page(where, Position(NOW_MS + 300_000, 0, "x"), 5)
    of_calls = [plan for plan in plans if "address_book" not in plan]
    assert of_calls
    for plan in of_calls:
        assert "ix_calls_history" in plan
        sorts = "TEMP B-TREE" in plan or "Sort" in plan
        assert sorts == (what.get("order") == "longest" and plan is of_calls[-1])


@given(st.text())
def test_any_text_is_a_place_that_is_read_back_or_refused(text: str) -> None:
    try:
        place = Position.parse(text)
    except ValueError:
        return
    assert Position.parse(str(place)) == place


def test_a_place_is_read_back() -> None:
    place = Position(NOW_MS, 12, "a-b")
    assert Position.parse(str(place)) == place


@pytest.mark.parametrize(
    ("text", "digits"),
    [("067 12", "06712"), ("+38(067)1-2", "3806712"), ("0", ""), ("+", ""), ("12a", ""), ("٣٣٣", ""), ("", "")],
)
def test_what_is_part_of_a_number(text: str, digits: str) -> None:
    assert digits_of(text) == digits
