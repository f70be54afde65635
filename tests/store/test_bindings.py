import pytest

from kobza.store import Store, bindings
from kobza.store.entries import (
    BindingRemoved,
    BindingStored,
)
from tests.store.builders import ANNA, NOW, binding
from tests.store.conftest import Write


def test_bindings_come_back_whole(store: Store, write: Write) -> None:
    first, second = binding(), binding(contact="sip:b@192.0.2.2", path=(), registered_at=NOW + 1, instance_id="i")
    write(BindingStored(second), BindingStored(first))
    with store.read() as conn:
        assert bindings.load_all(conn) == [first, second]
        assert bindings.load_all(conn, int(first.expires_at * 1000)) == []


def test_a_refresh_keeps_since_when_the_device_is_there(store: Store, write: Write) -> None:
    write(BindingStored(binding()))
    write(BindingStored(binding(registered_at=NOW + 60, expires_at=NOW + 3660, cseq=2, connection=8)))
    with store.read() as conn:
        (kept,) = bindings.load_all(conn)
    assert (kept.registered_at, kept.expires_at, kept.cseq, kept.connection) == (NOW, NOW + 3660, 2, 8)


@pytest.mark.parametrize("together", [True, False])
def test_the_last_word_on_a_binding_counts(store: Store, write: Write, together: bool) -> None:
    one, two = binding(contact="sip:1@h"), binding(contact="sip:2@h")
    again = binding(contact="sip:1@h", registered_at=NOW + 9)
    said = [
        BindingStored(one),
        BindingRemoved(ANNA, "sip:1@h"),
        BindingStored(two),
        BindingStored(again),
        BindingRemoved(ANNA, "sip:2@h"),
    ]
    if together:
        write(*said)
    else:
        for entry in said:
            write(entry)
    with store.read() as conn:
        assert bindings.load_all(conn) == [again]
