"""Settings of numbers and their presence over HTTP: `clip`, `dnd`, `phonestatus`."""

from typing import Any

import httpx
import pytest

from kobza.store import presentation
from tests.api.test_callstat import assert_problem
from tests.api.world import ALICE, BORYS, OUTSIDE, PLAIN, STRANGER, Phone, World, moment

FMC = "/api/fmc/v1"
HOTLINE = "+380800123456"
OFF = {"number": "0671111111", "dnd": "off", "until": None}
OWN = {"number": "0671111111", "presentation_number": None, "restricted": False, "until": None}


async def put(client: httpx.AsyncClient, world: World, function: str, **document: Any) -> httpx.Response:
    return await client.put(f"{FMC}/{function}", json={"number": "0671111111", **document}, **world.fmc())


async def shown(client: httpx.AsyncClient, world: World, function: str, number: str = ALICE) -> Any:
    answer = await client.get(f"{FMC}/{function}", **world.fmc(number=number))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_dnd_is_on_until_it_is_off(client: httpx.AsyncClient, world: World) -> None:
    assert await shown(client, world, "dnd") == OFF
    on = {**OFF, "dnd": "on"}
    assert (await put(client, world, "dnd", dnd="on")).json() == on
    world.at += 365 * 86_400
    assert await shown(client, world, "dnd") == on
    assert (await put(client, world, "dnd", dnd="off", until="2030-01-01T00:00:00Z")).json() == OFF
    assert await shown(client, world, "dnd") == OFF
    assert await shown(client, world, "dnd", BORYS) == {**OFF, "number": "0672222222"}


CLIPS = [
    {"presentation_number": "0672222222", "restricted": False},
    {"presentation_number": "0671111111", "restricted": False},
    {"presentation_number": "0800123456", "restricted": False},
    {"presentation_number": "0672222222", "restricted": True},
    {"presentation_number": None, "restricted": True},
    {"presentation_number": None, "restricted": False},
]


@pytest.mark.parametrize("setting", CLIPS)
async def test_clip_is_shown_as_it_was_set(client: httpx.AsyncClient, world: World, setting: dict[str, Any]) -> None:
    assert await shown(client, world, "clip") == OWN
    with world.store.write() as conn:
        presentation.add(conn, world.own.enterprise_id, HOTLINE)
    expected = {"number": "0671111111", **setting, "until": None}
    assert (await put(client, world, "clip", **setting)).json() == expected
    assert await shown(client, world, "clip") == expected
    assert await shown(client, world, "clip", BORYS) == {**OWN, "number": "0672222222"}


@pytest.mark.parametrize("number", [STRANGER, OUTSIDE, "+380970000000", HOTLINE, "101"])
async def test_a_number_that_is_neither_ours_nor_registered_may_not_be_presented(
    client: httpx.AsyncClient, world: World, number: str
) -> None:
    with world.store.write() as conn:
        presentation.add(conn, world.other.enterprise_id, HOTLINE)
    answer = await put(client, world, "clip", presentation_number=number, restricted=False)
    assert_problem(answer, 403, "presentation_not_allowed", "presentation_number")
    assert await shown(client, world, "clip") == OWN


async def test_a_presentation_number_that_is_removed_is_presented_no_more(
    client: httpx.AsyncClient, world: World
) -> None:
    with world.store.write() as conn:
        presentation.add(conn, world.own.enterprise_id, HOTLINE)
    await put(client, world, "clip", presentation_number=HOTLINE, restricted=True)
    with world.store.write() as conn:
        presentation.remove(conn, world.own.enterprise_id, HOTLINE)
    assert await shown(client, world, "clip") == {**OWN, "restricted": True}


FORWARDED = {"number": "0671111111", "always": None, "busy": None, "no_answer": None, "unreachable": None}


async def test_forwarding_is_set_whole(client: httpx.AsyncClient, world: World) -> None:
    off = {**FORWARDED, "no_answer_after": None}
    assert await shown(client, world, "forwarding") == off
    some = {"busy": "+380672222222", "no_answer": "044 555 01 23", "unreachable": "101"}
    expected = {**FORWARDED, "busy": "0672222222", "no_answer": "0445550123", "unreachable": "101"}
    assert (await put(client, world, "forwarding", **some)).json() == {**expected, "no_answer_after": 20}
    await put(client, world, "forwarding", **some, no_answer_after=30)
    assert await shown(client, world, "forwarding") == {**expected, "no_answer_after": 30}
    always = {**off, "always": "0672222222"}
    assert (await put(client, world, "forwarding", always="0672222222", no_answer_after=30)).json() == always
    assert (await put(client, world, "forwarding")).json() == off
    assert await shown(client, world, "forwarding", BORYS) == {**off, "number": "0672222222"}


@pytest.mark.parametrize(
    ("setting", "code", "parameter"),
    [
        ({"busy": "sales"}, "invalid_number", "busy"),
        ({"always": "0671111111"}, "invalid_number", "always"),
        ({"no_answer": "101", "no_answer_after": 4}, "invalid_body", "no_answer_after"),
        ({"no_answer": "101", "no_answer_after": "soon"}, "invalid_body", "no_answer_after"),
        ({"unreachable": 101}, "invalid_body", "unreachable"),
    ],
)
async def test_forwarding_that_cannot_be(
    client: httpx.AsyncClient, world: World, setting: dict[str, Any], code: str, parameter: str
) -> None:
    assert_problem(await put(client, world, "forwarding", **setting), 400, code, parameter)
    assert (await shown(client, world, "forwarding"))["busy"] is None


ENDS = [
    ("2026-04-20T13:00:00", "2026-04-20T10:00:00.000Z"),
    ("2026-04-20T13:00:00+03:00", "2026-04-20T10:00:00.000Z"),
    ("2026-04-20T10:00:00.5Z", "2026-04-20T10:00:00.500Z"),
    ("2026-04-20T05:00:00-05:00", "2026-04-20T10:00:00.000Z"),
    ("2026-10-25T03:30:00", "2026-10-25T01:30:00.000Z"),  # of the repeated hour the second pass
    ("2027-03-28T03:30:00", "2027-03-28T01:30:00.000Z"),  # of the skipped hour: later by the gap
    ("2026-04-20T09:00:00.001Z", "2026-04-20T09:00:00.001Z"),  # a millisecond from now
]
SETTINGS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("dnd", {"dnd": "on"}, OFF),
    ("clip", {"presentation_number": None, "restricted": True}, OWN),
    ("clip", {"presentation_number": "0672222222", "restricted": False}, OWN),
]


@pytest.mark.parametrize(("until", "utc"), ENDS)
@pytest.mark.parametrize(("function", "setting", "after"), SETTINGS)
async def test_until_reverts_by_itself_at_its_moment(
    client: httpx.AsyncClient,
    world: World,
    function: str,
    setting: dict[str, Any],
    after: dict[str, Any],
    until: str,
    utc: str,
) -> None:
    expected = {"number": "0671111111", **setting, "until": utc}
    assert (await put(client, world, function, **setting, until=until)).json() == expected
    end = moment(utc.removesuffix("Z"))
    world.at = end - 0.0005
    assert await shown(client, world, function) == expected
    world.at = end
    assert await shown(client, world, function) == after


@pytest.mark.parametrize(
    "until",
    [
        *("2026-04-20T09:00:00Z", "2026-04-20T12:00:00", "2026-04-20T08:59:59.999Z", "2020-01-01T00:00:00", "soon", ""),
        *("2026-04-20", "2026-13-01T00:00:00", "2026-04-31T00:00:00", "2026-04-20T25:00:00", "2" * 41, 1776675600),
    ],
)
@pytest.mark.parametrize(("function", "setting", "after"), SETTINGS[:2])
async def test_until_is_a_moment_to_come(
    client: httpx.AsyncClient,
    world: World,
    function: str,
    setting: dict[str, Any],
    after: dict[str, Any],
    until: Any,
) -> None:
    answer = await put(client, world, function, **setting, until=until)
    code = "invalid_parameter" if isinstance(until, str) and len(until) <= 40 else "invalid_body"
    assert_problem(answer, 400, code, "until")
    assert await shown(client, world, function) == after


async def test_a_new_setting_replaces_the_end_of_the_old_one(client: httpx.AsyncClient, world: World) -> None:
    for until in ("2026-04-20T10:00:00Z", "2026-04-20T09:30:00Z", None):
        await put(client, world, "dnd", dnd="on", until=until)
        await put(client, world, "clip", presentation_number=None, restricted=True, until=until)
    world.at += 86_400
    assert (await shown(client, world, "dnd"))["dnd"] == "on"
    assert (await shown(client, world, "clip"))["restricted"] is True


async def test_phonestatus_of_all_and_of_some(client: httpx.AsyncClient, world: World) -> None:
    world.commands.phones = [
        Phone(ALICE, "available", dnd=False, devices=2, since=moment("2026-04-20T08:00:00")),
        Phone(BORYS, "unavailable", dnd=True, devices=0, since=None),
    ]
    alice = {
        "number": "0671111111",
        "status": "available",
        "dnd": "off",
        "devices": 2,
        "since": "2026-04-20T08:00:00.000Z",
    }
    borys = {"number": "0672222222", "status": "unavailable", "dnd": "on", "devices": 0, "since": None}
    assert (await client.get(f"{FMC}/phonestatus", **world.fmc())).json() == {"phones": [alice, borys]}
    some = await client.get(f"{FMC}/phonestatus", **world.fmc(number=["0672222222", BORYS]))
    assert some.json() == {"phones": [borys]}


async def test_phonestatus_is_written_anew_when_something_changes(client: httpx.AsyncClient, world: World) -> None:
    async def listed(*only: str) -> list[Any]:
        answer = await client.get(f"{FMC}/phonestatus", **world.fmc(**({"number": list(only)} if only else {})))
        document: dict[str, list[Any]] = answer.json()
        return [(phone["number"], phone["status"], phone["devices"]) for phone in document["phones"]]

    alice = Phone(ALICE, "available", dnd=False, devices=1, since=None)
    world.commands.phones = [alice, Phone(BORYS, "unavailable", dnd=False, devices=0, since=None)]
    both = [("0671111111", "available", 1), ("0672222222", "unavailable", 0)]
    assert await listed() == await listed() == both
    assert await listed(BORYS) == both[1:]
    assert await listed() == both
    world.commands.phones = [alice, Phone(BORYS, "busy", dnd=False, devices=2, since=None)]
    assert await listed() == [both[0], ("0672222222", "busy", 2)]
    world.commands.phones = [alice]
    assert await listed() == both[:1]
    world.commands.phones = []
    assert await listed() == []


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ([ALICE, STRANGER], 404, "not_found"),
        ([ALICE, "+380970000000"], 404, "not_found"),
        ([ALICE, PLAIN], 403, "service_not_enabled"),
        ([ALICE, "x"], 400, "invalid_number"),
        ([ALICE] * 1000, 200, None),
        ([ALICE] * 1001, 400, "invalid_parameter"),
    ],
)
async def test_phonestatus_of_numbers_one_of_which_cannot_be_shown(
    client: httpx.AsyncClient, world: World, asked: list[str], status: int, code: str | None
) -> None:
    answer = await client.get(f"{FMC}/phonestatus", **world.fmc(number=asked))
    if code is None:
        assert answer.status_code == status
    else:
        assert_problem(answer, status, code, "number" if status == 400 else None)
