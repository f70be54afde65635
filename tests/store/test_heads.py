from kobza.store import Store
from kobza.store.deliveries import Delivery
from kobza.store.heads import due_heads, first_pending, owes_more_than
from tests.store.builders import LATER, NOW, NOW_MS, attempt
from tests.store.conftest import Write


def cursors(found: list[Delivery]) -> list[int]:
    return [delivery.cursor for delivery in found]


def test_only_the_first_of_a_leg_may_go(store: Store, write: Write, owed: tuple[str, str]) -> None:
    first, _ = owed
    with store.read() as conn:
        assert cursors(due_heads(conn, first, LATER, limit=10)) == [1, 3]
        assert cursors(due_heads(conn, first, LATER, limit=1)) == [1]
        assert cursors(due_heads(conn, first, NOW_MS, limit=10)) == []
    write(attempt(1, 1, outcome="retry", retry_at=NOW + 500))
    with store.read() as conn:
        assert cursors(due_heads(conn, first, LATER, limit=10)) == [3]
        assert cursors(due_heads(conn, first, NOW_MS + 500_000, limit=10)) == [1, 3]
    write(attempt(1, 2))
    with store.read() as conn:
        assert cursors(due_heads(conn, first, LATER, limit=10)) == [2, 3]


def test_how_much_is_owed_is_told_up_to_a_number(store: Store, write: Write, owed: tuple[str, str]) -> None:
    first, _ = owed
    with store.read() as conn:
        assert [owes_more_than(conn, first, count) for count in (0, 3, 4, 5)] == [True, True, False, False]
        assert not owes_more_than(conn, "nobody", 0)
    write(attempt(1, 1))
    with store.read() as conn:
        assert not owes_more_than(conn, first, 3)


def test_the_first_pending_state_of_a_leg(store: Store, write: Write, owed: tuple[str, str]) -> None:
    entry = attempt(1, 1)
    leg = (entry.call_id, entry.call_control_id)
    with store.read() as conn:
        assert first_pending(conn, *leg) == 1
        assert first_pending(conn, entry.call_id, "nobody") is None
    write(attempt(1, 1, outcome="retry", retry_at=NOW + 500))
    with store.read() as conn:
        assert first_pending(conn, *leg) == 1
    write(attempt(1, 2))
    with store.read() as conn:
        assert first_pending(conn, *leg) == 2
    write(attempt(2, 1), attempt(3, 1))
    with store.read() as conn:
        assert first_pending(conn, *leg) is None
