import pytest

from kobza.store import NameTaken, Store, enterprises, trunks


def test_a_trunk_can_be_an_enterprises_own(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        other = enterprises.add(conn, "B", "other", "hash", 1).enterprise_id
        trunks.add(conn, "all", "192.0.2.1", 5060, now_ms=1)
        trunks.add(conn, "own", "192.0.2.2", 5060, enterprise_id=enterprise_id, now_ms=2)
        assert [trunk.name for trunk in trunks.list_all(conn, enterprise_id)] == ["all", "own"]
        assert [trunk.name for trunk in trunks.list_all(conn, other)] == ["all"]
        assert [trunk.name for trunk in trunks.list_all(conn)] == ["all", "own"]


def test_a_trunks_name_is_taken_once(store: Store) -> None:
    with store.write() as conn:
        trunks.add(conn, "out", "192.0.2.1", 5060)
        with pytest.raises(NameTaken, match="out"):
            trunks.add(conn, "out", "192.0.2.2", 5060)
        assert trunks.remove(conn, "out")
        assert not trunks.remove(conn, "out")
        assert trunks.list_all(conn) == []
