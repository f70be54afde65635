"""Signing in and out, and what keeps others out."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.portal.access import safe_next
from kobza.portal.guessing import FORGIVEN_EVERY, LONGEST, MAX_WATCHED, Counted, GuessLimit, pair, whole_address
from kobza.portal.passwords import password_is
from kobza.portal.sealing import Sealer
from kobza.portal.signin import VALID_FOR
from kobza.store import sessions, users
from tests.api.world import PASSWORD_HASH, World
from tests.portal.test_roles import COLUMNS, NO_SUCH, TABLE
from tests.portal.visitor import Visitor, text_of

PAGES = ("/", "/history", "/history/c1", "/history.csv", "/people", "/audit", "/recordings/r1")


async def test_pages_lead_to_the_sign_in_and_back(visitor: Visitor) -> None:
    for path in PAGES:
        answer = await visitor.client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/signin?next={path}")
    page = await visitor.page(f"/signin?next={path}")
    assert page.forms[0].fields["next"] == path
    signed = await visitor.sign_in("olena", next=path)
    assert (signed.status_code, signed.headers["location"]) == (303, path)


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(visitor: Visitor) -> None:
    cookie = (await visitor.sign_in("olena")).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie  # over plain HTTP, as on loopback


async def test_over_https_the_cookie_is_secure(world: World) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url="https://kobza.test") as client:
        assert "secure" in (await Visitor(client).sign_in("olena")).headers["set-cookie"].lower()


async def test_a_wrong_login_and_a_wrong_password_look_the_same(visitor: Visitor) -> None:
    for login, password in (
        *(("olena", "wrong"), ("olena", ""), ("nobody", "correct horse"), ("", ""), ("OLENA", "correct horse")),
        *(("olena", "x" * 5000), ("' OR 1=1 --", "x")),
    ):
        answer = await visitor.sign_in(login, password)
        assert answer.status_code == 401, login
        assert "The login or the password is wrong." in answer.text
        assert "set-cookie" not in answer.headers


async def test_who_guesses_waits_longer_and_longer_and_nobody_else_does(visitor: Visitor, world: World) -> None:
    async with world.client() as client:
        known = Visitor(client)  # a browser that has signed in before, behind the same address
        await known.sign_in("olena")
        await known.submit("/", "/signout")
        for _ in range(5):
            assert (await visitor.sign_in("olena", "wrong")).status_code == 401
        refused = await visitor.sign_in("olena")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert "Try again in 1 s." in refused.text
        world.at += 1
        assert (await visitor.sign_in("olena", "wrong")).status_code == 401
        assert (await visitor.sign_in("olena")).headers["retry-after"] == "2"
        assert (await visitor.sign_in("petro")).status_code == 303, "another login from there"
        assert (await known.sign_in("olena")).status_code == 303, "a browser that is known"
    world.at += 2
    assert (await visitor.sign_in("olena")).status_code == 303


async def test_a_known_browser_is_one_for_its_own_login_only(visitor: Visitor) -> None:
    await visitor.sign_in("petro")
    for _ in range(5):
        assert (await visitor.sign_in("olena", "wrong")).status_code == 401
    assert (await visitor.sign_in("olena")).status_code == 429
    for _ in range(5):
        assert (await visitor.sign_in("petro", "wrong")).status_code == 401
    assert (await visitor.sign_in("petro")).status_code == 429


def test_delays_double_up_to_the_longest_and_are_forgotten() -> None:
    limit, counted, now, waits = GuessLimit(), (pair("olena", "192.0.2.7"),), 0.0, []
    for _ in range(20):
        assert limit.begin(counted, now) == 0
        wait = limit.begin(counted, now)
        waits.append(wait)
        now += wait
    assert waits[:11] == [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert max(waits) == LONGEST
    assert limit.begin(counted, now + LONGEST) == 0, "who guesses on"
    assert limit.begin(counted, now + LONGEST) > LONGEST / 2, "stays there"
    patient = now + 40 * FORGIVEN_EVERY
    assert [limit.begin(counted, patient) for _ in range(5)] == [0] * 5, "who does not is forgiven"


def test_an_office_may_err_once_a_minute_for_ever() -> None:
    limit, office = GuessLimit(), whole_address("192.0.2.7")
    assert [limit.begin((office,), 60.0 * minute) for minute in range(500)] == [0] * 500
    assert [limit.begin((office,), 30_000.0) for _ in range(99)].count(0) == 50


def test_attempts_at_once_count_before_any_is_done() -> None:
    limit, counted = GuessLimit(), (pair("olena", "192.0.2.7"),)
    assert [limit.begin(counted, 1.0) for _ in range(100)].count(0.0) == 5
    limit.right(counted, 1.0)
    assert limit.begin(counted, 1.0) == 0


def test_what_others_did_from_an_address_outlives_a_right_password() -> None:
    limit, address = GuessLimit(), Counted("address 192.0.2.7", 2)
    assert limit.begin((address,), 1.0) == limit.begin((address,), 1.0) == 0
    limit.right((address,), 1.0)
    assert limit.begin((address,), 1.0) == 0
    assert limit.begin((address,), 1.0) > 0


def test_guesses_are_counted_within_a_bound() -> None:
    limit = GuessLimit()
    for number in range(MAX_WATCHED + 5):
        limit.begin((pair(f"login {number}", "a"),), 0.0)
    assert len(limit._wrong) == MAX_WATCHED


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


async def test_a_form_without_its_token_does_nothing(olena: Visitor, world: World) -> None:
    here = {route for route, row in TABLE.items() if row[COLUMNS.index("olena")] != NO_SUCH}
    forms = [path for method, path in TABLE if method == "POST" and (method, path) in here]
    forms = [path for path in forms if path not in ("/signin", "/signin/code")]
    data = {"number": "0671111111", "dnd": "on", "overlap": "0", "url": "https://x", "token": "t", "login": "x"}
    for path in forms:
        for token in ({}, {"csrf": ""}, {"csrf": "x"}):
            answer = await olena.client.post(path, data={**data, **token})
            assert answer.status_code == 403, path
            assert "out of date" in answer.text or "not for your role" in answer.text
    assert (await olena.client.get("/provisioning")).status_code == 200
    assert world.commands.told == []


async def test_the_form_token_of_another_sign_in_is_not_ours(olena: Visitor, world: World) -> None:
    async with world.client() as client:
        petro = Visitor(client)
        await petro.sign_in("petro")
        theirs = (await petro.page("/")).forms[0].fields["csrf"]
    answer = await olena.client.post("/signout", data={"csrf": theirs})
    assert answer.status_code == 403


async def test_signing_in_again_leaves_one_session(olena: Visitor, world: World) -> None:
    await olena.sign_in("olena")
    with world.store.read() as conn:
        user = users.find(conn, "olena")
        assert user is not None
        assert len(sessions.list_for(conn, user.user_id, int(world.at * 1000))) == 1


async def test_a_cookie_that_is_not_ours_is_nobody(visitor: Visitor) -> None:
    for cookie in ("x", "x" * 5000, "0" * 64):
        visitor.client.cookies.set("kobza_signin", cookie)
        assert (await visitor.client.get("/")).status_code == 303


async def test_what_was_used_last_is_noted_once_a_minute(olena: Visitor, world: World) -> None:
    def used() -> int:
        with world.store.read() as conn:
            user = users.find(conn, "olena")
            assert user is not None
            return sessions.list_for(conn, user.user_id, int(world.at * 1000))[0].last_used_at

    began = used()
    world.at += 59
    await olena.client.get("/account")
    assert used() == began
    world.at += 1
    await olena.client.get("/account")
    assert used() == began + 60_000


def test_only_what_was_sealed_here_is_opened_for_its_purpose_and_in_its_time() -> None:
    sealer = Sealer(b"s" * 32)
    sealed = sealer.seal("step", "olena", 1000)
    assert sealer.open("step", sealed, 999.0) == "olena"
    assert sealer.open("step", sealed, 1000.0) is None
    assert sealer.open("browser", sealed, 0.0) is None
    assert Sealer(b"t" * 32).open("step", sealed, 0.0) is None
    assert sealer.open("step", None, 0.0) is None
    for place in range(0, len(sealed), 7):
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        assert sealer.open("step", changed, 0.0) is None


@given(st.text(max_size=60))
def test_no_other_text_is_opened(text: str) -> None:
    assert Sealer(b"s" * 32).open("step", text, 0.0) is None


@pytest.mark.parametrize("text", ["", ".", "a.b", "é.é", "a" * 3000, "...", "W10.", ".W10"])
def test_none_that_looks_like_it_is_opened(text: str) -> None:
    assert Sealer(b"s" * 32).open("step", text, 0.0) is None


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(b"short")


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
