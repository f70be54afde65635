"""The commands that fill a store, as tests from outside use them."""

import base64
import re
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from kobza.call.directory import Package
from kobza.sip.digest import ha1
from kobza.store import Store, directory, tokens, users
from kobza.store.place import Place
from kobza.store.store import STORE_FILE
from tests.cli.conftest import Kobza

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def test_init_makes_a_store_and_may_be_repeated(kobza: Kobza, data: Path) -> None:
    made = {"data": str(data), "store": str(data / STORE_FILE), "sip_realm": "kobza"}
    assert kobza("init", "--json").json == made
    assert (data / STORE_FILE).is_file()
    assert kobza("init", "--json").json == made


def test_the_data_directory_may_stand_before_or_after_the_command(kobza: Kobza, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    assert kobza("--data", str(before), "init", "--json").json["data"] == str(before)
    assert kobza("init", "--data", str(after), "--json").json["data"] == str(after)
    assert kobza("--data", str(before), "init", "--data", str(after), "--json").json["data"] == str(after)
    assert (before / STORE_FILE).is_file()
    assert (after / STORE_FILE).is_file()


def test_the_realm_is_fixed_by_the_first_enterprise(kobza: Kobza, monkeypatch: pytest.MonkeyPatch) -> None:
    kobza("init")
    monkeypatch.setenv("KOBZA_SIP_REALM", "pbx.example")
    assert kobza("init", "--json").json["sip_realm"] == "pbx.example"
    kobza("enterprise", "add", "Bakery", "--admin", "olena", "--password", "secret")
    monkeypatch.setenv("KOBZA_SIP_REALM", "other.example")
    ran = kobza("init", "--json")
    assert ran.json["sip_realm"] == "pbx.example"
    assert "keeps its realm pbx.example" in ran.err


def test_without_a_store_every_command_says_what_to_do(kobza: Kobza) -> None:
    ran = kobza("enterprise", "add", "Bakery", "--admin", "olena", "--password", "secret", "--json")
    assert (ran.code, ran.out) == (1, "")
    assert "kobza init" in ran.err
    assert ran.err.count("\n") == 1


def test_an_enterprise(kobza: Kobza, place: Place) -> None:
    kobza("init")
    added = kobza("enterprise", "add", "Bakery", "--admin", "olena", "--password", "secret", "--json").json
    assert list(added) == ["enterprise_id", "fmc_token", "integrator_id"]
    assert re.fullmatch(r"[0-9a-f]{64}", added["fmc_token"])
    store = Store.open(place)
    with store.read() as connection:
        found = tokens.find(connection, added["fmc_token"])
        user = users.find(connection, "olena")
    store.close()
    assert found is not None
    assert (found.enterprise_id, found.integrator_id) == (added["enterprise_id"], added["integrator_id"])
    assert user is not None
    assert PasswordHasher().verify(user.password_hash, "secret")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Other", "--admin", "olena", "--password", "x"), "olena is taken"),
        (("", "--admin", "maria", "--password", "x"), "NAME"),
        (("Other", "--admin", " ", "--password", "x"), "--admin"),
    ],
)
def test_enterprises_that_cannot_be(kobza: Kobza, enterprise: str, arguments: tuple[str, ...], words: str) -> None:
    ran = kobza("enterprise", "add", *arguments, "--json")
    assert ran.code != 0
    assert ran.out == ""
    assert words in ran.err


def test_a_number_with_everything(kobza: Kobza, enterprise: str, place: Place) -> None:
    options = ("--name", "Олена", "--department", "Продаж", "--package", "convergent", "--package", "call_recording")
    added = kobza(
        "number", "add", "+380 67 123-45-67", "--enterprise", enterprise, *options, "--sip-password", "pw", "--json"
    ).json
    assert added == {
        "number": "0671234567",
        "enterprise_id": enterprise,
        "name": "Олена",
        "department": "Продаж",
        "packages": ["call_recording", "convergent"],
        "sip_username": "0671234567",
        "sip_password": "pw",
    }
    store = Store.open(place)
    with store.read() as connection:
        subscriber = directory.load(connection).subscribers["+380671234567"]
    store.close()
    assert subscriber.enterprise_id == enterprise
    assert subscriber.packages == {Package.CONVERGENT, Package.CALL_RECORDING}
    assert (subscriber.name, subscriber.department) == ("Олена", "Продаж")
    assert subscriber.ha1_md5 == ha1("0671234567", "kobza", "pw", "MD5")
    assert subscriber.ha1_sha256 == ha1("0671234567", "kobza", "pw", "SHA-256")


def test_a_password_is_asked_only_where_somebody_can_answer(kobza: Kobza, data: Path) -> None:
    kobza("init")
    ran = kobza("enterprise", "add", "Bakery", "--admin", "olena")
    assert (ran.code, ran.out) == (2, "")
    assert "--password: needed, as there is no terminal" in ran.err


def test_forwarding_is_set_in_parts_listed_and_removed(kobza: Kobza) -> None:
    kobza("init")
    added = kobza("enterprise", "add", "Bakery", "--admin", "olena", "--password", "secret", "--json").json
    own = ("--enterprise", added["enterprise_id"])
    number = "0671234567"
    kobza("number", "add", number, *own)
    assert "none: see kobza forward set" in kobza("forward", "list", *own).out
    shown = {"number": number, "always": None, "busy": "0671234568", "no_answer": None, "unreachable": None}
    made = kobza("forward", "set", number, *own, "--busy", "+380671234568", "--json").json
    assert made == {**shown, "no_answer_after": None, "enterprise_id": added["enterprise_id"]}
    kobza("forward", "set", number, *own, "--no-answer", "101")
    assert kobza("forward", "set", number, *own, "--after", "30").code == 0
    (listed,) = kobza("forward", "list", *own, "--json").json["numbers"]
    assert listed == {**shown, "no_answer": "101", "no_answer_after": 30}
    kobza("forward", "remove", number, *own, "--no-answer")
    assert kobza("forward", "list", *own, "--json").json["numbers"] == [{**shown, "no_answer_after": None}]
    kobza("forward", "remove", number, *own)
    assert kobza("forward", "list", *own, "--json").json["numbers"] == []
    for arguments, told in (
        ((), "nothing to set"),
        (("--after", "30"), "says how long it rings before --no-answer, which is off"),
        (("--no-answer", "101", "--after", "4"), "5 to 120 seconds before its calls go on, not 4"),
        (("--always", number), "cannot be forwarded to itself"),
        (("--busy", "sales"), "is no number"),
    ):
        ran = kobza("forward", "set", number, *own, *arguments)
        assert ran.code == 2 or ran.code == 1
        assert told in ran.err
    assert "has no number +380671234569" in kobza("forward", "set", "0671234569", *own, "--busy", "101").err
    assert "there is no enterprise" in kobza("forward", "list", "--enterprise", "another").err


def test_groups_are_made_changed_listed_and_removed(kobza: Kobza) -> None:
    kobza("init")
    added = kobza("enterprise", "add", "Bakery", "--admin", "olena", "--password", "secret", "--json").json
    own = ("--enterprise", added["enterprise_id"])
    for number in ("0671234567", "0671234568"):
        kobza("number", "add", number, *own)
    assert "none yet: see kobza group set" in kobza("group", "list", *own).out
    people = ("--member", "0671234568", "--member", "+380671234567", "--member", "0671234568")
    made = kobza("group", "set", "200", *own, "--name", "Sales", *people, "--then", "0501112233", "--json").json
    shown = {
        "number": "200",
        "name": "Sales",
        "strategy": "all",
        "members": ["0671234568", "0671234567"],
        "seconds": 20,
    }
    assert made == {**shown, "then": "0501112233", "enterprise_id": added["enterprise_id"]}
    changes = ("--strategy", "longest_idle", "--seconds", "15", "--then", "none")
    assert kobza("group", "set", "200", *own, *changes).code == 0
    expected = {**shown, "strategy": "longest_idle", "seconds": 15, "then": None}
    assert kobza("group", "list", *own, "--json").json["groups"] == [expected]
    for arguments, told in (
        (("201", "--name", "X"), "a new group needs one at least"),
        (("201", "--member", "0671234569"), "has no number +380671234569"),
        (("0671234567", "--member", "0671234568"), "is a number with phones of its own"),
        (("200", "--then", "200"), "cannot be forwarded to itself"),
        (("200", "--seconds", "4"), "greater than or equal to 5"),
        (("200", *(each for n in range(33) for each in ("--member", f"06712300{n:02}"))), "32 members at most"),
    ):
        ran = kobza("group", "set", *arguments, *own)
        assert ran.code in (1, 2)
        assert told in ran.err
    assert kobza("group", "remove", "200", *own).code == 0
    assert "has no group 200" in kobza("group", "remove", "200", *own).err
    assert "there is no enterprise" in kobza("group", "list", "--enterprise", "another").err
    mobile = kobza("number", "set", "0671234567", *own, "--mobile", "050 111 22 33", "--json").json
    assert mobile["mobile"] == "0501112233"
    assert "mobile" not in kobza("number", "set", "0671234567", *own, "--mobile", "none", "--json").json
    assert "cannot be forwarded to itself" in kobza("number", "set", "0671234567", *own, "--mobile", "0671234567").err


def test_working_hours_are_set_in_parts_overridden_listed_and_removed(kobza: Kobza) -> None:
    kobza("init")
    added = kobza("enterprise", "add", "Bakery", "--admin", "olena", "--password", "secret", "--json").json
    own = ("--enterprise", added["enterprise_id"])
    number = "0671234567"
    kobza("number", "add", number, *own)
    assert "none: calls are taken at any time" in kobza("hours", "list", *own).out
    made = kobza("hours", "set", *own, "--week", "пн-пт 9-18", "--dates", "2000-01-01", "--json").json
    assert (made["number"], made["week"], made["dates"]) == (None, "mon-fri 09:00-18:00", "2000-01-01 closed")
    assert (made["callers"], made["closed_to"], made["zone"]) == ("outside", None, "Europe/Kyiv")
    kobza("hours", "set", *own, "--closed-to", "050 111 22 33", "--callers", "all", "--zone", "UTC")
    closed = kobza("hours", "override", number, *own, "--closed", "--until", "2h", "--json").json
    assert (closed["week"], closed["override"], closed["open"]) == (None, "closed", False)
    company, mine = kobza("hours", "list", *own, "--json").json["hours"]
    assert (company["closed_to"], company["callers"], company["week"]) == ("0501112233", "all", "mon-fri 09:00-18:00")
    assert (mine["number"], mine["closed_to"], mine["override"]) == (number, "0501112233", "closed")
    assert kobza("hours", "override", number, *own, "--none", "--json").json["override"] is None
    assert len(kobza("hours", "list", *own, "--json").json["hours"]) == 1
    kobza("hours", "override", *own, "--open", "--until", "45m")
    kobza("hours", "set", number, *own, "--week", "always", "--no-company-dates", "--closed-to", "101")
    always = kobza("hours", "set", number, *own, "--closed-to", "none", "--json").json
    assert (always["week"], always["open"], always["until"], always["company_dates"]) == ("always", True, None, False)
    for arguments, told in (
        (("set",), "nothing to set"),
        (("set", "0671234568", "--week", "always"), "no number and no group +380671234568"),
        (("set", number, "--week", "9-18"), "begins with no day of the week"),
        (("set", number, "--dates", "soon"), "'soon' is no date"),
        (("set", number, "--closed-to", number), "cannot be forwarded to itself"),
        (("set", number, "--zone", "UTC"), "is one for the whole enterprise"),
        (("set", "--zone", "Kyiv"), "'Kyiv' is no time zone, as in Europe/Kyiv"),
        (("set", "--company-dates"), "is for a number or a group"),
        (("override", number, "--open"), "goes with --open and --closed"),
        (("override", number, "--until", "2h"), "give one of --open, --closed and --none"),
        (("override", number, "--closed", "--until", "2020-01-01 10:00"), "is past"),
        (("override", number, "--closed", "--until", "soon"), "is no moment, as in 18:00"),
    ):
        ran = kobza("hours", *arguments, *own)
        assert ran.code in (1, 2), arguments
        assert told in ran.err
    assert kobza("hours", "remove", number, *own).code == 0
    assert "no working hours of its own" in kobza("hours", "remove", number, *own).err
    kobza("hours", "remove", *own)
    assert "--week: needed: there are no hours of its own yet" in kobza("hours", "set", *own, "--callers", "all").err
    for command in (("list",), ("set", "--zone", "UTC")):
        assert "there is no enterprise" in kobza("hours", *command, "--enterprise", "another").err


def test_enterprises_numbers_and_trunks_are_listed_changed_and_removed(kobza: Kobza, place: Place) -> None:
    kobza("init")
    assert "none yet: see kobza enterprise add" in kobza("enterprise", "list").out
    assert kobza("trunk", "list", "--json").json == {"trunks": []}
    added = kobza("enterprise", "add", "Bakery", "--admin", "olena", "--password", "secret", "--json").json
    own = ("--enterprise", added["enterprise_id"])
    assert "none yet: see kobza number add" in kobza("number", "list", *own).out
    kobza("number", "add", "0671234567", *own, "--name", "Olena", "--department", "Sales")
    kobza("number", "add", "0671234568", *own)
    (listed,) = kobza("enterprise", "list", "--json").json["enterprises"]
    assert listed == {
        "enterprise_id": added["enterprise_id"],
        "name": "Bakery",
        "integrator_id": added["integrator_id"],
        "numbers": 2,
        "supervision": "announced",
    }
    assert added["integrator_id"] in kobza("enterprise", "list").out
    chosen = kobza("enterprise", "set", added["enterprise_id"], "--supervision", "silent", "--json").json
    assert chosen == {"enterprise_id": added["enterprise_id"], "supervision": "silent"}
    assert kobza("enterprise", "list", "--json").json["enterprises"] == [listed | {"supervision": "silent"}]
    refused = kobza("enterprise", "set", "nobody", "--supervision", "silent")
    assert (refused.code, "there is no enterprise nobody" in refused.err) == (1, True)

    changed = kobza("number", "set", "0671234567", *own, "--package", "call_recording", "--json").json
    assert changed == {
        "number": "0671234567",
        "enterprise_id": added["enterprise_id"],
        "packages": ["call_recording"],
    }
    limited = kobza("number", "set", "0671234568", *own, "--no-call-waiting", "--max-calls", "2", "--json").json
    assert (limited["call_waiting"], limited["max_calls"]) == (False, 2)
    limited = kobza("number", "set", "0671234568", *own, "--max-calls", "none", "--json").json
    assert (limited["call_waiting"], limited["max_calls"]) == (False, None)
    assert "expected 1 to 99, or none" in kobza("number", "set", "0671234568", *own, "--max-calls", "0").err
    made = kobza("number", "set", "0671234567", *own, "--new-sip-password", "--json").json
    chosen = kobza("number", "set", "0671234568", *own, "--sip-password", "pw", "--json").json
    assert (chosen["packages"], chosen["sip_password"]) == (["api_fmc", "convergent"], "pw")
    store = Store.open(place)
    with store.read() as connection:
        subscribers = directory.load(connection).subscribers
    store.close()
    for document in (made, chosen):
        subscriber = subscribers[f"+38{document['number']}"]
        username, password = document["sip_username"], document["sip_password"]
        assert subscriber.ha1_md5 == ha1(username, "kobza", password, "MD5")
        assert subscriber.ha1_sha256 == ha1(username, "kobza", password, "SHA-256")

    assert kobza("number", "remove", "0671234568", *own).code == 0
    assert kobza("number", "list", *own, "--json").json == {
        "enterprise_id": added["enterprise_id"],
        "numbers": [
            {"number": "0671234567", "name": "Olena", "department": "Sales", "packages": ["call_recording"]},
        ],
    }
    kobza("trunk", "add", "kyiv", "--host", "192.0.2.10", "--port", "5060", "--prefix", "044")
    (trunk,) = kobza("trunk", "list", "--json").json["trunks"]
    assert (trunk["name"], trunk["host"], trunk["prefix"], trunk["trusted"]) == ("kyiv", "192.0.2.10", "044", True)
    assert kobza("trunk", "remove", "kyiv", "--json").json == {"name": "kyiv"}
    assert kobza("trunk", "list", "--json").json == {"trunks": []}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("number", "list", "--enterprise", "nobody"), 1, "there is no enterprise nobody"),
        (("number", "set", "0671234567", "--enterprise", "nobody", "--sip-password", "x"), 1, "has no number"),
        (("number", "set", "0671234567", "--enterprise", "nobody", "--package", "api_fmc"), 1, "has no number"),
        (("number", "set", "0671234567", "--enterprise", "nobody"), 2, "nothing to change"),
        (("number", "set", "0671234567", "--enterprise", "nobody", "--sip-password", ""), 2, "must not be empty"),
        (
            ("number", "set", "0671234567", "--enterprise", "nobody", "--sip-password", "x", "--new-sip-password"),
            2,
            "is one way",
        ),
        (("number", "remove", "0671234567", "--enterprise", "nobody"), 1, "has no number"),
        (("number", "remove", "06712345678", "--enterprise", "nobody"), 1, "'06712345678' is in no numbering plan"),
        (("trunk", "remove", "lviv"), 1, "there is no trunk lviv"),
    ],
)
def test_what_is_not_there_cannot_be_changed(
    kobza: Kobza, enterprise: str, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = kobza(*arguments)
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err


def test_a_number_with_nothing_gets_a_password_and_the_usual_packages(kobza: Kobza, enterprise: str) -> None:
    first = kobza("number", "add", "0671234567", "--enterprise", enterprise, "--json").json
    second = kobza("number", "add", "0671234568", "--enterprise", enterprise, "--json").json
    assert first["packages"] == ["api_fmc", "convergent"]
    assert re.fullmatch(r"[A-Za-z0-9]{20}", first["sip_password"])
    assert first["sip_password"] != second["sip_password"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("0671234567", "--enterprise", "nobody"), 1, "there is no enterprise nobody"),
        (("067", "--enterprise", "ENTERPRISE", "--package", "gold"), 2, "'gold' is not one of"),
        (("06712345678901234567", "--enterprise", "ENTERPRISE"), 1, "is in no numbering plan"),
        (("no number", "--enterprise", "ENTERPRISE"), 1, "consists of digits"),
        (("0671234567", "--enterprise", "ENTERPRISE", "--sip-password", ""), 2, "--sip-password"),
        (("0671234567",), 2, "--enterprise"),
    ],
)
def test_numbers_that_cannot_be(
    kobza: Kobza, enterprise: str, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = kobza("number", "add", *(enterprise if item == "ENTERPRISE" else item for item in arguments), "--json")
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err
    assert ran.err.count("\n") == 1


def test_a_number_is_added_once(kobza: Kobza, enterprise: str) -> None:
    assert kobza("number", "add", "0671234567", "--enterprise", enterprise).code == 0
    ran = kobza("number", "add", "380671234567", "--enterprise", enterprise)
    assert ran.code == 1
    assert "0671234567 is a number already" in ran.err


def test_a_trunk(kobza: Kobza, enterprise: str, place: Place) -> None:
    added = kobza("trunk", "add", "operator", "--host", "127.0.0.1", "--port", "5090", "--json").json
    assert added == {
        "trunk_id": added["trunk_id"],
        "name": "operator",
        "host": "127.0.0.1",
        "port": 5090,
        "prefix": None,
        "trusted": True,
    }
    options = ("--host", "::1", "--port", "5060", "--prefix", "044", "--untrusted", "--json")
    assert kobza("trunk", "add", "kyiv", *options).json["trusted"] is False
    store = Store.open(place)
    with store.read() as connection:
        trunks = directory.load(connection).trunks
    store.close()
    assert [trunk.trusted for trunk in trunks] == [True, False]
    assert [(trunk.name, trunk.host, trunk.port, trunk.prefix) for trunk in trunks] == [
        ("operator", "127.0.0.1", 5090, None),
        ("kyiv", "::1", 5060, "044"),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("t", "--host", "operator example", "--port", "5060"),
        ("t", "--host", "-operator", "--port", "5060"),
        ("t", "--host", "", "--port", "5060"),
        ("t", "--host", "127.0.0.1", "--port", "65536"),
        ("t", "--host", "127.0.0.1", "--port", "5060", "--prefix", "ab"),
        *(
            ("t", "--host", "127.0.0.1", "--port", "5060", *more)
            for more in (
                ("--transport", "sctp"),
                ("--priority", "-1"),
                ("--format", "e.164"),
                ("--add", "7 7"),
                ("--strip", "ї"),
                ("--domain", "a b"),
                ("--username", "a b"),
                ("--register",),
                ("--expires", "60"),
                ("--options-every", "4000"),
                ("--answer-within", "0"),
                ("--inbound", "anybody"),
                ("--inbound", "credentials"),
                ("--network", "10.0.0.1/8"),
                ("--incoming-username", "carrier"),
                ("--incoming-username", "0671234567", "--incoming-password", "x"),
                ("--incoming-username", "carrier", "--incoming-password", ""),
                ("--incoming-password", "x"),
                ("--caller-in", "to"),
                ("--user-phone", "--format", "national"),
            )
        ),
    ],
)
def test_trunks_that_cannot_be(kobza: Kobza, enterprise: str, arguments: tuple[str, ...]) -> None:
    ran = kobza("trunk", "add", *arguments, "--json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1


def test_where_a_trunk_is_may_be_left_to_its_name(kobza: Kobza, enterprise: str) -> None:
    def place(*words: str) -> tuple[int | None, str]:
        row = kobza("trunk", *words, "--json").json
        return row["port"], row.get("transport", "udp")

    assert place("add", "named", "--host", "sip.example.net") == (None, "any")
    assert place("add", "ported", "--host", "sip.example.net", "--port", "5080") == (5080, "udp")
    assert place("add", "secure", "--host", "sip.example.net", "--transport", "tls") == (None, "tls")
    assert place("add", "numeric", "--host", "192.0.2.1") == (None, "udp")
    assert place("set", "ported", "--port", "0", "--transport", "any") == (None, "any")
    assert place("set", "named", "--port", "5060", "--transport", "tcp") == (5060, "tcp")


def test_numbers_are_marked_where_they_are_written_in_full(kobza: Kobza, enterprise: str) -> None:
    assert kobza("trunk", "add", "a", "--host", "192.0.2.1", "--user-phone", "--json").json["user_phone"] is True
    assert kobza("trunk", "set", "a", "--format", "digits").code == 2
    assert kobza("trunk", "set", "a", "--no-user-phone", "--format", "digits", "--json").json["user_phone"] is False
    assert kobza("trunk", "set", "a", "--user-phone").code == 2


def test_a_trunk_with_everything_and_every_change_of_it(kobza: Kobza, enterprise: str, place: Place) -> None:
    kobza("trunk", "add", "plain", "--host", "192.0.2.1", "--port", "5060")
    options = {
        "prefix": "044",
        "transport": "tcp",
        "priority": 5,
        "capacity": 30,
        "format": "national",
        "strip": "0",
        "add": "77#",
        "strip-incoming": "+",
        "add-incoming": "044",
        "domain": "sip.example.net",
        "username": "account",
        "password": "open sesame",
        "expires": 120,
        "options-every": 0,
        "answer-within": 3,
        "inbound": "credentials",
        "incoming-username": "carrier",
        "incoming-password": "secret",
        "client-name": "sbc.example.net",
        "caller-in": "asserted",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    words += ["--untrusted", "--register", "--network", "10.0.0.0/8", "--network", "2001:db8::1", "--json"]
    added = kobza("trunk", "add", "full", "--host", "operator.example", "--port", "5061", *words).json
    assert "secret" not in str(added)
    assert "open sesame" not in str(added)
    shown = {name.replace("-", "_"): value for name, value in options.items() if not name.endswith("password")}
    shown |= {"trusted": False, "networks": ["10.0.0.0/8", "2001:db8::1/128"], "host": "operator.example"}
    listed = kobza("trunk", "list", "--json").json["trunks"][1]
    for name, value in (shown | {"trunk_id": added["trunk_id"]}).items():
        assert listed[name] == value, name
        assert added[name] == value, name
    assert (listed["state"], listed["registration"], listed["detail"]) == ("unknown", "unknown", None)
    assert kobza("trunk", "list").out.count("untrusted; format: national; strip: 0") == 1
    store = Store.open(place)
    with store.read() as connection:
        trunk = directory.load(connection).trunks[1]
    store.close()
    assert trunk.password == "open sesame"
    assert trunk.incoming_ha1_md5 == ha1("carrier", "kobza", "secret", "MD5")
    assert trunk.incoming_ha1_sha256 == ha1("carrier", "kobza", "secret", "SHA-256")

    taken = kobza("trunk", "set", "plain", "--incoming-username", "carrier", "--incoming-password", "x")
    assert (taken.code, taken.out) == (1, "")
    assert "that of trunk full already" in taken.err
    assert kobza("trunk", "set", "full", "--expires", "600", "--json").json["expires"] == 600
    back = ["--prefix", "", "--transport", "UDP", "--capacity", "0", "--strip", "", "--add", "", "--domain", ""]
    back += ["--no-register", "--username", "", "--inbound", "address", "--network", "", "--trusted", "--port", "5060"]
    changed = kobza("trunk", "set", "full", *back, "--json").json
    for name in ("prefix", "capacity", "strip", "add", "domain", "expires", "username"):
        assert changed[name] is None, name
    assert (changed["networks"], changed["trusted"], changed["transport"], changed["port"]) == ([], True, "udp", 5060)
    assert changed["priority"] == 5
    for arguments, code, said in (
        (("full",), 2, "nothing to change"),
        (("nobody", "--port", "5060"), 1, "there is no trunk nobody"),
        (("full", "--register"), 2, "needs the account"),
    ):
        ran = kobza("trunk", "set", *arguments)
        assert (ran.code, ran.out) == (code, "")
        assert said in ran.err


def test_a_webhook(kobza: Kobza, enterprise: str, place: Place) -> None:
    url = "http://127.0.0.1:9000/hooks"
    for secret in ((), ("--secret", SECRET)):
        ran = kobza("webhook", "set", "--enterprise", enterprise, "--url", url, "--token", "T", *secret, "--json")
        assert ran.json == {"enterprise_id": enterprise, "url": url, "signed": bool(secret), "active": True}
    store = Store.open(place)
    with store.read() as connection:
        endpoint = directory.load(connection).endpoints[enterprise]
    store.close()
    assert (endpoint.url, endpoint.token, endpoint.secret, endpoint.active) == (url, "T", SECRET, True)


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"--enterprise": "nobody"}, 1, "there is no enterprise nobody"),
        ({"--url": "ftp://crm.example.com"}, 2, "--url"),
        ({"--token": "a b"}, 2, "--token"),
        ({"--secret": "short"}, 2, "--secret"),
    ],
)
def test_webhooks_that_cannot_be(kobza: Kobza, enterprise: str, changed: dict[str, str], code: int, words: str) -> None:
    options = {"--enterprise": enterprise, "--url": "https://crm.example.com", "--token": "T"} | changed
    ran = kobza("webhook", "set", *(item for pair in options.items() for item in pair), "--json")
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err
    assert ran.err.count("\n") == 1


def test_a_private_address_is_noted_at_once(kobza: Kobza, enterprise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("webhook", "set", "--enterprise", enterprise, "--token", "T", "--json", "--url")
    ran = kobza(*arguments, "http://10.1.2.3/hooks")
    assert ran.json["active"]
    assert "10.1.2.3 is a private address" in ran.err
    monkeypatch.setenv("KOBZA_WEBHOOK_ALLOW", "10.0.0.0/8")
    for url in ("http://10.1.2.3/hooks", "https://crm.example.com", "http://127.0.0.1:1"):
        assert kobza(*arguments, url).err == ""


def test_history_for_benches(kobza: Kobza, enterprise: str) -> None:
    filled = kobza(
        "dev", "fill", "--enterprise", enterprise, "--calls", "500", "--days", "3", "--seed", "1", "--json"
    ).json
    assert (filled["calls"], filled["days"], filled["seed"]) == (500, 3, 1)


def test_people_get_a_table(kobza: Kobza, enterprise: str) -> None:
    ran = kobza("number", "add", "0671234567", "--enterprise", enterprise, "--name", "[bold]Olena[/bold]")
    assert ran.code == 0
    assert "sip password" in ran.out
    assert "[bold]Olena[/bold]" in ran.out


def test_presentation_numbers(kobza: Kobza, enterprise: str) -> None:
    own = ("--enterprise", enterprise, "--json")
    kobza("number", "add", "0671234567", *own)
    for command in ("add", "remove", "add"):
        done = kobza("presentation", command, "+380 800 123 456", *own)
        assert done.json == {"number": "0800123456", "enterprise_id": enterprise}
    assert kobza("presentation", "list", *own).json == {"enterprise_id": enterprise, "numbers": ["0800123456"]}
    assert "0800123456" in kobza("presentation", "list", "--enterprise", enterprise).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "sales"), "consists of digits"),
        (("add", "0671234567"), "which may be presented"),
        (("remove", "0800123456"), "no presentation number"),
        (("add", "0800123456", "--enterprise", "x"), "no enterprise x"),
        (("list", "--enterprise", "x"), "no enterprise x"),
    ],
)
def test_presentation_numbers_that_cannot_be(
    kobza: Kobza, enterprise: str, arguments: tuple[str, ...], words: str
) -> None:
    kobza("number", "add", "0671234567", "--enterprise", enterprise)
    ran = kobza("presentation", arguments[0], "--enterprise", enterprise, *arguments[1:], "--json")
    assert (ran.code, ran.out) == (1, "")
    assert words in ran.err
