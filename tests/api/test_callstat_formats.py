"""The three formats, read back by csv, json and lxml."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from kobza.api.callstat_formats import Shown, as_csv, as_json, as_xml, csv_text

ALL = Shown(names=True, departments=True, ownership=True, direction=True)
AT = 1_772_393_975_000
"""2026-03-01 21:39:35 in Kyiv."""


Call = dict[str, Any]


def row(**changes: Any) -> Call:
    values: Call = {
        "end_timestamp": AT + 13_400,
        "start_timestamp": AT,
        "calling_number": "+380671234567",
        "duration": 14,
        "called_number": "+380501112233",
        "calling_name": "Олена",
        "called_name": "",
        "calling_department": "Збут",
        "called_department": "",
        "calling_ownership": True,
        "called_ownership": False,
        "direction": "outgoing",
    }
    return {**values, **changes}


def pages(rows: list[Call], shown: Shown) -> list[list[tuple[Any, ...]]]:
    """Return rows as the store gives them: only what is asked for, in pages of three."""
    asked = [tuple(call[name] for name in shown.fields()) for call in rows]
    return [asked[start : start + 3] for start in range(0, len(asked), 3)]


def read_csv(rows: list[Call], shown: Shown = ALL, *, bom: bool = False) -> list[dict[str, str]]:
    text = "".join(as_csv(pages(rows, shown), shown, bom=bom))
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def read_json(rows: list[Call], shown: Shown = ALL) -> list[dict[str, Any]]:
    document = json.loads("".join(as_json(pages(rows, shown), shown)))
    assert list(document) == ["calls"]
    calls: list[dict[str, Any]] = document["calls"]
    return calls


def read_xml(rows: list[Call], shown: Shown = ALL) -> list[dict[str, str]]:
    document = etree.fromstring("".join(as_xml(pages(rows, shown), shown)).encode())
    assert document.tag == "calls"
    return [{str(field.tag): field.text or "" for field in call} for call in document]


@pytest.mark.parametrize(
    ("shown", "added"),
    [
        (Shown(), []),
        (Shown(names=True), ["calling_name", "called_name"]),
        (Shown(departments=True), ["calling_department", "called_department"]),
        (Shown(ownership=True), ["calling_ownership", "called_ownership"]),
        (Shown(direction=True), ["direction"]),
        (
            ALL,
            [
                "calling_name",
                "called_name",
                "calling_department",
                "called_department",
                "calling_ownership",
                "called_ownership",
                "direction",
            ],
        ),
    ],
)
def test_fields_are_in_the_contracts_order(shown: Shown, added: list[str]) -> None:
    fields = ["end_timestamp", "start_timestamp", "calling_number", "duration", "called_number", *added]
    assert list(read_csv([row()], shown)[0]) == fields
    assert list(read_json([row()], shown)[0]) == fields
    assert list(read_xml([row()], shown)[0]) == fields


def test_moments_are_wall_time_truncated_to_seconds_and_duration_is_a_number() -> None:
    (call,) = read_json([row()])
    assert call["start_timestamp"] == "2026-03-01 21:39:35"
    assert call["end_timestamp"] == "2026-03-01 21:39:48"
    assert call["duration"] == 14


def test_ownership_is_a_boolean() -> None:
    (call,) = read_json([row()])
    assert (call["calling_ownership"], call["called_ownership"], call["direction"]) == (True, False, "outgoing")
    (line,) = read_csv([row()])
    assert (line["calling_ownership"], line["called_ownership"]) == ("true", "false")
    (element,) = read_xml([row(direction="incoming")])
    assert (element["calling_ownership"], element["direction"]) == ("true", "incoming")


def test_rows_of_all_pages_come_in_their_order() -> None:
    rows = [row(duration=number) for number in range(1300)]
    for read in (read_csv, read_json, read_xml):
        assert [int(call["duration"]) for call in read(rows)] == list(range(1300))
    whole = [[tuple(call.values()) for call in rows]]
    assert len(json.loads("".join(as_json(whole, ALL)))["calls"]) == 1300


def test_numbers_are_written_nationally_and_foreign_ones_with_a_plus() -> None:
    for read in (read_csv, read_json, read_xml):
        (call,) = read([row(called_number="+48221234567", calling_number="101")])
        assert (call["calling_number"], call["called_number"]) == ("101", "+48221234567")


def test_no_call_is_a_valid_document_in_all_formats() -> None:
    assert read_json([]) == []
    assert read_xml([]) == []
    assert "".join(as_csv([], Shown())) == "end_timestamp,start_timestamp,calling_number,duration,called_number\r\n"


def test_csv_lines_end_with_crlf_and_the_mark_comes_first_when_asked() -> None:
    text = "".join(as_csv(pages([row(), row()], Shown()), Shown(), bom=True))
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
    json.loads("".join(as_json(pages([row(calling_name="\ud800")], ALL), ALL)).encode())


@given(st.text(max_size=20))
def test_a_csv_field_never_breaks_out_of_its_cell(name: str) -> None:
    (line,) = list(csv.reader(io.StringIO(f"{csv_text(name)},end\r\n", newline=""), strict=True))
    assert line[-1] == "end"
    assert len(line) == 2
