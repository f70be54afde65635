"""What is owed once more: due since it happened, its schedule begun anew, and known to whoever looks."""

from kobza.store import Store, deliveries, endpoints, meta, replays
from kobza.store.replays import Recovered
from tests.store.builders import NOW_MS, attempt, stored
from tests.store.conftest import Write


def pending(store: Store, enterprise_id: str) -> list[tuple[int, int, int]]:
    """Cursor, attempts, attempts before the last replay."""
    with store.read() as conn:
        found = deliveries.pending(conn, enterprise_id)
    return [(each.cursor, each.attempts, each.attempts_before) for each in found]


def test_one_delivery_is_replayed_and_begins_anew(store: Store, write: Write, owed: tuple[str, str]) -> None:
    first, second = owed
    write(attempt(1, 1), attempt(2, 1, outcome="failed"), attempt(1, 1, call_control_id="leg-2"))
    with store.write() as conn:
        assert meta.replays(conn) == 0
        assert replays.replay(conn, second, 1) is None
        assert replays.replay(conn, first, 99) is None
        assert meta.replays(conn) == 0
        again = replays.replay(conn, first, 1)
        assert meta.replays(conn) == 1
    assert again is not None
    assert (again.cursor, again.status, again.attempts, again.attempts_before) == (1, "pending", 1, 1)
    assert again.due_at == again.occurred_at == NOW_MS + 1000
    write(attempt(1, 2, outcome="failed"))
    with store.write() as conn:
        assert [each.attempt for each in deliveries.list_attempts(conn, first, 1)] == [1, 2]
        assert replays.replay_chosen(conn, first, [1, 2, 4, 99]) == 2
    assert pending(store, first) == [(1, 2, 2), (2, 1, 1), (5, 0, 0)]
    assert pending(store, second) == [(4, 0, 0)]


def test_all_of_a_time_is_replayed_whatever_came_of_it(store: Store, write: Write, owed: tuple[str, str]) -> None:
    first, second = owed
    write(attempt(1, 1), attempt(2, 1, outcome="failed"), attempt(3, 1))
    with store.write() as conn:
        assert replays.replay_since(conn, first, NOW_MS + 2000, NOW_MS + 2000) == 1
        assert replays.replay_since(conn, first, NOW_MS + 3001, NOW_MS + 9000) == 0
        assert replays.replay_since(conn, first, 0, NOW_MS + 9000) == 4
    assert [cursor for cursor, _, _ in pending(store, first)] == [1, 2, 3, 5]
    assert pending(store, second) == [(4, 0, 0)]


def test_what_failed_and_what_was_missed_since_a_moment(store: Store, write: Write, owed: tuple[str, str]) -> None:
    first, second = owed
    write(*(attempt(sequence, 1, outcome="failed") for sequence in (1, 2)), attempt(3, 1))
    write(attempt(1, 1, call_control_id="leg-3", outcome="failed"))
    write(
        stored(3, owed=False, enterprise_id=first, call_control_id="leg-2"),  # 6
        stored(4, owed=False, enterprise_id=first, call_control_id="leg-2", extended=True),  # 7
        stored(1, owed=False, enterprise_id=first, call_control_id="leg-4", at=NOW_MS / 1000),  # 8, too early
    )
    with store.write() as conn:
        assert replays.recover(conn, first, NOW_MS + 2000, extended=False) == Recovered(1, 1)
    assert pending(store, first) == [(2, 1, 1), (3, 0, 0), (6, 0, 0)]
    with store.write() as conn:
        assert replays.recover(conn, first, NOW_MS + 2000, extended=True) == Recovered(0, 1)
        assert replays.recover(conn, first, NOW_MS + 2000, extended=True) == Recovered(0, 0)
    assert [cursor for cursor, _, _ in pending(store, first)] == [2, 3, 6, 7]
    assert pending(store, second) == []


def test_an_endpoint_is_switched_on_with_what_it_did_not_take(
    store: Store, write: Write, owed: tuple[str, str]
) -> None:
    first, _ = owed
    write(*(attempt(sequence, 1, outcome="failed") for sequence in (1, 2)))
    with store.write() as conn:
        assert replays.switch_on(conn, "nobody", NOW_MS, missed=True) is None
        assert replays.switch_on(conn, first, NOW_MS, missed=True) is None  # it is on
        endpoints.note_failing(conn, first, NOW_MS + 2000)
        endpoints.deactivate(conn, first, "dead", NOW_MS + 50_000)
        status = endpoints.status(conn, first)
        assert status is not None
        assert (status.failing_since, status.changed_at) == (NOW_MS + 2000, NOW_MS + 50_000)
        assert replays.switch_on(conn, first, NOW_MS + 60_000, missed=True) == Recovered(1, 0)
        assert endpoints.status(conn, first) == (True, None, NOW_MS + 60_000, None)
        endpoints.deactivate(conn, first, "dead", NOW_MS)
        assert replays.switch_on(conn, first, NOW_MS + 60_000, missed=False) == Recovered(0, 0)
