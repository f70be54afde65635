from kobza.store import Store, meta


def test_facts_can_be_set_and_read(store: Store) -> None:
    with store.write() as conn:
        assert meta.get_text(conn, "greeting") is None
        meta.set_text(conn, "greeting", "вітаю")
        meta.set_text(conn, "greeting", "добридень")
        meta.set_number(conn, "answer", 41)
        meta.set_number(conn, "answer", 42)
    with store.read() as conn:
        assert meta.get_text(conn, "greeting") == "добридень"
        assert meta.get_number(conn, "answer") == 42
        assert meta.get_number(conn, "question") is None
