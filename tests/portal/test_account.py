"""One's own account: the password, the second factor, the sessions. And the people of an enterprise."""

import re
from typing import Any

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.portal.account import browser_name
from kobza.portal.passwords import temporary_password, weakness
from kobza.portal.totp import INTERVAL, RECOVERY_CODES, new_recovery_codes, recovery_hash, step_of
from kobza.store import users
from kobza.store.users import Role, User
from tests.api.world import PASSWORD, World
from tests.portal.people import EMPLOYEE, TEMPORARY, add_people
from tests.portal.visitor import Visitor, text_of

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NEW = "nine tired bees"
CHANGE = {"password": PASSWORD, "new": NEW, "again": NEW}


def stored(world: World, login: str) -> User:
    with world.store.read() as conn:
        user = users.find(conn, login)
    assert user is not None
    return user


async def send(visitor: Visitor, path: str, **fields: str) -> Any:
    page = await visitor.page("/account/password")
    return await visitor.client.post(path, data={"csrf": page.xpath("//input[@name='csrf']")[0].value, **fields})


async def test_a_new_password_ends_the_other_sessions(olena: Visitor, world: World) -> None:
    async with world.client() as client:
        elsewhere = Visitor(client)
        await elsewhere.sign_in("olena")
        answer = await send(olena, "/account/password", **CHANGE)
        assert answer.headers["location"] == "/account?saved=1"
        assert (await olena.client.get("/")).status_code == 200
        assert (await elsewhere.client.get("/")).status_code == 303
        assert (await elsewhere.sign_in("olena")).status_code == 401
        assert (await elsewhere.sign_in("olena", NEW)).status_code == 303


async def test_a_password_that_will_not_do_is_said(olena: Visitor, world: World) -> None:
    before = stored(world, "olena")
    wrong: tuple[tuple[dict[str, str], str], ...] = (
        ({"password": "wrong"}, "The current password is wrong."),
        ({"new": "short", "again": "short"}, "The new password is too short: it needs 10 characters or more."),
        ({"new": PASSWORD, "again": PASSWORD}, "The new password is the same as the current one."),
        ({"new": "olena12345", "again": "olena12345"}, "is too much like the login"),
        ({"new": "x" * 2000}, "The new password is too long."),
        ({"again": NEW + "x"}, "The two new passwords differ."),
    )
    for fields, sentence in wrong:
        answer = await send(olena, "/account/password", **{**CHANGE, **fields})
        assert answer.status_code == 400
        assert sentence in answer.text
        assert NEW not in answer.text
    assert stored(world, "olena").password_hash == before.password_hash


async def test_an_open_page_is_not_enough_to_guess_the_password(olena: Visitor) -> None:
    for _ in range(5):
        assert "is wrong" in (await send(olena, "/account/password", **{**CHANGE, "password": "x"})).text
    assert "Too many attempts" in (await send(olena, "/account/password", **CHANGE)).text


async def test_a_temporary_password_has_to_be_changed_before_anything_else(visitor: Visitor, world: World) -> None:
    add_people(world)
    await visitor.sign_in(TEMPORARY)
    assert (await visitor.client.get("/history")).headers["location"] == "/account/password"
    assert "Somebody else knows this password." in text_of(await visitor.page("/account/password"))
    assert (await send(visitor, "/account/password", **{**CHANGE, "new": "x"})).status_code == 400
    answer = await send(visitor, "/account/password", **CHANGE)
    assert answer.headers["location"] == "/"
    assert (await visitor.client.get("/history")).status_code == 200


async def switch_on(visitor: Visitor, world: World) -> tuple[str, list[str]]:
    """Set up the second factor; return its secret and the recovery codes."""
    page = await visitor.page("/account/second-factor")
    secret = page.get_element_by_id("factor-secret").text.replace(" ", "")
    code = pyotp.TOTP(secret).at(int(world.at))
    for wrong in ({"code": "000000"}, {"password": "wrong"}):
        fields = {"code": code, "password": PASSWORD, **wrong}
        assert (await visitor.submit("/account/second-factor", "/account/second-factor", **fields)).status_code == 400
    form = next(form for form in page.forms if form.action == "/account/second-factor")
    answer = await visitor.client.post(form.action, data={**dict(form.fields), "code": code, "password": PASSWORD})
    codes = re.findall(r"\b[A-Z2-9]{4}(?:-[A-Z2-9]{4}){3}\b", answer.text)
    assert len(set(codes)) == RECOVERY_CODES
    return secret, codes


async def test_with_a_second_factor_the_password_is_not_enough(olena: Visitor, world: World) -> None:
    secret, codes = await switch_on(olena, world)
    assert "10 recovery codes are left." in text_of(await olena.page("/account"))
    assert (await olena.client.get("/account/second-factor")).headers["location"] == "/account"
    app = pyotp.TOTP(secret)
    async with world.client() as client:
        other = Visitor(client)

        async def sign_in(code: str) -> int:
            answer = await other.sign_in("olena", next="/history")
            assert answer.headers["location"] == "/signin/code?next=/history"
            assert (await other.client.get("/")).status_code == 303
            page = await other.page("/signin/code?next=/history")
            assert page.forms[0].fields["next"] == "/history"
            answer = await other.client.post("/signin/code", data={"code": code, "next": "/history"})
            return int(answer.status_code)

        assert await sign_in(app.at(int(world.at))) == 401, "the code that switched it on was used"
        world.at += INTERVAL
        code = app.at(int(world.at))
        assert await sign_in(f" {code[:3]} {code[3:]}") == 303
        assert (await other.client.get("/history")).status_code == 200
        await other.submit("/", "/signout")
        assert await sign_in(code) == 401, "a code counts once"
        assert await sign_in(codes[0].lower().replace("-", " ")) == 303
        await other.submit("/", "/signout")
        assert await sign_in(codes[0]) == 401, "so does a recovery code"
        assert await sign_in("") == 401
        world.at += 3000
        await other.sign_in("olena")
        world.at += 300
        late = await other.client.post("/signin/code", data={"code": app.at(int(world.at))})
        assert late.status_code == 403
        assert "took too long" in late.text
        assert (await other.client.get("/signin/code")).headers["location"] == "/signin?next=/"


async def test_codes_are_not_guessed(olena: Visitor, world: World) -> None:
    secret, _ = await switch_on(olena, world)
    async with world.client() as client:
        thief = Visitor(client)
        await thief.sign_in("olena")
        answers = [await client.post("/signin/code", data={"code": f"{number:06}"}) for number in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429]
        assert "Try again in 1 s." in answers[-1].text
    assert secret not in (await olena.client.get("/account")).text


async def test_new_recovery_codes_end_the_old_ones_and_the_factor_is_switched_off(olena: Visitor, world: World) -> None:
    assert "Two-step sign-in is off." in (await send(olena, "/account/second-factor/codes", password=PASSWORD)).text
    _, codes = await switch_on(olena, world)
    renewed = await send(olena, "/account/second-factor/codes", password=PASSWORD)
    assert codes[0] not in renewed.text
    assert (await send(olena, "/account/second-factor/off", password="x")).status_code == 400
    assert stored(world, "olena").totp_sealed is not None
    await send(olena, "/account/second-factor/off", password=PASSWORD)
    assert stored(world, "olena").totp_sealed is None
    await olena.submit("/", "/signout")
    assert (await olena.sign_in("olena")).headers["location"] == "/"


async def test_a_sealed_secret_is_for_one_person(olena: Visitor, world: World) -> None:
    async with world.client() as client:
        petro = Visitor(client)
        await petro.sign_in("petro")
        theirs = await petro.page("/account/second-factor")
        sealed = theirs.xpath("//input[@name='sealed']")[0].value
    answer = await send(olena, "/account/second-factor", sealed=sealed, code="1", password=PASSWORD)
    assert answer.headers["location"] == "/account/second-factor"


async def test_sessions_are_listed_and_ended(olena: Visitor, world: World) -> None:
    async with world.client(headers={"user-agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0"}) as client:
        elsewhere = Visitor(client)
        await elsewhere.sign_in("olena")
        page = await olena.page("/account")
        rows = [text_of(row) for row in page.find_class("rows")[0].iter("tr")][1:]
        assert len(rows) == 2
        assert any(row.startswith("Chrome, Windows 127.0.0.1 20 April 2026, 12:00") for row in rows)
        assert sum(row.endswith("this session") for row in rows) == 1
        answer = await olena.submit("/account", "/account/sessions/end")
        assert answer.headers["location"] == "/account?saved=1"
        assert (await elsewhere.client.get("/")).status_code == 303
        await elsewhere.sign_in("olena")
        await olena.submit("/account", "/account/sessions/end-others")
        assert (await elsewhere.client.get("/")).status_code == 303
    assert (await olena.client.get("/")).status_code == 200


async def test_people_are_added_changed_and_removed(olena: Visitor, world: World) -> None:
    answer = await olena.submit(
        "/people", "/people/add", login="ivan", name="Іван", role="employee", number="0672222222"
    )
    (password,) = re.findall(r'id="new-password">([^<]+)<', answer.text)
    assert password not in (await olena.client.get("/people")).text
    ivan = stored(world, "ivan")
    assert (ivan.role, ivan.name, ivan.must_change, ivan.enterprise_id) == (
        Role.EMPLOYEE,
        "Іван",
        True,
        world.own.enterprise_id,
    )
    async with world.client() as client:
        his = Visitor(client)
        assert (await his.sign_in("ivan", password)).status_code == 303
        fields = {"login": "ivan", "name": "Іван", "role": "supervisor", "number": ""}
        assert (await send(olena, "/people/change", **fields)).headers["location"] == "/people?saved=1"
        assert (await his.client.get("/account/password")).status_code == 303, "another role ends the sessions"
        reset = await send(olena, "/people/reset", login="ivan", factor="off")
        assert (await his.sign_in("ivan", password)).status_code == 401
        (password,) = re.findall(r'id="new-password">([^<]+)<', reset.text)
        assert (await his.sign_in("ivan", password)).status_code == 303
        await send(olena, "/people/remove", login="ivan")
        assert (await his.client.get("/account/password")).status_code == 303
    assert "ivan" not in text_of(await olena.page("/people"))


async def test_what_cannot_be_done_with_people_is_said(olena: Visitor) -> None:
    refused: tuple[tuple[str, dict[str, str], str], ...] = (
        ("add", {"login": "petro", "role": "admin"}, "This login is taken."),
        ("add", {"login": "", "role": "admin"}, "A login has 1 to 100 printable characters."),
        ("add", {"login": "x", "role": "operator"}, "There is no such role here."),
        ("add", {"login": "x", "role": "employee"}, "An employee needs a number of the company"),
        ("add", {"login": "x", "role": "employee", "number": "0679999999"}, "An employee needs a number"),
        ("add", {"login": "x", "role": "admin", "name": "x" * 101}, "The name is too long."),
        ("change", {"login": "olena", "role": "supervisor"}, "This is the last one who may manage people"),
        ("remove", {"login": "olena"}, "Not oneself"),
        ("reset", {"login": "olena"}, "Not oneself"),
    )
    for path, fields, sentence in refused:
        answer = await send(olena, f"/people/{path}", **fields)
        assert answer.status_code == 400
        assert sentence in answer.text
        if path == "add":
            assert f'value="{fields["login"]}"' in answer.text


async def test_a_lost_authenticator_is_given_up_by_the_administrator(olena: Visitor, world: World) -> None:
    add_people(world)
    async with world.client() as client:
        borys = Visitor(client)
        await borys.sign_in(EMPLOYEE)
        await switch_on(borys, world)
        await send(olena, "/people/reset", login=EMPLOYEE)
        assert stored(world, EMPLOYEE).totp_sealed is not None
        await send(olena, "/people/reset", login=EMPLOYEE, factor="off")
        assert stored(world, EMPLOYEE).totp_sealed is None


@given(st.text(max_size=30))
def test_any_text_is_a_code_or_none(text: str) -> None:
    assert step_of(SECRET, text, 1_000_000.0) in (None, 33332, 33333, 33334)
    hashed = recovery_hash(text)
    assert hashed is None or len(hashed) == 64


def test_codes_are_taken_one_interval_early_and_late() -> None:
    app, now = pyotp.TOTP(SECRET), 1_000_000
    assert [step_of(app.secret, app.at(now + 30 * by), now) for by in range(-2, 3)] == [
        *(None, 33332, 33333, 33334),
        None,
    ]


def test_codes_and_passwords_are_new_each_time() -> None:
    assert len({*new_recovery_codes(), *new_recovery_codes()}) == 2 * RECOVERY_CODES
    assert temporary_password() != temporary_password()
    assert weakness(temporary_password(), "olena", before="") is None


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36", "Chrome, Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", ""),
    ],
)
def test_a_browser_in_two_words(client: str, name: str) -> None:
    assert browser_name(client) == name
