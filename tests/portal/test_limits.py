"""Limits of outside calls in the portal: what is spent, what an administrator may narrow, what an operator sets."""

from collections.abc import AsyncIterator

import httpx
import pytest

from kobza.call.outside import OutsideLimits
from kobza.portal.limits import FIELDS
from kobza.store import audit, outside
from kobza.store.audit import AuditSearch
from tests.api.world import ALICE, World
from tests.portal.people import OPERATOR, add_people
from tests.portal.visitor import Visitor, text_of

WHOLE = "/provisioning/limits"
PAGE = f"{WHOLE}?number=0671111111"


def said(world: World, number: str = ALICE) -> OutsideLimits:
    with world.store.read() as conn:
        return outside.find(conn, world.own.enterprise_id, number)


async def send(visitor: Visitor, page: str = PAGE, **fields: str) -> httpx.Response:
    return await visitor.submit(page, WHOLE, **fields)


async def test_an_administrator_sees_what_is_spent_and_makes_it_narrower(olena: Visitor, world: World) -> None:
    page = await olena.page(PAGE)
    rows = {cells[0]: cells[1:] for row in page.xpath("//table//tr[td]") if (cells := [text_of(each) for each in row])}
    assert rows["Calls in a minute"] == ["1", "60"]
    assert rows["Calls in a day"] == ["40", "none"]
    assert rows["Minutes of talk in a day"] == ["130", "none"]
    assert "Not called: +380900" in text_of(page)
    answer = await send(olena, calls_minute="60", calls_day="40", denied="0900, +979 +979", at_once="")
    assert answer.headers["location"] == f"{PAGE}&saved=1"
    assert said(world) == OutsideLimits(calls_minute=60, calls_day=40, denied=("+380900", "+979"))
    assert world.commands.refreshed == 1
    page = await olena.page(PAGE)
    assert page.xpath("//input[@name='denied']/@value") == ["+380900 +979"]
    assert "40 reached" in text_of(page)
    with world.store.read() as conn:
        (entry,) = audit.page(conn, AuditSearch(world.own.enterprise_id, "limits.set"), None, 9)
    assert entry.after == {"number": ALICE, "calls_minute": 60, "calls_day": 40, "denied": "+380900 +979"}
    listed = await olena.page(WHOLE)
    assert listed.xpath("//a[contains(@href, 'limits?number=')]/text()") == ["067 111 1111"]
    await send(olena, **dict.fromkeys(FIELDS, ""))
    assert said(world).says_nothing


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"calls_minute": "61"}, "“Calls in a minute”: this opens more"),
        ({"at_once": "0"}, "“Calls at once”: this opens more"),
        ({"allowed": "0900"}, "“May be called all the same”: this opens more"),
        ({"calls_hour": "many"}, "a number from 0 (no limit) to 1000000"),
        ({"calls_hour": "1000001"}, "a number from 0 (no limit) to 1000000"),
        ({"denied": "+380 abroad"}, "“Not to be called”: beginnings of numbers"),
        ({"denied": " ".join(f"+{number}" for number in range(201))}, "at most 200"),
    ],
)
async def test_what_cannot_be_is_told_and_stays_in_the_form(
    olena: Visitor, world: World, fields: dict[str, str], words: str
) -> None:
    answer = await send(olena, **fields)
    assert (answer.status_code, words in answer.text) == (400, True)
    assert all(f'value="{value}"' in answer.text for value in fields.values())
    assert said(world).says_nothing


@pytest.fixture
async def operator(world: World) -> AsyncIterator[Visitor]:
    """An operator who has entered the first enterprise."""
    add_people(world)
    async with world.client() as client:
        visitor = Visitor(client)
        await visitor.sign_in(OPERATOR)
        await visitor.submit("/enterprises", "/enterprises/enter", enterprise_id=world.own.enterprise_id)
        yield visitor


async def test_an_operator_sets_anything(olena: Visitor, world: World, operator: Visitor) -> None:
    """And what an operator has opened may be kept, or made narrower, by an administrator."""
    answer = await send(olena, at_once="5", number="")
    assert (answer.status_code, "set by the operator" in answer.text) == (400, True)
    assert not (await olena.page(WHOLE)).xpath("//form[@method='post'][@action='/provisioning/limits']")
    assert (
        await send(operator, WHOLE, at_once="20", minutes_day="3000", denied="+", allowed="+380")
    ).status_code == 303
    assert said(world, "") == OutsideLimits(at_once=20, minutes_day=3000, denied=("+",), allowed=("+380",))
    assert (await send(operator, calls_minute="100", at_once="0", allowed="0900")).status_code == 303
    assert (await send(olena, calls_minute="100", at_once="99", allowed="+380900")).status_code == 303
    assert said(world) == OutsideLimits(calls_minute=100, at_once=99, allowed=("+380900",))
    assert (await send(olena, calls_minute="101")).status_code == 400
