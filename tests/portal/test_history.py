"""The history page, its parts for the script, and its files."""

import asyncio
import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.call.heard import HeardCall, HeardSide
from kobza.portal import history_file
from kobza.portal.search_form import FIELDS, OUTCOMES, TALKS, read_form
from kobza.store import address_book, quality
from kobza.store import search as store_search
from kobza.store.entries import CdrClosed, CdrOpened, DetailStored
from tests.api.world import ALICE, BORYS, OUTSIDE, World
from tests.portal.visitor import Visitor, text_of

PART = {"hx-request": "true"}


def shown(page: Any) -> list[str]:
    """Return the rows of the history, the headings of days included."""
    (table,) = page.find_class("history")
    return [text_of(row) for row in table.iter("tr")][1:]


async def rows(visitor: Visitor, query: str = "") -> list[str]:
    return shown(await visitor.page(f"/history{query}"))


@pytest.fixture
def office(world: World) -> World:
    """Three calls on three days, one of them missed, one recorded; and one of another enterprise."""
    world.add_call(started_at=world.at - 86_400 * 12, record_id="r1", call_id="old")
    world.add_call(
        started_at=world.at - 86_400,
        call_id="missed",
        calling_number=OUTSIDE,
        called_number=BORYS,
        answered_number=None,
        direction="incoming",
        answered_at=None,
        cause=17,
    )
    world.add_call(
        started_at=world.at - 60,
        call_id="local",
        called_number=BORYS,
        answered_number=ALICE,
        direction="local",
        ringing_at=None,
    )
    world.add_call(started_at=world.at - 30, call_id="foreign", enterprise_id=world.other.enterprise_id)
    return world


@pytest.mark.usefixtures("office")
async def test_calls_are_listed_by_days_as_people_write_them(olena: Visitor) -> None:
    assert await rows(olena) == [
        "Today",
        "↔ 11:59 Олена Коваль 067 111 1111 · Збут Борис 067 222 2222 · Склад Answered by Олена Коваль Answered 14 s",
        "Yesterday",
        "↙ 12:00 Клієнт, «А» 050 111 2233 Борис 067 222 2222 · Склад User busy Ringing 18 s",
        "Wednesday, 8 April",
        "↗ 12:00 Олена Коваль 067 111 1111 · Збут Клієнт, «А» 050 111 2233 Answered 14 s Ringing 4 s",
    ]
    olena.client.cookies.set("kobza_language", "uk")
    assert (await rows(olena))[2:4] == [
        "Учора",
        "↙ 12:00 Клієнт, «А» 050 111 2233 Борис 067 222 2222 · Склад Абонент зайнятий Дзвінок 18 с",
    ]


@pytest.mark.usefixtures("office")
async def test_the_form_narrows_what_is_shown(olena: Visitor) -> None:
    for query, found in (
        ("?q=050 111", 2),
        ("?q=склад", 2),
        ("?direction=local", 1),
        ("?outcome=answered", 2),
        ("?outcome=17", 1),
        ("?outcome=unanswered", 1),
        ("?talk=short", 0),
        ("?recorded=yes", 1),
        ("?from=2026-04-19&to=2026-04-19", 1),
        ("?to=2026-04-18", 1),
        ("?q=%2B49&sort=oldest", 0),
        ("?sort=longest", 3),
    ):
        page = await olena.page(f"/history{query}")
        calls = page.find_class("outcome")
        assert (query, len(calls)) == (query, found)
        assert ("No call is like that" in text_of(page)) == (found == 0)
    page = await olena.page("/history?q=050&outcome=17&from=2026-04-01&sort=oldest")
    (form,) = [form for form in page.forms if form.action == "/history"]
    assert dict(form.form_values()) == {
        "q": "050",
        "direction": "",
        "outcome": "17",
        "talk": "",
        "recorded": "",
        "from": "2026-04-01",
        "to": "",
        "sort": "oldest",
    }


async def test_an_empty_history_says_what_it_is_for(olena: Visitor) -> None:
    assert "Every call of your numbers appears here as soon as it is over" in text_of(await olena.page("/history"))


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=yesterday", "A date must be a day like 2026-04-20."),
        ("from=0001-01-01", "A date must be a day"),
        ("to=9999-12-31", "A date must be a day"),
        ("from=2026-04-20&to=2026-04-01", "The first day must not be after the last."),
        ("direction=sideways", "One of the choices does not exist"),
        ("after=x", "One of the choices does not exist"),
    ],
)
async def test_what_is_wrong_is_said(olena: Visitor, query: str, sentence: str) -> None:
    assert sentence in text_of(await olena.page(f"/history?{query}"))
    answer = await olena.client.get(f"/history.csv?{query}")
    assert answer.status_code == 400
    assert sentence in answer.text


@given(st.dictionaries(st.sampled_from([*FIELDS, "after"]), st.text() | st.sampled_from([*OUTCOMES, *TALKS, "yes"])))
def test_whatever_is_sent_is_a_form(sent: dict[str, str]) -> None:
    form = read_form(sent, "e")
    again = read_form({**form.values, "after": str(form.after or "")}, "e")
    assert (again.values, again.search, again.after) == (form.values, form.search, form.after)
    assert set(again.wrong) <= {"wrong_interval"}


def make_many(world: World, calls: int) -> None:
    made = [world.cdr(started_at=world.at - 30 - 7 * number) for number in range(calls)]
    world.journal.write([*map(CdrOpened, made), *map(CdrClosed, made)])


async def test_pages_lead_on_with_and_without_a_script(olena: Visitor, world: World) -> None:
    make_many(world, 120)
    page = await olena.page("/history")
    assert len(page.find_class("outcome")) == 50
    (link,) = page.xpath("//a[@id='more']")
    assert link.get("hx-trigger") == "click"
    second = await olena.page(link.get("href"))
    assert "Back to the first page" in text_of(second)
    part = await olena.client.get(link.get("hx-get"), headers={**PART, "hx-trigger": "more"})
    assert "<html" not in part.text
    assert "Today" not in part.text, "it is on the page already"
    assert part.text.count("autofocus") == 1
    times = re.findall(r'<time datetime="([^"]+)"', part.text)
    assert times == [each.get("datetime") for each in second.xpath("//time")]
    (third,) = re.findall(r'hx-get="([^"]+)"', part.text)
    last = await olena.page(third.replace("&amp;", "&"))
    assert (len(last.find_class("outcome")), last.xpath("//a[@id='more']")) == (20, [])


async def test_a_changed_form_gets_its_part_and_the_address_to_show(olena: Visitor, office: World) -> None:
    answer = await olena.client.get("/history?q=&direction=local&sort=newest", headers=PART)
    assert "<html" not in answer.text
    assert answer.text.count('class="outcome"') == 1
    assert answer.headers["hx-push-url"] == "/history?direction=local"
    assert (await olena.client.get("/history?q=", headers=PART)).headers["hx-push-url"] == "/history"
    back = await olena.client.get("/history", headers={**PART, "hx-history-restore-request": "true"})
    assert "<html" in back.text


async def test_a_rare_call_is_looked_for_in_steps(
    olena: Visitor, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_search, "LOOKED", 10)
    make_many(world, 15)
    world.add_call(started_at=world.at - 3600, cause=41, answered_at=None)
    page = await olena.page("/history?outcome=41")
    assert shown(page) == ["Looked as far as 20 April 2026, 11:58. Look further"]
    (link,) = page.xpath("//a[@id='more']")
    assert link.get("hx-trigger") == "click, intersect once"
    assert "Temporary failure" in text_of(await olena.page(link.get("href")))
    monkeypatch.setattr(store_search, "SORTED", 10)
    assert "too many calls to sort by length" in text_of(await olena.page("/history?sort=longest"))
    assert (await olena.client.get("/history.xlsx?sort=longest")).status_code == 400


async def test_a_sign_in_that_ended_takes_the_whole_page(visitor: Visitor) -> None:
    answer = await visitor.client.get("/history?q=067", headers=PART)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/signin?next=/history%3Fq%3D067")
    answer = await visitor.client.get("/history?q=067")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?next=/history%3Fq%3D067")


async def fetch(visitor: Visitor, path: str) -> httpx.Response:
    answer = await visitor.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer


HEARD = (
    *("MOS at the caller", "Loss at the caller, %", "Jitter at the caller, ms"),
    *("MOS at the called", "Loss at the called, %", "Jitter at the called, ms", "One-way audio"),
)
"""The last columns of a file."""


async def test_the_csv_is_what_is_shown(olena: Visitor, office: World) -> None:
    with office.store.write() as conn:
        address_book.put(conn, office.own.enterprise_id, [address_book.Entry(OUTSIDE, '=1+1, "Ї"', "")])
    answer = await fetch(olena, "/history.csv?q=050&sort=oldest")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"history.csv\"; filename*=UTF-8''Calls%202026-04-20%2012-00.csv"
    )
    head, *lines = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert [dict(zip(head, line, strict=True)) for line in lines] == [
        {
            "Begun": "2026-04-08 12:00:00",
            "Direction": "outgoing",
            "From": "0671111111",
            "Caller": "Олена Коваль",
            "Caller's department": "Збут",
            "To": "0501112233",
            "Called": '\'=1+1, "Ї"',
            "Called one's department": "",
            "Answered by number": "0501112233",
            "Talk": "0:00:14",
            "Rang for": "0:00:04",
            "Outcome": "Answered",
            "Recording": "yes",
            "Own text": "",
            "Call id": "old",
            **dict.fromkeys(HEARD, ""),
        },
        {
            "Begun": "2026-04-19 12:00:00",
            "Direction": "incoming",
            "From": "0501112233",
            "Caller": '\'=1+1, "Ї"',
            "Caller's department": "",
            "To": "0672222222",
            "Called": "Борис",
            "Called one's department": "Склад",
            "Answered by number": "",
            "Talk": "0:00:00",
            "Rang for": "0:00:18",
            "Outcome": "User busy",
            "Recording": "no",
            "Own text": "",
            "Call id": "missed",
            **dict.fromkeys(HEARD, ""),
        },
    ]
    assert (await olena.client.get("/history.pdf")).status_code == 404


async def test_the_xlsx_is_what_is_shown_with_real_times(olena: Visitor, office: World) -> None:
    with office.store.write() as conn:
        address_book.put(conn, office.own.enterprise_id, [address_book.Entry(BORYS, "=HYPERLINK(1)", "Склад")])
    olena.client.cookies.set("kobza_language", "uk")
    answer = await fetch(olena, "/history.xlsx?outcome=17")
    book = await asyncio.to_thread(openpyxl.load_workbook, io.BytesIO(answer.content))
    head, row = book["Історія"].iter_rows(values_only=True)
    assert head[:3] == ("Початок", "Напрямок", "Хто")
    assert str(row[0]) == "2026-04-19 12:00:00"
    assert row[6] == "=HYPERLINK(1)"
    assert book["Історія"]["G2"].data_type == "s", "a text, not a formula"
    assert row[9:12] == (timedelta(0), timedelta(seconds=18), "Абонент зайнятий")


async def test_files_end_with_how_both_sides_heard_each_other(olena: Visitor, office: World) -> None:
    start = office.at - 100
    heard = {
        "well": HeardCall(HeardSide(1000, 0, 0, 2.4, 38.6, 4.14), HeardSide(2000, 0, 11, None, 38.6, 4.0)),
        "deaf": HeardCall(HeardSide(0, 0, 0), HeardSide(500, 0, 0)),
        "half": HeardCall(HeardSide(800, 0, 0, 60.0, None, 3.96), HeardSide(900, 0, 0)),
    }
    for at, (call_id, sides) in enumerate(heard.items()):
        office.add_call(call_id=call_id, started_at=start + at)
        office.journal.write([DetailStored(call_id, "quality", quality.written(sides))])
    office.journal.write([DetailStored("ladder", "sip_ladder", "[]")])
    office.add_call(call_id="ladder", started_at=start + 9)
    expected = {
        "well": ["4.1", "0.0", "2", "4.0", "1.1", "", ""],
        "deaf": ["", "", "", "", "", "", "the caller was not heard"],
        "half": ["4.0", "0.0", "60", "", "", "", ""],
        "ladder": [""] * 7,
    }
    answer = await fetch(olena, "/history.csv?sort=oldest&from=2026-04-20")
    head, *lines = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert head[-8:] == ["Call id", *HEARD]
    assert {line[-8]: line[-7:] for line in lines if line[-8] in expected} == expected
    assert "MOS 4.1 · loss 0.0 % · jitter 2 ms" in (await olena.client.get("/history/well")).text, "as its page"
    answer = await fetch(olena, "/history.xlsx?from=2026-04-20")
    book = await asyncio.to_thread(openpyxl.load_workbook, io.BytesIO(answer.content))
    _, *rows = book["History"].iter_rows()
    cells = {row[-8].value: row[-7:] for row in rows}
    assert [cell.value for cell in cells["well"]] == [4.1, 0, 2, 4, 1.1, None, None]
    assert [cell.number_format for cell in cells["well"][:3]] == ["0.0", "0.0", "General"], "4 is shown as 4.0"
    assert [cell.value for cell in cells["deaf"]] == [None] * 6 + ["the caller was not heard"]


def test_an_xlsx_that_would_be_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from kobza.portal.texts import say_in

    monkeypatch.setattr(history_file, "XLSX_ROWS", 3)
    pages: Iterator[list[list[history_file.Cell]]] = iter([[["a"]] * 2, [["b"]] * 2, [["never read"]]])
    content = b"".join(history_file._xlsx_pieces(pages, say_in("en")))
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    first = [row[0] for row in sheet.iter_rows(values_only=True)]
    assert first == ["Begun", "a", "a", "b", "Only the first 3 calls. Take CSV for all of them."]


async def test_a_search_is_kept_chosen_by_a_click_and_forgotten(olena: Visitor, office: World) -> None:
    found = "/history?outcome=17&q=050"
    for name in ("Зайняті", "Зайняті", " Аптека  на розі "):
        answer = await olena.submit(found, "/history/saved", name=name)
        assert answer.headers["location"] == "/history?q=050&outcome=17"
    page = await olena.page("/history?q=050&outcome=17")
    links = page.xpath("//nav[@class='saved']//a")
    assert [(link.text, link.get("href"), link.get("aria-current")) for link in links] == [
        ("Аптека на розі", "/history?q=050&outcome=17", "true"),
        ("Зайняті", "/history?q=050&outcome=17", "true"),
    ]
    async with office.client() as client:
        petro = Visitor(client)
        await petro.sign_in("petro")
        assert "Зайняті" not in text_of(await petro.page("/history")), "they are one's own"
    await olena.submit("/history", "/history/saved/remove")
    assert len((await olena.page("/history")).xpath("//nav[@class='saved']//a")) == 1
    for fields, words in (
        ({"name": " "}, "needs a name of up to 40 characters"),
        ({"name": "x" * 41}, "needs a name of up to 40 characters"),
        ({"query": "outcome=nonsense"}, "Choose something in the form first"),
        ({"query": ""}, "Choose something in the form first"),
    ):
        refused = await olena.submit(found, "/history/saved", **{"name": "y", **fields})
        assert (refused.status_code, words in refused.text) == (400, True), fields
    for number in range(19):
        await olena.submit(found, "/history/saved", name=f"{number}")
    refused = await olena.submit(found, "/history/saved", name="one too many")
    assert "You have 20 saved searches" in refused.text


async def test_own_texts_are_found_and_shown(olena: Visitor, office: World) -> None:
    office.add_call(started_at=office.at - 10, call_id="ordered", client_state="Order-50% №_17")
    sought = {"order-50%25 №_17": 1, "ORDER": 1, "_17": 1, "50%25 _": 0, "o": 0, "%27 OR 1=1 --": 0}
    for query, count in sought.items():
        page = await olena.page(f"/history?q={query}")
        assert (query, len(page.find_class("outcome"))) == (query, count)
    assert "Order-50% №_17" in text_of(await olena.page("/history?q=order"))
    file = (await olena.client.get("/history.csv?q=order")).text
    assert "Own text" in file
    assert "Order-50% №_17" in file
