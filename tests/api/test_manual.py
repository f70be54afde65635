"""The manual over HTTP: complete, its own, safe under a strict policy, in two languages."""

import gzip
from typing import Any

import httpx
import pytest
import yaml
from lxml import html

from kobza.api.app import documented_routes
from kobza.api.manual import ASSETS
from kobza.api.manual_texts import _UKRAINIAN, TEXTS
from kobza.api.openapi import TAGS
from kobza.api.problems import KINDS
from kobza.api.samples import LANGUAGES, Sample, curl, java, php, php_http, python
from tests.api.world import World

pytestmark = pytest.mark.database("sqlite")  # nothing of it comes from the store

PAGE = "/manual/openapi.html"
GUIDE = "/manual/guide.html"
MOST_BYTES = 30_000
"""Of the page as it travels. Beyond it, look at what grew: readers come with telephones too."""


async def page(client: httpx.AsyncClient, **headers: str) -> Any:
    answer = await client.get(PAGE, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return html.fromstring(answer.text)


async def test_every_operation_and_every_code_has_its_place(client: httpx.AsyncClient) -> None:
    shown = await page(client)
    paths = ["".join(map(str, each.itertext())) for each in shown.iter("p") if each.get("class") == "path"]
    for route in documented_routes():
        for method in (route.methods or set()) - {"HEAD"}:
            assert any(path.startswith(f"{method} {route.path}") for path in paths), route.path
    ids = {each.get("id") for each in shown.iter() if each.get("id")}
    assert {f"problem-{code}" for code in KINDS} <= ids


@pytest.mark.parametrize("path", [PAGE, GUIDE])
async def test_every_link_leads_somewhere(client: httpx.AsyncClient, path: str) -> None:
    shown = html.fromstring((await client.get(path)).text)
    ids = {each.get("id") for each in shown.iter() if each.get("id")}
    for link in shown.iter("a", "link", "script", "img"):
        target = str(link.get("href") or link.get("src"))
        assert target[0] in "/#", f"{target} is not ours"
        if target.startswith("#"):
            assert target[1:] in ids, target
        else:
            assert (await client.get(target)).status_code in (200, 303), target


@pytest.mark.parametrize("path", [PAGE, GUIDE])
async def test_nothing_of_a_page_needs_a_looser_policy(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; ")
    assert "unsafe" not in policy
    for each in html.fromstring(answer.text).iter():
        if isinstance(each.tag, str):
            assert each.tag != "style"
            assert not [name for name in map(str, each.keys()) if name == "style" or name.startswith("on")], each.tag
            assert each.tag != "script" or not (each.text or "").strip()


async def test_it_is_light(client: httpx.AsyncClient) -> None:
    sizes = {}
    for path in (PAGE, GUIDE, *(f"/manual/{name}" for name in ASSETS), "/manual/genericfmcapi.yaml"):
        async with client.stream("GET", path, headers={"accept-encoding": "br, gzip"}) as answer:
            packed = b"".join([chunk async for chunk in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == "gzip"
        sizes[path] = len(packed)
        plain = await client.get(path, headers={"accept-encoding": "gzip;q=0, identity"})
        assert "content-encoding" not in plain.headers
        assert gzip.decompress(packed) == plain.content
    assert all(size < MOST_BYTES for size in sizes.values()), sizes


async def test_asked_again_it_is_the_same(client: httpx.AsyncClient, world: World) -> None:
    for path in (PAGE, "/manual/genericfmcapi.yaml", "/manual/manual.css"):
        first = await client.get(path)
        again = await client.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    before = await client.get(PAGE)
    world.at += 86_400
    after = await client.get(PAGE)
    assert before.headers["etag"] != after.headers["etag"]


async def test_the_examples_call_the_address_that_the_reader_came_to(client: httpx.AsyncClient) -> None:
    headers = {"host": "pbx.example:8443"}
    assert 'id="base">http://pbx.example:8443<' in (await client.get(PAGE, headers=headers)).text
    document = yaml.safe_load((await client.get("/manual/genericfmcapi.yaml", headers=headers)).text)
    assert document["servers"][0]["url"] == "http://pbx.example:8443"
    assert document["openapi"] == "3.1.0"


@pytest.mark.parametrize("host", ["a<script>", 'a"b', "a'b", "a b", "x" * 300, "$(id)", "a\\b"])
async def test_a_host_that_is_none_is_not_shown(client: httpx.AsyncClient, host: str) -> None:
    for path in (PAGE, "/manual/genericfmcapi.yaml"):
        text = (await client.get(path, headers={"host": host})).text
        assert host not in text


async def test_examples_ask_for_days_that_are_allowed(client: httpx.AsyncClient) -> None:
    text = (await client.get(PAGE)).text
    assert "from=2026-04-14T00:00:00" in text
    assert "to=2026-04-19T23:59:59" in text


async def test_in_the_language_of_the_reader(client: httpx.AsyncClient) -> None:
    for headers, language, heading in (
        ({}, "en", "API manual"),
        ({"accept-language": "uk-UA,uk;q=0.9"}, "uk", "Опис API"),
        ({"accept-language": "uk", "cookie": "kobza_language=en"}, "en", "API manual"),
        ({"cookie": "kobza_language=uk"}, "uk", "Опис API"),
    ):
        shown = await page(client, **headers)
        assert shown.get("lang") == language
        assert next(shown.iter("h1")).text == heading
    assert "Здійснити дзвінок" in (await client.get(PAGE, headers={"accept-language": "uk"})).text


async def test_the_guide_is_served_in_both_languages(client: httpx.AsyncClient) -> None:
    for language, heading in (
        ("en", "From zero to your first call state"),
        ("uk", "Від нуля до першого стану дзвінка"),
    ):
        answer = await client.get(GUIDE, headers={"accept-language": language, "host": "pbx.example"})
        shown = html.fromstring(answer.text)
        assert next(shown.iter("h1")).text == heading == TEXTS[language]["guide"]  # type: ignore[index]
        assert '<a href="/manual/openapi.html">http://pbx.example/manual/openapi.html</a>' in answer.text
        assert "kobza init" in answer.text


async def test_what_is_not_of_the_manual_is_not_found(client: httpx.AsyncClient) -> None:
    for name in ("manual.html", "__init__.py", "..%2fapp.py"):
        assert (await client.get(f"/manual/{name}")).status_code == 404


@pytest.mark.docs
def test_both_languages_have_the_same_words() -> None:
    assert TEXTS["uk"].keys() == TEXTS["en"].keys()
    assert all(TEXTS["uk"][key] and TEXTS["en"][key] for key in TEXTS["en"])


@pytest.mark.docs
def test_no_translation_is_of_something_that_is_gone() -> None:
    operations = {route.name for route in documented_routes()} | {"callstate"}
    assert set(_UKRAINIAN) - operations == set(TAGS)


SAMPLE = Sample(
    "Do", "PUT", "http://h/p", {"a": "1 & 2"}, "T", {"text": 'say "$x" \\ ї', "on": True, "no": None, "n": 3}
)


def test_values_are_written_as_each_language_wants_them() -> None:
    assert """-d '{"text": "say \\"$x\\" \\\\ ї", "on": true, "no": null, "n": 3}'""" in curl(SAMPLE)
    assert "'http://h/p?a=1+%26+2'" in curl(SAMPLE)
    assert 'json={"text": "say \\"$x\\" \\\\ ї", "on": True, "no": None, "n": 3},' in python(SAMPLE)
    for text in (php(SAMPLE), php_http(SAMPLE)):
        assert '"text" => "say \\"\\$x\\" \\\\ ї",' in text
        assert '"on" => true' in text
        assert '"no" => null' in text
    assert '"{\\"text\\": \\"say \\\\\\"$x\\\\\\" ' in java(SAMPLE)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_every_method_is_named(language: str, method: str) -> None:
    text = LANGUAGES[language][1](Sample("Do", method, "http://h/p", {}, "T", {"a": "b"} if method == "PUT" else None))
    named = method in text or f".{method.lower()}(" in text
    assert named or method == "GET"
