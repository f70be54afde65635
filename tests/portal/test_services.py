"""The extended services: found, changed many at a time and by files after a look, and the accounts of phones."""

import io
import re
from typing import Any

import httpx
import msgspec
import pytest
import segno
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from kobza.api.context import SipListen
from kobza.call.directory import Package
from kobza.portal.lines import Fault
from kobza.portal.number_file import SWITCHES, NumberRow, Numbers, number_pieces
from kobza.portal.phone_account import ALPHABET, PASSWORD_LENGTH, qr_code, sip_uri
from kobza.portal.services import BULK, compare, switched
from kobza.store import audit, numbers, services
from kobza.store.audit import AuditSearch
from kobza.store.services import Services
from tests.api.world import ALICE, BORYS, BOTH, PLAIN, STRANGER, World
from tests.portal.visitor import Visitor, text_of


def known(world: World) -> dict[str, Services]:
    with world.store.read() as conn:
        return {one.number: one for one in services.list_for(conn, world.own.enterprise_id, world.at)}


async def choose(visitor: Visitor, act: str, *chosen: str, **fields: str) -> httpx.Response:
    marks = {f"n:{number}": "on" for number in chosen}
    return await visitor.submit("/provisioning", "/provisioning/change", act=act, **marks, **fields)


async def apply(visitor: Visitor, preview: httpx.Response) -> httpx.Response:
    page: Any = html.document_fromstring(preview.text)
    (form,) = [each for each in page.forms if each.action == "/provisioning/apply"]
    return await visitor.client.post("/provisioning/apply", data=dict(form.form_values()))


async def test_numbers_are_found_by_what_they_are_called(olena: Visitor) -> None:
    for query, count in (("", 3), ("?q=склад", 1), ("?q=067 1", 1), ("?q=Nobody", 0)):
        page = await olena.page(f"/provisioning{query}")
        assert len(page.xpath("//input[@data-choose]")) == count, query


async def test_many_are_changed_after_a_look(olena: Visitor, world: World) -> None:
    before = known(world)
    preview = await choose(olena, "department", "0671111111", "0673333333", "0679999999", department=" Новий  відділ ")
    said = text_of(html.document_fromstring(preview.text))
    assert "2 changed, 0 as before." in said
    assert "Олена Коваль 067 111 1111 Department: Збут → Новий відділ" in said
    assert "067 333 3333 Department: – → Новий відділ" in said
    assert known(world) == before
    answer = await apply(olena, preview)
    assert answer.headers["location"] == "/provisioning?saved=1"
    assert {number: one.department for number, one in known(world).items()} == {
        ALICE: "Новий відділ",
        BORYS: "Склад",
        PLAIN: "Новий відділ",
    }
    assert world.commands.refreshed == 1
    again = await choose(olena, "call_recording_off", "0671111111")
    assert "There is nothing to change" in again.text
    assert (await apply(olena, await choose(olena, "call_recording_on", "0671111111"))).status_code == 303
    assert known(world)[ALICE].packages == {*BOTH, Package.CALL_RECORDING}
    with world.store.read() as conn:
        stranger = numbers.find(conn, world.other.enterprise_id, STRANGER)
        noted = audit.page(conn, AuditSearch(world.own.enterprise_id, "number.changed"), None, 9)
    assert stranger is not None
    assert stranger.department == ""
    assert len(noted) == 3
    assert (noted[0].who, noted[0].subject) == ("olena", ALICE)
    assert noted[0].before == {"packages": ["api_fmc", "convergent"]}
    assert noted[0].after == {"packages": ["api_fmc", "call_recording", "convergent"]}
    assert {entry.subject: entry.before for entry in noted[1:]} == {
        ALICE: {"department": "Збут"},
        PLAIN: {"department": ""},
    }


@pytest.mark.parametrize(("act", "chosen"), [("department", ()), ("nonsense", ("0671111111",))])
async def test_a_change_of_nothing_is_told(olena: Visitor, act: str, chosen: tuple[str, ...]) -> None:
    answer = await choose(olena, act, *chosen)
    assert (answer.status_code, "Choose numbers, and what to do" in answer.text) == (400, True)


async def test_a_look_that_is_not_true_any_more_changes_nothing(olena: Visitor, world: World) -> None:
    preview = await choose(olena, "dnd_on", "0671111111", "0672222222")
    with world.store.write() as conn:
        numbers.set_dnd(conn, world.own.enterprise_id, BORYS, True)
    answer = await apply(olena, preview)
    assert (answer.status_code, "changed entries of the file meanwhile" in answer.text) == (409, True)
    assert not known(world)[ALICE].dnd
    assert (await apply(olena, preview)).status_code == 410


async def upload(visitor: Visitor, content: bytes, name: str = "numbers.csv") -> httpx.Response:
    page = await visitor.page("/provisioning")
    data = {"csrf": str(page.xpath("//input[@name='csrf']/@value")[0])}
    return await visitor.client.post("/provisioning/import", data=data, files={"file": (name, content)})


def sheet(rows: list[list[Any]]) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        page = book.add_worksheet()
        for at, row in enumerate(rows):
            page.write_row(at, 0, row)
    return file.getvalue()


async def test_a_file_is_shown_before_it_counts(olena: Visitor, world: World) -> None:
    content = sheet(
        [
            ["Номер", "Ім'я", "Відділ", "Конвергент", "Запис розмов", "Не турбувати"],
            [671111111, "", "Продажі", "так", "Так", ""],
            ["067 222 2222", "Борис", "Склад", "", "ні", "ні"],
            ["0679999999", "Чужий", "", "", "", ""],
            ["0673333333", "", "", "може", "", ""],
        ]
    )
    preview = await upload(olena, content, "Номери.xlsx")
    said = text_of(html.document_fromstring(preview.text))
    for words in (
        "Номери.xlsx : 1 changed, 1 as before.",
        "2 lines with faults",
        "Line 4 0679999999 is no number of your enterprise.",
        "Line 5 “може” is neither yes nor no.",
        "Department: Збут → Продажі",
        "Recording: no → yes",
    ):
        assert words in said
    assert (await apply(olena, preview)).status_code == 303
    changed = known(world)[ALICE]
    assert (changed.name, changed.department) == ("Олена Коваль", "Продажі")
    assert changed.packages == {*BOTH, Package.CALL_RECORDING}


async def test_the_file_of_the_page_can_be_imported_again(olena: Visitor, world: World) -> None:
    for language in ("uk", "en"):
        olena.client.cookies.set("kobza_language", language)
        answer = await olena.client.get("/provisioning.csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        *_, read = number_pieces(answer.content)
        back = msgspec.json.decode(read, type=Numbers)
        assert compare(back, known(world).values()) == ([], 3)
        assert (back.faults, set(back.rows[ALICE].switches)) == ([], set(SWITCHES))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Choose a file."),
        (b"number\n0671111111\n", "there must be a column with a name"),
        (b"name,department\nX,Y\n", "No column with numbers was found."),
    ],
)
async def test_files_that_cannot_be_taken(olena: Visitor, content: bytes, words: str) -> None:
    answer = await upload(olena, content)
    assert (answer.status_code, words in answer.text) == (400, True)


def test_faults_are_told_by_line() -> None:
    *_, last = number_pieces(b"number,dnd\n101,yes\n,no\n102;103,no\nabc,on\n101,off\n104,+\n")
    read = msgspec.json.decode(last, type=Numbers)
    assert read.faults == [
        Fault(3, "no_number"),
        Fault(4, "many_numbers", "102;103"),
        Fault(5, "bad_number", "abc"),
        Fault(2, "said_again", "6"),
    ]
    assert read.rows == {"101": NumberRow(6, "", "", {"dnd": False}), "104": NumberRow(7, "", "", {"dnd": True})}


cells = st.sampled_from(["", "0671111111", "101", "так", "ні", "може", "Ганна", "x" * 201, '"', "\n", ";"]) | st.text(
    max_size=5
)
heads = st.lists(st.sampled_from(["Номер", "Ім'я", "Відділ", "API FMC", "Не турбувати", "?"]), max_size=6)


@given(heads, st.lists(st.lists(cells, max_size=6), max_size=6))
def test_whatever_is_uploaded_is_told_or_taken(head: list[str], rows: list[list[str]]) -> None:
    *_, last = number_pieces("\n".join(";".join(row) for row in [head, *rows]).encode("utf-8", "replace"))
    read = msgspec.json.decode(last, type=Numbers)
    if not read.unreadable:
        assert read.rows or read.faults
    for row in read.rows.values():
        assert row.switches.keys() <= set(SWITCHES)
        assert max(len(row.name), len(row.department)) <= 200


switches = st.dictionaries(st.sampled_from(SWITCHES), st.booleans())


SWITCHING = [act for act in BULK if act.endswith(("_on", "_off"))]


@given(st.sampled_from(SWITCHING), st.frozensets(st.sampled_from(Package)), st.booleans(), st.booleans(), switches)
def test_what_is_switched_and_said_is_so(
    act: str, packages: frozenset[Package], dnd: bool, hidden: bool, said: dict[str, bool]
) -> None:
    one = Services(ALICE, "Олена", "", packages, dnd, hidden)
    after = switched(one, act)
    assert switched(after, act) == after
    back = act.removesuffix("_on") + "_off" if act.endswith("_on") else act.removesuffix("_off") + "_on"
    assert one in (after, switched(after, back))
    changes, same = compare(Numbers(rows={ALICE: NumberRow(1, "", "Збут", said)}, faults=[]), [one])
    (change,) = changes
    assert same == 0
    has = {**{package.value: package in change.after.packages for package in Package}, "dnd": change.after.dnd}
    has |= {"hidden": change.after.hidden, "call_waiting": change.after.call_waiting}
    assert has.items() >= said.items()
    assert (change.after.name, change.after.department) == ("Олена", "Збут")


# The accounts of phones


async def test_an_account_as_text_and_as_a_code(olena: Visitor, world: World) -> None:
    world.app = world.build(sip=[SipListen("udp", "0.0.0.0", 5070), SipListen("tcp", "0.0.0.0", 5070)])
    async with world.client(cookies=olena.client.cookies) as client:
        visitor = Visitor(client)
        page = await visitor.page("/provisioning/account?number=0671111111")
        assert "SIP account: Олена Коваль" in text_of(page)
        assert page.xpath("//code/text()") == ["kobza.test:5070", ALICE, "UDP, TCP", "kobza"]
        assert page.xpath("//*[@class='qr']") == []
        answer = await visitor.submit("/provisioning/account?number=0671111111", "/provisioning/account")
    made: Any = html.document_fromstring(answer.text)
    (password,) = made.xpath("//code[@id='sip-password']/text()")
    assert len(password) == PASSWORD_LENGTH
    assert set(password) <= set(ALPHABET)
    (path,) = made.xpath("//*[@class='qr']/*[local-name()='path']/@d")
    assert path == qr_code(sip_uri(ALICE, password, "kobza.test:5070", "udp")).path
    with world.store.read() as conn:
        found = numbers.find(conn, world.own.enterprise_id, ALICE)
    assert found is not None
    assert found.ha1_md5 == password, "the stand-in of the commands keeps it"
    for number, status in (("0679999999", 404), ("abc", 400)):
        assert (await olena.client.get(f"/provisioning/account?number={number}")).status_code == status


def test_an_address_with_what_a_uri_reserves() -> None:
    assert sip_uri("+380671111111", "a@b:c", "[::1]:5070", "tcp") == (
        "sip:%2B380671111111:a%40b%3Ac@[::1]:5070;transport=tcp"
    )


@given(st.text(max_size=60))
def test_a_code_draws_the_modules_of_the_symbol(text: str) -> None:
    symbol = segno.make(text or "x", error="m", micro=False)
    wanted = [[bool(module) for module in row] for row in symbol.matrix_iter(border=4)]
    code = qr_code(text or "x")
    drawn = [[False] * code.size for _ in range(code.size)]
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", code.path):
        for at in range(int(width)):
            drawn[int(y)][int(x) + at] = True
    assert drawn == wanted
