from kobza.store import Store, calls
from kobza.store.calls import HistoryRow
from kobza.store.entries import CdrClosed, CdrOpened
from tests.store.builders import NOW, NOW_MS, cdr, ended, many
from tests.store.conftest import Write


def ids(rows: list[HistoryRow]) -> list[str]:
    return [row.call_id for row in rows]


def test_the_latest_calls_come_newest_first(store: Store, write: Write) -> None:
    write(*many(5), CdrOpened(cdr("on", started_at=NOW + 100)))
    with store.read() as conn:
        assert ids(calls.latest(conn, "ent-1", NOW_MS, limit=2)) == ["call-00004", "call-00003"]
        assert ids(calls.latest(conn, "ent-1", NOW_MS + 4000, limit=9)) == ["call-00004"]
        assert calls.count(conn, "ent-1") == 6
        assert calls.count(conn, "ent-2") == 0


def test_a_call_of_another_enterprise_does_not_exist(store: Store, write: Write) -> None:
    write(CdrClosed(ended()))
    with store.read() as conn:
        assert calls.find(conn, "ent-2", "call-1") is None
        found = calls.find(conn, "ent-1", "call-1")
    assert found is not None
    assert found.cause == 16
