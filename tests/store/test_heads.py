from kobza.store import Store
from kobza.store.deliveries import Delivery
from kobza.store.heads import due_heads
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
