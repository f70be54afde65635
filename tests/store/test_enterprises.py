import pytest

from kobza.store import NotInStore, Store, driver, enterprises, users
from kobza.store.ids import hash_token


def test_an_enterprise_comes_with_an_administrator_and_a_token(store: Store) -> None:
    with store.write() as conn:
        added = enterprises.add(conn, "Ромашка", "admin", "argon", 7)
    with store.read() as conn:
        assert enterprises.find_token(conn, added.fmc_token) == (added.enterprise_id, added.integrator_id)
        assert [(e.enterprise_id, e.name, e.integrator_id) for e in enterprises.list_all(conn)] == [
            (added.enterprise_id, "Ромашка", added.integrator_id)
        ]
        admin = users.find(conn, "admin")
        assert admin is not None
        assert (admin.password_hash, admin.role, admin.enterprise_id) == ("argon", "admin", added.enterprise_id)
        assert users.list_for(conn, added.enterprise_id) == [admin]


def test_a_token_is_long_and_never_stored(store: Store) -> None:
    with store.write() as conn:
        token = enterprises.add(conn, "E", "admin", "hash", 7).fmc_token
    assert len(bytes.fromhex(token)) == 32
    connection = driver.connect(store.path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = store.path.read_bytes()
    assert hash_token(token).encode() in content
    assert token.encode() not in content
    assert bytes.fromhex(token) not in content


@pytest.mark.parametrize("wrong", ["", "0" * 64, "не токен", "' OR 1=1 --"])
def test_an_unknown_token_is_nobodys(store: Store, enterprise_id: str, wrong: str) -> None:
    with store.read() as conn:
        assert enterprises.find_token(conn, wrong) is None


def test_tokens_rotate_with_an_overlap(store: Store) -> None:
    with store.write() as conn:
        added = enterprises.add(conn, "E", "admin", "hash", 1000)
        assert enterprises.expire_tokens(conn, added.enterprise_id, 2000) == 1
        newer = enterprises.add_token(conn, added.enterprise_id, 1000)
    with store.read() as conn:
        assert enterprises.find_token(conn, added.fmc_token, 1999) is not None
        assert enterprises.find_token(conn, added.fmc_token, 2000) is None
        assert enterprises.find_token(conn, newer, 2000) is not None


def test_an_end_is_not_put_off(store: Store) -> None:
    with store.write() as conn:
        added = enterprises.add(conn, "E", "admin", "hash", 1000)
        enterprises.expire_tokens(conn, added.enterprise_id, 2000)
        assert enterprises.expire_tokens(conn, added.enterprise_id, 3000) == 0
        assert enterprises.find_token(conn, added.fmc_token, 2500) is None


def test_a_token_needs_an_enterprise(store: Store) -> None:
    with store.write() as conn, pytest.raises(NotInStore):
        enterprises.add_token(conn, "nobody", 1)


def test_every_change_that_matters_for_routing_is_seen(store: Store) -> None:
    before = store.directory_version()
    with store.write() as conn:
        enterprises.add(conn, "E", "admin", "hash", 1)
    assert store.directory_version() > before
