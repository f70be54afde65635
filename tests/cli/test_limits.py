"""What may be spent outside, on the command line."""

import pytest

from tests.cli.conftest import Kobza

NUMBER = "0671234567"


def test_limits_of_an_enterprise_and_of_a_number(
    kobza: Kobza, enterprise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOBZA_OUTSIDE_CALLS_HOUR", "90")
    owner = ("--enterprise", enterprise)
    kobza("number", "add", NUMBER, *owner)
    whole = kobza(
        "limits", "set", *owner, "--at-once", "20", "--deny", "+", "--deny", "00979", "--allow", "+380", "--json"
    )
    assert whole.json["own"] == {
        **dict.fromkeys(("calls_minute", "calls_hour", "calls_day", "minutes_day")),
        "at_once": 20,
        "denied": ["+", "+979"],
        "allowed": ["+380"],
    }
    done = kobza("limits", "set", *owner, "--number", NUMBER, "--calls-minute", "5", "--allow", "0900", "--json").json
    force = (done["calls_minute"], done["calls_hour"], done["at_once"], done["minutes_day"])
    assert force == (5, 90, 30, 0)
    assert "+380900" in done["allowed"]
    assert "+380900" not in done["denied"]
    assert {"+", "+979", "+870"} <= set(done["denied"])
    assert kobza("limits", "show", *owner, "--number", NUMBER, "--json").json == done
    back = ("--calls-minute", "default", "--allow", "default")
    done = kobza("limits", "set", *owner, "--number", NUMBER, *back, "--json").json
    assert (done["calls_minute"], done["own"]["allowed"]) == (60, [])
    assert "calls minute" in kobza("limits", "show", *owner, "--number", NUMBER).out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "say what is to be set"),
        (("--at-once", "many"), 2, "expected a number or `default`"),
        (("--at-once", "1000001"), 2, "at_once: expected 0 (no limit) to 1000000"),
        (("--deny", "abroad"), 2, "is no prefix of numbers such as +380, 0900 or + for all"),
        (("--number", "0501112233", "--at-once", "1"), 1, "the enterprise has no number +380501112233"),
    ],
)
def test_what_is_wrong_is_said(
    kobza: Kobza, enterprise: str, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = kobza("limits", "set", "--enterprise", enterprise, *arguments)
    assert ran.code == code
    assert words in ran.err
