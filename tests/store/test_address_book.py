from kobza.store import Store, address_book, enterprises
from kobza.store.address_book import Entry
from tests.store.builders import BOHDAN, OUTSIDE


def test_the_address_book_is_the_enterprises_own(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        other = enterprises.add(conn, "B", "other", "hash", 1).enterprise_id
        address_book.put(conn, enterprise_id, [Entry(OUTSIDE, "Банк", ""), Entry(BOHDAN, "Богдан", "Склад")])
        address_book.put(conn, enterprise_id, [Entry(OUTSIDE, "Банк «Новий»", "")])
        address_book.put(conn, enterprise_id, [])
        assert address_book.list_for(conn, enterprise_id) == [
            Entry(OUTSIDE, "Банк «Новий»", ""),
            Entry(BOHDAN, "Богдан", "Склад"),
        ]
        assert address_book.find(conn, other, OUTSIDE) is None
        assert not address_book.remove(conn, other, OUTSIDE)
        assert address_book.remove(conn, enterprise_id, OUTSIDE)
        assert address_book.find(conn, enterprise_id, OUTSIDE) is None
