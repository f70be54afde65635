"""The delivery log: found, looked at, sent once more; and the test of the remote system."""

import pytest

from kobza.call.states import StateType
from kobza.store import delivery_search, endpoints
from kobza.store.erasure import Request, erase
from kobza.webhooks.exchange import Exchange, encode
from tests.api.test_fmc import store_state
from tests.api.world import BORYS, Posted, World
from tests.portal.visitor import Visitor, text_of
from tests.store.builders import attempt

LOG = "/crm-integration/deliveries"


@pytest.fixture
def sent(world: World) -> World:
    """Return the world after three states of one call and one of another, which failed twice."""
    with world.store.write() as conn:
        endpoints.set(conn, world.own.enterprise_id, "https://crm.example.com/hooks", "t")
    for sequence, state in enumerate((StateType.ALERTING, StateType.ESTABLISHED, StateType.FINISHED), 1):
        store_state(world, sequence, state_type=state, at=world.at - 100 + sequence)
    store_state(world, 1, event_id="b1", call_id="b", call_control_id="legB", state_owner=BORYS, at=world.at - 50)
    asked = Exchange([("Authorization", "Bearer ***")], [("Server", "crm")], "1.1", 7, 40)
    failed = {"call_id": "b", "call_control_id": "legB", "started_at": world.at - 49, "exchange": encode(asked)}
    where = {"url": "https://crm.example.com/hooks/callstate", "address": "203.0.113.9", "response": "<b>no</b>"}
    for number, outcome in ((1, "retry"), (2, "failed")):
        said = {"status_code": 500, "error": "HTTP 500 is no success", **where}
        retry = {"retry_at": world.at - 40} if outcome == "retry" else {}
        world.journal.write([attempt(1, number, outcome=outcome, **failed, **said, **retry)])
    world.journal.write([attempt(1, 1, call_id="call1", call_control_id="leg1", started_at=world.at - 99)])
    return world


async def rows(visitor: Visitor, query: str = "") -> list[str]:
    page = await visitor.page(f"{LOG}{query}")
    return [text_of(row) for table in page.find_class("deliveries") for row in table.iter("tr")][1:]


async def test_the_log_tells_what_became_of_each_state(olena: Visitor, sent: World) -> None:
    failed = "failed HTTP 500 is no success · 2 attempts"
    all_of_them = [
        f"11:59:10 Today rings Борис 067 222 2222 Клієнт, «А» 050 111 2233 {failed}",
        "11:58:23 Today finished Олена Коваль 067 111 1111 Клієнт, «А» 050 111 2233 pending",
        "11:58:22 Today talks Олена Коваль 067 111 1111 Клієнт, «А» 050 111 2233 pending",
        "11:58:21 Today rings Олена Коваль 067 111 1111 Клієнт, «А» 050 111 2233 delivered HTTP 200, 12 ms",
    ]
    assert await rows(olena) == all_of_them
    assert await rows(olena, "?status=pending") == all_of_them[1:3]
    assert await rows(olena, "?state=alerting") == [all_of_them[0], all_of_them[3]]
    assert await rows(olena, "?number=067 222 2222") == all_of_them[:1]
    assert await rows(olena, "?number=0501112233&status=delivered") == all_of_them[3:]
    assert await rows(olena, "?from=2026-04-20&to=2026-04-20") == all_of_them
    assert await rows(olena, "?to=2026-04-19") == []
    assert "No" in text_of(await olena.page(f"{LOG}?to=2026-04-19"))
    assert [row.split(" ", 1)[0] for row in await rows(olena, "?status=lost&number=x&from=9")] == [
        row.split(" ", 1)[0] for row in all_of_them
    ], "what cannot be counts as none, and is told"
    told = text_of(await olena.page(f"{LOG}?status=lost&number=x&from=9"))
    for sentence in ("One of the choices", "The number is none", "A date must be a day"):
        assert sentence in told
    short = await olena.page("/crm-integration")
    assert len(list(short.get_element_by_id("deliveries").iter("tr"))) == 5


async def test_the_log_comes_in_pages_and_looks_on(
    olena: Visitor, sent: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kobza.portal.deliveries.PAGE", 3)
    page = await olena.page(LOG)
    (more,) = page.xpath("//p[@class='older']/a/@href")
    assert [row[:8] for row in await rows(olena, more.removeprefix(LOG))] == ["11:58:21"]
    monkeypatch.setattr(delivery_search, "LOOKED_AT", 2)
    page = await olena.page(f"{LOG}?status=delivered")
    assert "Looked as far as" in text_of(page)
    (more,) = page.xpath("//p[@class='older']/a/@href")
    assert [row[:8] for row in await rows(olena, more.removeprefix(LOG))] == ["11:58:21"]


async def test_a_delivery_is_shown_with_all_that_is_kept(olena: Visitor, sent: World) -> None:
    cursor = (await olena.page(LOG)).xpath("//td[@class='when']/a/@href")[0]
    page = await olena.page(cursor)
    said = text_of(page)
    for part in (
        '"call_id": "b"',
        "HTTP 500 is no success",
        "203.0.113.9",
        "HTTP/1.1 · connected in 7 ms · first byte after 40 ms · 12 ms in all",
        "Authorization: Bearer ***",
        "Server: crm",
        "<b>no</b>",
        "curl --include --request POST https://crm.example.com/hooks/callstate",
        '--header "Authorization: Bearer $REMOTE_TOKEN"',
    ):
        assert part in said
    assert page.xpath("//a[@href='/history/b']")
    answer = await olena.submit(cursor, "/crm-integration/deliveries/replay-one")
    assert answer.headers["location"] == cursor
    assert sent.webhooks.rechecked == [sent.own.enterprise_id]
    assert "pending" in text_of(await olena.page(cursor))
    untried = (await olena.page(f"{LOG}?status=pending")).xpath("//td[@class='when']/a/@href")[-1]
    assert "There was no attempt yet." in text_of(await olena.page(untried))


async def test_chosen_ones_and_all_that_was_not_taken_go_once_more(olena: Visitor, sent: World) -> None:
    page = await olena.page(LOG)
    names = page.xpath("//input[@data-choose]/@name")
    csrf = page.xpath("//input[@name='csrf']/@value")[0]
    chosen = await olena.client.post(f"{LOG}/replay", data={"csrf": csrf, names[0]: "on", names[-1]: "on"})
    assert chosen.headers["location"] == f"{LOG}?again=2"
    assert "2 are sent again." in text_of(await olena.page(chosen.headers["location"]))
    assert len(await rows(olena, "?status=pending")) == 4
    found = (await olena.page(f"{LOG}?status=pending&number=0672222222")).xpath("//input[@data-choose]/@name")
    asked = {"csrf": csrf, "query": "number=0672222222&status=pending", found[0]: "on"}
    again = await olena.client.post(f"{LOG}/replay", data=asked)
    assert again.headers["location"] == f"{LOG}?number=0672222222&status=pending&again=1", "the search stays"
    none = await olena.client.post(f"{LOG}/replay", data={"csrf": csrf})
    assert none.status_code == 400
    assert "Choose deliveries first" in none.text
    store_state(sent, 4, owed=False, state_type=StateType.FINISHED, event_id="missed")
    missed = await olena.client.post(f"{LOG}/recover", data={"csrf": csrf, "since": "2026-04-20"})
    assert missed.headers["location"] == f"{LOG}?again=1"
    wrong = await olena.client.post(f"{LOG}/recover", data={"csrf": csrf, "since": "today"})
    assert (wrong.status_code, "A date must be a day" in wrong.text) == (400, True)
    with sent.store.write() as conn:
        endpoints.delete(conn, sent.own.enterprise_id)
    nobody = await olena.client.post(f"{LOG}/recover", data={"csrf": csrf, "since": "2026-04-20"})
    assert (nobody.status_code, "No remote system is set yet" in nobody.text) == (409, True)


async def test_what_is_erased_unknown_or_anothers_is_not_shown(olena: Visitor, sent: World, visitor: Visitor) -> None:
    own = (await olena.page(LOG)).xpath("//td[@class='when']/a/@href")[0]
    for unknown in ("999", "x", "9" * 30, "-1"):
        answer = await olena.client.get(f"{LOG}/{unknown}")
        assert (answer.status_code, "There is no such delivery." in answer.text) == (404, True)
    asked = Request(sent.own.enterprise_id, BORYS, "olena")
    erase(sent.store, asked, lambda: int(sent.at * 1000), erase_file=lambda path: None, pause=0.0)
    answer = await olena.client.get(own)
    assert (answer.status_code, "was erased" in answer.text) == (410, True)
    assert len(await rows(olena)) == 3
    theirs = (await olena.page(LOG)).xpath("//td[@class='when']/a/@href")[0]
    await visitor.sign_in("petro")
    assert (await visitor.client.get(theirs)).status_code == 404


async def test_the_remote_system_is_tried(olena: Visitor, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    csrf = (await olena.page("/account")).xpath("//input[@name='csrf']/@value")[0]
    nobody = await olena.client.post("/crm-integration/webhook/test", data={"csrf": csrf})
    assert (nobody.status_code, "No remote system is set yet" in nobody.text) == (409, True)
    with world.store.write() as conn:
        endpoints.set(conn, world.own.enterprise_id, "https://crm.example.com/hooks", "t")
    answer = await olena.submit("/crm-integration", "/crm-integration/webhook/test")
    assert answer.status_code == 200
    assert "taken</span> HTTP 200" in answer.text
    assert world.webhooks.posted[0][0].token == "t"
    refused = Posted(taken=False, status_code=None, address=None, error="it refuses the connection", response=None)

    async def post(*_: object) -> Posted:
        return refused

    monkeypatch.setattr(world.webhooks, "post", post)
    answer = await olena.submit("/crm-integration", "/crm-integration/webhook/test")
    assert "not taken" in answer.text
    assert "it refuses the connection" in answer.text


async def test_examples_have_the_own_address_and_a_token_that_was_just_made(olena: Visitor, world: World) -> None:
    page = await olena.page("/crm-integration")
    (command,) = [text_of(one) for one in page.find_class("command") if one.get("id") == "sample_call"]
    assert command.startswith("curl -sS --fail-with-body 'http://kobza.test/api/fmc/v1/originate?integrator_id=")
    assert world.own.integrator_id in command
    assert "YOUR_FMC_TOKEN" in command
    answer = await olena.submit("/crm-integration", "/crm-integration/tokens/add", name="CRM")
    assert "YOUR_FMC_TOKEN" not in answer.text.replace("the place of YOUR_FMC_TOKEN", "")
