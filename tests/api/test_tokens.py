"""What a token may do, from where, how often: one test for each rule, against the application as it is served."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from hypothesis import given, settings
from hypothesis import strategies as st

from kobza.api.rate_limits import Rate, Rates
from kobza.store import tokens
from kobza.store.tokens import USUAL_SCOPES, Scope, Token, parse_networks
from tests.api.test_callstat import assert_problem
from tests.api.world import ALICE, BORYS, World

FMC = "/api/fmc/v1"
DAY = {"from": "2026-04-19T00:00:00", "to": "2026-04-19T23:59:59"}

SCOPES: list[tuple[str, str, Scope]] = [
    ("GET", "/callhistory", Scope.HISTORY),
    ("GET", "/callrecord", Scope.HISTORY),
    ("HEAD", "/callrecord", Scope.HISTORY),
    ("GET", "/events", Scope.HISTORY),
    ("GET", "/phonestatus", Scope.HISTORY),
    ("POST", "/originate", Scope.CONTROL),
    ("POST", "/callcontrol", Scope.CONTROL),
    ("GET", "/clip", Scope.SETTINGS),
    ("PUT", "/clip", Scope.SETTINGS),
    ("GET", "/dnd", Scope.SETTINGS),
    ("PUT", "/dnd", Scope.SETTINGS),
    ("GET", "/forwarding", Scope.SETTINGS),
    ("PUT", "/forwarding", Scope.SETTINGS),
    ("GET", "/webhook", Scope.SETTINGS),
    ("PUT", "/webhook", Scope.SETTINGS),
    ("DELETE", "/webhook", Scope.SETTINGS),
    ("POST", "/webhook/test", Scope.SETTINGS),
    ("GET", "/webhook/deliveries", Scope.SETTINGS),
    ("GET", "/webhook/deliveries/1", Scope.SETTINGS),
    ("POST", "/webhook/deliveries/1/replay", Scope.SETTINGS),
    ("POST", "/webhook/deliveries/replay", Scope.SETTINGS),
    ("POST", "/webhook/recover", Scope.SETTINGS),
    ("POST", "/webhook/activate", Scope.SETTINGS),
]


def make(world: World, **options: Any) -> tokens.NewToken:
    with world.store.write() as conn:
        return tokens.add(conn, world.own.enterprise_id, int(world.at * 1000), **options)


def first(world: World) -> Token:
    with world.store.read() as conn:
        return tokens.list_for(conn, world.own.enterprise_id)[0]


def sent(world: World, secret: str, **parameters: Any) -> dict[str, Any]:
    """Return keyword arguments of a request with a token."""
    params = {"integrator_id": world.own.integrator_id, **parameters}
    return {"params": params, "headers": {"authorization": f"Bearer {secret}"}}


def limited(world: World, **rates: Rate | None) -> httpx.AsyncClient:
    """Return a client of an application with other rates."""
    app = world.build(rates=Rates(**rates))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kobza.test")


def from_address(world: World, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(world.app, client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url="http://kobza.test")


# Scopes


def test_every_function_is_in_the_table_of_scopes(world: World) -> None:
    served = {
        (method, route.path.removeprefix(FMC))
        for route in world.app.routes
        if isinstance(route, APIRoute) and route.path.startswith(FMC)
        for method in route.methods or ()
    }
    assert {(method, re.sub(r"/1(?=/|$)", "/{delivery_id}", path)) for method, path, _ in SCOPES} == served


@pytest.mark.parametrize(("method", "path", "scope"), SCOPES)
async def test_without_the_scope_403_that_names_it(
    client: httpx.AsyncClient, world: World, method: str, path: str, scope: Scope
) -> None:
    without = make(world, scopes=set(Scope) - {scope}).secret
    answer = await client.request(method, FMC + path, **sent(world, without))
    if method == "HEAD":
        assert (answer.status_code, answer.content) == (403, b"")
    else:
        assert_problem(answer, 403, "scope_missing")
        assert answer.json()["scope"] == scope
        assert scope in answer.json()["detail"]
    assert f'error="insufficient_scope", scope="{scope}"' in answer.headers["www-authenticate"]
    only = make(world, scopes=[scope]).secret
    answer = await client.request(method, FMC + path, **sent(world, only))
    assert answer.status_code != 403


@pytest.mark.parametrize("extension", ["csv", "json", "xml"])
async def test_the_basic_call_information_needs_the_scope_history(
    client: httpx.AsyncClient, world: World, extension: str
) -> None:
    path = f"/api/cdr/v1/callstat.{extension}"
    control, history = make(world, scopes=[Scope.CONTROL]).secret, make(world, scopes=[Scope.HISTORY]).secret
    answer = await client.get(path, params={"token": control, **DAY, "names": "maybe"})
    assert_problem(answer, 403, "scope_missing")
    assert answer.json()["scope"] == "history"
    assert (await client.get(path, params={"token": history, **DAY})).status_code == 200


async def test_the_older_originate_needs_the_scope_control(client: httpx.AsyncClient, world: World) -> None:
    control, history = make(world, scopes=[Scope.CONTROL]).secret, make(world, scopes=[Scope.HISTORY]).secret
    numbers = {"calling_number": ALICE, "called_number": BORYS}
    answer = await client.get("/api/onebox/v1/originate", params={"token": history, **numbers})
    assert_problem(answer, 403, "scope_missing")
    assert world.commands.told == []
    answer = await client.get("/api/onebox/v1/originate", params={"token": control, **numbers})
    assert answer.status_code == 200


async def test_the_first_token_of_an_enterprise_may_do_everything(world: World) -> None:
    assert first(world).scopes == USUAL_SCOPES


def test_the_manual_names_the_scope_of_every_function(world: World) -> None:
    paths = world.app.state.manual.document["paths"]
    for method, path, scope in SCOPES:
        operation = paths[FMC + re.sub(r"/1(?=/|$)", "/{delivery_id}", path)][method.lower()]
        assert operation["x-scope"] == scope
        assert {"401", "403", "429"} <= set(operation["responses"])


# Who is it: 401, 403


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "])
async def test_the_scheme_may_have_any_case(client: httpx.AsyncClient, world: World, scheme: str) -> None:
    options = sent(world, "")
    options["headers"]["authorization"] = f"{scheme} {world.own.fmc_token}"
    assert (await client.get(f"{FMC}/phonestatus", **options)).status_code == 200


@pytest.mark.parametrize("other", ["Bearer " + "0" * 64, "Basic YTpi", ""])
async def test_several_authorization_headers_401(client: httpx.AsyncClient, world: World, other: str) -> None:
    right = f"Bearer {world.own.fmc_token}"
    for pair in ((right, other), (other, right), (right, right)):
        headers = [("authorization", value) for value in pair]
        answer = await client.get(
            f"{FMC}/phonestatus", params={"integrator_id": world.own.integrator_id}, headers=headers
        )
        assert_problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == 'Bearer realm="kobza", error="invalid_request"'


async def test_no_header_401_without_an_error_in_the_challenge(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{FMC}/phonestatus")
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="kobza"'


def _rotated(world: World) -> str:
    old = make(world)
    with world.store.write() as conn:
        tokens.rotate(conn, world.own.enterprise_id, old.token.token_id, int(world.at * 1000), 0)
    return old.secret


def _revoked(world: World) -> str:
    made = make(world)
    with world.store.write() as conn:
        tokens.revoke(conn, world.own.enterprise_id, made.token.token_id, int(world.at * 1000))
    return made.secret


def _expired(world: World) -> str:
    made = make(world, expires_at=int(world.at * 1000) + 1)
    world.at += 1
    return made.secret


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda world: "0" * 64, "is not valid"),
        (lambda world: "x", "is not valid"),
        (lambda world: first(world).token_hash, "is not valid"),
        (lambda world: first(world).token_id, "is not valid"),
        (_expired, "has expired"),
        (_revoked, "was revoked"),
        (_rotated, "was revoked"),
    ],
)
async def test_a_token_that_is_unknown_expired_or_revoked_403(
    client: httpx.AsyncClient, world: World, prepare: Callable[[World], str], words: str
) -> None:
    secret = prepare(world)
    for answer in (
        await client.get(f"{FMC}/phonestatus", **sent(world, secret)),
        await client.get("/api/cdr/v1/callstat.csv", params={"token": secret, **DAY}),
        await client.get(
            "/api/onebox/v1/originate", params={"token": secret, "calling_number": ALICE, "called_number": BORYS}
        ),
    ):
        assert_problem(answer, 403, "forbidden", "token")
        assert words in answer.json()["detail"]


async def test_both_tokens_of_a_rotation_are_good_until_the_overlap_ends(
    client: httpx.AsyncClient, world: World
) -> None:
    with world.store.write() as conn:
        now_ms = int(world.at * 1000)
        new = tokens.rotate(conn, world.own.enterprise_id, first(world).token_id, now_ms, 60_000).secret
    path = f"{FMC}/phonestatus"
    for secret in (world.own.fmc_token, new):
        assert (await client.get(path, **sent(world, secret))).status_code == 200
    world.at += 60
    assert_problem(await client.get(path, **sent(world, world.own.fmc_token)), 403, "forbidden", "token")
    assert (await client.get(path, **sent(world, new))).status_code == 200


async def test_the_token_of_another_enterprise_sees_its_own(client: httpx.AsyncClient, world: World) -> None:
    answer = await client.get(f"{FMC}/phonestatus", **sent(world, world.other.fmc_token))
    assert_problem(answer, 403, "forbidden", "integrator_id")


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ([], 400, "missing_parameter"),
        ([("integrator_id", "x")], 403, "forbidden"),
        ([("integrator_id", "")], 403, "forbidden"),
        ([("integrator_id", "x"), ("integrator_id", "x")], 400, "duplicate_parameter"),
        ([("INTEGRATOR_ID", "x")], 400, "missing_parameter"),
    ],
)
async def test_the_integrator_is_read_after_the_token(
    client: httpx.AsyncClient, world: World, parameters: list[tuple[str, Any]], status: int, code: str
) -> None:
    answer = await client.get(f"{FMC}/phonestatus", params=parameters, headers=world.bearer)
    assert_problem(answer, status, code, "integrator_id")
    wrong = await client.get(f"{FMC}/phonestatus", params=parameters, headers={"authorization": "Bearer x"})
    assert_problem(wrong, 403, "forbidden", "token")


HEADERS = st.lists(
    st.sampled_from(["Bearer", "bearer", " ", "=", ",", "\t", "0" * 64, "Basic", "~", "\xe9", "a", "\x00"]), max_size=8
).map("".join) | st.text(st.characters(max_codepoint=255), max_size=100)


def test_whatever_the_header_holds_it_is_401_or_403(tmp_path: Path) -> None:
    world = World(tmp_path)

    @settings(max_examples=200, deadline=None)
    @given(values=st.lists(HEADERS, max_size=3), integrator=st.text(max_size=20))
    def check(values: list[str], integrator: str) -> None:
        async def ask() -> httpx.Response:
            async with world.client() as client:
                headers = [(b"authorization", value.encode("latin-1")) for value in values]
                return await client.get(f"{FMC}/clip", params={"integrator_id": integrator}, headers=headers)

        answer = asyncio.run(ask())
        assert answer.status_code in (401, 403, 429)
        assert (answer.status_code == 401) is ("www-authenticate" in answer.headers)
        if len(values) != 1:
            assert answer.status_code == 401

    check()
    world.close()


# Addresses


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ([], "203.0.113.9", True),
        (["203.0.113.9"], "203.0.113.9", True),
        (["203.0.113.9"], "203.0.113.10", False),
        (["10.0.0.0/8", "203.0.113.0/24"], "203.0.113.255", True),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["2001:db8::/48"], "2001:db8:0:ffff::1", True),
        (["2001:db8::/48"], "2001:db8:1::1", False),
        (["::1"], "::1", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["::/0"], "203.0.113.9", False),
        (["0.0.0.0/0"], "::1", False),
        (["0.0.0.0/0", "::/0"], "", False),
    ],
)
async def test_an_address_that_is_not_on_the_list_403(
    world: World, networks: list[str], address: str, allowed: bool
) -> None:
    secret = make(world, networks=parse_networks(networks)).secret
    async with from_address(world, address) as client:
        answers = [
            await client.get(f"{FMC}/phonestatus", **sent(world, secret)),
            await client.get("/api/cdr/v1/callstat.json", params={"token": secret, **DAY}),
        ]
    for answer in answers:
        if allowed:
            assert answer.status_code == 200
        else:
            assert_problem(answer, 403, "address_not_allowed")


async def test_a_forwarded_address_is_not_believed_by_itself(world: World) -> None:
    secret = make(world, networks=parse_networks(["10.0.0.1"])).secret
    options = sent(world, secret)
    options["headers"] |= {"x-forwarded-for": "10.0.0.1", "forwarded": "for=10.0.0.1"}
    async with from_address(world, "127.0.0.1") as client:
        assert_problem(await client.get(f"{FMC}/phonestatus", **options), 403, "address_not_allowed")


async def test_an_address_that_is_not_allowed_is_in_the_log_and_the_token_is_not(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    made = make(world, networks=parse_networks(["10.0.0.1"]))
    async with from_address(world, "203.0.113.9") as client:
        await client.get(f"{FMC}/phonestatus", **sent(world, made.secret))
    assert f"the token {made.token.token_id} was tried from 203.0.113.9" in caplog.text
    assert made.secret not in caplog.text


# Rates


async def test_answers_say_what_is_left(client: httpx.AsyncClient, world: World) -> None:
    for path, options, policy in (
        (f"{FMC}/phonestatus", world.fmc(), '"read";q=6000;w=60'),
        (f"{FMC}/callhistory", world.fmc(**DAY), '"export";q=600;w=60'),
        ("/api/cdr/v1/callstat.csv", {"params": {"token": world.own.fmc_token, **DAY}}, '"export";q=600;w=60'),
        (f"{FMC}/callrecord", world.fmc(record_id="none"), '"read";q=6000;w=60'),
        (f"{FMC}/clip", world.fmc(number=ALICE), '"read";q=6000;w=60'),
    ):
        answer = await client.get(path, **options)
        assert answer.headers["ratelimit-policy"] == policy
        assert re.fullmatch(rf"{policy.partition(';')[0]};r=\d+;t=1", answer.headers["ratelimit"])
    answer = await client.post(f"{FMC}/callcontrol", content=b"{}", **world.fmc())
    assert answer.headers["ratelimit"] == '"control";r=1199;t=1'


@pytest.mark.parametrize("path", ["/", "/manual/openapi.html", "/healthz", "/static/kobza.css", "/api/unknown"])
async def test_what_is_not_limited_says_nothing_of_limits(client: httpx.AsyncClient, path: str) -> None:
    assert "ratelimit" not in (await client.get(path)).headers


async def test_beyond_the_rate_429_with_the_moment_to_try_again(world: World) -> None:
    async with limited(world, read=Rate(2, 60)) as client:
        for left in (1, 0):
            answer = await client.get(f"{FMC}/phonestatus", **world.fmc())
            assert (answer.status_code, answer.headers["ratelimit"]) == (200, f'"read";r={left};t=30')
            assert "retry-after" not in answer.headers
        answer = await client.get(f"{FMC}/phonestatus", **world.fmc())
        assert_problem(answer, 429, "rate_limited")
        assert answer.headers["retry-after"] == "30"
        assert answer.headers["ratelimit"] == '"read";r=0;t=30'
        assert answer.headers["ratelimit-policy"] == '"read";q=2;w=60'
        world.at += 29
        answer = await client.get(f"{FMC}/phonestatus", **world.fmc())
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        world.at += 1
        assert (await client.get(f"{FMC}/phonestatus", **world.fmc())).status_code == 200


async def test_what_a_token_used_up_another_still_has(world: World) -> None:
    other = make(world).secret
    async with limited(world, read=Rate(1, 60)) as client:
        assert (await client.get(f"{FMC}/phonestatus", **world.fmc())).status_code == 200
        assert (await client.get(f"{FMC}/phonestatus", **world.fmc())).status_code == 429
        assert (await client.get(f"{FMC}/phonestatus", **sent(world, other))).status_code == 200


async def test_reads_exports_and_control_are_limited_apart(world: World) -> None:
    one = Rate(1, 60)
    async with limited(world, read=one, export=one, control=one) as client:
        for _ in range(2):
            answers = [
                await client.get(f"{FMC}/phonestatus", **world.fmc()),
                await client.get(f"{FMC}/callhistory", **world.fmc(**DAY)),
                await client.post(f"{FMC}/callcontrol", content=b"{}", **world.fmc()),
            ]
        assert [answer.status_code for answer in answers] == [429, 429, 429]
        assert (await client.put(f"{FMC}/dnd", content=b"{}", **world.fmc())).status_code == 429
        query = {"token": world.own.fmc_token, **DAY}
        assert_problem(await client.get("/api/cdr/v1/callstat.csv", params=query), 429, "rate_limited")
        numbers = {"token": world.own.fmc_token, "calling_number": ALICE, "called_number": BORYS}
        assert_problem(await client.get("/api/onebox/v1/originate", params=numbers), 429, "rate_limited")
        assert world.commands.told == []


async def test_a_rate_can_be_switched_off(world: World) -> None:
    async with limited(world, read=None) as client:
        answer = await client.get(f"{FMC}/phonestatus", **world.fmc())
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


# Guessing


async def test_failures_of_an_address_are_limited_and_valid_tokens_from_it_pass(world: World) -> None:
    async with limited(world, failures=Rate(3, 60)) as client:
        wrong = [await client.get(f"{FMC}/phonestatus", **sent(world, f"{guess:064x}")) for guess in range(5)]
        assert [answer.status_code for answer in wrong] == [403, 403, 403, 429, 429]
        assert_problem(wrong[-1], 429, "rate_limited")
        assert wrong[-1].headers["retry-after"] == "20"
        answer = await client.get("/api/cdr/v1/callstat.csv", params={"token": "0" * 64, **DAY})
        assert_problem(answer, 429, "rate_limited")
        wrong_integrator = sent(world, world.own.fmc_token, integrator_id="x")
        assert (await client.get(f"{FMC}/phonestatus", **wrong_integrator)).status_code == 429
        assert (await client.get(f"{FMC}/phonestatus", **world.fmc())).status_code == 200, "the innocent pass"
        world.at += 20
        assert (await client.get(f"{FMC}/phonestatus", **sent(world, "0" * 64))).status_code == 403


async def test_a_stolen_token_does_not_use_up_the_rate_of_its_owner(world: World) -> None:
    made = make(world, networks=parse_networks(["10.0.0.1"]))
    async with limited(world, read=Rate(1, 60)) as client:
        for _ in range(3):
            assert (await client.get(f"{FMC}/phonestatus", **sent(world, made.secret))).status_code == 403
        transport = httpx.ASGITransport(client._transport.app, client=("10.0.0.1", 1))  # type: ignore[attr-defined]
        async with httpx.AsyncClient(transport=transport, base_url="http://kobza.test") as owner:
            assert (await owner.get(f"{FMC}/phonestatus", **sent(world, made.secret))).status_code == 200


# Last use


async def test_the_last_use_is_noted_in_memory_and_written_later(client: httpx.AsyncClient, world: World) -> None:
    options = world.fmc()
    options["headers"] |= {"user-agent": "crm/1.0 \x7f" + "x" * 300}
    for _ in range(3):
        world.at += 1
        await client.get(f"{FMC}/phonestatus", **options)
    assert first(world).last_used_at is None, "no commit for each request"
    await world.app.state.context.gate.uses.flush()
    used = first(world)
    assert (used.last_used_at, used.last_used_address) == (int(world.at * 1000), "127.0.0.1")
    assert used.last_used_client == "crm/1.0 ?" + "x" * 191


async def test_what_was_refused_is_no_use(client: httpx.AsyncClient, world: World) -> None:
    await client.get(f"{FMC}/phonestatus", **sent(world, world.own.fmc_token, integrator_id="x"))
    await world.app.state.context.gate.stop()
    assert first(world).last_used_at is None


async def test_uses_by_the_parameter_token_are_noted_too(client: httpx.AsyncClient, world: World) -> None:
    await client.get("/api/cdr/v1/callstat.csv", params={"token": world.own.fmc_token, **DAY})
    await world.app.state.context.gate.stop()
    assert first(world).last_used_at == int(world.at * 1000)
