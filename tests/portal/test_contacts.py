"""The address book: found as one types, saved, merged, imported after a look, exported; names are in calls at once."""

from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from kobza.portal import contact_pages
from kobza.portal.contact_file import ContactRow, Contacts, contact_pieces
from kobza.portal.contact_import import preview_of
from kobza.portal.contacts import Contact, contacts_of, doubles, found
from kobza.portal.import_drafts import KEPT, KEPT_FOR, Draft, ImportDrafts
from kobza.portal.uploads import MAX_UPLOAD
from kobza.store import address_book, audit
from kobza.store.address_book import Entry
from kobza.store.audit import AuditSearch
from tests.api.world import ALICE, BORYS, OUTSIDE, PLAIN, STRANGER, World
from tests.portal.visitor import Visitor, text_of

NEW = "+380931112233"


def book(world: World) -> dict[str, tuple[str, str]]:
    with world.store.read() as conn:
        return {entry.number: entry[1:] for entry in address_book.list_for(conn, world.own.enterprise_id)}


def put(world: World, *entries: tuple[str, str, str]) -> None:
    with world.store.write() as conn:
        address_book.put(conn, world.own.enterprise_id, [Entry(*entry) for entry in entries])


async def shown(visitor: Visitor, query: str = "") -> list[str]:
    page = await visitor.page(f"/contacts{query}")
    return [text_of(row) for row in page.xpath("//table[contains(@class, 'contacts')]//tr")][1:]


async def test_contacts_are_found_as_one_types(olena: Visitor, world: World) -> None:
    put(world, (NEW, "Їжакевич Ганна", ""), ("+48221234567", "Їжакевич Ганна", ""), ("101", "Ґудзь О'Ніл", "Збут"))
    assert await shown(olena) == [
        "Борис colleague Склад 067 222 2222 Edit",
        "Ґудзь О'Ніл Збут 101 Edit",
        "Їжакевич Ганна 093 111 2233 +48 22 123 45 67 Edit",
        "Клієнт, «А» 050 111 2233 Edit",
        "Олена Коваль colleague Збут 067 111 1111 Edit",
        "067 333 3333 colleague 067 333 3333 Edit",
    ]
    for query, count in (("ганна їж", 1), ("збут", 2), ("о’ніл", 1), ("067 1", 1), ("+48 22", 1), ("nobody", 0)):
        part = await olena.client.get("/contacts", params={"q": query}, headers={"hx-request": "true"})
        assert (query, part.text.count('class="who"')) == (query, count)
        assert "<html" not in part.text
    assert len(await shown(olena, "?kind=own")) == 3
    assert len(await shown(olena, "?kind=outside&department=Збут")) == 1
    assert "Nobody was found" in text_of(await olena.page("/contacts?q=nobody"))


async def test_a_long_book_comes_by_pages(olena: Visitor, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_pages, "PAGE", 2)
    page = await olena.page("/contacts")
    (link,) = page.xpath("//a[@id='more']")
    part = await olena.client.get(link.get("hx-get"), headers={"hx-request": "true"})
    assert (part.text.count('class="who"'), part.text.count("autofocus")) == (2, 1)
    assert len(await shown(olena, "?skip=2")) == 2
    assert len(await shown(olena, "?skip=x")) == 3


async def save(visitor: Visitor, page: str, **fields: str) -> httpx.Response:
    return await visitor.submit(page, "/contacts/save", **fields)


async def test_a_name_is_in_calls_at_once(olena: Visitor, world: World) -> None:
    world.add_call(called_number=NEW, answered_number=NEW)
    assert "Нова Людина" not in text_of(await olena.page("/history"))
    version = world_version(world)
    answer = await save(olena, f"/contacts/new?number={NEW[1:]}", name=" Нова  Людина ", department="Гості")
    assert (answer.status_code, answer.headers["location"]) == (303, "/contacts?done=saved")
    assert book(world)[NEW] == ("Нова Людина", "Гості")
    assert "Нова Людина" in text_of(await olena.page("/history"))
    assert (world.commands.refreshed, world_version(world)) == (1, version)
    await save(olena, f"/contacts/edit?number=%2B{BORYS[1:]}", name="Борис Кит")
    assert book(world)[BORYS] == ("Борис Кит", "Склад")
    assert world_version(world) == version + 1, "phones show the names of colleagues"


async def test_open_boards_look_anew_when_a_name_changes(olena: Visitor, world: World) -> None:
    streams = world.app.state.context.event_streams
    with streams.opened(world.own.enterprise_id) as flag, streams.opened(world.other.enterprise_id) as others:
        await save(olena, f"/contacts/edit?number=%2B{BORYS[1:]}", name="Борис Кит")
        assert (flag.is_set(), others.is_set()) == (True, False)


def world_version(world: World) -> int:
    return world.store.directory_version()


async def test_a_person_is_edited_with_all_numbers(olena: Visitor, world: World) -> None:
    put(world, (NEW, "Ганна", "Гості"), ("101", "", ""))
    page = f"/contacts/edit?number=%2B{NEW[1:]}"
    answer = await save(olena, page, name="Ганна", department="", numbers="050 999 8877\n093 111 2233; 101")
    assert answer.status_code == 303
    known = book(world)
    assert [known[number] for number in (NEW, "+380509998877", "101")] == [("Ганна", "")] * 3
    await save(olena, page, numbers="101")
    assert set(book(world)) == {ALICE, BORYS, PLAIN, OUTSIDE, "101"}


@pytest.mark.parametrize(
    ("who", "fields", "sentence"),
    [
        ("new", {"name": "Х", "numbers": ""}, "There is no number"),
        ("new", {"name": "Х", "numbers": "067"}, None),
        ("new", {"name": "Х", "numbers": "abc"}, "“abc” is no telephone number."),
        ("new", {"name": "", "numbers": "0931112233"}, "Give a name."),
        ("new", {"name": "Х", "numbers": "0672222222"}, "067 222 2222 is there already: Борис."),
        ("new", {"name": "x" * 201, "numbers": "0931112233"}, "Longer than 200 characters"),
        (f"edit?number=%2B{BORYS[1:]}", {"numbers": "0931112233"}, "067 222 2222 is a number of your enterprise"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_lost(
    olena: Visitor, world: World, who: str, fields: dict[str, str], sentence: str | None
) -> None:
    before = book(world)
    answer = await save(olena, f"/contacts/{who}", **fields)
    if sentence is None:
        assert answer.status_code == 303
        return
    assert (answer.status_code, sentence in answer.text) == (400, True)
    assert fields.get("name", "Борис") in answer.text, "what was typed is still there"
    assert book(world) == before


async def test_somebody_is_removed_and_a_colleague_loses_the_name_only(olena: Visitor, world: World) -> None:
    for number in (OUTSIDE, BORYS):
        answer = await olena.submit(f"/contacts/edit?number=%2B{number[1:]}", "/contacts/save")
        assert answer.status_code == 303
        page = await olena.page(f"/contacts/edit?number=%2B{number[1:]}")
        form = dict(next(form for form in page.forms if form.action == "/contacts/save").fields)
        assert (await olena.client.post("/contacts/remove", data=form)).status_code == 303
    assert OUTSIDE not in book(world)
    assert book(world)[BORYS] == ("", "")
    assert (await olena.client.get("/contacts/edit?number=123")).status_code == 404
    assert (await olena.client.get(f"/contacts/edit?number=%2B{STRANGER[1:]}")).status_code == 404


async def csrf(visitor: Visitor) -> str:
    page = await visitor.page("/contacts/new")
    return str(page.xpath("//input[@name='csrf']/@value")[0])


async def test_doubles_become_one(olena: Visitor, world: World) -> None:
    put(world, (NEW, "КОВАЛЬ Олена", ""), ("+48221234567", "Коваль олена", "Збут"), ("101", "Ганна", ""))
    assert "1 person seems to be there more than once" in text_of(await olena.page("/contacts"))
    answer = await olena.submit("/contacts/doubles", "/contacts/merge", into=ALICE)
    with world.store.read() as conn:
        (noted,) = audit.page(conn, AuditSearch(world.own.enterprise_id, "contact"), None, 9)
    assert (noted.who, noted.before, noted.subject, noted.label) == ("olena", None, "", "")
    outside = [f"{NEW[:6]}…{NEW[-2:]}: name, department", "+48221…67: name"]
    assert noted.after == {"added": 0, "changed": 2, "removed": 0, "outside": outside}
    assert answer.headers["location"] == "/contacts?done=merged"
    known = book(world)
    assert [known[number] for number in (NEW, "+48221234567", ALICE)] == [("Олена Коваль", "Збут")] * 3
    assert "There are no doubles" in text_of(await olena.page("/contacts/doubles"))
    gone = {"csrf": await csrf(olena), "into": ALICE, "numbers": f"{ALICE} {STRANGER}"}
    answer = await olena.client.post("/contacts/merge", data=gone)
    assert answer.headers["location"] == "/contacts/doubles?changed=1"


async def upload(visitor: Visitor, content: bytes, name: str = "book.csv", **fields: str) -> httpx.Response:
    data = {"csrf": await csrf(visitor), **fields}
    return await visitor.client.post("/contacts/import", data=data, files={"file": (name, content)})


async def apply(visitor: Visitor, preview: httpx.Response) -> httpx.Response:
    page: Any = html.document_fromstring(preview.text)
    (form,) = [each for each in page.forms if each.action == "/contacts/import/apply"]
    return await visitor.client.post("/contacts/import/apply", data=dict(form.form_values()))


TABLE = "Номер;Ім'я;Відділ\n0931112233;Ганна;Гості\n0672222222;;Магазин\n0501112233;Клієнт, «А»;\nabc;Хтось;\n".encode()


async def test_a_file_is_shown_before_it_counts(olena: Visitor, world: World) -> None:
    before = book(world)
    preview = await upload(olena, TABLE)
    assert preview.status_code == 200
    for words in (
        "book.csv",
        "1 new",
        "1 changed",
        "1 as before",
        "1 line with a fault",
        "“abc” is no telephone number",
    ):
        assert words in preview.text
    assert book(world) == before
    answer = await apply(olena, preview)
    assert answer.headers["location"] == "/contacts?done=imported"
    assert book(world) == {**before, NEW: ("Ганна", "Гості"), BORYS: ("Борис", "Магазин")}
    assert (await apply(olena, preview)).status_code == 410
    again = await upload(olena, TABLE)
    assert "There is nothing to change" in again.text


async def test_a_look_that_is_not_true_any_more_changes_nothing(olena: Visitor, world: World) -> None:
    preview = await upload(olena, TABLE)
    put(world, (BORYS, "Хтось інший", ""))
    before = book(world)
    answer = await apply(olena, preview)
    assert (answer.status_code, "changed entries of the file meanwhile" in answer.text) == (409, True)
    assert book(world) == before


async def test_files_that_cannot_be_taken(olena: Visitor, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for content, words in (
        (b"", "Choose a file."),
        (b"a,b\n", "No column with numbers was found."),
        (b"PK\x03\x04", "The table cannot be read."),
    ):
        answer = await upload(olena, content)
        assert (answer.status_code, words in answer.text) == (400, True)
    answer = await upload(olena, b"x" * (MAX_UPLOAD + 1))
    assert (answer.status_code, "The file is too large" in answer.text) == (400, True)
    answer = await upload(olena, TABLE, **{f"field{number}": "" for number in range(20)})
    assert (answer.status_code, "did not arrive whole" in answer.text) == (400, True)
    assert (await upload(olena, TABLE, csrf="wrong")).status_code == 403
    monkeypatch.setattr(address_book, "MOST", 4)
    answer = await apply(olena, await upload(olena, TABLE))
    assert (answer.status_code, "holds 4 numbers at most" in answer.text) == (409, True)


@pytest.mark.parametrize("kind", ["csv", "vcf"])
async def test_the_book_goes_out_and_comes_back(olena: Visitor, world: World, kind: str) -> None:
    put(world, (NEW, "=Ганна; «Ї», \\ Кит", "Гості, інші"), ("+48221234567", "=Ганна; «Ї», \\ Кит", "Гості, інші"))
    answer = await olena.client.get(f"/contacts.{kind}")
    assert answer.status_code == 200
    assert "filename*=UTF-8''Address%20book%202026-04-20" in answer.headers["content-disposition"]
    *_, read = contact_pieces(answer.content)
    back = msgspec.json.decode(read, type=Contacts)
    named = {number: entry for number, entry in book(world).items() if entry[0]}
    if kind == "csv":  # a name that a spreadsheet would run stays neutralised
        named = {number: (name.replace("=", "'=", 1), department) for number, (name, department) in named.items()}
    assert {number: (row.name, row.department) for number, row in back.rows.items()} == named
    assert (await olena.client.get("/contacts.pdf")).status_code == 404


async def test_others_see_and_change_nothing(visitor: Visitor, world: World) -> None:
    assert (await visitor.client.get("/contacts")).status_code == 303
    await visitor.sign_in("petro")
    assert await shown(visitor) == ["Чужий colleague 067 999 9999 Edit"]
    before = book(world)
    await visitor.client.post("/contacts/remove", data={"was": BORYS, "csrf": await csrf(visitor)})
    assert book(world) == before


def test_a_draft_is_its_makers_and_not_for_ever() -> None:
    drafts = ImportDrafts()
    key = drafts.keep(Draft("olena", "e", "contacts", (), 100.0))
    assert drafts.take(key, "petro", "e", "contacts", 101.0) is None
    assert drafts.take(key, "olena", "f", "contacts", 101.0) is None
    assert drafts.take(key, "olena", "e", "numbers", 101.0) is None
    newer = drafts.keep(Draft("olena", "e", "contacts", (), 100.0))
    assert drafts.take(key, "olena", "e", "contacts", 101.0) is None
    assert drafts.take(newer, "olena", "e", "contacts", 100.0 + KEPT_FOR) is None
    keys = [drafts.keep(Draft(str(number), "e", "contacts", (), 0.0)) for number in range(KEPT + 1)]
    assert drafts.take(keys[0], "0", "e", "contacts", 0.0) is None
    assert drafts.take(keys[1], "1", "e", "contacts", 0.0) is not None


texts = st.sampled_from(["", "Ганна", "ганна", "Кит Ганна", "Ганна Кит", "Ґ"])
entries = st.dictionaries(st.sampled_from([ALICE, BORYS, OUTSIDE, NEW, "101"]), st.tuples(texts, texts))


@given(entries, entries)
def test_a_preview_makes_the_book_what_the_file_says(known: dict[str, Any], said: dict[str, Any]) -> None:
    rows = {number: ContactRow(1, *texts) for number, texts in said.items()}
    preview = preview_of(Contacts(rows=rows), [Entry(number, *texts) for number, texts in known.items()])
    made = dict(known)
    for change in preview.changes:
        assert change.before == (Entry(change.number, *made[change.number]) if change.number in made else None)
        assert change.after is not None
        made[change.number] = change.after[1:]
    assert preview.same + len(preview.changes) == len(said)
    for number, (name, department) in said.items():
        old = known.get(number, ("", ""))
        assert made[number] == (name or old[0], department or old[1])


@given(entries)
def test_everybody_is_there_once_and_doubles_are_of_one_name(known: dict[str, Any]) -> None:
    contacts = contacts_of([Entry(number, *texts) for number, texts in known.items()], {ALICE})
    assert sorted(number for one in contacts for number in one.numbers) == sorted(known)
    assert all(one.own == [number for number in one.numbers if number == ALICE] for one in contacts)
    assert found(contacts, "", "", "") == contacts
    for group in doubles(contacts):
        assert len({tuple(sorted(one.name.casefold().split())) for one in group}) == 1
        assert len({(one.name, one.department) for one in group}) == len(group) > 1


def test_the_order_is_that_of_the_alphabet() -> None:
    names = ["Ґудзь", "Гнат", "Дуб", "Єва", "Ева", "Жук", "Іван", "Ирій", "Їжак", "Йосип", "яна"]
    contacts = contacts_of([Entry(str(number), name, "") for number, name in enumerate(names)], ())
    assert [one.name for one in contacts] == [
        *("Гнат", "Ґудзь", "Дуб", "Ева", "Єва", "Жук", "Ирій", "Іван", "Їжак", "Йосип", "яна")
    ]
    assert isinstance(contacts[0], Contact)


async def test_a_form_that_is_stale_shows_both_and_overwrites_nothing_unasked(olena: Visitor, world: World) -> None:
    put(world, (NEW, "Ганна", "Гості"))
    page = f"/contacts/edit?number=%2B{NEW[1:]}"
    forms = (await olena.page(page)).forms
    form = next(form for form in forms if form.action == "/contacts/save")
    put(world, (NEW, "Ганна Шевчук", "Клієнти"))
    for action in ("/contacts/save", "/contacts/remove"):
        stale = await olena.client.post(action, data={**dict(form.fields), "name": "Ганна Ш."})
        assert stale.status_code == 409
        shown = text_of(html.document_fromstring(stale.text))
        assert "Somebody else has saved this contact while you had it open." in shown
        assert "As it is now Name Ганна Шевчук Department Клієнти" in shown
        assert book(world)[NEW] == ("Ганна Шевчук", "Клієнти")
    shown_again: Any = html.document_fromstring(stale.text)
    again = next(form for form in shown_again.forms if form.action == "/contacts/save")
    assert (again.fields["name"], again.fields["department"]) == ("Ганна Ш.", "Гості"), "what was typed is kept"
    assert (await olena.client.post("/contacts/save", data=dict(again.fields))).status_code == 303
    assert book(world)[NEW] == ("Ганна Ш.", "Гості")


async def test_the_audit_tells_what_became_of_colleagues_and_masks_who_is_outside(olena: Visitor, world: World) -> None:
    await apply(olena, await upload(olena, TABLE))
    with world.store.read() as conn:
        entries = audit.page(conn, AuditSearch(world.own.enterprise_id, action="contact.changed"), None, 10)
    told = {entry.subject: (entry.label, entry.before, entry.after) for entry in entries}
    assert told == {
        "": ("", None, {"added": 1, "changed": 1, "removed": 0, "outside": [f"{NEW[:6]}…{NEW[-2:]}: +"]}),
        BORYS: ("Борис", {"department": "Склад"}, {"department": "Магазин"}),
    }
    assert "Ганна" not in str(told)
    assert NEW not in str(told)
