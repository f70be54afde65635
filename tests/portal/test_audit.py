"""The audit: what the portal and the API note, the page that shows it, and who heard a recording."""

import csv
from io import StringIO

from hypothesis import given
from hypothesis import strategies as st

from kobza.api.hearings import MOST, SAME_FOR, RecentHearings
from kobza.portal.audit_page import FIELDS, read_form
from kobza.store import audit
from kobza.store.audit import AuditSearch, Entry
from kobza.store.place import MASK
from tests.api.world import ALICE, BORYS, OUTSIDE, World
from tests.portal.people import ENTERED, SUPERVISOR, add_people
from tests.portal.test_account import CHANGE, send
from tests.portal.visitor import Visitor, text_of


def entries(world: World, action: str = "") -> list[Entry]:
    with world.store.read() as conn:
        return audit.page(conn, AuditSearch(None, action), None, 100)


def actions(world: World) -> list[str]:
    return [entry.action for entry in entries(world)][::-1]


async def test_what_the_portal_changes_is_noted(olena: Visitor, world: World) -> None:
    webhook = {"url": "https://crm.example.com", "token": "remote-token"}
    await olena.submit("/crm-integration", "/crm-integration/webhook", **webhook)
    await send(olena, "/crm-integration/webhook/remove")
    await olena.submit("/crm-integration", "/crm-integration/tokens/add", name="CRM", addresses="", expires="")
    (added,) = entries(world, "token.added")
    await send(olena, "/crm-integration/tokens/rotate", token_id=added.subject, overlap="3600")
    await send(olena, "/crm-integration/tokens/revoke", token_id=added.subject)
    await send(olena, "/provisioning/dnd", number="0671111111", dnd="on")
    await send(olena, "/provisioning/dnd", number="0671111111", dnd="on")  # changes nothing
    await send(olena, "/people/add", login="ivan", role="supervisor")
    await send(olena, "/people/change", login="ivan", role="employee", number="0672222222")
    await send(olena, "/people/reset", login="ivan")
    await send(olena, "/people/remove", login="ivan")
    await send(olena, "/people/remove", login="petro")  # another's
    await send(olena, "/account/password", **CHANGE)
    assert actions(world) == [
        "person.signed_in",
        *("webhook.set", "webhook.removed", "token.added", "token.rotated", "token.revoked", "number.dnd"),
        *("person.added", "person.changed", "person.reset", "person.removed", "person.password"),
    ]
    assert {entry[3:6] for entry in entries(world)} == {("portal", "olena", "127.0.0.1")}
    assert {entry.enterprise_id for entry in entries(world)} == {world.own.enterprise_id}
    (dnd,) = entries(world, "number.dnd")
    assert (dnd.subject, dnd.label, dnd.before, dnd.after) == (ALICE, "Олена Коваль", {"dnd": False}, {"dnd": True})
    (changed,) = entries(world, "person.changed")
    assert (changed.before, changed.after) == (
        {"role": "supervisor", "number": None},
        {"role": "employee", "number": BORYS},
    )
    (password,) = entries(world, "person.password")
    assert (password.before, password.after) == ({"password_hash": MASK}, {"password_hash": MASK})
    assert "remote-token" not in str(entries(world))


async def test_what_programs_change_is_noted_by_their_token(olena: Visitor, world: World) -> None:
    body = {"url": "https://crm.example.com/x", "token": "remote-token"}
    number = {"number": "0672222222"}
    for path, json in (
        ("/webhook", body),
        ("/dnd", {**number, "dnd": "on"}),
        ("/clip", {**number, "presentation_number": None, "restricted": True}),
    ):
        answer = await olena.client.put(f"/api/fmc/v1{path}", json=json, **world.fmc())
        assert answer.status_code == 200, answer.text
    assert (await olena.client.delete("/api/fmc/v1/webhook", **world.fmc())).status_code == 204
    (*_, first) = entries(world, "webhook")
    assert actions(world)[1:] == ["webhook.set", "number.dnd", "number.clip", "webhook.removed"]
    with world.store.read() as conn:
        from kobza.store import tokens

        (token,) = tokens.list_for(conn, world.own.enterprise_id)
    assert (first.via, first.who, first.address) == ("api", token.token_id, "127.0.0.1")


async def test_who_heard_a_recording_is_noted_once_and_shown_on_the_page_of_the_call(
    olena: Visitor, world: World
) -> None:
    add_people(world)
    world.add_recording(b"mp3 of a call", call_id="c1")
    world.add_call(call_id="c1", record_id="r1", calling_number=BORYS, called_number=OUTSIDE)
    page = await olena.page("/history/c1")
    assert "Nobody has heard this recording yet." in text_of(page)
    for part in ("bytes=0-1", "bytes=2-5", "bytes=0-"):
        await olena.client.get("/recordings/r1", headers={"range": part})
    link = page.xpath("//a[@download]/@href")[0]
    assert (await olena.client.get(link)).status_code == 200
    await olena.client.head("/api/fmc/v1/callrecord", **world.fmc(record_id="r1"))
    await olena.client.get("/api/fmc/v1/callrecord", **world.fmc(record_id="r1"))
    await olena.client.get("/recordings/none")
    assert [entry.action for entry in entries(world, "recording")] == [
        *("recording.fetched", "recording.downloaded", "recording.heard"),
    ]
    world.at += SAME_FOR
    await olena.client.get("/recordings/r1")
    assert len(entries(world, "recording.heard")) == 2
    shown = text_of((await olena.page("/history/c1")).find_class("heard")[0])
    assert shown.startswith("Who heard it 4 At Who Action")
    assert shown.count("recording heard 0.0 kB of 0.0 kB") == 2
    assert "recording fetched by a program" in shown
    async with world.client() as client:
        svitlana = Visitor(client)
        await svitlana.sign_in(SUPERVISOR)
        await client.get("/recordings/r1")
        assert "svitlana" in text_of((await svitlana.page("/history/c1")).find_class("heard")[0])


async def test_the_page_is_searched_and_exported(olena: Visitor, world: World) -> None:
    await send(olena, "/people/add", login="=cmd|x", role="supervisor", name="Іван")
    for number in range(55):
        await send(olena, "/provisioning/dnd", number="0671111111", dnd="on" if number % 2 == 0 else "off")
    page = await olena.page("/audit")
    assert len(page.find_class("audit")[0].findall(".//tbody/tr")) == 50
    assert "067 111 1111" in text_of(page)
    assert "dnd yes → no" in text_of(page)
    older = page.find_class("older")[0].find("a").get("href")
    rest = await olena.page(older)
    assert len(rest.find_class("audit")[0].findall(".//tbody/tr")) == 7
    assert "person added" in text_of(rest)
    found = text_of((await olena.page("/audit?action=person.added&q=cmd")).find_class("audit")[0])
    assert found.count("person added") == 1
    assert "Do Not Disturb" not in found
    assert "Change or clear some of the conditions." in text_of(await olena.page("/audit?q=nobody"))
    answer = await olena.client.get("/audit.csv?action=person.added")
    assert "attachment" in answer.headers["content-disposition"]
    (heading, row) = list(csv.reader(StringIO(answer.text.removeprefix("\ufeff"))))
    assert heading[:6] == ["At", "Company", "Who", "By way of", "Address", "Action"]
    assert row[1:8] == ["Бджола", "olena", "portal", "127.0.0.1", "person added", "'=cmd|x", "Іван"]
    assert len(list(csv.reader(StringIO((await olena.client.get("/audit.csv")).text)))) == 58
    wrong = await olena.page("/audit?action=x&from=yesterday&to=2026-04-20")
    assert len(wrong.xpath("//p[@role='alert']")) == 2
    assert (await olena.client.get("/audit.csv?from=2026-04-21&to=2026-04-20")).status_code == 400


async def test_an_operator_sees_all_and_others_see_their_enterprise(visitor: Visitor, world: World) -> None:
    add_people(world)
    async with world.client() as client:
        petro = Visitor(client)
        await petro.sign_in("petro")
        assert "olena" not in text_of(await petro.page("/audit"))
    await visitor.sign_in("olena")
    assert "petro" not in text_of((await visitor.page("/audit")).find_class("audit")[0])
    await visitor.submit("/", "/signout")
    await visitor.sign_in(ENTERED)
    everything = text_of((await visitor.page("/audit")).find_class("audit")[0])
    assert "Бджола" in everything
    assert "petro" in everything
    await visitor.submit("/enterprises", "/enterprises/enter", enterprise_id=world.other.enterprise_id)
    theirs = text_of((await visitor.page("/audit")).find_class("audit")[0])
    assert "operator entered the company Джміль" in theirs
    assert "olena" not in theirs


def test_hearings_are_remembered_within_a_bound() -> None:
    hearings = RecentHearings()
    for number in range(MOST + 1):
        hearings.remember((str(number),), f"entry {number}", 1.0)
    assert hearings.find(("0",), 2.0) is None
    assert hearings.find((str(MOST),), 2.0) == f"entry {MOST}"
    assert hearings.find((str(MOST),), 1.0 + SAME_FOR) is None


@given(st.dictionaries(st.sampled_from([*FIELDS, "after"]), st.text(max_size=30)))
def test_whatever_is_sent_is_a_form(sent: dict[str, str]) -> None:
    form = read_form(sent, "e")
    again = read_form(form.values, "e")
    assert again.values == form.values
    assert form.search.enterprise_id == "e"
