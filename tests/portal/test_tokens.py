"""FMC tokens on the page of the integration: made, shown once, replaced, revoked."""

import re
from typing import Any

import pytest

from kobza.store import tokens
from kobza.store.tokens import MAX_VALID, Scope, Token, Use, parse_networks
from tests.api.world import World
from tests.portal.visitor import Visitor, text_of

PAGE = "/crm-integration"
ADD, ROTATE, REVOKE = (f"{PAGE}/tokens/{what}" for what in ("add", "rotate", "revoke"))
UNCHECKED = {"scope_history": "", "scope_settings": ""}
"""The form comes with every scope checked; a browser leaves out those that are not."""


def stored(world: World) -> list[Token]:
    with world.store.read() as conn:
        return tokens.list_for(conn, world.own.enterprise_id)


def made(world: World, **options: Any) -> tokens.NewToken:
    with world.store.write() as conn:
        return tokens.add(conn, world.own.enterprise_id, int(world.at * 1000), **options)


async def works(visitor: Visitor, world: World, secret: str) -> bool:
    headers = {"authorization": f"Bearer {secret}"}
    params = {"integrator_id": world.own.integrator_id}
    answer = await visitor.client.get("/api/fmc/v1/phonestatus", params=params, headers=headers)
    return answer.status_code == 200


def rows(page: Any) -> list[str]:
    return [text_of(row) for table in page.find_class("tokens") for row in table.iter("tr") if not row.findall("th")]


async def test_a_new_token_is_shown_once_and_works_at_once(olena: Visitor, world: World) -> None:
    answer = await olena.submit(
        PAGE,
        ADD,
        name=" CRM «А» ",
        expires="90",
        addresses="127.0.0.1, 2001:db8::/48\r\n10.0.0.0/8",
        scope_control="",
    )
    assert answer.status_code == 200
    (secret,) = re.findall(r'id="new-token">([0-9a-f]{64})<', answer.text)
    assert secret not in (await olena.client.get(PAGE)).text
    token = next(token for token in stored(world) if token.name)
    assert (token.name, token.scopes) == ("CRM «А»", frozenset({Scope.HISTORY, Scope.SETTINGS}))
    assert token.networks == parse_networks(["127.0.0.1", "2001:db8::/48", "10.0.0.0/8"])
    assert token.expires_at == int(world.at * 1000) + 90 * 86_400_000
    assert await works(olena, world, secret)


async def test_the_form_comes_back_as_it_was_sent_when_something_is_wrong(olena: Visitor, world: World) -> None:
    answer = await olena.submit(PAGE, ADD, name="CRM", expires="30", addresses="10.0.0.1/8", **UNCHECKED)
    assert answer.status_code == 400
    assert "One of the addresses is neither an address nor a network." in answer.text
    assert 'value="CRM"' in answer.text
    assert "10.0.0.1/8</textarea>" in answer.text
    assert '<option value="30" selected>' in answer.text
    assert re.findall(r'name="scope_(\w+)" value="on" checked', answer.text) == ["control"]
    assert '<details class="more" open>' in answer.text
    assert len(stored(world)) == 1


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"scope_history": "", "scope_control": "", "scope_settings": ""}, 400, "Choose what the token may do."),
        ({"name": "x" * 101}, 400, "The name is too long."),
        ({"expires": "31"}, 400, "The end is none of those offered."),
    ],
)
async def test_what_cannot_be_a_token_is_said(
    olena: Visitor, world: World, fields: dict[str, str], status: int, sentence: str
) -> None:
    answer = await olena.submit(PAGE, ADD, **{"name": "", "addresses": "", "expires": "", **fields})
    assert answer.status_code == status
    assert sentence in answer.text
    assert len(stored(world)) == 1


async def test_the_bound_of_tokens_is_said_in_the_language_of_the_page(olena: Visitor, world: World) -> None:
    while len(stored(world)) < MAX_VALID:
        made(world)
    await olena.client.get("/language/uk")
    answer = await olena.submit(PAGE, ADD, name="", addresses="", expires="")
    assert answer.status_code == 400
    assert "Уже є 100 чинних токенів." in answer.text


@pytest.mark.parametrize(("overlap", "old_works"), [("0", False), ("3600", True)])
async def test_a_replaced_token_goes_on_for_the_time_chosen(
    olena: Visitor, world: World, overlap: str, old_works: bool
) -> None:
    (old,) = stored(world)
    answer = await olena.submit(PAGE, ROTATE, token_id=old.token_id, overlap=overlap)
    assert answer.status_code == 200
    (secret,) = re.findall(r'id="new-token">([0-9a-f]{64})<', answer.text)
    assert world.own.fmc_token not in answer.text
    assert await works(olena, world, secret)
    assert await works(olena, world, world.own.fmc_token) is old_works
    world.at += 3600
    assert not await works(olena, world, world.own.fmc_token)
    assert await works(olena, world, secret)


async def test_the_overlap_of_the_settings_is_offered_first(olena: Visitor) -> None:
    page = await olena.page(PAGE)
    chosen = page.xpath("//select[@name='overlap']/option[@selected]")[0]
    assert chosen.get("value") == "86400"


async def test_an_overlap_that_was_not_offered_is_refused(olena: Visitor, world: World) -> None:
    (token,) = stored(world)
    for overlap in ("5", "-1", "x", "9999999999", "٣"):
        answer = await olena.submit(PAGE, ROTATE, token_id=token.token_id, overlap=overlap)
        assert answer.status_code == 400
    assert stored(world) == [token]


async def test_a_revoked_token_is_refused_at_once(olena: Visitor, world: World) -> None:
    (token,) = stored(world)
    assert await works(olena, world, world.own.fmc_token)
    answer = await olena.submit(PAGE, REVOKE, token_id=token.token_id)
    assert answer.headers["location"] == f"{PAGE}?saved=1"
    assert not await works(olena, world, world.own.fmc_token)
    page = await olena.page(PAGE)
    assert "There is no valid token" in text_of(page)
    assert page.xpath("//details[@open]//input[@name='name']"), "the form for a new one is open then"


async def test_tokens_of_others_are_neither_seen_nor_changed(olena: Visitor, world: World) -> None:
    with world.store.read() as conn:
        (theirs,) = tokens.list_for(conn, world.other.enterprise_id)
    assert theirs.token_id not in (await olena.client.get(PAGE)).text
    for action, fields in ((ROTATE, {"overlap": "0"}), (REVOKE, {})):
        answers = [await olena.submit(PAGE, action, token_id=known, **fields) for known in (theirs.token_id, "x")]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text == answers[1].text
    with world.store.read() as conn:
        assert tokens.list_for(conn, world.other.enterprise_id) == [theirs]


async def test_a_token_is_not_replaced_twice(olena: Visitor, world: World) -> None:
    (token,) = stored(world)
    assert (await olena.submit(PAGE, ROTATE, token_id=token.token_id, overlap="3600")).status_code == 200
    answer = await olena.submit(PAGE, ROTATE, token_id=token.token_id, overlap="3600")
    assert answer.status_code == 409
    assert "was replaced already" in answer.text
    page = await olena.page(PAGE)
    assert len(page.xpath(f"//form[@action='{ROTATE}']")) == 1, "only the new one can be"
    assert len(page.xpath(f"//form[@action='{REVOKE}']")) == 2


async def test_the_page_shows_what_a_token_may_and_who_used_it_last(olena: Visitor, world: World) -> None:
    now_ms = int(world.at * 1000)
    report = made(
        world, name="<Report>", scopes=[Scope.HISTORY], networks=parse_networks(["192.0.2.7", "10.0.0.0/8"])
    ).token
    with world.store.write() as conn:
        tokens.note_uses(conn, [(report.token_id, Use(now_ms - 60_000, "192.0.2.7", '"><b>bot/1.0'))])
        old = tokens.add(conn, world.own.enterprise_id, now_ms - 1, name="Old", expires_at=now_ms)
    page = await olena.page(PAGE)
    assert rows(page)[0].startswith(
        f'<Report> {report.token_id} valid History 192.0.2.7 10.0.0.0/8 2026-04-20 11:59 192.0.2.7 "><b>bot/1.0'
    )
    assert rows(page)[-1] == (
        f"Old {old.token.token_id} expired until 2026-04-20 12:00 History Calls Settings everywhere never"
    )


async def test_a_use_is_seen_on_the_page_at_once(olena: Visitor, world: World) -> None:
    assert await works(olena, world, world.own.fmc_token)
    assert "2026-04-20 12:00 127.0.0.1 python-httpx" in rows(await olena.page(PAGE))[0]


async def test_who_changed_a_token_is_in_the_log_and_the_token_is_not(
    olena: Visitor, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    answer = await olena.submit(PAGE, ADD, name="CRM", addresses="", expires="")
    (secret,) = re.findall(r'id="new-token">([0-9a-f]{64})<', answer.text)
    new = next(token for token in stored(world) if token.name)
    await olena.submit(PAGE, REVOKE, token_id=new.token_id)
    assert f"the token {new.token_id} was made by olena" in caplog.text
    assert f"the token {new.token_id} was revoked by olena" in caplog.text
    assert secret not in caplog.text
