"""Working hours in the portal: of the company, of a number, of a group, and what holds until a moment."""

from datetime import UTC, datetime

import httpx
import msgspec
import pytest
from lxml import html

from kobza.call.group import RingingGroup
from kobza.call.hours import ALWAYS, Callers, Override, WorkingHours
from kobza.call.hours_form import week_of
from kobza.portal.hours_view import state_view, week_words
from kobza.portal.number_file import Numbers, number_pieces
from kobza.portal.texts import say_in
from kobza.store import audit, directory, groups, hours
from kobza.store.audit import AuditSearch
from kobza.store.hours import COMPANY
from tests.api.world import ALICE, BORYS, OUTSIDE, STRANGER, World
from tests.portal.test_services import apply, choose, upload
from tests.portal.visitor import Visitor, text_of
from tests.support.hours import working

PAGE = "/provisioning/hours"
OF_ALICE = f"{PAGE}?number=0671111111"
OFFICE = "mon-fri 09:00-18:00"


def put(world: World, number: str, given: WorkingHours) -> None:
    with world.store.write() as conn:
        hours.put(conn, world.own.enterprise_id, number, given)


def given(world: World, number: str = COMPANY) -> WorkingHours | None:
    with world.store.read() as conn:
        return hours.find(conn, world.own.enterprise_id, number)


async def send(visitor: Visitor, path: str = PAGE, **fields: str) -> httpx.Response:
    return await visitor.submit(path, PAGE, **fields)


async def state_on(visitor: Visitor, path: str = PAGE) -> str:
    page = await visitor.page(path)
    return text_of(page.xpath("//form[@action='/provisioning/hours/override']//span[contains(@class, 'mark')]")[0])


async def test_the_company_gets_hours(olena: Visitor, world: World) -> None:
    assert await state_on(olena) == "Open at all times"
    page = await olena.page(PAGE)
    assert page.xpath("//input[@name='mon']/@value") == ["09:00–18:00"]  # what most offices have is there already
    fields = {"sat": "10-15", "sun": "22:00 - 04:00", "date_0": "2026-12-25", "date_2": "2026-12-31", "hours_2": "9-12"}
    answer = await send(olena, mode="week", **fields, closed_to="050 111 22 33", callers="all", zone="Europe/Warsaw")
    assert answer.headers.get("location") == f"{PAGE}?saved=1", answer.text
    expected = working(
        "mon-fri 9-18; sat 10-15; sun 22-4",
        "2026-12-25; 2026-12-31 9-12",
        zone="Europe/Warsaw",
        callers=Callers.ALL,
        closed_to=OUTSIDE,
    )
    assert given(world) == expected
    page = await olena.page(PAGE)
    shown = [page.xpath(f"//input[@name='{name}']/@value")[0] for name in ("sun", "date_0", "hours_0", "hours_1")]
    assert shown == ["22:00–04:00", "2026-12-25", "", "09:00–12:00"]
    assert world.commands.refreshed == 1
    with world.store.read() as conn:
        (entry,) = audit.page(conn, AuditSearch(world.own.enterprise_id, "hours.set"), None, 9)
    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["week"], entry.before["time_zone"]) == (None, "Europe/Kyiv")
    assert entry.after["week"] == "mon-fri 09:00-18:00; sat 10:00-15:00; sun 22:00-04:00"
    audited = text_of(await olena.page("/audit"))
    assert "working hours set" in audited
    assert "050 111 2233" in audited
    await send(olena, mode="always", date_0="", date_1="")
    assert given(world) == WorkingHours(expected.zone, ALWAYS, callers=Callers.ALL, closed_to=OUTSIDE)


async def test_a_number_has_its_own_or_the_companys(olena: Visitor, world: World) -> None:
    put(world, COMPANY, working(OFFICE, "2026-12-25"))
    page = await olena.page(OF_ALICE)
    assert page.xpath("//input[@name='mode'][@checked]/@value") == ["company"]
    assert "Mon–Fri 09:00–18:00" in text_of(page)
    await send(olena, OF_ALICE, mode="week", mon="", sat="8-12", closed_to="101")
    assert given(world, ALICE) == working("tue-fri 09:00-18:00; sat 08:00-12:00", closed_to="101")
    listed = text_of((await olena.page(PAGE)).xpath("//table//tr[.//a[contains(., 'Олена')]]")[0])
    assert "Tue–Fri 09:00–18:00; Sat 08:00–12:00" in listed
    page = await olena.page(OF_ALICE)
    form = next(form for form in page.forms if form.action == PAGE)
    values = {name: value for name, value in form.form_values() if name != "company_dates"}
    await olena.client.post(PAGE, data=values)
    own = given(world, ALICE)
    assert own is not None
    assert not own.company_dates
    answer = await send(olena, OF_ALICE, mode="company")
    assert answer.headers["location"] == f"{OF_ALICE}&saved=1"
    assert given(world, ALICE) is None
    with world.store.read() as conn:
        (entry,) = audit.page(conn, AuditSearch(world.own.enterprise_id, "hours.removed"), None, 9)
    assert (entry.subject, entry.after) == (ALICE, None)


async def test_closed_until_then_by_itself(olena: Visitor, world: World) -> None:
    """Also of a number that has nothing of its own: afterwards it is as all others."""
    put(world, COMPANY, working("always"))
    act = f"{PAGE}/override"
    for number, path in ((ALICE, OF_ALICE), (COMPANY, PAGE)):
        await olena.submit(path, act, act="closed", lasting="2h")
        closed = given(world, number)
        assert closed is not None
        assert closed.override == Override(False, int(world.at * 1000) + 7_200_000)
        assert closed.as_company is (number == ALICE)
        assert (await state_on(olena, path)).startswith("Closed until ")
        assert "whatever the plan says" in text_of(await olena.page(path))
        with world.store.read() as conn:
            assert not directory.load(conn).hours[number or world.own.enterprise_id].open_at(world.at)
        await send(olena, path)  # saving the plan lets it be
        assert getattr(given(world, number), "override", None) == closed.override
        await olena.submit(path, act, act="planned")
        assert await state_on(olena, path) == "Open at all times"
    assert given(world, ALICE) is None
    await olena.submit(PAGE, act, act="open", lasting="at", until="2026-12-31T18:30")
    opened = given(world)
    assert opened is not None
    assert opened.override == Override(True, int(datetime(2026, 12, 31, 16, 30, tzinfo=UTC).timestamp() * 1000))
    await olena.submit(PAGE, act, act="planned")
    for wrong in ("2020-01-01T10:00", "", "soon"):
        answer = await olena.submit(PAGE, act, act="open", lasting="at", until=wrong)
        assert (answer.status_code, "has to be in the future" in answer.text) == (400, True)
    assert given(world) == working("always")


@pytest.mark.database("sqlite")  # nothing is written
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mon": "9-25"}, "“Monday”: intervals are needed"),
        ({"tue": "9-13, 12-18"}, "“Tuesday”: intervals are needed"),
        ({"date_0": "2026-02-30"}, "“2026-02-30”: a day is needed"),
        ({"date_0": "2026-12-25", "date_1": "2026-12-25"}, "given once"),
        ({"date_1": "2026-12-25", "hours_1": "all day"}, "“2026-12-25”: a day is needed"),
        ({"closed_to": "the guard"}, "“Outside the hours calls go to”: this is no number"),
        ({"zone": "Kyiv"}, "no such time zone"),
    ],
)
async def test_what_cannot_be_is_told_and_stays_in_the_form(
    olena: Visitor, world: World, fields: dict[str, str], words: str
) -> None:
    answer = await send(olena, mode="week", **fields)
    assert (answer.status_code, words in answer.text) == (400, True)
    assert all(f'value="{value}"' in answer.text for value in fields.values())
    assert 'aria-invalid="true"' in answer.text
    assert given(world) is None


async def test_a_group_and_strangers(olena: Visitor, world: World) -> None:
    with world.store.write() as conn:
        groups.put(conn, RingingGroup("200", world.own.enterprise_id, "Sales", members=(ALICE,)))
    put(world, COMPANY, working("closed", "2026-12-25 9-10", closed_to="101"))
    rows = (await olena.page(PAGE)).xpath("//section//tbody/tr")
    assert [text_of(row) for row in rows] == ["Sales 200 As the whole company Closed until 25 December 09:00"]
    assert "/provisioning/hours?number=200" in (await olena.client.get("/provisioning/groups")).text
    await send(olena, f"{PAGE}?number=200", mode="always")
    assert given(world, "200") == working("always")
    for number in (STRANGER.replace("+", "%2B"), "201", "0671119999"):
        assert (await olena.client.get(f"{PAGE}?number={number}")).status_code == 404
    assert (await olena.client.get(f"{PAGE}?number=sales")).status_code == 400


@pytest.mark.parametrize(
    ("now", "english", "ukrainian"),
    [
        ("2026-11-26 10:00", "Open until 18:00", "Відкрито до 18:00"),
        ("2026-11-26 20:00", "Closed until tomorrow 09:00", "Зачинено до завтра 09:00"),
        ("2026-11-27 20:00", "Closed until Monday 09:00", "Зачинено до понеділка 09:00"),
        ("2026-12-24 18:00", "Closed until 4 January 2027 09:00", "Зачинено до 4 січня 2027 09:00"),
    ],
)
def test_a_state_in_words(now: str, english: str, ukrainian: str) -> None:
    office = working(OFFICE, "2026-12-25..2027-01-03")
    moment = datetime.fromisoformat(now).replace(tzinfo=office.zone).timestamp()
    assert state_view(office, moment, say_in("en")).words == english
    assert state_view(office, moment, say_in("uk")).words == ukrainian


def test_a_week_in_words() -> None:
    week = week_of("mon-fri 9-18; sat 22-4")
    assert week_words(week, say_in("en")) == "Mon–Fri 09:00–18:00; Sat 22:00–04:00"
    assert week_words(week, say_in("uk")) == "пн–пт 09:00–18:00; сб 22:00–04:00"
    assert week_words(week_of("closed"), say_in("en")) == "Closed"


async def test_many_numbers_and_a_file_have_hours(olena: Visitor, world: World) -> None:
    with world.store.write() as conn:
        hours.set_zone(conn, world.own.enterprise_id, "UTC")
    table = (
        "Номер;Робочі години;Поза годинами дзвінки йдуть на\n"
        "0671111111;пн-пт 9-18;050 111 22 33\n0672222222;;101\n0673333333;soon;\n"
    )
    preview = await upload(olena, table.encode())
    said = text_of(html.document_fromstring(preview.text))
    assert "Working hours: As the whole company → Mon–Fri 09:00–18:00" in said
    assert "067 222 2222: where calls go" in said or "0672222222: where calls go" in said
    assert "“soon” is no working hours" in said
    assert (await apply(olena, preview)).status_code == 303
    assert given(world, ALICE) == working(OFFICE, zone="UTC", closed_to=OUTSIDE)
    with world.store.read() as conn:
        (entry,) = audit.page(conn, AuditSearch(world.own.enterprise_id, "number.changed"), None, 9)
    assert entry.after == {"week": OFFICE, "closed_to": OUTSIDE}
    for language in ("uk", "en"):
        olena.client.cookies.set("kobza_language", language)
        *_, last = number_pieces((await olena.client.get("/provisioning.csv")).content)
        row = msgspec.json.decode(last, type=Numbers).rows[ALICE]
        assert (row.week, row.closed_to) == (OFFICE, OUTSIDE)
    await apply(olena, await choose(olena, "hours_always", "0671111111", "0672222222"))
    assert given(world, ALICE) == working("always", zone="UTC", closed_to=OUTSIDE)
    assert given(world, BORYS) == working("always", zone="UTC")
    await olena.submit(OF_ALICE, f"{PAGE}/override", act="closed", lasting="2h")
    preview = await upload(olena, b"number,working hours\n0671111111,no\n0672222222,no\n")
    assert (await apply(olena, preview)).status_code == 303
    kept = given(world, ALICE)
    assert kept is not None
    assert (kept.as_company, kept.override is not None, given(world, BORYS)) == (True, True, None)
