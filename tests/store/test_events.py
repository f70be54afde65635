from kobza.store import Store, events
from tests.store.builders import stored
from tests.store.conftest import Write


def test_events_can_be_read_on_from_a_cursor(store: Store, write: Write, owed: tuple[str, str]) -> None:
    first, second = owed
    write(stored(4, enterprise_id=first, extended=True, owed=False))
    with store.read() as conn:
        assert [event.cursor for event in events.after(conn, first, 0, 2)] == [1, 2]
        assert [event.cursor for event in events.after(conn, first, 2, 10)] == [3, 5, 6]
        assert [event.cursor for event in events.after(conn, first, 2, 10, extended=False)] == [3, 5]
        assert events.last_cursor(conn, first) == 6
        assert events.last_cursor(conn, second) == 4
        assert events.last_cursor(conn, "nobody") == 0
        assert [event.cursor for event in events.of_call(conn, first, "call-1")] == [1, 2, 3, 5, 6]
        assert [event.cursor for event in events.of_call(conn, first, "call-1", "leg-2")] == [3]
        assert events.of_call(conn, second, "call-2") == []
