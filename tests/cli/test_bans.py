"""Bans on the command line."""

import json

import pytest

from kobza.store import Store, sip_bans
from kobza.store.place import Place
from tests.cli.conftest import Kobza


def test_an_address_is_banned_shown_and_let_in_again(kobza: Kobza, enterprise: str, place: Place) -> None:
    assert enterprise
    assert kobza("bans", "list").out == "Bans: nobody is banned\n"
    added = ("--reason", "calls at night", "--by", "Olena", "--json")
    done = kobza("bans", "add", "203.0.113.9", "--for", "7d", *added).json
    assert (done["address"], done["reason"], done["by"], done["times"]) == ("203.0.113.9", "calls at night", "Olena", 1)
    assert kobza("bans", "add", "2001:db8:1:2::9", *added).json["address"] == "2001:db8:1:2::/64"
    assert kobza("bans", "add", "2001:db8:1:2::/64", *added).json["until"] is None
    listed = kobza("bans", "list", "--json").json["bans"]
    assert sorted(each["address"] for each in listed) == ["2001:db8:1:2::/64", "203.0.113.9"]
    assert "calls at night" in kobza("bans", "list").out
    assert kobza("bans", "remove", "2001:db8:1:2::1", "--json").json == {"address": "2001:db8:1:2::/64"}
    ran = kobza("bans", "remove", "2001:db8:1:2::1")
    assert (ran.code, ran.err) == (1, "kobza: 2001:db8:1:2::/64 is not banned\n")
    store = Store.open(place)
    with store.read() as conn:
        assert [ban.source for ban in sip_bans.list_all(conn)] == ["203.0.113.9"]
        version = store.directory_version()
    store.close()
    assert version >= 5, "a server that runs hears of each change"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("office.example", "--reason", "x"), "is no address such as 203.0.113.9"),
        (("203.0.113.0/24", "--reason", "x"), "whole networks belong into a firewall"),
        (("203.0.113.9", "--reason", " "), "must not be empty"),
        (("203.0.113.9", "--reason", "x", "--for", "soon"), "expected a time from now"),
        (("203.0.113.9", "--reason", "x", "--for", "2020-01-01"), "expected a time to come"),
    ],
)
def test_what_is_wrong_is_said(kobza: Kobza, enterprise: str, arguments: tuple[str, ...], words: str) -> None:
    assert enterprise
    ran = kobza("bans", "add", *arguments)
    assert ran.code == 2
    assert words in ran.err
    assert json.loads(kobza("bans", "list", "--json").out) == {"bans": []}
