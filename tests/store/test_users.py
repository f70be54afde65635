import pytest

from kobza.store import NameTaken, Store, enterprises, users


def test_a_login_belongs_to_one(store: Store) -> None:
    with store.write() as conn:
        enterprises.add(conn, "A", "admin", "hash", 1)
    with pytest.raises(NameTaken, match="admin"), store.write() as conn:
        enterprises.add(conn, "B", "admin", "hash", 1)
    with store.read() as conn:
        assert [enterprise.name for enterprise in enterprises.list_all(conn)] == ["A"]


def test_a_password_can_be_replaced(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        assert users.set_password(conn, "admin", "newer")
        assert not users.set_password(conn, "nobody", "newer")
        user = users.find(conn, "admin")
    assert user is not None
    assert user.password_hash == "newer"
