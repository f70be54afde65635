from kobza.store import Store, enterprises, tokens, users


def test_an_enterprise_comes_with_an_administrator_and_a_token(store: Store) -> None:
    with store.write() as conn:
        added = enterprises.add(conn, "Ромашка", "admin", "argon", 7)
    with store.read() as conn:
        (token,) = tokens.list_for(conn, added.enterprise_id)
        assert tokens.find(conn, added.fmc_token) == token
        assert (token.integrator_id, token.scopes, token.expires_at) == (added.integrator_id, tokens.USUAL_SCOPES, None)
        assert [(e.enterprise_id, e.name, e.integrator_id) for e in enterprises.list_all(conn)] == [
            (added.enterprise_id, "Ромашка", added.integrator_id)
        ]
        admin = users.find(conn, "admin")
        assert admin is not None
        assert (admin.password_hash, admin.role, admin.enterprise_id) == ("argon", "admin", added.enterprise_id)
        assert users.list_for(conn, added.enterprise_id) == [admin]


def test_every_change_that_matters_for_routing_is_seen(store: Store) -> None:
    before = store.directory_version()
    with store.write() as conn:
        enterprises.add(conn, "E", "admin", "hash", 1)
    assert store.directory_version() > before
