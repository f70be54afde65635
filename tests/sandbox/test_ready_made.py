"""Every ready-made scenario, played by real phones, is what its file says; the page that lists them says the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kobza.sandbox.fields import Fields
from kobza.sandbox.outcome import tolerance
from kobza.sandbox.reading import FIELDS, scenario_of
from kobza.sandbox.ready import ready_made
from kobza.sandbox.scenario import Then, expected
from tests.sandbox.conftest import SPEED, Running, sandbox

OWN = ("+380671230001", "+380671230002", "+380671230003", "+380671230004")
PAGE = (Path(__file__).parents[2] / "docs/sandbox.md").read_text("utf-8")
RING_TIMEOUT, MEDIA_TIMEOUT = 30, 20


def fields(name: str) -> Fields:
    found = ready_made().get(name)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def quick() -> Iterator[Running]:
    with sandbox(KOBZA_RING_TIMEOUT=str(RING_TIMEOUT), KOBZA_MEDIA_TIMEOUT=str(MEDIA_TIMEOUT)) as started:
        yield started


@pytest.mark.parametrize("name", ready_made().names)
def test_what_follows_from_the_fields_is_what_the_file_expects(name: str) -> None:
    """`expect` is written by hand from the contract; without it the same must come out."""
    scenario = scenario_of(fields(name), OWN)
    assert scenario.expect["cause"]
    assert scenario.title
    own = scenario_of(Fields({key: one for key, one in fields(name).entries.items() if key != "expect"}, []), OWN)
    derived = expected(own, ring_timeout=60, media_timeout=60)
    assert derived == expected(scenario, ring_timeout=60, media_timeout=60)


@pytest.mark.parametrize("name", ready_made().names)
def test_it_happens_as_its_file_says(quick: Running, name: str) -> None:
    scenario = scenario_of(fields(name), OWN)
    run = quick.play(f"scenario: {name}")
    assert (run["state"], run["differences"], run["why"], run["as_asked"]) == ("finished", [], None, True), run
    happened = run["happened"]
    assert happened["cause"] == scenario.expect["cause"]
    if scenario.answered and scenario.media_stops_after is None:
        assert abs(happened["call_duration"] - scenario.talk_for) <= 1
    elif scenario.then is Then.NO_ANSWER:
        assert abs(happened["ringing"] - RING_TIMEOUT) <= tolerance(SPEED, server_ends=True)  # the server's own timer
    # What the run tells is what the API tells.
    row = next(
        call
        for call in quick.fmc("callhistory", **{"from": run["began_at"][:10] + "T00:00:00"}).json()["calls"]
        if call["call_id"] == run["call_id"]
    )
    told = ("cause", "sip_status", "released_by", "call_duration", "ringing")
    assert [row[key] for key in told] == [happened[key] for key in told]
    events = quick.fmc("events", limit="1000").json()["events"]
    of_call = [event for event in events if event["call_id"] == run["call_id"]]
    for owner, types in happened["states"].items():
        assert [event["state_type"] for event in of_call if event["state_owner"] == owner] == types


def test_they_are_told_by_name_and_title(quick: Running) -> None:
    listed = quick.http.get("/sandbox/scenarios").json()["ready_made"]
    assert [one["scenario"] for one in listed] == list(ready_made().names)
    assert all(one["title"] for one in listed)
    busy = next(one["yaml"] for one in listed if one["scenario"] == "busy")
    assert quick.play(busy)["happened"]["cause"] == 17


@pytest.mark.docs
def test_the_page_lists_each_with_its_cause() -> None:
    rows = [line for line in PAGE.split("\n## Ready-made")[1].splitlines() if line.startswith("| `")]
    assert rows == [table_row(name) for name in ready_made().names]


@pytest.mark.docs
def test_the_page_describes_every_field_and_no_other() -> None:
    table = PAGE.split("| field |")[1].split("\n\n")[0]
    named = [name for line in table.splitlines()[2:] for name in line.split("|")[1].strip().split(", ")]
    assert sorted(named) == sorted(FIELDS)


def table_row(name: str) -> str:
    scenario = scenario_of(fields(name), OWN)
    wanted = expected(scenario, ring_timeout=60, media_timeout=60)
    states = ", ".join(wanted.states) or "none"
    return f"| `{name}` | {scenario.title} | {wanted.cause} | {wanted.sip_status} | {wanted.released_by} | {states} |"
