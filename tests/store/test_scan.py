from collections.abc import Iterator

import pytest

from kobza.store import Store, address_book
from kobza.store import scan as module
from kobza.store.entries import CdrClosed, CdrOpened
from kobza.store.export import CallReader
from kobza.store.scan import CallScanner, ScannedCall
from tests.store.builders import ANNA, BOHDAN, NOW, NOW_MS, OUTSIDE, cdr, ended
from tests.store.conftest import Write


@pytest.fixture
def scanner(store: Store) -> Iterator[CallScanner]:
    reader = CallReader.open(store.place)
    yield reader.scanner()
    reader.close()


def test_all_finished_calls_of_an_interval_come_once_in_their_order(
    scanner: CallScanner, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    together = [CdrClosed(ended(f"b{number}", started_at=NOW + 1)) for number in range(7)]
    write(
        CdrClosed(ended("a", started_at=NOW)),
        *together,
        CdrClosed(ended("c", started_at=NOW + 2, talk=None)),
        CdrOpened(cdr("still on", started_at=NOW + 1)),
        CdrClosed(ended("of others", "ent-2", started_at=NOW + 1)),
        CdrClosed(ended("too late", started_at=NOW + 3)),
    )
    pages = list(scanner.between("ent-1", NOW_MS, NOW_MS + 2000))
    calls = [ScannedCall(*row) for page in pages for row in page]
    assert [call.call_id for call in calls] == ["a", *(f"b{number}" for number in range(7)), "c"]
    assert [len(page) for page in pages] == [3, 3, 3]
    assert calls[0] == ScannedCall(
        NOW_MS, "a", NOW_MS + 1000, NOW_MS + 5000, NOW_MS + 15_000, "incoming", OUTSIDE, ANNA, ANNA
    )
    assert calls[-1][3:] == (None, NOW_MS + 7000, "incoming", OUTSIDE, ANNA, None)
    assert list(scanner.between("ent-1", 0, NOW_MS - 1)) == []


def test_the_numbers_of_a_department(store: Store, scanner: CallScanner, enterprise_id: str) -> None:
    with store.write() as conn:
        book = [(ANNA, "Анна", "Збут"), (BOHDAN, "", "Збут"), (OUTSIDE, "Ганна", "склад"), ("101", "", "")]
        address_book.put(conn, enterprise_id, [address_book.Entry(*entry) for entry in book])
    assert scanner.of_department(enterprise_id, "Збут") == {ANNA, BOHDAN}
    assert scanner.of_department(enterprise_id, "Нема") == frozenset()
    assert scanner.of_department("other", "Збут") == frozenset()
    with store.read() as conn:
        assert address_book.departments(conn, enterprise_id) == ["Збут", "склад"]
