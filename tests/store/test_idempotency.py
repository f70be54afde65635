import pytest

from kobza.store import Store, idempotency
from kobza.store.days import Terms
from kobza.store.entries import CdrOpened, KeyUsed
from kobza.store.idempotency import UsedKey
from kobza.store.retention import BATCH, Purged, purge
from tests.store.builders import NOW, NOW_MS, cdr
from tests.store.conftest import Rows, Write

DAY = 24 * 3600.0
TERMS = Terms(30, 30, 7, 7)
END_MS = NOW_MS + 86_400_000


def used(key: str = "k", enterprise_id: str = "ent-1", call: str = "1", *, at: float = NOW) -> KeyUsed:
    return KeyUsed(enterprise_id, key, f"print-{call}", f"call-{call}", f"leg-{call}", at + DAY)


def find(store: Store, key: str, enterprise_id: str, now_ms: int) -> UsedKey | None:
    with store.read() as conn:
        return idempotency.find(conn, enterprise_id, key, now_ms)


@pytest.mark.parametrize(
    ("key", "enterprise_id", "now_ms", "found"),
    [
        ("k", "ent-1", NOW_MS, UsedKey("print-1", "call-1", "leg-1")),
        ("k", "ent-1", END_MS - 1, UsedKey("print-1", "call-1", "leg-1")),
        ("k", "ent-1", END_MS, None),
        ("K", "ent-1", NOW_MS, None),
        ("k", "ent-2", NOW_MS, UsedKey("print-2", "call-2", "leg-2")),
        ("k", "ent-3", NOW_MS, None),
    ],
)
def test_a_key_counts_for_its_enterprise_and_its_time(
    store: Store, write: Write, key: str, enterprise_id: str, now_ms: int, found: UsedKey | None
) -> None:
    write(CdrOpened(cdr("call-1")), used(), used("k", "ent-2", "2"))
    assert find(store, key, enterprise_id, now_ms) == found


def test_a_key_that_expired_may_be_used_again(store: Store, write: Write) -> None:
    write(used())
    write(used(call="9", at=NOW + DAY))
    assert find(store, "k", "ent-1", END_MS) == UsedKey("print-9", "call-9", "leg-9")


def test_what_expired_is_cleaned_away(store: Store, write: Write, rows: Rows) -> None:
    write(*(used(f"old {index}") for index in range(BATCH + 1)), used("young", at=NOW + 1))
    assert purge(store, END_MS - 1, TERMS, erase=print, pause=0.0) == Purged()
    assert purge(store, END_MS, TERMS, erase=print, pause=0.0) == Purged(idempotency_keys=BATCH + 1)
    assert rows("SELECT key FROM idempotency_keys") == [("young",)]
