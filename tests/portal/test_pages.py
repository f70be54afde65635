"""What the pages show and what their forms do."""

import re
from typing import Any

import pytest

from kobza.store import deliveries, endpoints, enterprises, numbers
from kobza.store.entries import CdrClosed, CdrOpened, StateStored
from tests.api.test_fmc import store_state
from tests.api.world import ALICE, OUTSIDE, World
from tests.portal.visitor import Visitor, text_of

SHOWN = (
    *("/", "/history", "/provisioning", "/crm-integration"),
    *("/people", "/account", "/account/second-factor", "/audit"),
)


async def test_the_overview_shows_the_last_calls_newest_first(olena: Visitor, world: World) -> None:
    recording = world.add_recording(b"mp3")
    world.add_call(started_at=world.at - 7200, record_id=recording, call_id="older")
    world.add_call(started_at=world.at - 60, enterprise_id=world.other.enterprise_id)
    made = [world.cdr(started_at=world.at - 30 - number) for number in range(40)]
    world.journal.write([CdrOpened(call) for call in made] + [CdrClosed(call) for call in made])
    page = await olena.page("/")
    assert len(page.find_class("outcome")) == 30
    assert text_of(page.find_class("history")[0]).startswith(
        "Begun From To Outcome Talk Recording Today ↗ 11:59 Олена Коваль 067 111 1111 · Збут Клієнт, «А» 050 111 2233"
    )
    answer = await olena.client.get(f"/recordings/{recording}", headers={"range": "bytes=0-1"})
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (206, b"mp", "audio/mpeg")
    missing = await olena.client.get("/recordings/unknown")
    assert missing.status_code == 404


async def test_a_recording_of_another_enterprise_is_not_to_be_had(visitor: Visitor, world: World) -> None:
    recording = world.add_recording(b"mp3")
    await visitor.sign_in("petro")
    assert (await visitor.client.get(f"/recordings/{recording}")).status_code == 404


async def test_an_empty_portal_says_what_to_do(visitor: Visitor, world: World) -> None:
    with world.store.write() as conn:
        enterprises.add(conn, "Нова", "new", world_hash(world), 0)
    await visitor.sign_in("new")
    for path, sentence in (
        ("/", "There are no numbers yet"),
        ("/", "Every call of your numbers appears here"),
        ("/provisioning", "There are no numbers yet"),
        ("/crm-integration", "Nothing has been sent yet"),
    ):
        assert sentence in text_of(await visitor.page(path))


def world_hash(_world: World) -> str:
    from tests.api.world import PASSWORD_HASH

    return PASSWORD_HASH


async def test_provisioning_shows_packages_and_switches_dnd(olena: Visitor, world: World) -> None:
    page = await olena.page("/provisioning")
    rows = [text_of(row) for row in page.find_class("rows")[0].iter("tr")][1:]
    assert rows[1] == "Олена Коваль 067 111 1111 Збут Convergent API FMC offline 0 Switch on"
    for wanted in ("on", "off"):
        answer = await olena.submit("/provisioning", "/provisioning/dnd", number="0671111111", dnd=wanted)
        assert answer.headers["location"] == "/provisioning"
        with world.store.read() as conn:
            found = numbers.find(conn, world.own.enterprise_id, ALICE)
        assert found is not None
        assert found.dnd is (wanted == "on")


async def test_dnd_of_a_number_of_others_is_not_switched(olena: Visitor) -> None:
    answer = await olena.submit("/provisioning", "/provisioning/dnd", number="0679999999", dnd="on")
    assert answer.status_code == 404
    answer = await olena.submit("/provisioning", "/provisioning/dnd", number="x", dnd="on")
    assert answer.status_code == 400


async def test_the_webhook_is_set_changed_and_removed(olena: Visitor, world: World) -> None:
    async def stored() -> Any:
        with world.store.read() as conn:
            return endpoints.get(conn, world.own.enterprise_id)

    def secret(letter: str) -> str:
        return "whsec_" + f"{letter}UJD" * 8

    page, action = "/crm-integration", "/crm-integration/webhook"
    answer = await olena.submit(page, action, url="https://crm.example.com", token="t1", secret=secret("Q"))
    assert answer.headers["location"] == "/crm-integration?saved=1"
    assert "Saved." in text_of(await olena.page(answer.headers["location"]))
    await olena.submit(page, action, url="https://crm.example.com/x", token="", secret="", extended="on")
    kept = await stored()
    assert (kept.url, kept.token, kept.secret, kept.extended) == (
        "https://crm.example.com/x",
        "t1",
        secret("Q"),
        True,
    )
    shown = await olena.client.get(page)
    assert "t1" not in re.findall(r'value="([^"]*)"', shown.text)
    assert secret("Q") not in shown.text
    wrong = await olena.submit(page, action, url="ftp://x")
    assert wrong.status_code == 400
    assert "expected an http or https URL" in wrong.text
    assert (await stored()).url == "https://crm.example.com/x"
    page_form = (await olena.page(page)).forms[-1].fields["csrf"]
    await olena.client.post("/crm-integration/webhook/remove", data={"csrf": page_form})
    assert await stored() is None


async def test_a_webhook_that_is_off_is_told_and_switched_on(olena: Visitor, world: World) -> None:
    own, now_ms = world.own.enterprise_id, int(world.at * 1000)
    with world.store.write() as conn:
        endpoints.set(conn, own, "https://crm.example.com/x", "t")
        endpoints.note_failing(conn, own, now_ms)
    assert "Nothing has been taken since" in text_of(await olena.page("/crm-integration"))
    assert "switched off" not in text_of(await olena.page("/"))
    with world.store.write() as conn:
        endpoints.deactivate(conn, own, "the receiver wants no more", now_ms)
    store_state(world, owed=False)
    assert "the remote system is switched off. the receiver wants no more" in text_of(await olena.page("/"))
    page = await olena.page("/crm-integration")
    assert "Switched off:" in text_of(page)
    await olena.client.post("/crm-integration/webhook/activate", data={"csrf": page.forms[-1].fields["csrf"]})
    with world.store.read() as conn:
        status = endpoints.status(conn, own)
        assert status is not None
        assert (status.active, status.failing_since) == (True, None)
        assert deliveries.count_pending(conn, own) == 1
    assert world.webhooks.rechecked == [own]


async def test_the_integration_shows_ids_and_deliveries(olena: Visitor, world: World) -> None:
    store_state(world)
    page = text_of(await olena.page("/crm-integration"))
    assert world.own.integrator_id in page
    assert "http://kobza.test/api/fmc" in page
    assert "rings Олена Коваль 067 111 1111 Клієнт, «А» 050 111 2233 pending" in page
    assert StateStored is not None


async def test_the_language_is_chosen_in_the_header_and_remembered(olena: Visitor) -> None:
    answer = await olena.client.get("/language/uk?next=/provisioning")
    assert (answer.status_code, answer.headers["location"]) == (303, "/provisioning")
    page = await olena.page("/provisioning")
    assert page.get("lang") == "uk"
    assert "Розширені послуги" in text_of(page)
    await olena.client.get("/language/en?next=//evil.example")
    assert "Extended services" in text_of(await olena.page("/provisioning"))
    assert "set-cookie" not in (await olena.client.get("/language/de")).headers


async def test_what_a_form_answers_with_leads_back_to_its_page(olena: Visitor) -> None:
    for referer, target in (
        ("http://kobza.test/people?saved=1", "/people"),
        ("https://evil.example/x", "/"),
        ("", "/"),
    ):
        olena.client.headers["referer"] = referer
        answer = await olena.submit("/people", "/people/add", login="", role="admin")
        assert f'href="/language/uk?next={target}"' in answer.text


async def test_light_or_dark_is_chosen_in_the_header_and_remembered(olena: Visitor) -> None:
    assert (await olena.page("/")).get("data-theme") is None
    answer = await olena.client.get("/theme/dark?next=/history%3Fq%3D067")
    assert (answer.status_code, answer.headers["location"]) == (303, "/history?q=067")
    assert (await olena.page("/")).get("data-theme") == "dark"
    await olena.client.get("/theme/auto")
    assert (await olena.page("/")).get("data-theme") is None
    assert "set-cookie" not in (await olena.client.get("/theme/pink")).headers


@pytest.mark.parametrize("path", [*SHOWN, "/signin", "/history/none", "/recordings/none"])
async def test_pages_keep_to_themselves(olena: Visitor, path: str) -> None:
    if path == "/signin":
        olena.client.cookies.clear()
    answer = await olena.client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?! src=)|\sstyle=|\son\w+=|https?://(?!kobza\.test|crm\.example)", answer.text)


async def test_names_are_escaped(olena: Visitor, world: World) -> None:
    from kobza.store import address_book

    with world.store.write() as conn:
        entry = address_book.Entry(OUTSIDE, "<script>alert(1)</script>\"'", "")
        address_book.put(conn, world.own.enterprise_id, [entry])
    world.add_call(started_at=world.at - 60)
    answer = await olena.client.get("/")
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


@pytest.mark.parametrize("name", ["kobza.css", "kobza.js", "htmx.min.js", "player.js", "kobza.svg"])
async def test_the_files_of_the_pages(visitor: Visitor, name: str) -> None:
    answer = await visitor.client.get(f"/static/{name}")
    assert answer.status_code == 200
    again = await visitor.client.get(f"/static/{name}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert not re.search(rb"@import|url\(|https?://(?!www\.w3\.org/2000/svg)", answer.content)


@pytest.mark.parametrize("name", ["nothing.css", "../routes.py", "..%2froutes.py"])
async def test_no_other_file_is_served(visitor: Visitor, name: str) -> None:
    assert (await visitor.client.get(f"/static/{name}")).status_code == 404
