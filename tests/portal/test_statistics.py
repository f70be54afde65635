"""The page of statistics, its tables and files, the form of its days."""

import csv
import io
from datetime import date

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from kobza.portal import charts
from kobza.portal.days_form import MOST_DAYS, read_days
from tests.api.world import ALICE, BORYS, OUTSIDE, World
from tests.portal.visitor import Visitor, text_of

TODAY = date(2026, 4, 20)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def office(world: World) -> World:
    """An answered call out, a missed one in, a local one; and one of another enterprise."""
    world.add_call(started_at=world.at - 86_400)
    world.add_call(
        started_at=world.at - 3600,
        calling_number=OUTSIDE,
        called_number=BORYS,
        answered_number=None,
        direction="incoming",
        answered_at=None,
        cause=17,
    )
    world.add_call(started_at=world.at - 60, called_number=BORYS, answered_number=ALICE, direction="local")
    world.add_call(started_at=world.at - 30, enterprise_id=world.other.enterprise_id)
    return world


async def file(visitor: Visitor, path: str) -> list[dict[str, str]]:
    answer = await visitor.client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


@pytest.mark.usefixtures("office")
async def test_the_page_says_what_was_counted(olena: Visitor) -> None:
    said = text_of(await olena.page("/statistics"))
    for words in (
        "Calls in all 3",
        "Incoming 1 0% answered",
        "Missed 1 100% of incoming",
        "Mean talk 13 s 27 s in all",
        "Not called back 1",
        "Клієнт, «А» 050 111 2233 1 missed 20 April 2026, 11:00 Борис not yet",
        "Олена Коваль",
    ):
        assert words in said
    part = await olena.client.get(
        "/statistics?from=2026-04-20&to=2026-04-20&department=", headers={"hx-request": "true"}
    )
    assert "<html" not in part.text
    assert part.headers["hx-push-url"] == "/statistics?from=2026-04-20&to=2026-04-20"
    assert "Calls in all" in part.text
    assert "These days had no calls" in text_of(await olena.page("/statistics?from=2026-01-01&to=2026-01-02"))


@pytest.mark.usefixtures("office")
async def test_each_part_is_a_table_a_file_and_a_picture(olena: Visitor) -> None:
    assert await file(olena, "/statistics/people.csv") == [
        {
            "Name": name,
            "Number": number,
            "Department": department,
            "Answered": answered,
            "Missed": missed,
            "Answered share": share,
            "Time to answer": wait,
            "Called": made,
            "Got through": through,
            "Talked": talk,
        }
        for name, number, department, answered, missed, share, wait, made, through, talk in (
            ("Олена Коваль", "067 111 1111", "Збут", "1", "0", "100.0", "0:00:04", "2", "2", "0:00:40"),
            ("Борис", "067 222 2222", "Склад", "0", "1", "0.0", "", "0", "0", "0:00:00"),
        )
    ]
    days = await file(olena, "/statistics/days.csv?from=2026-04-19&to=2026-04-20")
    assert [(day["Day"], day["Missed"], day["In all"]) for day in days] == [
        ("2026-04-19", "0", "1"),
        ("2026-04-20", "1", "2"),
    ]
    assert [day["In all"] for day in await file(olena, "/statistics/days.csv?from=2026-01-01&to=2026-04-20")][-2:] == [
        "1",
        "2",
    ]
    assert (await file(olena, "/statistics/people.csv?department=Склад"))[0]["Name"] == "Борис"
    assert [row["Number"] for row in await file(olena, "/statistics/lost.csv")] == ["050 111 2233"]
    for part in ("days", "hours", "weekdays", "week", "waits", "people", "departments"):
        await file(olena, f"/statistics/{part}.csv")
        assert await olena.page(f"/statistics/{part}") is not None
        table = await olena.client.get(f"/statistics/{part}", headers={"hx-request": "true"})
        assert table.text.startswith('<div class="scroll"')
        picture = await olena.client.get(f"/statistics/{part}.svg")
        assert picture.headers["content-type"] == "image/svg+xml"
        drawn = etree.fromstring(picture.content)
        assert drawn.tag == f"{SVG}svg"
        assert all(each.get("fill") for each in drawn.iter(f"{SVG}rect", f"{SVG}text")), (
            "it stands without a style sheet"
        )
    for path in ("/statistics/nothing.csv", "/statistics/nothing", "/statistics/lost.svg"):
        assert (await olena.client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=yesterday", "A date must be a day like 2026-04-20."),
        ("from=2026-04-20&to=2026-04-01", "The first day must not be after the last."),
        ("from=2024-01-01&to=2026-04-01", "Choose 366 days at most."),
    ],
)
async def test_what_is_wrong_is_said(olena: Visitor, query: str, sentence: str) -> None:
    assert sentence in text_of(await olena.page(f"/statistics?{query}"))
    answer = await olena.client.get(f"/statistics/days.csv?{query}")
    assert (answer.status_code, sentence in answer.text) == (400, True)


async def test_names_appear_at_once_though_numbers_are_remembered(olena: Visitor, office: World) -> None:
    from kobza.store import address_book

    await olena.page("/statistics")
    with office.store.write() as conn:
        address_book.put(conn, office.own.enterprise_id, [address_book.Entry(OUTSIDE, "Новий", "")])
    office.add_call(started_at=office.at - 10)
    said = text_of(await olena.page("/statistics"))
    assert ("Новий" in said, "Calls in all 3" in said) == (True, True)
    office.at += 61
    assert "Calls in all 4" in text_of(await olena.page("/statistics"))


async def test_another_enterprise_has_its_own(visitor: Visitor, office: World) -> None:
    answer: httpx.Response = await visitor.sign_in("petro")
    assert answer.status_code == 303
    assert "Calls in all 1" in text_of(await visitor.page("/statistics"))


days = st.dates(date(1900, 1, 1), date(9100, 1, 1)).map(str) | st.text(max_size=12)


@given(st.fixed_dictionaries({}, optional={"from": days, "to": days, "department": st.text(max_size=12)}))
def test_whatever_is_sent_is_a_form(sent: dict[str, str]) -> None:
    form = read_days(sent, TODAY)
    assert 1 <= form.days <= MOST_DAYS
    assert form.from_ms < form.to_ms
    again = read_days({"from": str(form.first), "to": str(form.last), "department": form.department or ""}, TODAY)
    assert (again.first, again.last, again.department, again.wrong) == (form.first, form.last, form.department, ())


def test_a_day_of_an_autumn_night_has_25_hours() -> None:
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-04-20", 24)):
        form = read_days({"from": day, "to": day}, TODAY)
        assert form.to_ms + 1 - form.from_ms == hours * 3_600_000


@given(st.integers(0, 10**12))
def test_lines_are_round_few_and_enough(highest: int) -> None:
    lines = charts.steps_to(highest)
    assert lines[-1] >= highest
    assert 1 <= len(lines) <= 4
    assert {line // lines[0] for line in lines} == set(range(1, len(lines) + 1))
    assert str(lines[0]).rstrip("0") in ("1", "2", "5")


@given(st.lists(st.lists(st.integers(0, 10**6), min_size=2, max_size=2), max_size=40))
def test_bars_stay_in_their_place(values: list[list[int]]) -> None:
    names = [str(at) for at in range(len(values))]
    chart = charts.bars(values, ("answered", "missed"), names, charts.sparse(names), str)
    for bar, counts in zip(chart.bars, values, strict=True):
        assert len(bar.segments) == sum(count > 0 for count in counts)
        for one in bar.segments:
            assert 0 <= one.x <= one.x + one.width <= 100.1
            assert charts.ABOVE - 0.1 <= one.y <= one.y + one.height <= charts.ABOVE + charts.PLOT + 0.1
    assert len(chart.labels) <= 6 or len(values) <= 6
