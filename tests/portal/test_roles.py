"""Who may do what: one table of all routes and roles, and what of each enterprise and person nobody else sees."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import httpx
import pytest_asyncio
from fastapi.routing import APIRoute
from starlette.routing import Route

from kobza.call.group import RingingGroup
from kobza.store import deliveries, groups, numbers, saved_filters, users
from tests.api.test_fmc import store_state
from tests.api.world import ALICE, BORYS, OUTSIDE, STRANGER, Leg, World
from tests.portal.people import EMPLOYEE, ENTERED, OPERATOR, SUPERVISOR, TEMPORARY, add_people
from tests.portal.system import QuietSystem
from tests.portal.visitor import Visitor, text_of

NOBODY = "nobody"
COLUMNS: Final = (NOBODY, OPERATOR, ENTERED, "olena", SUPERVISOR, EMPLOYEE, TEMPORARY)
YES, SIGN_IN, ENTER, NO, PASSWORD = "yes", "sign in", "enter an enterprise", "no", "change the password"
NO_SUCH = "no such page"

PUBLIC = (YES,) * 7
ANYBODY = (SIGN_IN, YES, YES, YES, YES, YES, PASSWORD)
BEFORE_CHANGE = (SIGN_IN, YES, YES, YES, YES, YES, YES)
STAFF = (SIGN_IN, ENTER, YES, YES, YES, YES, PASSWORD)
WATCHERS = (SIGN_IN, ENTER, YES, YES, YES, NO, PASSWORD)
ADMINS = (SIGN_IN, ENTER, YES, YES, NO, NO, PASSWORD)
MANAGERS = (SIGN_IN, YES, YES, YES, NO, NO, PASSWORD)
OPERATORS = (SIGN_IN, YES, YES, NO, NO, NO, PASSWORD)
SYSTEM = (SIGN_IN, YES, YES, NO_SUCH, NO_SUCH, NO_SUCH, PASSWORD)

TABLE: Final = {
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/manual/{name}"): PUBLIC,
    ("GET", "/manual/guide.html"): PUBLIC,
    ("GET", "/manual/genericfmcapi.yaml"): PUBLIC,
    ("GET", "/manual/openapi.html"): PUBLIC,
    ("GET", "/static/{name}"): PUBLIC,
    ("GET", "/language/{language}"): PUBLIC,
    ("GET", "/theme/{theme}"): PUBLIC,
    ("GET", "/signin"): PUBLIC,
    ("POST", "/signin"): PUBLIC,
    ("GET", "/signin/code"): PUBLIC,
    ("POST", "/signin/code"): PUBLIC,
    ("GET", "/"): STAFF,
    ("GET", "/phone"): STAFF,
    ("GET", "/phone/who"): STAFF,
    ("GET", "/live"): STAFF,
    ("GET", "/live/stream"): STAFF,
    ("GET", "/history"): STAFF,
    ("GET", "/history.{kind}"): STAFF,
    ("GET", "/history/{call_id}"): STAFF,
    ("GET", "/recordings/{record_id}"): STAFF,
    ("GET", "/recordings/{record_id}/waveform"): STAFF,
    ("GET", "/statistics"): WATCHERS,
    ("GET", "/statistics/{part}.csv"): WATCHERS,
    ("GET", "/statistics/{part}.svg"): WATCHERS,
    ("GET", "/statistics/{part}"): WATCHERS,
    ("GET", "/contacts"): STAFF,
    ("GET", "/contacts.{kind}"): WATCHERS,
    ("GET", "/contacts/new"): ADMINS,
    ("GET", "/contacts/edit"): ADMINS,
    ("GET", "/contacts/doubles"): ADMINS,
    ("GET", "/contacts/import"): ADMINS,
    ("GET", "/provisioning"): ADMINS,
    ("GET", "/provisioning.csv"): ADMINS,
    ("GET", "/provisioning/account"): ADMINS,
    ("GET", "/provisioning/forwarding"): ADMINS,
    ("GET", "/provisioning/groups"): ADMINS,
    ("GET", "/provisioning/hours"): ADMINS,
    ("GET", "/provisioning/limits"): ADMINS,
    ("GET", "/provisioning/sounds"): ADMINS,
    ("GET", "/provisioning/recording"): ADMINS,
    ("GET", "/own/forwarding"): STAFF,
    ("GET", "/crm-integration"): ADMINS,
    ("GET", "/crm-integration/deliveries"): ADMINS,
    ("GET", "/crm-integration/deliveries/{cursor}"): ADMINS,
    ("GET", "/people"): MANAGERS,
    ("GET", "/audit"): MANAGERS,
    ("GET", "/audit.csv"): MANAGERS,
    ("GET", "/enterprises"): OPERATORS,
    ("GET", "/system"): SYSTEM,
    ("GET", "/system/now"): SYSTEM,
    ("POST", "/system/examine"): SYSTEM,
    ("GET", "/account"): ANYBODY,
    ("GET", "/account/password"): BEFORE_CHANGE,
    ("GET", "/account/second-factor"): ANYBODY,
    ("POST", "/account/password"): BEFORE_CHANGE,
    ("POST", "/account/second-factor"): ANYBODY,
    ("POST", "/account/second-factor/off"): ANYBODY,
    ("POST", "/account/second-factor/codes"): ANYBODY,
    ("POST", "/account/sessions/end"): ANYBODY,
    ("POST", "/account/sessions/end-others"): ANYBODY,
    ("POST", "/people/add"): MANAGERS,
    ("POST", "/people/change"): MANAGERS,
    ("POST", "/people/reset"): MANAGERS,
    ("POST", "/people/remove"): MANAGERS,
    ("POST", "/own/dial"): STAFF,
    ("POST", "/own/dnd"): STAFF,
    ("POST", "/phone/transfer"): STAFF,
    ("POST", "/live/hangup"): STAFF,
    ("POST", "/live/hold"): STAFF,
    ("POST", "/live/resume"): STAFF,
    ("POST", "/live/transfer"): STAFF,
    ("POST", "/live/record"): STAFF,
    ("POST", "/live/supervise"): WATCHERS,
    ("POST", "/provisioning/supervision"): ADMINS,
    ("POST", "/history/saved"): STAFF,
    ("POST", "/history/saved/remove"): STAFF,
    ("POST", "/contacts/save"): ADMINS,
    ("POST", "/contacts/remove"): ADMINS,
    ("POST", "/contacts/merge"): ADMINS,
    ("POST", "/contacts/import"): ADMINS,
    ("POST", "/contacts/import/apply"): ADMINS,
    ("POST", "/provisioning/change"): ADMINS,
    ("POST", "/provisioning/apply"): ADMINS,
    ("POST", "/provisioning/import"): ADMINS,
    ("POST", "/provisioning/account"): ADMINS,
    ("POST", "/provisioning/dnd"): ADMINS,
    ("POST", "/provisioning/forwarding"): ADMINS,
    ("POST", "/provisioning/calls"): ADMINS,
    ("POST", "/provisioning/clip"): ADMINS,
    ("POST", "/provisioning/groups"): ADMINS,
    ("POST", "/provisioning/groups/remove"): ADMINS,
    ("POST", "/provisioning/hours"): ADMINS,
    ("POST", "/provisioning/limits"): ADMINS,
    ("POST", "/provisioning/sounds"): ADMINS,
    ("POST", "/provisioning/sounds/music"): ADMINS,
    ("POST", "/provisioning/sounds/remove"): ADMINS,
    ("POST", "/provisioning/recording"): ADMINS,
    ("POST", "/provisioning/recording/sound"): ADMINS,
    ("POST", "/provisioning/recording/sound/remove"): ADMINS,
    ("POST", "/provisioning/hours/override"): ADMINS,
    ("POST", "/own/forwarding"): STAFF,
    ("POST", "/own/calls"): STAFF,
    ("POST", "/crm-integration/webhook"): ADMINS,
    ("POST", "/crm-integration/webhook/activate"): ADMINS,
    ("POST", "/crm-integration/webhook/remove"): ADMINS,
    ("POST", "/crm-integration/webhook/test"): ADMINS,
    ("POST", "/crm-integration/deliveries/replay"): ADMINS,
    ("POST", "/crm-integration/deliveries/replay-one"): ADMINS,
    ("POST", "/crm-integration/deliveries/recover"): ADMINS,
    ("POST", "/crm-integration/tokens/add"): ADMINS,
    ("POST", "/crm-integration/tokens/rotate"): ADMINS,
    ("POST", "/crm-integration/tokens/revoke"): ADMINS,
    ("POST", "/enterprises/enter"): OPERATORS,
    ("POST", "/enterprises/leave"): OPERATORS,
    ("POST", "/signout"): PUBLIC,
}
"""Route -> what each of COLUMNS gets. The last two rows end what the others need, so they stay the last."""

EXAMPLES: Final = {"name": "kobza.css", "language": "en", "theme": "auto", "kind": "csv"}


def routes_of(world: World) -> dict[tuple[str, str], str]:
    """All routes for people (those for programs have tokens), each with an address."""
    found: dict[tuple[str, str], str] = {}
    for route in world.app.router.routes:
        if isinstance(route, Route) and not isinstance(route, APIRoute):
            address = route.path.format(**{name: EXAMPLES.get(name, "unknown") for name in route.param_convertors})
            found |= {(method, route.path): address for method in (route.methods or ()) if method != "HEAD"}
    return found


def outcome(path: str, answer: httpx.Response) -> str:
    """Say in a word of the table what an answer is."""
    location = answer.headers.get("location", "")
    if location.startswith("/signin") and path not in ("/signin", "/signin/code", "/signout"):
        return SIGN_IN
    if path.startswith("/live") and answer.status_code == 403 and not answer.text:
        return SIGN_IN
    if location == "/enterprises" and path != "/enterprises/leave":
        return ENTER
    if location == "/account/password":
        return PASSWORD
    if answer.status_code == 403 and "not for your role" in answer.text:
        return NO
    if answer.status_code == 404 and path.startswith("/system"):
        return NO_SUCH
    assert answer.status_code < 500 or path == "/live/stream", answer.text
    assert "out of date" not in answer.text, "the form's token must not decide"
    return YES


@pytest_asyncio.fixture
async def everybody(world: World) -> AsyncIterator[dict[str, Visitor]]:
    """A signed-in visitor for each column of the table."""
    add_people(world)
    world.app = world.build(system=QuietSystem())
    async with AsyncExitStack() as stack:
        visitors = {}
        for column in COLUMNS:
            visitor = visitors[column] = Visitor(await stack.enter_async_context(world.client()))
            if column != NOBODY:
                answer = await visitor.sign_in(column)
                assert answer.status_code == 303, answer.text
        await visitors[ENTERED].submit("/enterprises", "/enterprises/enter", enterprise_id=world.own.enterprise_id)
        yield visitors


async def form_token(visitor: Visitor) -> str:
    page = await visitor.page("/account/password")
    return str(page.xpath("//input[@name='csrf']")[0].value)


async def test_each_role_gets_what_it_may_and_nothing_else(everybody: dict[str, Visitor], world: World) -> None:
    world.app.state.context.event_streams.stop()  # so that a stream that is given ends
    routes = routes_of(world)
    assert routes.keys() - TABLE.keys() == set(), "who may have a new route? Put it into the table"
    assert TABLE.keys() - routes.keys() == set()
    for column, visitor in everybody.items():
        csrf = "" if column == NOBODY else await form_token(visitor)
        found = {}
        for method, path in TABLE:
            data = {"csrf": csrf} if method == "POST" else None
            answer = await visitor.client.request(method, routes[method, path], data=data)
            found[method, path] = outcome(path, answer)
        assert found == {route: row[COLUMNS.index(column)] for route, row in TABLE.items()}, column
    assert world.commands.told == []


async def test_what_is_another_enterprises_is_404(everybody: dict[str, Visitor], world: World) -> None:
    their = world.other.enterprise_id
    record = world.add_recording(b"mp3", record_id="theirs", enterprise_id=their)
    call = world.add_call(enterprise_id=their, call_id="their-call", calling_number=STRANGER, record_id=record)
    world.commands.legs = [Leg("c", "their-leg", STRANGER, OUTSIDE, "outgoing", "established", world.at)]
    (token,), session = tokens_of(world), await session_of(world, "petro")
    with world.store.read() as conn:
        theirs = users.find(conn, "petro")
    assert theirs is not None
    with world.store.write() as conn:
        saved_filters.save(conn, theirs.user_id, "Свій", "q=067")
        kept = saved_filters.list_for(conn, theirs.user_id)[0].filter_id
        groups.put(conn, RingingGroup("200", their, members=(STRANGER,)))
    store_state(world, enterprise_id=their, state_owner=STRANGER)
    with world.store.read() as conn:
        sent = deliveries.list_for(conn, their)[0].cursor
    forms = {
        "/live/hangup": {"call_control_id": "their-leg"},
        "/live/hold": {"call_control_id": "their-leg"},
        "/live/resume": {"call_control_id": "their-leg"},
        "/live/transfer": {"call_control_id": "their-leg", "destination": "0671111111"},
        "/live/record": {"call_control_id": "their-leg", "record": "start"},
        "/live/supervise": {"call_control_id": "their-leg", "mode": "listen"},
        "/provisioning/dnd": {"number": STRANGER, "dnd": "on"},
        "/provisioning/account": {"number": STRANGER},
        "/crm-integration/tokens/rotate": {"token_id": token, "overlap": "0"},
        "/crm-integration/tokens/revoke": {"token_id": token},
        "/history/saved/remove": {"filter_id": kept},
        "/contacts/save": {"was": STRANGER, "name": "X", "numbers": STRANGER},
        "/contacts/remove": {"was": STRANGER},
        "/contacts/merge": {"into": STRANGER, "numbers": STRANGER},
        "/people/change": {"login": "petro", "role": "employee", "number": "0672222222"},
        "/people/reset": {"login": "petro"},
        "/people/remove": {"login": "petro"},
        "/account/sessions/end": {"session_id": session},
        "/provisioning/forwarding": {"number": STRANGER, "always": "101"},
        "/provisioning/groups/remove": {"number": "200"},
        "/provisioning/calls": {"number": STRANGER, "max_calls": "1"},
        "/provisioning/clip": {"number": STRANGER, "hidden": "on"},
        "/provisioning/hours": {"number": STRANGER, "mode": "always"},
        "/provisioning/limits": {"number": STRANGER, "calls_day": "1"},
        "/provisioning/hours/override": {"number": "200", "act": "closed", "lasting": "2h"},
        "/crm-integration/deliveries/replay-one": {"cursor": str(sent)},
    }
    taking_ids = {path for method, path in TABLE if method == "POST"} - {
        *("/signin", "/signin/code", "/signout", "/account/password", "/account/second-factor", "/people/add"),
        *("/account/second-factor/off", "/account/second-factor/codes", "/account/sessions/end-others"),
        *("/own/dial", "/own/dnd", "/own/forwarding", "/own/calls", "/provisioning/groups", "/phone/transfer"),
        *("/crm-integration/webhook", "/crm-integration/webhook/activate"),
        *("/crm-integration/webhook/test", "/crm-integration/deliveries/replay"),
        "/crm-integration/deliveries/recover",
        *("/crm-integration/webhook/remove", "/crm-integration/tokens/add", "/enterprises/enter"),
        *("/enterprises/leave", "/contacts/import", "/contacts/import/apply"),
        *(
            "/provisioning/supervision",
            "/provisioning/change",
            "/provisioning/apply",
            "/provisioning/import",
            "/system/examine",
            "/history/saved",
        ),
        *("/provisioning/sounds", "/provisioning/sounds/music", "/provisioning/sounds/remove"),
        *("/provisioning/recording", "/provisioning/recording/sound", "/provisioning/recording/sound/remove"),
    }
    assert taking_ids == forms.keys(), "does a new form take an id? Then try that of another enterprise"
    shown = [f"/crm-integration/deliveries/{sent}", f"/history/{call.call_id}"]
    shown += [f"/recordings/{record}", f"/recordings/{record}/waveform"]
    for column in (ENTERED, "olena", SUPERVISOR, EMPLOYEE):
        visitor = everybody[column]
        for path in shown:
            answer = await visitor.client.get(path)
            assert answer.status_code == (403 if outcome(path, answer) == NO else 404), (column, path)
        csrf = await form_token(visitor)
        for path, fields in forms.items():
            answer = await visitor.client.post(path, data={"csrf": csrf, **fields})
            assert answer.status_code == (403 if outcome(path, answer) == NO else 404), (column, path)
    assert world.commands.told == []
    with world.store.read() as conn:
        assert users.find(conn, "petro") == theirs
        there = numbers.find(conn, their, STRANGER)
        assert there is not None
        assert not there.dnd
        assert not there.forwarding.is_on
        assert groups.find(conn, their, "200") is not None


def tokens_of(world: World) -> list[str]:
    from kobza.store import tokens

    with world.store.read() as conn:
        return [token.token_id for token in tokens.list_for(conn, world.other.enterprise_id)]


async def session_of(world: World, login: str) -> str:
    from kobza.store import sessions

    async with world.client() as client:
        await Visitor(client).sign_in(login)
    with world.store.read() as conn:
        user = users.find(conn, login)
        assert user is not None
        return sessions.list_for(conn, user.user_id, int(world.at * 1000))[0].session_id


async def test_an_employee_sees_the_own_calls_alone(everybody: dict[str, Visitor], world: World) -> None:
    for record_id in ("own", "others"):
        world.add_recording(b"mp3", record_id=record_id, call_id=f"{record_id}-call")
    world.add_call(call_id="own-call", calling_number=OUTSIDE, called_number=BORYS, answered_number=BORYS)
    world.add_call(call_id="others-call", calling_number=ALICE, called_number=OUTSIDE)
    world.commands.legs = [
        Leg("c1", "own-leg", BORYS, OUTSIDE, "outgoing", "established", world.at),
        Leg("c2", "others-leg", ALICE, OUTSIDE, "outgoing", "established", world.at),
    ]
    borys, svitlana = everybody[EMPLOYEE], everybody[SUPERVISOR]
    for path in ("/", "/live", "/history"):
        assert "Олена" not in text_of(await borys.page(path)), path
        assert "Олена" in text_of(await svitlana.page(path)), path
    assert "Олена" not in (await borys.client.get("/history.csv")).text
    for own, others in (
        ("/history/own-call", "/history/others-call"),
        ("/recordings/own", "/recordings/others"),
    ):
        assert (await borys.client.get(own)).status_code == 200, own
        assert (await borys.client.get(others)).status_code == 404, others
        assert (await svitlana.client.get(others)).status_code == 200, others
    assert (await borys.client.get("/recordings/others/waveform")).status_code == 404
    for visitor, leg, status in ((borys, "others-leg", 404), (svitlana, "own-leg", 404), (borys, "own-leg", 303)):
        data = {"csrf": await form_token(visitor), "call_control_id": leg}
        assert (await visitor.client.post("/live/hold", data=data)).status_code == status
    assert [told[2] for told in world.commands.told] == ["own-leg"]


async def test_who_has_a_number_forwards_it(everybody: dict[str, Visitor], world: World) -> None:
    borys = everybody[EMPLOYEE]
    answer = await borys.submit("/own/forwarding", "/own/forwarding", always="050 111 2233", number="0671111111")
    assert (answer.status_code, answer.headers["location"]) == (303, "/own/forwarding?saved=1")
    with world.store.read() as conn:
        found = numbers.find_all(conn, world.own.enterprise_id, (ALICE, BORYS))
    assert (found[BORYS].forwarding.always, found[ALICE].forwarding.is_on) == (OUTSIDE, False)
    assert "Forwarding: on" in text_of(await borys.page("/"))
    assert (await everybody["olena"].client.get("/own/forwarding")).status_code == 404  # has no number


async def test_who_has_a_number_dials_from_it_and_switches_its_dnd(everybody: dict[str, Visitor], world: World) -> None:
    borys = everybody[EMPLOYEE]
    answer = await borys.submit("/", "/own/dial", destination="050 111 2233")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert world.commands.told[0][:4] == ("originate", world.own.enterprise_id, BORYS, OUTSIDE)
    for wanted in ("on", "off"):
        await borys.submit("/", "/own/dnd", dnd=wanted)
        with world.store.read() as conn:
            found = numbers.find(conn, world.own.enterprise_id, BORYS)
        assert found is not None
        assert found.dnd is (wanted == "on")
    for visitor in (everybody["olena"], everybody[ENTERED]):  # neither has a number
        data = {"csrf": await form_token(visitor), "destination": "0501112233", "dnd": "on"}
        for path in ("/own/dial", "/own/dnd"):
            assert (await visitor.client.post(path, data=data)).status_code == 404
    with world.store.write() as conn:
        numbers.remove(conn, world.own.enterprise_id, BORYS)
    page = text_of(await borys.page("/"))
    assert "No number is given to you yet" in page
    assert "Every call of your numbers appears here" in page


async def test_an_operator_enters_an_enterprise_and_leaves_it(everybody: dict[str, Visitor], world: World) -> None:
    root = everybody[OPERATOR]
    page = text_of(await root.page("/enterprises"))
    assert "Бджола" in page
    assert "Джміль" in page
    answer = await root.submit("/enterprises", "/enterprises/enter", enterprise_id="no such")
    assert answer.status_code == 404
    await root.submit("/enterprises", "/enterprises/enter", enterprise_id=world.other.enterprise_id)
    page = text_of(await root.page("/"))
    assert "You are an operator within Джміль." in page
    assert "Чужий" in page
    await root.submit("/", "/enterprises/leave")
    assert (await root.client.get("/")).headers["location"] == "/enterprises"
    assert "Operators: they see all companies" in text_of(await root.page("/people"))
