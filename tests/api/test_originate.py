"""Click2dial over HTTP: what a request may say, idempotency keys, and the older interface."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from kobza.api.idempotency import IdempotencyKeys
from kobza.api.problems import ApiError
from kobza.call.errors import KobzaError, NoRouteError, OriginatorBusyError, OriginatorUnreachableError
from kobza.store import presentation
from tests.api.test_callstat import assert_problem
from tests.api.world import ALICE, BORYS, OUTSIDE, PLAIN, STRANGER, Begun, World

PATH = "/api/fmc/v1/originate"
OLDER = "/api/onebox/v1/originate"
HOTLINE = "+380800123456"
ANSWER = {"call_control_id": "leg1", "call_id": "call1"}


async def originate(
    client: httpx.AsyncClient, world: World, destination: str = "101", *, key: str | None = None, **fields: Any
) -> httpx.Response:
    options = world.fmc()
    if key is not None:
        options["headers"]["idempotency-key"] = key
    document = {"originator": ALICE, "destination": destination, **fields}
    return await client.post(PATH, json=document, **options)


async def test_all_is_handed_on_and_both_ids_come_back(client: httpx.AsyncClient, world: World) -> None:
    answer = await originate(
        client,
        world,
        "(050) 111-22-33",
        originator="067 111 11 11",
        timeout=30,
        clip="0672222222",
        client_state="ї" * 512,
        unknown=1,
    )
    assert answer.status_code == 200
    assert answer.json() == ANSWER
    assert world.commands.told == [("originate", world.own.enterprise_id, ALICE, OUTSIDE, 30, BORYS, "ї" * 512)]


@pytest.mark.parametrize(
    ("seconds", "allowed"),
    [
        *((allowed, True) for allowed in (5, 60, 60.0, 120)),  # 60.0 is an integer of JSON Schema
        *((refused, False) for refused in (4, 121, -1, 10**30, 5.5, "60", True, None)),
    ],
)
async def test_timeout_is_5_to_120_whole_seconds(
    client: httpx.AsyncClient, world: World, seconds: Any, allowed: bool
) -> None:
    answer = await originate(client, world, timeout=seconds)
    if allowed:
        assert answer.status_code == 200
        assert world.commands.told[0][4] == seconds
    else:
        assert_problem(answer, 400, "invalid_body", "timeout")
        assert world.commands.told == []


@pytest.mark.parametrize(
    ("destination", "called"),
    [("0501112233", OUTSIDE), ("380501112233", OUTSIDE), ("+38 (050) 111-22-33", OUTSIDE), ("101", "101")]
    + [("+4915123456789", "+4915123456789"), (" 0501112233 ", OUTSIDE)]
    + [(text, None) for text in ("sales", "*#06#", "1", "1234567", "+", "05011122", "sip:101@x", "1" * 30, "--")],
)
async def test_a_destination_is_any_number_that_can_be_dialled(
    client: httpx.AsyncClient, world: World, destination: str, called: str | None
) -> None:
    answer = await originate(client, world, destination)
    if called is None:
        assert_problem(answer, 400, "invalid_number", "destination")
    else:
        assert answer.status_code == 200
        assert world.commands.told[0][3] == called


@pytest.mark.parametrize("own", [ALICE, "0671111111", "380671111111", "+38 067 111-11-11"])
async def test_nobody_calls_himself(client: httpx.AsyncClient, world: World, own: str) -> None:
    assert_problem(await originate(client, world, own), 400, "invalid_number", "destination")


@pytest.mark.parametrize(
    ("clip", "shown"),
    [
        *((None, None), (ALICE, ALICE), ("0672222222", BORYS), (PLAIN, PLAIN), ("0800 123 456", HOTLINE)),
        *((refused, False) for refused in (STRANGER, OUTSIDE, "101")),
    ],
)
async def test_clip_is_an_own_or_a_registered_number(
    client: httpx.AsyncClient, world: World, clip: str | None, shown: Any
) -> None:
    with world.store.write() as conn:
        presentation.add(conn, world.own.enterprise_id, HOTLINE)
        presentation.add(conn, world.other.enterprise_id, OUTSIDE)
    answer = await originate(client, world, clip=clip)
    if shown is False:
        assert_problem(answer, 403, "presentation_not_allowed", "clip")
    else:
        assert answer.status_code == 200
        assert world.commands.told[0][5] == shown


@pytest.mark.parametrize(
    ("client_state", "allowed"),
    [
        *((allowed, True) for allowed in (None, "", "x" * 1024, "ї" * 512, '{"deal": 7}\n"')),
        *((refused, False) for refused in ("x" * 1025, "ї" * 513, "a\0b", 7, ["x"])),
    ],
)
async def test_client_state_is_a_text_of_up_to_1024_bytes(
    client: httpx.AsyncClient, world: World, client_state: Any, allowed: bool
) -> None:
    answer = await originate(client, world, client_state=client_state)
    if allowed:
        assert answer.status_code == 200
        assert world.commands.told[0][6] == client_state
    else:
        assert_problem(answer, 400, "invalid_body", "client_state")


ERRORS = [
    (OriginatorBusyError("It is in a call.", parameter="originator"), 409, "originator_busy", "originator"),
    (OriginatorUnreachableError("No device.", parameter="originator"), 409, "originator_unreachable", "originator"),
    (NoRouteError("Nothing.", parameter="destination"), 503, "no_route", "destination"),
    (KobzaError("Not now.", code="unavailable", http_status=503), 503, "unavailable", None),
]


@pytest.mark.parametrize(("error", "status", "code", "parameter"), ERRORS)
async def test_what_keeps_a_call_from_being_made(
    client: httpx.AsyncClient, world: World, error: KobzaError, status: int, code: str, parameter: str | None
) -> None:
    world.commands.refuse = error
    answer = await originate(client, world)
    assert_problem(answer, status, code, parameter)
    assert ("retry-after" in answer.headers) is (code == "unavailable")


# idempotency keys


async def test_the_same_key_and_body_at_the_same_time_is_one_call(client: httpx.AsyncClient, world: World) -> None:
    answers = await asyncio.gather(*(originate(client, world, key="k") for _ in range(5)))
    answers.append(await originate(client, world, key="k"))
    assert {answer.content for answer in answers} == {b'{"call_control_id":"leg1","call_id":"call1"}'}
    assert len(world.commands.told) == 1
    assert (await originate(client, world, key="k2")).json()["call_id"] == "call2"
    assert (await originate(client, world)).json()["call_id"] == "call3"


async def test_what_the_body_says_counts_not_how_it_is_written(client: httpx.AsyncClient, world: World) -> None:
    await originate(client, world, key="k")
    options = world.fmc()
    options["headers"]["idempotency-key"] = "k"
    document = f' {{"unknown": 1, "timeout": 60, "destination": "101", "originator": {json.dumps(ALICE)}}} '
    assert (await client.post(PATH, content=document, **options)).json() == ANSWER
    assert len(world.commands.told) == 1


@pytest.mark.parametrize("change", [{"destination": "102"}, {"timeout": 61}, {"clip": ALICE}, {"client_state": ""}])
async def test_the_same_key_with_another_body_is_409(
    client: httpx.AsyncClient, world: World, change: dict[str, Any]
) -> None:
    both = await asyncio.gather(originate(client, world, key="k"), originate(client, world, **change, key="k"))
    assert sorted(answer.status_code for answer in both) == [200, 409]  # whichever came first
    for fields, before in zip(({}, change), both, strict=True):
        answer = await originate(client, world, **fields, key="k")
        assert answer.content == before.content
        if before.status_code == 409:
            assert_problem(answer, 409, "idempotency_conflict")
    assert len(world.commands.told) == 1


async def test_a_key_outlives_a_restart(client: httpx.AsyncClient, world: World) -> None:
    await originate(client, world, key="k")
    world.app = world.build()
    async with world.client() as again:
        assert (await originate(again, world, key="k")).json() == ANSWER
        assert_problem(await originate(again, world, "102", key="k"), 409, "idempotency_conflict")
    assert len(world.commands.told) == 1


async def test_a_key_counts_for_24_hours(client: httpx.AsyncClient, world: World) -> None:
    assert (await originate(client, world, key="k")).json()["call_id"] == "call1"
    world.at += 24 * 3600 - 1
    assert (await originate(client, world, key="k")).json()["call_id"] == "call1"
    world.at += 1
    assert (await originate(client, world, "102", key="k")).json()["call_id"] == "call2"
    assert (await originate(client, world, "102", key="k")).json()["call_id"] == "call2"


@pytest.mark.parametrize(("error", "status", "code", "parameter"), ERRORS)
async def test_a_request_that_fails_does_not_use_up_its_key(
    client: httpx.AsyncClient, world: World, error: KobzaError, status: int, code: str, parameter: str | None
) -> None:
    world.commands.refuse = error
    for answer in await asyncio.gather(*(originate(client, world, key="k") for _ in range(3))):
        assert_problem(answer, status, code, parameter)
    world.commands.refuse = None
    assert (await originate(client, world, "102", key="k")).json() == ANSWER


async def test_the_keys_of_two_enterprises_do_not_meet(client: httpx.AsyncClient, world: World) -> None:
    await originate(client, world, key="k")
    headers = {"authorization": f"Bearer {world.other.fmc_token}", "idempotency-key": "k"}
    params = {"integrator_id": world.other.integrator_id}
    document = {"originator": STRANGER, "destination": "101"}
    answer = await client.post(PATH, json=document, params=params, headers=headers)
    assert answer.json()["call_id"] == "call2"


@pytest.mark.parametrize(("key", "allowed"), [("k" * 255, True), ("a b~!", True), ("k" * 256, False), ("", False)])
async def test_a_key_is_up_to_255_printable_characters(
    client: httpx.AsyncClient, world: World, key: str, allowed: bool
) -> None:
    answer = await originate(client, world, key=key)
    if allowed:
        assert answer.status_code == 200
    else:
        assert_problem(answer, 400, "invalid_parameter", "Idempotency-Key")


@pytest.mark.parametrize(
    ("keys", "code"),
    [([b"\xe9"], "invalid_parameter"), ([b"a\tb"], "invalid_parameter"), ([b"a", b"a"], "duplicate_parameter")],
)
async def test_a_key_that_is_none(client: httpx.AsyncClient, world: World, keys: list[bytes], code: str) -> None:
    options = world.fmc()
    headers = [(name.encode(), value.encode()) for name, value in options.pop("headers").items()]
    headers += [(b"idempotency-key", key) for key in keys]
    answer = await client.post(PATH, json={"originator": ALICE, "destination": "101"}, headers=headers, **options)
    assert_problem(answer, 400, code, "Idempotency-Key")
    assert world.commands.told == []


async def test_a_call_goes_on_when_who_asked_for_it_went_away() -> None:
    keys = IdempotencyKeys()
    began, stored = asyncio.Event(), asyncio.Event()
    made: list[str] = []

    async def find() -> None:
        return None

    async def work() -> Begun:
        made.append("call")
        began.set()
        await stored.wait()
        return Begun("call", "leg")

    first = asyncio.create_task(keys.once("e", "k", "f", find=find, work=work))
    await began.wait()
    first.cancel()
    second = asyncio.create_task(keys.once("e", "k", "f", find=find, work=work))
    await asyncio.sleep(0)
    stored.set()
    assert await second == Begun("call", "leg")
    assert made == ["call"]


async def test_only_so_many_requests_are_under_way() -> None:
    keys = IdempotencyKeys(max_underway=1)
    go_on = asyncio.Event()

    async def find() -> None:
        await go_on.wait()

    async def work() -> Begun:
        return Begun("call", "leg")

    first = asyncio.create_task(keys.once("e", "k", "f", find=find, work=work))
    await asyncio.sleep(0)
    with pytest.raises(ApiError) as refused:
        await keys.once("e", "k2", "f", find=find, work=work)
    assert (refused.value.code, refused.value.headers) == ("unavailable", {"retry-after": "1"})
    go_on.set()
    await first
    assert await keys.once("e", "k2", "f", find=find, work=work) == Begun("call", "leg")


# the older interface


def older(world: World, **change: str | None) -> dict[str, str]:
    params = {"token": world.own.fmc_token, "calling_number": ALICE, "called_number": OUTSIDE, **change}
    return {name: value for name, value in params.items() if value is not None}


async def ask_older(client: httpx.AsyncClient, way: str, params: dict[str, str]) -> httpx.Response:
    if way == "form":
        return await client.post(OLDER, data=params)
    if way == "query and form":
        last = params.pop("called_number", None)
        return await client.post(OLDER, params=params, data={} if last is None else {"called_number": last})
    return await client.request(way, OLDER, params=params)


WAYS = ["GET", "POST", "form", "query and form"]


@pytest.mark.parametrize("way", WAYS)
async def test_the_older_interface_does_the_same(client: httpx.AsyncClient, world: World, way: str) -> None:
    answer = await ask_older(client, way, older(world))
    assert (answer.status_code, answer.json()) == (200, ANSWER)
    assert answer.headers["content-type"] == "application/json"
    assert world.commands.told == [("originate", world.own.enterprise_id, ALICE, OUTSIDE, 60, None, None)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("change", "status", "code", "parameter"),
    [
        ({"token": None}, 400, "missing_parameter", "token"),
        ({"calling_number": None}, 400, "missing_parameter", "calling_number"),
        ({"called_number": None}, 400, "missing_parameter", "called_number"),
        ({"token": "0" * 64}, 403, "forbidden", "token"),
        ({"token": "x"}, 403, "forbidden", "token"),
        ({"token": "x", "calling_number": "x"}, 403, "forbidden", "token"),
        ({"calling_number": "x"}, 400, "invalid_number", "calling_number"),
        ({"called_number": "x"}, 400, "invalid_number", "called_number"),
        ({"called_number": ALICE}, 400, "invalid_number", "called_number"),
        ({"calling_number": STRANGER}, 404, "not_found", None),
        ({"calling_number": "+380970000000"}, 404, "not_found", None),
        ({"calling_number": PLAIN}, 403, "service_not_enabled", None),
    ],
)
async def test_the_older_interfaces_errors_are_problems(
    client: httpx.AsyncClient,
    world: World,
    way: str,
    change: dict[str, str | None],
    status: int,
    code: str,
    parameter: str | None,
) -> None:
    assert_problem(await ask_older(client, way, older(world, **change)), status, code, parameter)
    assert world.commands.told == []


@pytest.mark.parametrize(("error", "status", "code", "parameter"), ERRORS)
async def test_the_older_interface_says_why_no_call_is_made(
    client: httpx.AsyncClient, world: World, error: KobzaError, status: int, code: str, parameter: str | None
) -> None:
    world.commands.refuse = error
    named = {"originator": "calling_number", "destination": "called_number"}
    assert_problem(await ask_older(client, "GET", older(world)), status, code, named.get(parameter or ""))


async def test_the_older_interface_takes_each_parameter_once_wherever_it_stands(
    client: httpx.AsyncClient, world: World
) -> None:
    params = older(world)
    answer = await client.post(OLDER, params=params, data={"called_number": OUTSIDE})
    assert_problem(answer, 400, "duplicate_parameter", "called_number")
    answer = await client.get(OLDER, params=[*params.items(), ("token", params["token"])])
    assert_problem(answer, 400, "duplicate_parameter", "token")


async def test_the_older_interface_takes_the_form_of_phps_curl(client: httpx.AsyncClient, world: World) -> None:
    """An array as CURLOPT_POSTFIELDS is sent as multipart/form-data."""
    parts = {name: (None, value) for name, value in older(world).items()}
    answer = await client.post(OLDER, files=parts)
    assert (answer.status_code, answer.json()) == (200, ANSWER)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"\xff=%ff&&==&%"),
        ("multipart/form-data", b"--x\r\n\r\n--x--"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--"),
        ('multipart/form-data; boundary="', b'--"\r\n'),
        ("application/json", b'{"token": "x"}'),
        ("", b"token=x"),
    ],
)
async def test_a_body_that_is_no_form_of_ours_has_no_parameters(
    client: httpx.AsyncClient, world: World, kind: str, body: bytes
) -> None:
    answer = await client.post(OLDER, content=body, headers={"content-type": kind})
    assert_problem(answer, 400, "missing_parameter", "token")
