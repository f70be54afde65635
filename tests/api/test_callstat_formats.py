"""The three formats, read back by csv, json and lxml."""

import csv
import io
import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from kobza.api.callstat_formats import Extension, Shown, callstat_pieces, csv_text
from kobza.call.heard import HeardCall, HeardSide
from kobza.store import quality

ALL = Shown(names=True, departments=True, ownership=True, direction=True)
AT = 1_772_393_975_000
"""2026-03-01 21:39:35 in Kyiv."""


Call = dict[str, Any]
CALLING, CALLED = "+380671234567", "+380501112233"
NOTHING = HeardCall(HeardSide(0, 0, 0), HeardSide(0, 0, 0))


def row(**changes: Any) -> Call:
    """Return a call as the store has it, with what the address book has of its two numbers."""
    values: Call = {
        "ended_at": AT + 13_400,
        "start_at": AT,
        "calling_number": CALLING,
        "duration": 14,
        "called_number": CALLED,
        "direction": "outgoing",
        "calling_name": "Олена",
        "calling_department": "Збут",
        "called_name": "",
        "called_department": "",
    }
    return {**values, **changes}


def written(extension: Extension, rows: list[Call], shown: Shown, *, bom: bool = False) -> str:
    """Return the whole document; rows come in pages of three."""
    book = {
        call[f"{side}_number"]: (call[f"{side}_name"], call[f"{side}_department"])
        for call in rows
        for side in ("calling", "called")
    }
    asked = [tuple(list(call.values())[:6]) for call in rows]
    pages = [asked[start : start + 3] for start in range(0, len(asked), 3)]
    return "".join(callstat_pieces(extension, pages, shown, book.__getitem__, bom=bom))


def read_csv(rows: list[Call], shown: Shown = ALL) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written("csv", rows, shown), newline="")))


def read_json(rows: list[Call], shown: Shown = ALL) -> list[dict[str, Any]]:
    document = json.loads(written("json", rows, shown))
    assert list(document) == ["calls"]
    calls: list[dict[str, Any]] = document["calls"]
    return calls


def read_xml(rows: list[Call], shown: Shown = ALL) -> list[dict[str, str]]:
    document = etree.fromstring(written("xml", rows, shown).encode())
    assert document.tag == "calls"
    return [{str(field.tag): field.text or "" for field in call} for call in document]


HEARD = HeardCall(HeardSide(1000, 5, 12, mos=4.21), HeardSide(800, 0, 100, mos=3.4, silent_s=6.5))


def test_how_the_sides_heard_each_other() -> None:
    plain = list(row().values())[:6]
    unanswered = [*plain[:3], 0, *plain[4:]]
    rows: list[tuple[Any, ...]] = [
        (*plain, quality.written(HEARD)),
        (*plain, None),
        (*unanswered, quality.written(NOTHING)),
    ]
    figures = ["4.21", "3.4", "1.5", "10", "called"]
    for shown in (Shown(quality=True), Shown(True, True, True, True, True)):
        texts = {
            extension: "".join(callstat_pieces(extension, [rows[:2], rows[2:]], shown, lambda _: ("", "")))
            for extension in ("csv", "json", "xml")
        }
        first, unknown, nothing = json.loads(texts["json"])["calls"]
        assert list(first)[-5:] == ["calling_mos", "called_mos", "calling_lost", "called_lost", "not_heard"]
        assert list(first.values())[-5:] == [4.21, 3.4, 1.5, 10, "called"]
        assert list(unknown.values())[-5:] == [None] * 5
        assert list(nothing.values())[-5:] == [None] * 5
        parsed = list(csv.DictReader(io.StringIO(texts["csv"], newline="")))
        assert [list(line.values())[-5:] for line in parsed] == [figures, [""] * 5, [""] * 5]
        calls = etree.fromstring(texts["xml"].encode())
        assert [[field.text for field in call][-5:] for call in calls] == [figures, [None] * 5, [None] * 5]
        assert {str(field.tag) for field in calls[0]} == set(parsed[0]) == set(first)


OPTIONAL = {
    "names": ["calling_name", "called_name"],
    "departments": ["calling_department", "called_department"],
    "ownership": ["calling_ownership", "called_ownership"],
    "direction": ["direction"],
}


@pytest.mark.parametrize("asked", list(product([False, True], repeat=4)))
def test_fields_are_in_the_contracts_order(asked: tuple[bool, ...]) -> None:
    shown = Shown(*asked)
    fields = ["end_timestamp", "start_timestamp", "calling_number", "duration", "called_number"]
    fields += [field for on, added in zip(asked, OPTIONAL.values(), strict=True) if on for field in added]
    whole = read_json([row()])[0]
    assert list(read_csv([row()], shown)[0]) == fields
    assert list(read_json([row()], shown)[0].items()) == [(field, whole[field]) for field in fields]
    assert list(read_xml([row()], shown)[0]) == fields


def test_moments_are_wall_time_truncated_to_seconds_and_duration_is_a_number() -> None:
    (call,) = read_json([row()])
    assert call["start_timestamp"] == "2026-03-01 21:39:35"
    assert call["end_timestamp"] == "2026-03-01 21:39:48"
    assert call["duration"] == 14


@pytest.mark.parametrize(
    ("direction", "calling", "called", "written"),
    [
        ("outgoing", True, False, "outgoing"),
        ("incoming", False, True, "incoming"),
        ("local", True, True, "outgoing"),
    ],
)
def test_ownership_is_a_boolean(direction: str, calling: bool, called: bool, written: str) -> None:
    (call,) = read_json([row(direction=direction)])
    assert (call["calling_ownership"], call["called_ownership"], call["direction"]) == (calling, called, written)
    for read in (read_csv, read_xml):
        (line,) = read([row(direction=direction)])
        assert line["calling_ownership"] == str(calling).lower()
        assert line["called_ownership"] == str(called).lower()
        assert line["direction"] == written


def test_a_person_is_looked_up_once_and_only_when_shown() -> None:
    asked: list[str] = []

    def person(number: str) -> tuple[str, str]:
        asked.append(number)
        return "Олена", "Збут"

    pages = [[tuple(list(row().values())[:6])] * 3] * 3
    list(callstat_pieces("csv", pages, Shown(ownership=True, direction=True), person))
    assert asked == []
    list(callstat_pieces("csv", pages, Shown(departments=True), person))
    assert asked == [CALLING, CALLED]


def test_people_who_were_looked_up_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kobza.api.callstat_formats.REMEMBERED", 10)
    rows = [row(calling_number=f"+38067{index % 25:07}", calling_name=f"N{index % 25}") for index in range(100)]
    assert [call["calling_name"] for call in read_csv(rows)] == [f"N{index % 25}" for index in range(100)]


def test_rows_of_all_pages_come_in_their_order() -> None:
    rows = [row(duration=number) for number in range(1300)]
    for read in (read_csv, read_json, read_xml):
        assert [int(call["duration"]) for call in read(rows)] == list(range(1300))


def test_numbers_are_written_nationally_and_foreign_ones_with_a_plus() -> None:
    for read in (read_csv, read_json, read_xml):
        (call,) = read([row(called_number="+48221234567", calling_number="101")])
        assert (call["calling_number"], call["called_number"]) == ("101", "+48221234567")


def test_no_call_is_a_valid_document_in_all_formats() -> None:
    assert read_json([]) == []
    assert read_xml([]) == []
    assert written("csv", [], Shown()) == "end_timestamp,start_timestamp,calling_number,duration,called_number\r\n"


def test_csv_lines_end_with_crlf_and_the_mark_comes_first_when_asked() -> None:
    text = written("csv", [row(), row()], Shown(), bom=True)
    assert text.startswith("\ufeffend_timestamp,")
    assert text.count("\r\n") == 3
    assert text.count("\n") == 3


HARD_NAMES = [
    "Їжак Ґалаґан, «Є»",
    'Олена "Лис" Коваль',
    "a,b;c",
    "two\nlines",
    "two\r\nlines",
    "ends with \\",
    "O'Hara & <b>Sons</b> ]]>",
    " spaces ",
    "😀 emoji",
    "{braces} {0} %s",
    "tab\tinside",
]


@pytest.mark.parametrize("name", HARD_NAMES)
def test_hard_names_survive_all_three_formats(name: str) -> None:
    rows = [row(calling_name=name, called_department=name)]
    for read in (read_csv, read_json, read_xml):
        (call,) = read(rows)
        assert (call["calling_name"], call["called_department"]) == (name, name)


@pytest.mark.parametrize(
    "name", ["=1+1", "+380671234567", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", '=HYPERLINK("http://x","y")']
)
def test_a_name_that_a_spreadsheet_would_run_is_neutralised_in_csv_only(name: str) -> None:
    rows = [row(calling_name=name)]
    assert read_csv(rows)[0]["calling_name"] == "'" + name
    assert read_json(rows)[0]["calling_name"] == name
    assert read_xml(rows)[0]["calling_name"] == name


def test_control_characters_that_xml_forbids_are_dropped() -> None:
    assert read_xml([row(calling_name="a\x00b\x0bc\x1fd\ufffee\ud800f")])[0]["calling_name"] == "abcdef"


@given(st.text())
def test_any_text_survives_json_and_csv_and_makes_valid_xml(name: str) -> None:
    rows = [row(calling_name=name)]
    assert read_json(rows)[0]["calling_name"] == name
    assert read_csv(rows)[0]["calling_name"].removeprefix("'") == name.removeprefix("'")
    read_xml(rows)


def test_a_lone_surrogate_does_not_stop_the_answer() -> None:
    for extension in ("csv", "json", "xml"):
        assert "Збут" in written(extension, [row(calling_name="\ud800")], ALL).encode().decode()


@given(st.text(max_size=20))
def test_a_csv_field_never_breaks_out_of_its_cell(name: str) -> None:
    (line,) = list(csv.reader(io.StringIO(f"{csv_text(name)},end\r\n", newline=""), strict=True))
    assert line[-1] == "end"
    assert len(line) == 2
