"""Contacts out of files: tables of every kind, vCards, and whatever else somebody may upload."""

import io
from typing import Any

import msgspec
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from kobza.portal import contact_file, sheets
from kobza.portal.contact_file import ContactRow, Contacts, contact_pieces
from kobza.portal.lines import Fault

OLENA, SHOP = "+380671234567", "+48221234567"


def read(content: bytes | str) -> Contacts:
    *_, last = contact_pieces(content.encode() if isinstance(content, str) else content)
    return msgspec.json.decode(last, type=Contacts)


def sheet(rows: list[list[Any]]) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        page = book.add_worksheet()
        for at, row in enumerate(rows):
            page.write_row(at, 0, row)
    return file.getvalue()


def said(content: bytes | str) -> dict[str, tuple[str, str]]:
    found = read(content)
    assert (found.faults, found.unreadable) == ([], "")
    return {number: (row.name, row.department) for number, row in found.rows.items()}


WANTED = {OLENA: ("Олена Ґудзь", "Збут"), SHOP: ("Żabka, «А»", "")}
TABLE = 'Номер;Ім’я;Відділ\r\n067 123 45 67;Олена  Ґудзь ;Збут\r\n\r\n+48 22 123-45-67;"Żabka, «А»";\r\n'


@pytest.mark.parametrize(
    "content",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.encode("utf-16"),
        TABLE.replace("Ż", "Z").encode("cp1251"),
        TABLE.replace(";", "\t").replace('"', "").encode(),
        'Phone,Department,Name\n"\'+380671234567",Збут,Олена Ґудзь\n0048221234567,,"Żabka, «А»"\n'.encode(),
        sheet([["телефон", "ПІБ", "підрозділ"], [380671234567, "Олена Ґудзь", "Збут"], ["+48221234567", "Żabka, «А»"]]),
        sheet(
            [
                [],
                ["", "Phone number", "Full name", "Dept", "Department"],
                ["", 671234567, "Олена Ґудзь", "x", "Збут"],
                ["", "48221234567", "Żabka, «А»"],
            ]
        ),
    ],
    ids=["utf-8", "mark", "utf-16", "windows", "tabs", "english", "xlsx", "xlsx with numbers"],
)
def test_a_table_as_spreadsheets_write_it(content: bytes) -> None:
    found = said(content)
    if content.startswith("Номер".encode("cp1251")):
        found = {number: (name.replace("Z", "Ż"), department) for number, (name, department) in found.items()}
    assert found == WANTED


def test_what_other_address_books_export() -> None:
    google = (
        "First Name,Middle Name,Last Name,Organization Name,Phone 1 - Label,Phone 1 - Value,Phone 2 - Value\n"
        "Олена,,Ґудзь,ТОВ,Mobile,067 123 4567 ::: +48 22 123 45 67,0501112233\n"
        ",,,Ромашка,Work,044 123 45 67,\n"
    )
    assert said(google) == {
        OLENA: ("Ґудзь Олена", ""),
        SHOP: ("Ґудзь Олена", ""),
        "+380501112233": ("Ґудзь Олена", ""),
        "+380441234567": ("Ромашка", ""),
    }
    assert said("Прізвище;Ім'я;По батькові;Моб. тел.;Факс\nҐудзь;Олена;Іванівна;0671234567;0441112233\n") == {
        OLENA: ("Ґудзь Олена Іванівна", "")
    }


CARDS = """BEGIN:VCARD
VERSION:3.0
FN:Олена Ґудзь
N:Ґудзь;Олена;;;
ORG:;Збут
item1.TEL;TYPE=CELL:067-123-45-67
PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQ
 AAAAAAAA
END:VCARD
BEGIN:VCARD
VERSION:2.1
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=9A=D0=B8=D1=82;=D0=86=D0=B2=D0=B0=D0=BD;;;
TEL;WORK:0441234567
END:VCARD
BEGIN:VCARD
VERSION:4.0
ORG:Żabka
TEL;VALUE=uri:tel:+48-22-123-45-67
END:VCARD
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_cards_of_every_version(end: str) -> None:
    assert said(CARDS.replace("\n", end)) == {
        OLENA: ("Олена Ґудзь", "Збут"),
        "+380441234567": ("Кит Іван", ""),
        SHOP: ("Żabka", ""),
    }


def test_faults_are_told_by_line_and_the_rest_is_taken() -> None:
    found = read(
        "number,name\n0671234567,Олена\n12,\n"
        'call me,"two\nlines"\n,Без номера\n067123,Short code\n0671234567,Інша\n0671234567,Інша\n'
        f"0501112233,{'x' * 201}\n06712345678,Задовгий\n"
    )
    assert found.faults == [
        Fault(3, "no_name", "12"),
        Fault(4, "bad_number", "call me"),
        Fault(6, "no_number", "Без номера"),
        Fault(2, "said_again", "8"),
        Fault(10, "too_long", "x" * 100),
        Fault(11, "bad_number", "06712345678"),
    ]
    assert found.rows == {OLENA: ContactRow(8, "Інша", ""), "067123": ContactRow(7, "Short code", "")}
    assert (found.faulty, found.repeated) == (6, 1)
    broken = read(
        "BEGIN:VCARD\nFN:x\nnonsense\nEND:VCARD\nBEGIN:VCARD\nFN:Б\nTEL:0671234567\nEND:VCARD\nBEGIN:VCARD\nFN:в\n"
    )
    assert broken.faults == [Fault(1, "broken_card", "BEGIN:VCARD"), Fault(9, "broken_card", "BEGIN:VCARD")]
    assert broken.rows == {OLENA: ContactRow(5, "Б", "")}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no_number_column"),
        (b"number,name\n", "empty"),
        ("Ім'я,Відділ\nОлена,Збут\n".encode(), "no_number_column"),
        (b"PK\x03\x04 is no archive", "broken_table"),
        (b"\xd0\xcf\x11\xe0 is no table", "broken_table"),
        (b"number,name\n" + b"1,\n" * 5001, "too_many_lines"),
        (b'number,name\n1,"' + b"x" * 200_000, "broken_table"),
        (b"BEGIN:VCARD\nEND:VCARD\n" * 5001, "too_many_lines"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content: bytes, why: str) -> None:
    assert read(content).unreadable == why


def test_a_spreadsheet_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_UNPACKED", 1000)
    assert read(sheet([["number", "name"], ["1", "x" * 2000]])).unreadable == "too_large"


def test_others_have_their_turn_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_file, "AT_ONCE", 10)
    assert list(contact_pieces(b"number,name\n" + b"101,x\n" * 40))[:-1] == [b""] * 4


cells = st.text(st.sampled_from("0679+ ;,\"'\n\t=:абвҐЇ\x00\x1f\u202e\ud83d"), max_size=12)
tables = st.lists(st.lists(cells, max_size=4), max_size=6).map(
    lambda rows: "Номер;Ім'я;Відділ\n" + "\n".join(";".join(row) for row in rows)
)
words = st.sampled_from(
    [
        *("BEGIN:VCARD", "END:VCARD", "TEL:0671234567", "TEL;X=", "FN:Ї", "N:;;", " continued", "PHOTO:", "=\n"),
        *("ORG:;;;", "N;ENCODING=QUOTED-PRINTABLE:=D", "VERSION:9", ""),
    ]
)


@given(
    st.binary(max_size=200)
    | (tables | st.lists(words).map("\n".join)).map(lambda text: text.encode("utf-8", "replace"))
)
def test_whatever_is_uploaded_is_told_or_taken(content: bytes) -> None:
    found = read(content)
    if not found.unreadable:
        assert found.rows or found.faults
    for number, row in found.rows.items():
        assert number.removeprefix("+").isdigit()
        assert row.name or row.department
        for text in (row.name, row.department):
            assert text == " ".join(text.split())
            assert text.isprintable() or "\ufffd" in text
            assert len(text) <= 200


@given(st.binary(max_size=300), st.integers(0, 4000))
def test_a_damaged_spreadsheet_is_told(damage: bytes, at: int) -> None:
    whole = sheet([["number", "name"], ["0671234567", "Олена"]])
    found = read(whole[:at] + damage + whole[at + len(damage) :])
    assert found.unreadable or found.rows or found.faults
