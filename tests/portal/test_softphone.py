"""The page of the phone: for whom it is, what it is made of, and what it asks of the server beside SIP."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from tests.api.world import ALICE, BORYS, OUTSIDE, Leg, World
from tests.portal.people import EMPLOYEE, ENTERED, SUPERVISOR, add_people
from tests.portal.visitor import Visitor, text_of

STATIC = files("kobza.portal") / "static"


@pytest.fixture
async def borys(world: World, visitor: Visitor) -> Visitor:
    """Return the employee with a number, signed in."""
    add_people(world)
    await visitor.sign_in(EMPLOYEE)
    return visitor


async def test_the_page_is_for_the_own_number(borys: Visitor) -> None:
    page = await borys.page("/phone?number=%22%3E067")
    (phone,) = page.xpath("//*[@id='phone']")
    assert phone.get("data-user") == "0672222222"
    assert "password" not in phone.attrib.keys() | json.loads(phone.get("data-texts")).keys()
    assert page.xpath("//*[@id='dialled']/@value") == ['">067']
    assert "/phone" in page.xpath("//nav[@class='tabs']/a/@href")
    scripts = page.xpath("//script/@src")
    assert {"/static/jssip.min.js", "/static/phone.js"} <= set(scripts)
    for path in [*scripts, *page.xpath("//link[@rel='stylesheet']/@href")]:
        assert (await borys.client.get(path)).status_code == 200, path
    elsewhere = await borys.page("/history")
    assert "/static/jssip.min.js" not in elsewhere.xpath("//script/@src"), "it weighs more than all other pages"


def test_what_the_script_says_is_what_the_page_gives_it() -> None:
    """A text that the script asks for and the page does not give would be an error in the middle of a call."""
    from kobza.portal.softphone import TEXTS

    given = {key.removeprefix("phone_") for key in TEXTS}
    script = (STATIC / "phone.js").read_text()
    quoted = set(re.findall(r'"(\w+)"', script)) | {f"quality_{grade}" for grade in ("good", "fair", "poor", "silent")}
    assert given <= quoted
    asked = set(re.findall(r'\bsay\("(\w+)"', script)) | set(re.findall(r'"(end_\w+)"', script))
    assert asked <= given
    template = (files("kobza.portal") / "templates" / "phone.html").read_text()
    assert set(re.findall(r'\bat\("([\w-]+)"\)', script)) <= set(re.findall(r'\bid="([\w-]+)"', template))


def test_the_library_is_the_one_that_is_written_down() -> None:
    wanted = json.loads((Path(__file__).parents[2] / "tools" / "jssip" / "package.json").read_text())["dependencies"]
    assert f"/* JsSIP {wanted['jssip']}, MIT license" in (STATIC / "jssip.min.js").read_text()[:100]
    licenses = (STATIC / "jssip.LICENSE").read_text()
    for package, version in wanted.items():
        assert f"{package} {version}\n" in licenses


@pytest.mark.parametrize("login", [SUPERVISOR, "olena", ENTERED])
async def test_who_has_no_number_is_told(world: World, visitor: Visitor, login: str) -> None:
    add_people(world)
    await visitor.sign_in(login)
    if login == ENTERED:
        page = await visitor.page("/enterprises")
        (form,) = [form for form in page.forms if form.fields.get("enterprise_id") == world.own.enterprise_id]
        await visitor.client.post(form.action, data=dict(form.form_values()))
    page = await visitor.page("/phone")
    assert not page.xpath("//*[@id='phone']")
    assert "You have not been given a number" in text_of(page) or "number" in text_of(page)
    assert "/phone" not in page.xpath("//nav[@class='tabs']/a/@href")
    answer = await visitor.client.post("/phone/transfer", data={"csrf": await token_of(visitor), "destination": "067"})
    assert answer.status_code == 404


async def token_of(visitor: Visitor) -> str:
    page = await visitor.page("/account")
    return str(page.xpath("//input[@name='csrf']/@value")[0])


async def test_names_come_from_the_address_book(borys: Visitor) -> None:
    async def who(number: str) -> object:
        answer = await borys.client.get("/phone/who", params={"number": number})
        return answer.json() if answer.status_code == 200 else answer.status_code

    assert await who("0501112233") == {"name": "Клієнт, «А»", "number": "050 111 2233"}
    assert await who("+380671111111") == {"name": "Олена Коваль", "number": "067 111 1111"}
    assert await who("0679999999") == {"name": "", "number": "067 999 9999"}, "another enterprise's names are its own"
    for hidden in ("anonymous", "", "1" * 40):
        assert await who(hidden) == 404


async def test_one_hands_over_the_own_call_alone(borys: Visitor, world: World) -> None:
    csrf = await token_of(borys)

    async def transfer(destination: str = "067 111 1111") -> int:
        answer = await borys.client.post("/phone/transfer", data={"csrf": csrf, "destination": destination})
        return answer.status_code

    others = Leg("c1", "leg1", ALICE, OUTSIDE, "incoming", "established", 0)
    world.commands.legs = [others]
    assert await transfer() == 409
    world.commands.legs = [others, Leg("c2", "leg2", BORYS, OUTSIDE, "incoming", "alerting", 0)]
    assert await transfer() == 409
    world.commands.legs = [others, Leg("c2", "leg2", BORYS, OUTSIDE, "incoming", "held", 0)]
    assert await transfer("nobody") == 400
    assert world.commands.told == []
    assert await transfer() == 204
    assert world.commands.told == [("control", world.own.enterprise_id, "leg2", "transfer", "", ALICE)]
    world.commands.legs.append(Leg("c3", "leg3", BORYS, ALICE, "local", "established", 0))
    assert await transfer() == 409, "it is not clear which one is meant"
