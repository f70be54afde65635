"""Scenarios as people write them, right and wrong: what is wrong is told by line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.sandbox.fields import MAX_BYTES, Fields, InvalidScenario, fields_of
from kobza.sandbox.reading import FIELDS, read_scenario
from kobza.sandbox.ready import ready_made
from kobza.sandbox.scenario import Digits, Hold, Scenario, Start, Then, Transfer, Who

OWN = ("+380671230001", "+380671230002")
BASE = "caller: 0671230001\ncalled: 0671230002\n"
ALL_FIELDS = """\
title: Everything at once
caller: +38 067 123-00-01
called: 050 111 22 33
start: dial
ring_for: 2.5
then: answer
talk_for: 20
hang_up: api
hold:
  - by: api
    after: 1
    for: 2
  - {by: called, after: 5, for: 0.5}
dtmf:
  - {by: caller, after: 3, digits: "12#"}
transfer: {by: caller, after: 6, to: 0671230002, ring_for: 3}
devices: 1
dnd: false
registered: true
expect:
  cause: 16
  states: [alerting, established, finished]
"""


def read(text: str | bytes) -> Scenario:
    body = text.encode() if isinstance(text, str) else text
    return read_scenario(body, own=OWN, ready=ready_made().get, names=ready_made().names)[1]


def test_every_field_is_read() -> None:
    assert read(ALL_FIELDS) == Scenario(
        title="Everything at once",
        caller="+380671230001",
        called="+380501112233",
        start=Start.DIAL,
        ring_for=2.5,
        then=Then.ANSWER,
        talk_for=20,
        hang_up=Who.API,
        hold=(Hold(Who.API, 1, 2), Hold(Who.CALLED, 5, 0.5)),
        dtmf=(Digits(Who.CALLER, 3, "12#"),),
        transfer=Transfer(Who.CALLER, 6, "+380671230002", 3),
        expect={"cause": 16, "states": ("alerting", "established", "finished")},
    )


@pytest.mark.parametrize(
    "text", ['caller: "0671230001"\ncalled: 0671230002', "{caller: 0671230001, called: 0671230002}"]
)
def test_a_number_is_a_text_with_and_without_quotes(text: str) -> None:
    """YAML reads 0671230001 as an octal number; nobody means that."""
    assert read(text).numbers == OWN


def test_json_is_read_as_well() -> None:
    document = {"caller": "0671230001", "called": "0671230002", "then": "busy", "title": 'a "quoted" {title}'}
    expected = read(BASE + "then: busy\ntitle: 'a \"quoted\" {title}'")
    assert read(json.dumps(document)) == read(json.dumps(document, indent="\t")) == expected


def test_a_ready_made_one_is_changed_by_what_is_given() -> None:
    body = b"scenario: busy\ncalled: 0501112233\nring_for: 4"
    name, scenario = read_scenario(body, own=OWN, ready=ready_made().get, names=ready_made().names)
    assert name == "busy"
    assert (scenario.called, scenario.ring_for, scenario.then) == ("+380501112233", 4, Then.BUSY)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: expected fields with values"),
        ("- a\n- b", "line 1: expected fields with values"),
        ("caller: [", "is neither YAML nor JSON"),
        ("caller: 1\n\tcalled: 2", "line 2: is neither YAML nor JSON"),
        ('{"caller": 1,\n "called" 2}', "line 2: is neither YAML nor JSON"),
        ("caller: 1\ncalled: \x01", "line 2: has a character that YAML does not take"),
        (b"caller: \xff", "is not UTF-8"),
        (b"x" * (MAX_BYTES + 1), f"longer than {MAX_BYTES} bytes"),
        ("caller: &a 0671230001\ncalled: *a", "line 2: references"),
        ("caller: " + "[" * 40, "line 1: is nested too deep"),
        ("called: 0671230002", "caller: is missing"),
        (BASE + "caller: 0671230003", "line 3: caller: is given twice"),
        (BASE + "ring-for: 3", "line 3: ring-for: there is no such field; did you mean ring_for?"),
        (BASE + "colour: red", "line 3: colour: there is no such field; the fields are scenario, title"),
        ("caller: 067\ncalled: 0671230002", None),
        ("caller: 06712300011\ncalled: 0671230002", "line 1: caller: '06712300011' is in no numbering plan"),
        (BASE + "then: explode", "line 3: then: expected answer, busy, reject, no_answer, cancel, clear"),
        (BASE + "ring_for: soon", "line 3: ring_for: expected seconds from 0 to 300"),
        (BASE + "ring_for: -1", "line 3: ring_for: expected seconds"),
        (BASE + "ring_for: 1e3", "line 3: ring_for: expected seconds"),
        (BASE + "talk_for: 0.5", "line 3: talk_for: expected seconds from 1 to"),
        (BASE + "then: reject\nstatus: 200", "line 4: status: expected a whole number from 300 to 699"),
        (BASE + "status: 486", "line 3: status: goes with then: reject or busy"),
        (BASE + "then: busy\ntalk_for: 3", "line 4: talk_for: goes with then: answer"),
        (BASE + "then: no_answer\nring_for: 3", "line 4: ring_for: goes not with then: no_answer"),
        (BASE + "then: cancel\nring_for: 0", "line 4: ring_for: expected at least 1"),
        (BASE + "dnd: yes", "line 3: dnd: expected true or false"),
        (BASE + "dnd:", "line 3: dnd: expected one value"),
        (BASE + "title: [a]", "line 3: title: expected one value"),
        (BASE + f"title: {'x' * 201}", "line 3: title: expected a text of one line"),
        (BASE + "hold: soon", "line 3: hold: expected a list"),
        (BASE + "hold:\n  - soon", "line 4: hold[1]: expected fields with values"),
        (BASE + "hold:\n  - {by: nobody}", "line 4: hold[1].by: expected caller, called, api"),
        (BASE + "hold:\n  - {after: 1, for: 2}\n  - {after: 2, for: 1}", "line 3: hold: each hold begins after"),
        (BASE + "hold:\n  - {after: 4, for: 2}", "line 3: hold: ends 6 s after the answer, later than talk_for"),
        (BASE + "expect: 16", "line 3: expect: expected fields with values"),
        (BASE + "expect: {cause: 200}", "line 3: expect.cause: expected a whole number from 1 to 127"),
        (BASE + "expect: {states: [ringing]}", "line 3: expect.states: expected a list of alerting"),
        (BASE + "expect: {released_by: me}", "line 3: expect.released_by: expected caller, called, api, network"),
        (BASE + "? [a]\n: b", "line 3: expected a name before the colon"),
        ("caller: 0671230001\ncalled: 0671230001", "line 2: called: is the caller"),
        ("caller: 0501112233\ncalled: 0501112234", "line 1: caller: one of both must be a number of the enterprise"),
        ("caller: 0501112233\ncalled: 0671230001\nstart: originate", "line 3: start: originate needs a caller"),
        ("caller: 0671230001\ncalled: 0501112233\ndnd: true", "line 3: dnd: is for a called number of the enterprise"),
        ("caller: 0671230001\ncalled: 0501112233\nthen: clear", "line 3: then: clear rejects at the called number"),
        (BASE + "then: busy\ndevices: 2", "line 4: devices: goes not with a rejection"),
        (BASE + "media_stops_after: soon", "line 3: media_stops_after: expected seconds"),
        (BASE + "dtmf:\n  - {digits: 12x}", "line 4: dtmf[1].digits: expected 1 to 32 of 0 to 9, *, #, A to D"),
        (BASE + "dtmf:\n  - {after: 1}", "line 4: dtmf[1].digits: expected 1 to 32"),
        (BASE + "dtmf:\n  - {by: api, digits: 1}", "line 3: dtmf: by is caller or called"),
        (BASE + "dtmf:\n  - {by: caller, digits: 1, after: 5}", "line 3: dtmf: comes later than talk_for"),
        (BASE + "transfer: {after: 1}", "line 3: transfer.to: is missing"),
        (BASE + "transfer: {to: 0671230001}", "line 3: transfer: to takes part in the call already"),
        (BASE + "transfer: {to: 0501112233, by: api}", "line 3: transfer: by is caller or called"),
        (BASE + "transfer: {to: 0501112233, after: 3}", "line 3: transfer: is answered later than talk_for"),
        (BASE + "transfer: {to: 0501112233}\nmedia_stops_after: 4", "line 3: transfer: goes not with media_stops"),
        (BASE + "transfer: {to: 0501112233}\nhold: [{after: 1, for: 3}]", "line 3: transfer: comes after all holds"),
        (BASE + "faults:\n  - {next: 2}", "line 4: faults[1].fault: is missing: delay, duplicate, error, timeout"),
        (BASE + "faults:\n  - {fault: late}", "line 4: faults[1].fault: expected delay, duplicate, error"),
        (BASE + "faults:\n  - {fault: delay, status: 500}", "line 4: faults[1].status: goes with fault: error"),
        (BASE + "faults:\n  - {fault: error, state: ringing}", "line 4: faults[1].state: expected alerting"),
        ("scenario: bussy", "line 1: scenario: there is none of that name; the ready-made ones are answered,"),
        ("scenario: busy\ntalk_for: 3", "line 2: talk_for: goes with then: answer"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str | bytes, words: str | None) -> None:
    if words is None:
        assert read(text).caller == "067"  # a short code
        return
    with pytest.raises(InvalidScenario) as caught:
        read(text)
    assert words in caught.value.detail
    assert caught.value.http_status == 400


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InvalidScenario) as caught:
        read("caller: nobody\ncalled: 0671230002\nthen: explode\nring_for: soon")
    assert [(problem.line, problem.field) for problem in caught.value.problems] == [
        (1, "caller"),
        (4, "ring_for"),
        (3, "then"),
    ]
    assert caught.value.parameter == "caller"


_WORDS = st.sampled_from([*FIELDS, "by", "after", "for", "answer", "called", "0671230001", "486", "true", ": ", "\n  "])


def refused_in_words(body: bytes) -> bool:
    """Read it; nothing but a refusal that says why may come of it."""
    try:
        read(body)
    except InvalidScenario as error:
        return bool(error.problems) and bool(error.detail)
    return True


@given(st.one_of(st.binary(max_size=200), st.lists(_WORDS, max_size=20).map(lambda words: "".join(words).encode())))
def test_any_bytes_are_a_scenario_or_refused_in_words(body: bytes) -> None:
    assert refused_in_words(body)


@given(st.text(max_size=120))
def test_any_text_behind_a_good_beginning_is_refused_in_words_or_taken(text: str) -> None:
    assert refused_in_words((BASE + text).encode("utf-8", "surrogatepass"))


def test_problems_of_a_ready_made_file_have_no_line_of_the_callers_text() -> None:
    found = ready_made().get("busy")
    assert isinstance(found, Fields)
    assert {entry.line for entry in found.entries.values()} == {None}
    assert fields_of(b"title: x").entries["title"].line == 1
