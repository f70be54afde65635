"""Forwarding and ringing groups in the portal: of one number, of many, by a file, of one's own."""

from dataclasses import replace

import httpx
import msgspec
import pytest

from kobza.call.directory import Subscriber
from kobza.call.forwarding import NO_FORWARDING, Forwarding
from kobza.call.group import RingingGroup, Strategy
from kobza.portal.lines import Fault
from kobza.portal.number_file import Numbers, number_pieces
from kobza.store import audit, groups, numbers, presentation, users
from kobza.store.audit import AuditSearch
from tests.api.world import ALICE, BORYS, OUTSIDE, STRANGER, World
from tests.portal.people import EMPLOYEE, add_people
from tests.portal.test_services import apply, choose, upload
from tests.portal.visitor import Visitor, text_of

PAGE = "/provisioning/forwarding?number=0671111111"
GROUPS = "/provisioning/groups"


def found(world: World, number: str = ALICE) -> Subscriber:
    with world.store.read() as conn:
        subscriber = numbers.find(conn, world.own.enterprise_id, number)
    assert subscriber is not None
    return subscriber


async def send(visitor: Visitor, **fields: str) -> httpx.Response:
    return await visitor.submit(PAGE, "/provisioning/forwarding", **fields)


async def test_a_number_is_forwarded_and_back(olena: Visitor, world: World) -> None:
    answer = await send(olena, busy="067 222 22 22", no_answer="+380501112233", no_answer_after="30")
    assert answer.headers["location"] == f"{PAGE}&saved=1"
    assert found(world).forwarding == Forwarding(busy=BORYS, no_answer=OUTSIDE, no_answer_after=30)
    page = await olena.page(PAGE)
    assert page.xpath("//input[@name='busy']/@value") == ["0672222222"]
    assert page.xpath("//input[@name='no_answer_after']/@value") == ["30"]
    listed = await olena.page("/provisioning")
    assert "Forwarding" in text_of(listed.xpath("//table//tr[.//a[contains(., 'Олена')]]")[0])
    with world.store.read() as conn:
        (entry,) = audit.page(conn, AuditSearch(world.own.enterprise_id, "number.forwarding"), None, 9)
    assert entry.after == {"forward_busy": BORYS, "forward_no_answer": OUTSIDE, "forward_no_answer_after": 30}
    assert "067 222 2222" in text_of(await olena.page("/audit"))
    await send(olena, busy="", no_answer="", no_answer_after="")
    assert found(world).forwarding == NO_FORWARDING


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"busy": "sales"}, "“Forwarding when busy”: this is no number"),
        ({"always": "0671111111"}, "“Forwarding always”: this is no number"),
        ({"no_answer": "101", "no_answer_after": "4"}, "5 to 120 seconds"),
        ({"no_answer": "101", "no_answer_after": "soon"}, "5 to 120 seconds"),
    ],
)
async def test_what_cannot_be_is_told_and_stays_in_the_form(
    olena: Visitor, world: World, fields: dict[str, str], words: str
) -> None:
    answer = await send(olena, **fields)
    assert (answer.status_code, words in answer.text) == (400, True)
    assert all(f'value="{value}"' in answer.text for value in fields.values())
    assert found(world).forwarding == NO_FORWARDING


async def test_many_are_forwarded_after_a_look(olena: Visitor, world: World) -> None:
    preview = await choose(olena, "forward_busy", "0671111111", "0672222222", forward_to="067 222 22 22")
    assert "1 changed, 1 as before." in preview.text  # nobody is forwarded to itself
    assert "<s>–</s> → <strong>067 222 2222</strong>" in preview.text
    assert (await apply(olena, preview)).status_code == 303
    assert found(world).forwarding == Forwarding(busy=BORYS)
    with world.store.read() as conn:
        (entry,) = audit.page(conn, AuditSearch(world.own.enterprise_id, "number.changed"), None, 9)
    assert (entry.before, entry.after) == ({"forward_busy": None}, {"forward_busy": BORYS})
    assert (await apply(olena, await choose(olena, "forward_nowhere", "0671111111"))).status_code == 303
    assert found(world).forwarding == NO_FORWARDING
    for wrong in ("sales", "101, 102"):
        answer = await choose(olena, "forward_always", "0671111111", forward_to=wrong)
        assert (answer.status_code, wrong in answer.text) == (400, True)


async def test_a_file_forwards(olena: Visitor, world: World) -> None:
    with world.store.write() as conn:
        numbers.set_forwarding(conn, world.own.enterprise_id, BORYS, Forwarding(None, None, OUTSIDE, OUTSIDE, 25))
    table = (
        "Номер;Переадресація, коли зайнято;Переадресація без відповіді\n0671111111;0672222222;\n0672222222;;ні\n"
    ).encode()
    preview = await upload(olena, table)
    assert "2 changed" in preview.text
    assert (await apply(olena, preview)).status_code == 303
    assert found(world).forwarding == Forwarding(busy=BORYS)
    assert found(world, BORYS).forwarding == Forwarding(unreachable=OUTSIDE)
    for language in ("uk", "en"):
        olena.client.cookies.set("kobza_language", language)
        *_, last = number_pieces((await olena.client.get("/provisioning.csv")).content)
        rows = msgspec.json.decode(last, type=Numbers).rows
        assert (rows[ALICE].forwards, rows[BORYS].forwards) == ({"busy": BORYS}, {"unreachable": OUTSIDE})


def test_faults_of_a_file() -> None:
    *_, last = number_pieces(b"number,forward busy,always\n101,101,\n102,,abc\n103,104;105,\n106,-,107\n")
    read = msgspec.json.decode(last, type=Numbers)
    assert read.faults == [
        Fault(2, "bad_forward", "101"),
        Fault(3, "bad_number", "abc"),
        Fault(4, "many_numbers", "104;105"),
    ]
    assert read.rows["106"].forwards == {"busy": "", "always": "107"}


def saved(world: World) -> list[RingingGroup]:
    with world.store.read() as conn:
        return list(groups.load(conn, world.own.enterprise_id))


async def test_a_group_is_made_changed_and_removed(olena: Visitor, world: World) -> None:
    assert "No groups yet" in text_of(await olena.page(GROUPS))
    fields = {"number": "200", "name": "Sales", "members": "067 222 22 22, 0671111111", "strategy": "in_turn"}
    answer = await olena.submit(GROUPS, GROUPS, **fields, seconds="15", then="0501112233")
    assert answer.headers.get("location") == f"{GROUPS}?saved=1", answer.text
    made = RingingGroup("200", world.own.enterprise_id, "Sales", Strategy.IN_TURN, (BORYS, ALICE), 15, OUTSIDE)
    assert saved(world) == [made]
    said = text_of(await olena.page(GROUPS))
    assert "Олена Коваль" in said
    assert "One after the other, 15 s" in said
    page = await olena.page(f"{GROUPS}?number=200")
    assert page.xpath("//input[@name='members']/@value") == ["0672222222, 0671111111"]
    await olena.submit(f"{GROUPS}?number=200", GROUPS, strategy="all", then="")
    assert saved(world) == [replace(made, strategy=Strategy.ALL, then=None)]
    assert world.commands.refreshed == 2
    with world.store.read() as conn:
        changed, added = audit.page(conn, AuditSearch(world.own.enterprise_id, "group.set"), None, 9)
    assert (changed.after, added.before) == ({"strategy": "all", "then_number": None}, None)
    await olena.submit(GROUPS, f"{GROUPS}/remove", number="200")
    assert saved(world) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"number": "sales"}, "no number for a group"),
        ({"number": "0671111111"}, "somebody’s already"),
        ({"members": ""}, "1 to 32 numbers of the company"),
        ({"members": "Olena"}, "1 to 32 numbers of the company"),
        ({"members": STRANGER}, "1 to 32 numbers of the company"),
        ({"seconds": "4"}, "5 to 120 seconds"),
        ({"then": "200"}, "cannot go on to this number"),
        ({"name": "x" * 201}, "name cannot be"),
        ({"strategy": "loudest"}, "name cannot be"),
    ],
)
async def test_a_group_that_cannot_be(olena: Visitor, world: World, wrong: dict[str, str], words: str) -> None:
    fields = {"number": "200", "members": "0671111111", "seconds": "20", "strategy": "all", "then": "", "name": ""}
    answer = await olena.submit(GROUPS, GROUPS, **{**fields, **wrong})
    assert (answer.status_code, words in answer.text) == (400, True)
    assert saved(world) == []


async def test_call_waiting_and_calls_at_a_time(olena: Visitor, world: World) -> None:
    answer = await olena.submit(PAGE, "/provisioning/calls", max_calls="2")
    assert answer.headers["location"] == f"{PAGE}&saved=1"
    assert (found(world).call_waiting, found(world).max_calls) == (True, 2)
    page = await olena.page(PAGE)
    (form,) = (form for form in page.forms if form.action == "/provisioning/calls")
    await olena.client.post(form.action, data={k: v for k, v in form.form_values() if k != "call_waiting"})
    assert (found(world).call_waiting, found(world).max_calls) == (False, 2)
    with world.store.read() as conn:
        (entry, _) = audit.page(conn, AuditSearch(world.own.enterprise_id, "number.changed"), None, 9)
    assert (entry.before, entry.after) == ({"call_waiting": True}, {"call_waiting": False})
    for wrong in ("0", "100", "many"):
        answer = await olena.submit(PAGE, "/provisioning/calls", max_calls=wrong)
        assert (answer.status_code, "1 to 99 calls at a time" in answer.text) == (400, True)
        assert f'value="{wrong}"' in answer.text
    preview = await choose(olena, "call_waiting_on", "0671111111", "0672222222")
    assert "1 changed, 1 as before." in preview.text
    await apply(olena, preview)
    assert found(world).call_waiting
    table = "number;call waiting;calls at a time\n0671111111;no;no\n0672222222;;3\n101;;soon\n"
    preview = await upload(olena, table.encode())
    assert "“soon” is no number of calls at a time" in preview.text
    await apply(olena, preview)
    assert (found(world).call_waiting, found(world).max_calls) == (False, None)
    assert (found(world, BORYS).call_waiting, found(world, BORYS).max_calls) == (True, 3)
    for language in ("uk", "en"):
        olena.client.cookies.set("kobza_language", language)
        *_, last = number_pieces((await olena.client.get("/provisioning.csv")).content)
        rows = msgspec.json.decode(last, type=Numbers).rows
        assert (rows[ALICE].switches["call_waiting"], rows[BORYS].switches["call_waiting"]) == (False, True)
        assert (rows[ALICE].max_calls, rows[BORYS].max_calls) == (0, 3)


async def test_who_has_a_number_switches_its_call_waiting(world: World) -> None:
    add_people(world)
    with world.store.write() as conn:
        own = users.find(conn, EMPLOYEE)
        assert own is not None
        assert own.number is not None
        numbers.set_calls(conn, world.own.enterprise_id, own.number, call_waiting=True, max_calls=2)
    async with world.client() as client:
        visitor = Visitor(client)
        await visitor.sign_in(EMPLOYEE)
        page = await visitor.page("/own/forwarding")
        (form,) = (form for form in page.forms if form.action == "/own/calls")
        fields = {k: v for k, v in form.form_values() if k != "call_waiting"}
        answer = await client.post(form.action, data={**fields, "max_calls": "9"})  # how many is not theirs to say
    assert answer.headers["location"] == "/own/forwarding?saved=1"
    assert (found(world, own.number).call_waiting, found(world, own.number).max_calls) == (False, 2)


async def test_what_those_see_whom_a_number_calls(olena: Visitor, world: World) -> None:
    async def show(**fields: str) -> httpx.Response:
        return await olena.submit(PAGE, "/provisioning/clip", **fields)

    own = world.own.enterprise_id
    with world.store.write() as conn:
        presentation.add(conn, own, "+380443334455")
    assert "Also: 044 333 4455." in text_of(await olena.page(PAGE))
    for shown, kept in (("067 222 2222", BORYS), ("0443334455", "+380443334455"), ("067 111 1111", None), ("", None)):
        answer = await show(shown=shown)
        assert answer.headers["location"] == f"{PAGE}&saved=1"
        assert (found(world).presentation_number, found(world).clip_restricted) == (kept, False)
    await show(shown="0443334455", hidden="on")
    page = await olena.page(PAGE)
    assert page.xpath("//input[@name='shown']/@value") == ["0443334455"]
    assert page.xpath("//input[@name='hidden']/@checked")
    with world.store.read() as conn:
        entry = audit.page(conn, AuditSearch(own, "number.clip"), None, 9)[0]
    assert entry.after == {"presentation_number": "+380443334455", "clip_restricted": True}
    for wrong in (STRANGER, "0501112233", "sales"):
        answer = await show(shown=wrong)
        assert answer.status_code == 400
        assert "neither a number of the company nor one that it may show" in answer.text
        assert f'value="{wrong}"' in answer.text
    assert found(world).presentation_number == "+380443334455"
