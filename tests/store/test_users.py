import pytest

from kobza.store import (
    NameTaken,
    NotInStore,
    PersonRefused,
    Store,
    enterprises,
    numbers,
    second_factor,
    sessions,
    users,
)
from kobza.store.users import Role, User
from tests.store.builders import ANNA, BOHDAN


def begin(store: Store, user: User, secret: str, now_ms: int = 0) -> sessions.Session:
    with store.write() as conn:
        return sessions.begin(
            conn, user.user_id, secret, now_ms, ends_at=1_000, address="192.0.2.7", client="Browser" * 100
        )


@pytest.fixture
def olha(store: Store, enterprise_id: str) -> User:
    """An employee of the enterprise, whose administrator is `admin`."""
    with store.write() as conn:
        numbers.add(conn, ANNA, enterprise_id)
        return users.add(
            conn, "olha", "hash", Role.EMPLOYEE, enterprise_id, 5, name="Ольга", number=ANNA, must_change=True
        )


def test_a_login_belongs_to_one(store: Store) -> None:
    with store.write() as conn:
        enterprises.add(conn, "A", "admin", "hash", 1)
    with pytest.raises(NameTaken, match="admin"), store.write() as conn:
        enterprises.add(conn, "B", "admin", "hash", 1)
    with store.read() as conn:
        assert [enterprise.name for enterprise in enterprises.list_all(conn)] == ["A"]


def test_a_password_can_be_replaced_and_ends_the_sessions_but_one(store: Store, olha: User) -> None:
    kept = begin(store, olha, "one")
    begin(store, olha, "two")
    with store.write() as conn:
        assert users.set_password(conn, "olha", "newer", keep=kept.session_id)
        assert not users.set_password(conn, "nobody", "newer")
        user = users.find(conn, "olha")
        assert sessions.list_for(conn, olha.user_id, 1) == [kept]
    assert user is not None
    assert (user.password_hash, user.must_change) == ("newer", False)


def test_a_person_is_kept_as_added(store: Store, enterprise_id: str, olha: User) -> None:
    assert (olha.role, olha.enterprise_id, olha.name, olha.number) == (Role.EMPLOYEE, enterprise_id, "Ольга", ANNA)
    assert (olha.must_change, olha.signed_in_at, olha.totp_sealed, olha.totp_step) == (True, None, None, 0)
    with store.write() as conn:
        root = users.add(conn, "root", "hash", Role.OPERATOR, None, 6)
        assert users.list_for(conn, None) == [root]
        assert [user.login for user in users.list_for(conn, enterprise_id)] == ["admin", "olha"]
        assert users.count_by_enterprise(conn) == {enterprise_id: 2}
        assert users.find_by_id(conn, olha.user_id) == users.get(conn, enterprise_id, "olha") == olha
        for elsewhere in (None, "another"):
            with pytest.raises(NotInStore, match="olha"):
                users.get(conn, elsewhere, "olha")


def test_who_cannot_be_added(store: Store, enterprise_id: str) -> None:
    for login, role, number, name, reason in (
        ("", Role.ADMIN, None, "", "login"),
        (" x", Role.ADMIN, None, "", "login"),
        ("x\n", Role.ADMIN, None, "", "login"),
        ("x" * 101, Role.ADMIN, None, "", "login"),
        ("x", Role.ADMIN, None, "x" * 101, "name"),
        ("x", Role.OPERATOR, None, "", "role"),
        ("x", Role.EMPLOYEE, None, "", "number"),
        ("x", Role.ADMIN, BOHDAN, "", "number"),
    ):
        with pytest.raises(PersonRefused) as refused, store.write() as conn:
            users.add(conn, login, "hash", role, enterprise_id, 1, name=name, number=number)
        assert refused.value.reason == reason


def test_an_enterprise_that_is_none_has_no_people(store: Store) -> None:
    with pytest.raises(NotInStore), store.write() as conn:
        users.add(conn, "x", "hash", Role.ADMIN, "nowhere", 1)
    with pytest.raises(PersonRefused), store.write() as conn:
        users.add(conn, "x", "hash", Role.ADMIN, None, 1)


def test_another_role_ends_the_sessions_another_name_does_not(store: Store, enterprise_id: str, olha: User) -> None:
    begin(store, olha, "one")
    with store.write() as conn:
        users.change(conn, enterprise_id, "olha", role=Role.EMPLOYEE, name="О", number=ANNA)
        assert len(sessions.list_for(conn, olha.user_id, 1)) == 1
        changed = users.change(conn, enterprise_id, "olha", role=Role.SUPERVISOR, name="О", number=None)
        assert (changed.role, changed.name, changed.number) == (Role.SUPERVISOR, "О", None)
        assert sessions.list_for(conn, olha.user_id, 1) == []
        with pytest.raises(NotInStore):
            users.change(conn, enterprise_id, "nobody", role=Role.ADMIN, name="", number=None)


def test_the_last_administrator_stays(store: Store, enterprise_id: str, olha: User) -> None:
    with store.write() as conn:
        with pytest.raises(PersonRefused, match="last admin"):
            users.change(conn, enterprise_id, "admin", role=Role.SUPERVISOR, name="", number=None)
        with pytest.raises(PersonRefused, match="last admin"):
            users.remove(conn, enterprise_id, "admin")
    begin(store, olha, "one")
    with store.write() as conn:
        users.change(conn, enterprise_id, "olha", role=Role.ADMIN, name="", number=None)
        assert users.remove(conn, enterprise_id, "admin").login == "admin"
        assert sessions.find(conn, "one", 1) is None
        with pytest.raises(NotInStore):
            users.remove(conn, enterprise_id, "admin")


def test_who_loses_the_number_sees_nothing_of_the_next_one_to_have_it(
    store: Store, enterprise_id: str, olha: User
) -> None:
    with store.write() as conn:
        numbers.remove(conn, enterprise_id, ANNA)
        numbers.add(conn, ANNA, enterprise_id)
        assert users.get(conn, enterprise_id, "olha").number is None


def test_a_session_is_found_by_its_secret_until_it_is_over(store: Store, olha: User) -> None:
    made = begin(store, olha, "one", 10)
    assert (made.address, len(made.client), made.enterprise_id) == ("192.0.2.7", sessions.MAX_CLIENT, None)
    with store.write() as conn:
        found = sessions.find(conn, "one", 999)
        assert found is not None
        assert (found[0], found[1].login, found[1].signed_in_at) == (made, "olha", 10)
        assert sessions.find(conn, "one", 1_000) is None
        assert sessions.find(conn, "two", 10) is None
        sessions.note_use(conn, made.session_id, 20, "192.0.2.8")
        assert sessions.list_for(conn, olha.user_id, 30) == [made._replace(last_used_at=20, address="192.0.2.8")]
        assert not sessions.end(conn, "somebody else", made.session_id)
        assert sessions.end(conn, olha.user_id, made.session_id)
        assert sessions.find(conn, "one", 30) is None


def test_a_person_has_a_bounded_number_of_sessions(store: Store, olha: User) -> None:
    made = [begin(store, olha, f"secret {at}", at) for at in range(sessions.MAX_SESSIONS + 2)]
    with store.write() as conn:
        assert sessions.list_for(conn, olha.user_id, 50) == made[:1:-1]
        assert sessions.end_others(conn, olha.user_id, made[-1].session_id) == sessions.MAX_SESSIONS - 1
        assert sessions.list_for(conn, olha.user_id, 50) == made[-1:]


def test_sessions_that_are_over_are_deleted(store: Store, olha: User) -> None:
    begin(store, olha, "one")
    begin(store, olha, "two", 5_000)
    with store.read() as conn:
        assert sessions.list_for(conn, olha.user_id, 0)[0].created_at == 5_000
        assert len(sessions.list_for(conn, olha.user_id, 0)) == 1


def test_a_code_counts_once(store: Store, olha: User) -> None:
    with store.write() as conn:
        second_factor.set_up(conn, olha.user_id, "SECRET", 7, ["a", "b"])
        assert not second_factor.use_step(conn, olha.user_id, 7)
        assert second_factor.use_step(conn, olha.user_id, 9)
        assert not second_factor.use_step(conn, olha.user_id, 8)
        assert second_factor.use_code(conn, olha.user_id, "a")
        assert not second_factor.use_code(conn, olha.user_id, "a")
        assert second_factor.count_codes(conn, olha.user_id) == 1
        second_factor.clear(conn, olha.user_id)
        assert second_factor.count_codes(conn, olha.user_id) == 0
        user = users.find_by_id(conn, olha.user_id)
        assert user is not None
        assert user.totp_sealed is None
