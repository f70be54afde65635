"""What pages weigh with all that they are made of, and that they are made of nothing from elsewhere."""

import re
from typing import Any, Final

import pytest
from fastapi.routing import APIRoute
from lxml import html
from starlette.routing import Route

from kobza.store import numbers
from kobza.store.fill import fill
from tests.api.world import ALICE, BOTH, World
from tests.portal.people import EMPLOYEE, OPERATOR, add_people
from tests.portal.system import QuietSystem
from tests.portal.visitor import Visitor

LIMIT: Final = 150_000
"""Bytes of a page with its style and scripts, as they are sent."""
TELEPHONE: Final = "/static/jssip.min.js"
"""The library of the telephone in the browser, which one page alone has."""
NO_PAGES: Final = re.compile(
    r"/(static|language|theme|recordings|live|healthz|manual/genericfmcapi|phone/)|[.]|/system/now"
)
FULL: Final = ("/statistics?from=2025-04-21&to=2026-04-20", "/history?sort=oldest", "/contacts?q=0", "/audit?q=o")
OF_A_NUMBER: Final = (
    "/contacts/edit",
    "/provisioning/account",
    "/provisioning/forwarding",
    "/provisioning/hours",
    "/provisioning/limits",
)
"""Pages with much on them."""


def pages_of(world: World) -> set[str]:
    """Return the addresses of all pages that name nothing."""
    return {
        route.path
        for route in world.app.router.routes
        if isinstance(route, Route) and not isinstance(route, APIRoute) and "GET" in (route.methods or ())
        if not route.param_convertors and not NO_PAGES.search(route.path)
    } | {"/manual/openapi.html", "/manual/guide.html"}


@pytest.mark.database("sqlite")  # pages weigh the same
async def test_every_page_is_light_and_all_of_it_comes_from_here(world: World) -> None:
    add_people(world)
    own = world.own.enterprise_id
    with world.store.write() as conn:
        for number in range(60):
            numbers.add(conn, f"+38068{number:07}", own, f"Працівник {number}", f"Відділ {number % 9}", BOTH)
    fill(world.store, own, 3000, 365, now_ms=int(world.at * 1000))
    world.app = world.build(system=QuietSystem())
    weights: dict[str, int] = {}
    full = [*FULL, *(f"{path}?number=%2B{ALICE[1:]}" for path in OF_A_NUMBER)]
    for login in ("olena", OPERATOR, EMPLOYEE):  # the last one has a number of one's own
        async with world.client() as client:
            visitor = Visitor(client)
            weights["/signin"] = await weigh(visitor, "/signin")
            await visitor.sign_in(login)
            client.cookies.set("kobza_language", "uk")
            for path in [*sorted(pages_of(world)), *(full if login == "olena" else ())]:
                if path not in weights and (await client.get(path)).status_code == 200:
                    weights[path] = await weigh(visitor, path)
    assert pages_of(world) - weights.keys() - set(OF_A_NUMBER) <= {"/signin/code"}, "one that nobody has weighed"
    assert {path: weight for path, weight in weights.items() if weight > LIMIT} == {}


async def weigh(visitor: Visitor, path: str) -> int:
    """Return the bytes of a page and of the files that it asks for; fail for one that is not ours."""
    answer = await visitor.client.get(path)
    weight = int(answer.headers["content-length"])
    page = html.document_fromstring(answer.text)
    asked: Any = page.xpath("//link/@href | //script/@src | //img/@src | //audio/@src | //source/@src")
    for link in asked:
        assert link.startswith("/"), f"{path} asks {link}"
        assert not link.startswith("//"), f"{path} asks {link}"
        if link != TELEPHONE:
            weight += int((await visitor.client.get(link)).headers["content-length"])
    return weight
