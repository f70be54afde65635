"""Signing in and out, and what keeps others out."""

import httpx
import pytest

from kobza.portal.access import safe_next
from kobza.portal.signin import (
    GUESS_WINDOW,
    GUESSES,
    MAX_WATCHED,
    VALID_FOR,
    CookieSigner,
    GuessLimit,
    SignedIn,
    password_is,
)
from kobza.store import users
from tests.api.world import PASSWORD_HASH, World
from tests.portal.visitor import Visitor, text_of

PAGES = [
    *("/", "/history", "/history/c1", "/history.csv", "/provisioning", "/crm-integration"),
    *("/recordings/r1", "/recordings/r1/waveform"),
]
FORMS = [
    "/signout",
    *("/live/hangup", "/live/hold", "/live/resume", "/live/transfer"),
    "/provisioning/dnd",
    "/crm-integration/webhook",
    "/crm-integration/webhook/remove",
    "/crm-integration/tokens/add",
    "/crm-integration/tokens/rotate",
    "/crm-integration/tokens/revoke",
]


@pytest.mark.parametrize("path", PAGES)
async def test_pages_lead_to_the_sign_in_and_back(visitor: Visitor, path: str) -> None:
    answer = await visitor.client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/signin?next={path}")
    page = await visitor.page(f"/signin?next={path}")
    assert page.forms[0].fields["next"] == path
    signed = await visitor.sign_in("olena", next=path)
    assert (signed.status_code, signed.headers["location"]) == (303, path)


@pytest.mark.parametrize("path", FORMS)
async def test_forms_of_somebody_who_is_not_signed_in_do_nothing(visitor: Visitor, world: World, path: str) -> None:
    answer = await visitor.client.post(path, data={"csrf": "x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin")
    assert world.commands.told == []


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(visitor: Visitor) -> None:
    cookie = (await visitor.sign_in("olena")).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie  # over plain HTTP, as on loopback


async def test_over_https_the_cookie_is_secure(world: World) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url="https://kobza.test") as client:
        assert "secure" in (await Visitor(client).sign_in("olena")).headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("olena", "wrong"),
        ("olena", ""),
        ("nobody", "correct horse"),
        ("", ""),
        ("OLENA", "correct horse"),
        ("olena", "x" * 5000),
        ("' OR 1=1 --", "x"),
    ],
)
async def test_a_wrong_login_and_a_wrong_password_look_the_same(visitor: Visitor, login: str, password: str) -> None:
    answer = await visitor.sign_in(login, password)
    assert answer.status_code == 401
    assert "The login or the password is wrong." in answer.text
    assert "set-cookie" not in answer.headers


async def test_after_too_many_wrong_passwords_the_right_one_has_to_wait(visitor: Visitor, world: World) -> None:
    for _ in range(GUESSES):
        assert (await visitor.sign_in("olena", "wrong")).status_code == 401
    assert (await visitor.sign_in("olena")).status_code == 429
    world.at += GUESS_WINDOW
    assert (await visitor.sign_in("olena")).status_code == 303


def test_guesses_are_counted_within_a_bound() -> None:
    limit = GuessLimit()
    for number in range(MAX_WATCHED + 5):
        limit.wrong((f"login {number}",), 0.0)
    assert len(limit._wrong) == MAX_WATCHED
    for _ in range(GUESSES):
        limit.wrong(("a", "b"), 1.0)
    assert not limit.allows(("a", "c"), 2.0)
    assert limit.allows(("c",), 2.0)


async def test_the_sign_in_of_another_site_is_refused(visitor: Visitor) -> None:
    data = {"login": "olena", "password": "correct horse"}
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        answer = await visitor.client.post("/signin", data=data, headers=headers)
        assert answer.status_code == 403
    ours = {"origin": "http://kobza.test", "sec-fetch-site": "same-origin"}
    assert (await visitor.client.post("/signin", data=data, headers=ours)).status_code == 303


async def test_signing_out_ends_it(olena: Visitor) -> None:
    answer = await olena.submit("/", "/signout")
    assert answer.headers["location"] == "/signin"
    assert (await olena.client.get("/")).status_code == 303


async def test_it_ends_by_itself(olena: Visitor, world: World) -> None:
    world.at += VALID_FOR - 1
    assert (await olena.client.get("/")).status_code == 200
    world.at += 1
    assert (await olena.client.get("/")).status_code == 303


async def test_a_new_password_ends_every_sign_in(olena: Visitor, world: World) -> None:
    with world.store.write() as conn:
        users.set_password(conn, "olena", PASSWORD_HASH + "x")
    assert (await olena.client.get("/")).status_code == 303


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("token", [None, "", "x"])
async def test_a_form_without_its_token_does_nothing(
    olena: Visitor, world: World, path: str, token: str | None
) -> None:
    data = {"number": "0671111111", "dnd": "on", "overlap": "0", "url": "https://x", "token": "t"}
    answer = await olena.client.post(path, data=data if token is None else {**data, "csrf": token})
    assert answer.status_code == 403
    assert "out of date" in answer.text
    assert (await olena.client.get("/provisioning")).status_code == 200
    assert world.commands.told == []


async def test_the_form_token_of_another_sign_in_is_not_ours(olena: Visitor, world: World) -> None:
    async with world.client() as client:
        petro = Visitor(client)
        await petro.sign_in("petro")
        theirs = (await petro.page("/")).forms[0].fields["csrf"]
    answer = await olena.client.post("/signout", data={"csrf": theirs})
    assert answer.status_code == 403


async def test_a_login_without_an_enterprise_is_told_so(visitor: Visitor, world: World) -> None:
    with world.store.write() as conn:
        users.add(conn, "root", PASSWORD_HASH, users.ROLE_ADMIN, None, 0)
    await visitor.sign_in("root")
    answer = await visitor.client.get("/")
    assert answer.status_code == 403
    assert "belongs to no enterprise" in answer.text


SIGNED_IN = SignedIn("olena", 1000, "mark", "nonce")


def test_only_our_own_cookie_is_read() -> None:
    signer = CookieSigner(b"s" * 32)
    cookie = signer.write(SIGNED_IN)
    assert signer.read(cookie, 999.0) == SIGNED_IN
    assert signer.read(cookie, 1000.0) is None
    assert CookieSigner(b"t" * 32).read(cookie, 0.0) is None
    assert signer.read(None, 0.0) is None
    for place in range(0, len(cookie), 7):
        changed = cookie[:place] + ("A" if cookie[place] != "A" else "B") + cookie[place + 1 :]
        assert signer.read(changed, 0.0) is None


@pytest.mark.parametrize("cookie", ["", ".", "a.b", "é.é", "a" * 3000, "...", "W10.", ".W10"])
def test_no_other_cookie_is_read(cookie: str) -> None:
    assert CookieSigner(b"s" * 32).read(cookie, 0.0) is None


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        CookieSigner(b"short")


def test_an_unknown_login_costs_a_real_check_and_a_broken_hash_is_no_password() -> None:
    assert not password_is("x", None)
    assert not password_is("x", "not a hash")
    assert password_is("correct horse", PASSWORD_HASH)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, "/"),
        ("", "/"),
        ("/provisioning", "/provisioning"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nset-cookie: x", "/"),
    ],
)
def test_after_signing_in_nobody_is_sent_elsewhere(target: str | None, expected: str) -> None:
    assert safe_next(target) == expected


async def test_whoever_is_signed_in_needs_no_form(olena: Visitor) -> None:
    answer = await olena.client.get("/signin?next=/provisioning")
    assert (answer.status_code, answer.headers["location"]) == (303, "/provisioning")


async def test_the_form_speaks_the_language_of_the_browser(visitor: Visitor) -> None:
    visitor.client.headers["accept-language"] = "uk"
    assert "Пароль" in text_of(await visitor.page("/signin"))
