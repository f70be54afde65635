"""Signing in by an OpenID Connect provider: a real one in a real browser, and others that do wrong."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from kobza.portal.openid_options import OpenIdOptions
from kobza.portal.openid_provider import MAX_ANSWER
from kobza.portal.totp import INTERVAL
from kobza.portal.vault import Vault, is_kept
from kobza.store import audit, second_factor, users
from kobza.store.users import Role, User
from tests.api.world import PASSWORD_HASH, World
from tests.portal.browser import Watched, chromium, needs_chromium
from tests.portal.serving import running, served
from tests.portal.visitor import Visitor
from tests.support.openid_provider import CLIENT_ID, CLIENT_SECRET, KNOWN, MISSING, PASSWORD, UNKNOWN, provider
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
KEY, NEXT_KEY = RSAKey.generate_key(2048, auto_kid=True), RSAKey.generate_key(2048, auto_kid=True)


def person(world: World, login: str) -> User:
    with world.store.read() as conn:
        user = users.find(conn, login)
    assert user is not None
    return user


def noted(world: World) -> list[tuple[str, str, Any]]:
    """Return what the audit has of sign-ins, the latest first."""
    with world.store.read() as conn:
        entries = audit.page(conn, audit.AuditSearch(None), None, 20)
    return [(entry.action, entry.who, entry.after) for entry in entries]


async def come_by(page: Page, login: str) -> None:
    """Go through the pages of the provider."""
    await page.click("#openid")
    await page.fill("input[name=login]", login)
    await page.press("input[name=login]", "Enter")
    await page.fill("input[name=password]", PASSWORD)
    await page.press("input[name=password]", "Enter")


@pytest.mark.database("sqlite")  # it is about the provider; what is stored, the tests below try in both
@pytest.mark.skipif(MISSING is not None, reason=MISSING or "")
@needs_chromium
async def test_people_come_by_a_real_provider(world: World, tmp_path: Path) -> None:
    world.at = time.time()
    port, theirs = free_port(), free_port()
    address, issuer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{theirs}"
    world.app = world.build(openid=OpenIdOptions(issuer, CLIENT_ID, CLIENT_SECRET, address, label="Canaille"))
    async with served(world, port), chromium() as browser:

        async def visit() -> Page:
            """Open the sign-in page of the portal in a browser that nobody has used."""
            context = await browser.new_context(locale="en-GB")
            page = await context.new_page()
            page.set_default_timeout(PATIENCE * 1000)
            await page.goto(f"{address}/signin?next=/account")
            return page

        page = await visit()
        await page.click("#openid")
        await expect(page.locator("[role=alert]")).to_contain_text("does not answer. Try again in a minute")
        with provider(theirs, f"{address}/signin/openid/back", tmp_path):
            await page.goto(f"{address}/signin?next=/account")
            await expect(page.locator("#openid")).to_have_text("Sign in with Canaille")
            await come_by(page, KNOWN)
            await page.wait_for_url(f"{address}/account")
            await expect(page.locator("main")).to_contain_text("OpenID Connect")
            account = f"{issuer} {KNOWN}"
            assert person(world, KNOWN).openid_account == account
            assert noted(world) == [
                ("person.signed_in", KNOWN, {"signed_in_by": f"OpenID Connect: {account}"}),
                ("person.linked", KNOWN, {"openid_account": account}),
            ]
            nobody = await visit()
            await come_by(nobody, UNKNOWN)
            await expect(nobody.locator("[role=alert]")).to_contain_text(f"Nobody here has the login {UNKNOWN}.")
            await Watched(nobody, address).sound()
        with provider(theirs, f"{address}/signin/openid/back", tmp_path):  # with another key
            with world.store.write() as conn:
                olena = person(world, KNOWN)
                sealed = Vault(b"s" * 32).keep(olena.user_id, SECRET)
                second_factor.set_up(conn, olena.user_id, sealed, 0, [])
            page = await visit()
            await come_by(page, KNOWN)
            await page.fill("#code", pyotp.TOTP(SECRET).at(int(world.at)))
            await page.press("#code", "Enter")
            await page.wait_for_url(f"{address}/account")


class Provider:
    """A provider whose answers a test chooses; right ones until then."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.document: dict[str, Any] = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize?tenant=1",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "userinfo_endpoint": f"{issuer}/userinfo",
        }
        self.keys = [KEY]
        self.signs = KEY
        self.claims: dict[str, Any] = {"sub": "17", "preferred_username": "olena"}
        self.told: dict[str, Any] = {"sub": "17"}
        self.nonce = ""
        self.instead: dict[str, Callable[[], Response]] = {}
        self.asked: list[tuple[str, dict[str, str], str]] = []
        self.app = Starlette()
        self.app.add_route("/{path:path}", self._answer, methods=["GET", "POST"])

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        body = (await request.body()).decode()
        self.asked.append(
            (path, {k: v[0] for k, v in parse_qs(body).items()}, request.headers.get("authorization", ""))
        )
        if path in self.instead:
            return self.instead[path]()
        now = int(time.time())
        base = {"iss": self.issuer, "aud": "kobza", "iat": now, "exp": now + 60, "nonce": self.nonce}
        if path == "/token":
            header = {"alg": "RS256", "kid": self.signs.kid}
            claims = {name: value for name, value in {**base, **self.claims}.items() if value is not None}
            token = jwt.encode(header, claims, self.signs, algorithms=["RS256"])
            return JSONResponse({"id_token": token, "access_token": "opens userinfo", "token_type": "Bearer"})
        if path == "/keys":
            return JSONResponse({"keys": [key.as_dict(private=False) for key in self.keys]})
        return JSONResponse(self.told if path == "/userinfo" else self.document)


@asynccontextmanager
async def provided(world: World, **options: Any) -> AsyncIterator[tuple[Provider, Visitor]]:
    """Serve a provider; give it, and somebody who may sign in by it."""
    port = free_port()
    strange = Provider(f"http://127.0.0.1:{port}")
    world.at = time.time()
    values = {"client_id": "kobza", "client_secret": "a b:c", "portal_url": "http://kobza.test", **options}
    world.app = world.build(openid=OpenIdOptions(strange.issuer, **values))
    async with running(strange.app, port), world.client() as client:
        yield strange, Visitor(client)


async def come(strange: Provider, visitor: Visitor, **changes: str | None) -> httpx.Response:
    """Go to the provider and come back with a code, or with what a test wants instead."""
    begun = await visitor.client.get("/signin/openid?next=/history")
    if begun.status_code != 303:
        return begun
    url = urlsplit(begun.headers["location"])
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    strange.nonce = asked["nonce"]
    query = {"code": "c0de", "state": asked["state"], "iss": strange.issuer, **changes}
    return await visitor.client.get(
        "/signin/openid/back", params={name: value for name, value in query.items() if value is not None}
    )


async def test_what_is_asked_of_a_provider(world: World) -> None:
    async with provided(world, allow=(("groups", "pbx"),)) as (strange, visitor):
        begun = await visitor.client.get("/signin/openid?next=/history")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["location"]).query).items()}
        assert asked.items() >= {
            ("tenant", "1"),
            ("response_type", "code"),
            ("client_id", "kobza"),
            ("redirect_uri", "http://kobza.test/signin/openid/back"),
            ("scope", "openid profile email"),
            ("code_challenge_method", "S256"),
        }
        cookie = begun.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert asked["nonce"].lower() not in cookie, "the browser keeps the state alone"
        strange.told["groups"] = ["pbx"]
        answer = await come(strange, visitor)
        assert (answer.status_code, answer.headers["location"]) == (303, "/history")
        (form, told), (_, bearer) = (
            (fields, header) for path, fields, header in strange.asked if path in ("/token", "/userinfo")
        )
        assert form["code"] == "c0de"
        assert len(form["code_verifier"]) >= 43
        assert httpx.BasicAuth("kobza", "a%20b%3Ac")._auth_header == told
        assert bearer == "Bearer opens userinfo"
        assert (await visitor.client.get("/history")).status_code == 200
        again = await visitor.client.get("/signin/openid/back?code=c0de&state=x")
        assert (again.status_code, "Press the button once more" in again.text) == (403, True)


async def test_providers_that_do_wrong_let_nobody_in(world: World) -> None:
    def huge() -> Response:
        return PlainTextResponse("x" * (MAX_ANSWER + 1))

    well_known, wrong = "/.well-known/openid-configuration", "cannot be trusted"
    cases: list[tuple[dict[str, Any], dict[str, str | None], str]] = [
        ({"document": {"issuer": "http://127.0.0.1:1"}}, {}, wrong),
        ({"document": {"token_endpoint": "http://login.example.com/token"}}, {}, wrong),
        ({"document": {"authorization_response_iss_parameter_supported": True}}, {"iss": None}, wrong),
        ({"instead": {well_known: huge}}, {}, "does not answer"),
        ({"instead": {well_known: lambda: PlainTextResponse("<html>")}}, {}, wrong),
        ({"instead": {"/token": lambda: JSONResponse({"error": "invalid_grant"}, 400)}}, {}, wrong),
        ({"instead": {"/token": lambda: PlainTextResponse("later", 503)}}, {}, "does not answer"),
        ({"instead": {"/token": lambda: JSONResponse({"access_token": "x"})}}, {}, wrong),
        ({"instead": {"/keys": lambda: JSONResponse({"keys": []})}}, {}, wrong),
        ({"signs": NEXT_KEY}, {}, wrong),
        ({"claims": {"aud": "crm"}}, {}, wrong),
        ({"claims": {"nonce": "of another"}}, {}, wrong),
        ({"claims": {"preferred_username": None}, "told": {"sub": "18"}}, {}, wrong),
        ({"claims": {"preferred_username": None}}, {}, "“preferred_username” is missing"),
        ({"claims": {"preferred_username": "ivan"}}, {}, "Nobody here has the login ivan."),
        ({}, {"iss": "http://127.0.0.1:1"}, wrong),
        ({}, {"state": "of another"}, "Press the button once more"),
        ({}, {"state": None}, "Press the button once more"),
        ({}, {"error": "access_denied", "code": None}, "did not let you in"),
    ]
    async with provided(world) as (strange, _):
        good = {name: getattr(strange, name) for name in ("document", "claims", "told")}
        for changes, query, words in cases:
            world.app = world.build(openid=OpenIdOptions(strange.issuer, "kobza", None, "http://kobza.test"))
            for name, value in good.items():
                setattr(strange, name, {**value, **changes.get(name, {})})
            strange.instead, strange.signs = changes.get("instead", {}), changes.get("signs", KEY)
            async with world.client() as client:
                answer = await come(strange, Visitor(client), **query)
            assert answer.status_code in (403, 502), changes
            assert words in answer.text, changes
            assert "kobza_signin" not in answer.headers.get("set-cookie", "")


async def test_new_keys_are_fetched_and_an_account_stays_with_its_person(world: World) -> None:
    async with provided(world) as (strange, visitor):
        with world.store.write() as conn:
            users.add(conn, "ivan", PASSWORD_HASH, Role.ADMIN, world.own.enterprise_id, 0, must_change=True)
        assert (await come(strange, visitor)).status_code == 303
        strange.keys, strange.signs = [NEXT_KEY], NEXT_KEY
        assert (await come(strange, visitor)).status_code == 303, "signed by a key that was not there before"
        strange.claims["preferred_username"] = "ivan"
        await come(strange, visitor)
        assert person(world, "ivan").openid_account is None, "it is olena who has a new name there"
        strange.claims |= {"sub": "18", "preferred_username": "olena"}
        taken = await come(strange, visitor)
        assert (taken.status_code, "belongs to another account" in taken.text) == (403, True)
        strange.claims["preferred_username"] = "ivan"
        assert (await come(strange, visitor)).status_code == 303
        assert (await visitor.client.get("/history")).status_code == 200, "no password that others know is in use"
        await visitor.submit("/people", "/people/reset", login="olena")
        assert person(world, "olena").openid_account is None
        strange.claims |= {"sub": "19", "preferred_username": "olena"}
        assert (await come(strange, visitor)).status_code == 303
        assert person(world, "olena").openid_account == f"{strange.issuer} 19"


async def test_a_second_factor_is_asked_for_unless_the_provider_has_asked_for_one(world: World) -> None:
    async with provided(world) as (strange, visitor):
        olena = person(world, "olena")
        with world.store.write() as conn:
            second_factor.set_up(conn, olena.user_id, Vault(b"s" * 32).keep(olena.user_id, SECRET), 0, ["d" * 64])
        answer = await come(strange, visitor)
        assert answer.headers["location"] == "/signin/code?next=/history"
        assert (await visitor.client.get("/history")).status_code == 303, "half of it"
        assert person(world, "olena").openid_account is None
        world.at += INTERVAL
        code = pyotp.TOTP(SECRET).at(int(world.at))
        assert (await visitor.client.post("/signin/code", data={"code": code})).status_code == 303
        assert person(world, "olena").openid_account == f"{strange.issuer} 17"
        strange.claims["amr"] = ["pwd", "mfa"]
        assert (await come(strange, visitor)).headers["location"] == "/history"
        with world.store.write() as conn:
            second_factor.set_up(conn, olena.user_id, Vault(b"x" * 32).keep(olena.user_id, SECRET), 0, [])
        del strange.claims["amr"]
        await come(strange, visitor)
        lost = await visitor.client.post("/signin/code", data={"code": code})
        assert lost.status_code == 401, "encrypted by a key that is gone: only recovery codes open"


async def test_who_tries_on_waits(world: World) -> None:
    async with provided(world) as (_, visitor):
        answers = [await visitor.client.get("/signin/openid/back?state=x&code=y") for _ in range(51)]
        assert [answer.status_code for answer in answers] == [403] * 50 + [429]


def test_secrets_of_earlier_releases_are_encrypted_once(world: World) -> None:
    vault, olena = Vault(b"k" * 32), person(world, "olena")

    def seal() -> int:
        with world.store.write() as conn:
            return second_factor.seal_all(conn, lambda owner, text: None if is_kept(text) else vault.keep(owner, text))

    with world.store.write() as conn:
        second_factor.set_up(conn, olena.user_id, SECRET, 0, [])
    assert (seal(), seal()) == (1, 0)
    assert vault.read(olena.user_id, person(world, "olena").totp_sealed or "") == SECRET


async def test_without_a_provider_there_is_no_such_page(visitor: Visitor) -> None:
    assert "openid" not in (await visitor.client.get("/signin")).text
    assert (await visitor.client.get("/signin/openid")).status_code == 404
