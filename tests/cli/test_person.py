"""`kobza person …`: who signs in to the portal."""

from argon2 import PasswordHasher

from kobza.store import Store, users
from kobza.store.place import Place
from kobza.store.users import User
from tests.cli.conftest import Kobza


def stored(place: Place, login: str) -> User:
    store = Store.open(place)
    with store.read() as connection:
        user = users.find(connection, login)
    store.close()
    assert user is not None
    return user


def test_people_come_change_and_go(kobza: Kobza, place: Place, enterprise: str) -> None:
    kobza("number", "add", "0671234567", "--enterprise", enterprise)
    assert "none yet" in kobza("person", "list").out
    root = kobza("person", "add", "root", "--role", "operator", "--json").json
    assert (root["role"], root["enterprise_id"], root["must_change_password"]) == ("operator", None, True)
    assert PasswordHasher().verify(stored(place, "root").password_hash, root["password"])
    options = ("--role", "employee", "--enterprise", enterprise, "--number", "067 123-45-67", "--password", "secret")
    borys = kobza("person", "add", "borys", *options, "--keep-password", "--json").json
    assert (borys["number"], borys["must_change_password"], "password" in borys) == ("0671234567", False, False)
    changed = kobza("person", "set", "borys", "--role", "supervisor", "--name", "Борис", "--json").json
    assert (changed["role"], changed["name"], changed["number"]) == ("supervisor", "Борис", "0671234567")
    assert kobza("person", "set", "borys", "--number", "", "--json").json["number"] is None
    reset = kobza("person", "reset", "borys", "--second-factor-off", "--json").json
    assert PasswordHasher().verify(stored(place, "borys").password_hash, reset["password"])
    assert reset["must_change_password"]
    listed = kobza("person", "list", "--enterprise", enterprise, "--json").json["people"]
    assert [each["login"] for each in listed] == ["borys", "olena"]
    assert kobza("person", "remove", "borys").code == 0
    assert [each["login"] for each in kobza("person", "list", "--json").json["people"]] == ["root"]


def test_what_cannot_be_is_said(kobza: Kobza, enterprise: str) -> None:
    for arguments, words in (
        (("add", "x", "--role", "boss", "--enterprise", enterprise), "'boss' is not one of operator, admin"),
        (("add", "x", "--role", "employee", "--enterprise", enterprise), "an employee needs the number"),
        (("add", "x", "--enterprise", "nowhere"), "there is no enterprise nowhere"),
        (("add", "x"), "an operator belongs to no enterprise"),
        (("add", "x", "--enterprise", enterprise, "--password", ""), "--password"),
        (("add", "x", "--enterprise", enterprise, "--number", "abc"), "--number"),
        (("add", "olena", "--enterprise", enterprise), "the login olena is taken"),
        (("set", "olena", "--role", "supervisor"), "olena is the last admin"),
        (("remove", "olena"), "olena is the last admin"),
        (("remove", "nobody"), "nobody has the login nobody"),
        (("list", "--enterprise", "nowhere"), "there is no enterprise nowhere"),
    ):
        ran = kobza("person", *arguments)
        assert (ran.code in (1, 2), ran.out) == (True, "")
        assert words in ran.err
