"""`kobza token …`: made, listed, rotated, revoked."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.cli.moments import parse_end
from kobza.store import Store, tokens
from kobza.store.place import Place
from kobza.store.tokens import Use
from tests.cli.conftest import Kobza

NOW = 1_776_675_600_000
"""2026-04-20T09:00:00Z"""


def test_a_token_with_everything(kobza: Kobza, enterprise: str, place: Place) -> None:
    options = ["--name", " Звіт ", "--scope", "settings", "--scope", "history"]
    options += ["--address", "192.0.2.7", "--address", "2001:DB8::/48", "--expires", "2099-01-31T18:00:00Z"]
    made = kobza("token", "add", "--enterprise", enterprise, *options, "--json").json
    assert re.fullmatch(r"[0-9a-f]{64}", made["fmc_token"])
    assert made == {
        "token_id": made["token_id"],
        "fmc_token": made["fmc_token"],
        "integrator_id": made["integrator_id"],
        "name": "Звіт",
        "scopes": ["history", "settings"],
        "addresses": ["192.0.2.7/32", "2001:db8::/48"],
        "expires_at": "2099-01-31T18:00:00.000Z",
    }
    store = Store.open(place)
    with store.read() as connection:
        found = tokens.find(connection, made["fmc_token"])
    store.close()
    assert found is not None
    assert (found.token_id, found.enterprise_id, found.integrator_id) == (
        made["token_id"],
        enterprise,
        made["integrator_id"],
    )


def test_a_token_with_nothing_may_do_everything_from_everywhere(kobza: Kobza, enterprise: str) -> None:
    made = kobza("token", "add", "--enterprise", enterprise, "--json").json
    assert (made["name"], made["scopes"], made["addresses"], made["expires_at"]) == (
        "",
        ["control", "history", "settings"],
        [],
        None,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--enterprise", "nobody"), 1, "there is no enterprise nobody"),
        (("--scope", "all"), 2, "'all' is not one of history, control, settings"),
        (("--address", "10.0.0.1/8"), 2, "expected an address or a network such as 192.0.2.7"),
        (("--expires", "soon"), 2, "expected a time from now such as 90d"),
        (("--expires", "2020-01-31"), 1, "the end of the token is in the past"),
        (("--name", "x" * 101), 1, "longer than 100 characters"),
    ],
)
def test_tokens_that_cannot_be(
    kobza: Kobza, enterprise: str, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = kobza("token", "add", "--enterprise", enterprise, *arguments, "--json")
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err
    assert ran.err.count("\n") == 1


def test_a_rotation_and_its_overlap(kobza: Kobza, enterprise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOBZA_TOKEN_OVERLAP", "600")
    old = kobza("token", "add", "--enterprise", enterprise, "--name", "CRM", "--scope", "control", "--json").json
    new = kobza("token", "rotate", old["token_id"], "--enterprise", enterprise, "--json").json
    assert (new["name"], new["scopes"], new["replaces"]) == ("CRM", ["control"], old["token_id"])
    assert new["fmc_token"] != old["fmc_token"]
    left = datetime.fromisoformat(new["old_valid_until"]) - datetime.now(UTC)
    assert 0 < left.total_seconds() <= 600
    listed = {
        item["token_id"]: item for item in kobza("token", "list", "--enterprise", enterprise, "--json").json["tokens"]
    }
    assert listed[old["token_id"]]["state"] == "ending"
    assert listed[old["token_id"]]["replaced_by"] == new["token_id"]
    assert listed[new["token_id"]]["state"] == "active"
    again = kobza("token", "rotate", old["token_id"], "--enterprise", enterprise)
    assert (again.code, again.out) == (1, "")
    assert f"was replaced by {new['token_id']} already" in again.err
    newest = kobza("token", "rotate", new["token_id"], "--enterprise", enterprise, "--overlap", "0", "--json").json
    listed = {
        item["token_id"]: item["state"]
        for item in kobza("token", "list", "--enterprise", enterprise, "--all", "--json").json["tokens"]
    }
    assert listed[new["token_id"]] == "replaced"
    assert listed[newest["token_id"]] == "active"


def test_a_revoked_token_is_listed_on_demand_only(kobza: Kobza, enterprise: str) -> None:
    made = kobza("token", "add", "--enterprise", enterprise, "--json").json
    ended = kobza("token", "revoke", made["token_id"], "--enterprise", enterprise, "--json").json
    assert (ended["state"], ended["last_use"]) == ("revoked", None)
    assert kobza("token", "revoke", made["token_id"], "--enterprise", enterprise, "--json").json == ended

    def listed(*options: str) -> list[str]:
        shown = kobza("token", "list", "--enterprise", enterprise, *options, "--json").json["tokens"]
        return [item["token_id"] for item in shown]

    assert made["token_id"] not in listed()
    assert made["token_id"] in listed("--all")


@pytest.mark.parametrize("command", [("rotate", "x"), ("revoke", "x"), ("list",)])
def test_what_does_not_exist_is_one_line(kobza: Kobza, enterprise: str, command: tuple[str, ...]) -> None:
    wrong = enterprise if command[-1] == "x" else "nobody"
    ran = kobza("token", *command, "--enterprise", wrong)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err in ("kobza: the enterprise has no token x\n", "kobza: there is no enterprise nobody\n")


def test_the_list_for_people_shows_the_last_use_and_no_secret(
    kobza: Kobza, enterprise: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    made = kobza("token", "add", "--enterprise", enterprise, "--name", "[CRM]", "--address", "::1", "--json").json
    store = Store.open(place)
    with store.write() as connection:
        tokens.note_uses(connection, [(made["token_id"], Use(NOW, "203.0.113.9", "crm/1.0"))])
    store.close()
    ran = kobza("token", "list", "--enterprise", enterprise)
    row = next(line for line in ran.out.splitlines() if made["token_id"] in line)
    assert re.split(r" {2,}", row.strip()) == [
        made["token_id"],
        "[CRM]",
        "active",
        "control, history, settings",
        "::1/128",
        "2026-04-20 12:00 203.0.113.9 crm/1.0",
    ]
    assert "never" in ran.out, "the first token of the enterprise"
    everything = json.dumps(kobza("token", "list", "--enterprise", enterprise, "--all", "--json").json) + ran.out
    assert made["fmc_token"] not in everything
    assert kobza("token", "list", "--enterprise", enterprise, "--json").json["tokens"][-1]["last_use"] == {
        "at": "2026-04-20T09:00:00.000Z",
        "address": "203.0.113.9",
        "client": "crm/1.0",
    }


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_a_token_stands_in_one_line_however_narrow_the_terminal_is(
    kobza: Kobza, enterprise: str, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for ran in (
        kobza("token", "add", "--enterprise", enterprise, "--name", "a name of several words"),
        kobza("enterprise", "add", "Other", "--admin", "maria", "--password", "secret"),
    ):
        assert re.search(r"^ +fmc token +[0-9a-f]{64} *$", ran.out, re.MULTILINE)


def test_an_enterprise_without_valid_tokens_has_an_empty_list(kobza: Kobza, enterprise: str) -> None:
    (first,) = kobza("token", "list", "--enterprise", enterprise, "--json").json["tokens"]
    kobza("token", "revoke", first["token_id"], "--enterprise", enterprise)
    assert kobza("token", "list", "--enterprise", enterprise, "--json").json == {"tokens": []}
    assert kobza("token", "list", "--enterprise", enterprise).code == 0


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("30m", "2026-04-20T09:30:00"),
        ("12h", "2026-04-20T21:00:00"),
        (" 90 d ", "2026-07-19T09:00:00"),
        ("2w", "2026-05-04T09:00:00"),
        ("2027-01-31", "2027-01-31T22:00:00"),
        ("2026-10-25", "2026-10-25T22:00:00"),
        ("2027-01-31T18:00:00", "2027-01-31T16:00:00"),
        ("2027-01-31T18:00:00+01:00", "2027-01-31T17:00:00"),
    ],
)
def test_ends_are_read(text: str, end: str) -> None:
    assert parse_end(text, NOW) == int(datetime.fromisoformat(end).replace(tzinfo=UTC).timestamp() * 1000)


@given(st.text(max_size=20) | st.from_regex(r"[0-9]{1,6}[mhdw]|[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True))
def test_whatever_is_written_is_an_end_or_a_value_error(text: str) -> None:
    refusal = "expected a time from now"
    try:
        parse_end(text, NOW)
    except ValueError as error:
        refusal = str(error)
    assert refusal.startswith("expected a time from now")


@pytest.mark.parametrize("text", ["", "90", "1y", "-1d", "2027-02-30", "2027-1-1", "tomorrow", "9999-12-31", "٣d"])
def test_what_is_no_end_says_what_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a time from now such as 90d, 12h or 30m, a day such as 2027-01-31"):
        parse_end(text, NOW)
