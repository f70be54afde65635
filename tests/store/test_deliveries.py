from kobza.store import Store, deliveries, endpoints
from kobza.store.deliveries import Delivery, Owed
from tests.store.builders import NOW_MS, attempt, stored
from tests.store.conftest import Write


def cursors(found: list[Delivery]) -> list[int]:
    return [delivery.cursor for delivery in found]


def test_pending_deliveries_come_in_the_order_of_their_events(store: Store, owed: tuple[str, str]) -> None:
    first, second = owed
    with store.read() as conn:
        assert cursors(deliveries.pending(conn)) == [1, 2, 3, 4, 5]
        assert cursors(deliveries.pending(conn, first)) == [1, 2, 3, 5]
        assert cursors(deliveries.pending(conn, first, after=2, limit=1)) == [3]
        assert cursors(deliveries.pending(conn, second)) == [4]
        assert deliveries.count_pending(conn) == 5
        assert deliveries.count_pending(conn, second) == 1


def test_a_delivery_is_the_one_that_was_handed_over(store: Store, owed: tuple[str, str]) -> None:
    first, _ = owed
    entry = stored(1, enterprise_id=first)
    with store.read() as conn:
        found = deliveries.pending(conn, first, limit=1)[0]
    assert found._replace(cursor=0) == Delivery.of(entry)
    assert found.payload == entry.payload


def test_what_is_done_is_no_longer_pending(store: Store, write: Write, owed: tuple[str, str]) -> None:
    first, _ = owed
    write(attempt(1, 1), attempt(2, 1, outcome="failed"))
    with store.read() as conn:
        assert cursors(deliveries.pending(conn, first)) == [3, 5]
        assert cursors(deliveries.list_for(conn, first)) == [5, 3, 2, 1]
        assert cursors(deliveries.list_for(conn, first, before=3, limit=1)) == [2]
        assert cursors(deliveries.list_for(conn, first, status="failed")) == [2]


def test_nothing_is_pending_for_an_endpoint_that_is_off(store: Store, owed: tuple[str, str]) -> None:
    first, second = owed
    with store.write() as conn:
        endpoints.deactivate(conn, first, "410 Gone", 1)
        assert cursors(deliveries.pending(conn)) == [4]
        endpoints.delete(conn, second)
        assert deliveries.pending(conn) == []
        assert deliveries.count_pending(conn) == 5
        endpoints.activate(conn, first, 2)
        assert cursors(deliveries.pending(conn)) == [1, 2, 3, 5]


def test_what_is_owed_is_added_up(store: Store, write: Write, owed: tuple[str, str]) -> None:
    first, second = owed
    none = Owed(0, None)
    with store.write() as conn:
        assert deliveries.owed(conn) == (Owed(5, NOW_MS + 1000), none)
        endpoints.deactivate(conn, first, "410 Gone", 1)
        assert deliveries.owed(conn) == (Owed(1, NOW_MS + 1000), Owed(4, NOW_MS + 1000))
        endpoints.delete(conn, second)
        assert deliveries.owed(conn) == (none, Owed(5, NOW_MS + 1000))
    write(attempt(1, 1), attempt(1, 1, call_control_id="leg-2"), attempt(1, 1, call_control_id="leg-3"))
    with store.read() as conn:
        assert deliveries.owed(conn) == (none, Owed(2, NOW_MS + 2000))


def test_a_delivery_of_another_does_not_exist(store: Store, owed: tuple[str, str]) -> None:
    first, second = owed
    with store.read() as conn:
        assert deliveries.find(conn, second, 1) is None
        found = deliveries.find(conn, first, 1)
    assert found is not None
    assert found.event_id == "leg-1-1"
