"""Basic call information (contract, section 2): one test for each rule."""

import csv
import io
from typing import Any

import httpx
import pytest
from lxml import etree

from tests.api.world import ALICE, BORYS, OUTSIDE, World, moment

PATHS = [f"/api/cdr/v1/callstat.{extension}" for extension in ("csv", "json", "xml")]
DAY = {"from": "2026-04-19T00:00:00", "to": "2026-04-19T23:59:59"}


async def rows(client: httpx.AsyncClient, world: World, **parameters: str) -> list[dict[str, Any]]:
    answer = await client.get(PATHS[1], params={"token": world.own.fmc_token, **DAY, **parameters})
    assert answer.status_code == 200, answer.text
    calls: list[dict[str, Any]] = answer.json()["calls"]
    return calls


def assert_problem(answer: httpx.Response, status: int, code: str, parameter: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"/manual/openapi.html#problem-{code}"
    assert (problem["status"], problem["code"], problem.get("parameter")) == (status, code, parameter)
    assert problem["title"]
    assert problem["detail"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("parameters", "status", "code", "parameter"),
    [
        # presence before token before syntax before range: each request is wrong in all the later ways too
        ({"from": "x", "names": "maybe"}, 400, "missing_parameter", "token"),
        ({"token": "0" * 64, "names": "maybe"}, 400, "missing_parameter", "from"),
        ({"token": "0" * 64, "from": "x", "names": "maybe"}, 403, "forbidden", "token"),
        ({"from": "2020-01-01T00:00:00", "names": "maybe"}, 400, "invalid_parameter", "names"),
        ({"from": "2020-01-01T00:00:00"}, 400, "invalid_parameter", "from"),
    ],
)
async def test_order_of_checks(
    client: httpx.AsyncClient,
    world: World,
    path: str,
    parameters: dict[str, str],
    status: int,
    code: str,
    parameter: str,
) -> None:
    if code == "invalid_parameter":
        parameters = {"token": world.own.fmc_token, **parameters}
    assert_problem(await client.get(path, params=parameters), status, code, parameter)
    head = await client.head(path, params=parameters)
    assert (head.status_code, head.content) == (status, b"")


@pytest.mark.parametrize(
    "token", ["", "x", "0" * 63, "0" * 64, "0" * 65, "ʼ" * 64, "' OR 1=1 --", "\0", "%", "0" * 64 + "\n"]
)
async def test_a_token_that_is_not_valid_is_403(client: httpx.AsyncClient, token: str) -> None:
    answer = await client.get(PATHS[0], params={"token": token, **DAY})
    assert_problem(answer, 403, "forbidden", "token")


async def test_a_token_with_one_digit_changed_is_403(client: httpx.AsyncClient, world: World) -> None:
    token = world.own.fmc_token
    changed = token[:-1] + ("0" if token[-1] != "0" else "1")
    assert_problem(await client.get(PATHS[0], params={"token": changed, **DAY}), 403, "forbidden", "token")


@pytest.mark.parametrize("name", ["names", "departments", "ownership", "direction", "quality", "bom"])
@pytest.mark.parametrize("value", ["ON", "true", "1", "", "on ", "yes"])
async def test_switches_are_on_or_off_and_nothing_else(
    client: httpx.AsyncClient, world: World, name: str, value: str
) -> None:
    answer = await client.get(PATHS[0], params={"token": world.own.fmc_token, **DAY, name: value})
    assert_problem(answer, 400, "invalid_parameter", name)


@pytest.mark.parametrize("name", ["token", "from", "to", "names", "departments", "ownership", "direction", "quality"])
async def test_a_parameter_given_twice_is_400(client: httpx.AsyncClient, world: World, name: str) -> None:
    values = {"token": world.own.fmc_token, **DAY, name: "off" if name not in ("token", *DAY) else ""}
    pairs = [(key, value) for key, value in values.items() if key != name]
    once = world.own.fmc_token if name == "token" else DAY.get(name, "off")
    answer = await client.get(PATHS[0], params=[*pairs, (name, once), (name, once)])
    assert_problem(answer, 400, "duplicate_parameter", name)


async def test_unknown_parameters_are_ignored(client: httpx.AsyncClient, world: World) -> None:
    pairs: list[tuple[str, str | int | float | bool | None]] = [
        ("token", world.own.fmc_token),
        ("x", "1"),
        ("x", "2"),
        ("limit", "a"),
    ]
    pairs += DAY.items()
    assert (await client.get(PATHS[0], params=pairs)).status_code == 200


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ({"from": "2026-04-20T00:00:00", "to": "2026-04-19T00:00:00"}, "from"),  # from after to
        ({"from": "2026-04-10T00:00:00", "to": "2026-04-17T00:00:01"}, "to"),  # over 7 days
        ({"from": "2026-03-21T11:59:59"}, "from"),  # older than 30 days
        ({"to": "2026-04-20T12:00:01"}, "to"),  # future
        ({"from": "2026-02-30T00:00:00"}, "from"),
        ({"from": "2026-04-19", "to": "2026-04-20T00:00:00"}, "from"),
        ({"from": "", "to": "2026-04-20T00:00:00"}, "from"),
    ],
)
async def test_wrong_intervals_are_400(
    client: httpx.AsyncClient, world: World, parameters: dict[str, str], parameter: str
) -> None:
    answer = await client.get(PATHS[0], params={"token": world.own.fmc_token, **parameters})
    assert_problem(answer, 400, "invalid_parameter", parameter)


@pytest.mark.parametrize(
    ("extension", "content_type"),
    [
        ("csv", "text/csv; charset=utf-8"),
        ("json", "application/json; charset=utf-8"),
        ("xml", "application/xml; charset=utf-8"),
    ],
)
async def test_headers_name_the_type_and_the_effective_bounds(
    client: httpx.AsyncClient, world: World, extension: str, content_type: str
) -> None:
    for method in ("GET", "HEAD"):
        answer = await client.request(
            method,
            f"/api/cdr/v1/callstat.{extension}",
            params={"token": world.own.fmc_token, "from": "2026-04-19T00:00:00"},
        )
        assert answer.status_code == 200
        assert answer.headers["content-type"] == content_type
        name = f"callstat_2026-04-19T00:00:00_2026-04-20T12:00:00.{extension}"
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert "content-length" not in answer.headers
        assert (answer.content == b"") == (method == "HEAD")


async def test_no_answer_but_to_get_and_head(client: httpx.AsyncClient) -> None:
    answer = await client.post(PATHS[0])
    assert_problem(answer, 405, "method_not_allowed")
    assert {"GET", "HEAD"} <= set(answer.headers["allow"].split(", "))


async def test_a_call_belongs_to_the_interval_by_its_start_both_ends_included(
    client: httpx.AsyncClient, world: World
) -> None:
    for start in ("20:59:58.999", "20:59:59.000", "21:00:00.000", "21:00:00.999", "21:00:01.000"):
        world.add_call(
            started_at=moment(f"2026-04-18T{start}"), answered_at=None, ended_at=moment("2026-04-18T22:00:00")
        )
    found = await rows(client, world, **{"from": "2026-04-18T23:59:59", "to": "2026-04-19T00:00:00"})
    starts = [call["start_timestamp"] for call in found]
    assert starts == ["2026-04-18 23:59:59", "2026-04-19 00:00:00", "2026-04-19 00:00:00"]


async def test_the_start_of_an_answered_call_is_its_answer(client: httpx.AsyncClient, world: World) -> None:
    before = moment("2026-04-18T20:59:57")  # rings before the day begins, is answered in it
    world.add_call(started_at=before)
    (call,) = await rows(client, world)
    assert call["start_timestamp"] == "2026-04-19 00:00:02"
    assert call["duration"] == 14


async def test_oldest_first(client: httpx.AsyncClient, world: World) -> None:
    for minute in (30, 10, 20):
        world.add_call(started_at=moment(f"2026-04-19T09:{minute}:00"))
    starts = [call["start_timestamp"][11:16] for call in await rows(client, world)]
    assert starts == ["12:10", "12:20", "12:30"]


async def test_only_finished_calls_of_convergent_numbers_of_this_enterprise(
    client: httpx.AsyncClient, world: World
) -> None:
    world.add_call(convergent=False)
    world.add_call(enterprise_id=world.other.enterprise_id)
    from kobza.store.entries import CdrOpened

    world.journal.write([CdrOpened(world.cdr(ended_at=None, cause=None, sip_status=None, released_by=None))])
    assert await rows(client, world) == []
    world.add_call()
    assert len(await rows(client, world)) == 1


async def test_a_call_inside_the_enterprise_is_one_row_and_outgoing(client: httpx.AsyncClient, world: World) -> None:
    world.add_call(called_number=BORYS, direction="local")
    (call,) = await rows(client, world, names="on", departments="on", ownership="on", direction="on")
    assert list(call.items())[5:] == [
        ("calling_name", "Олена Коваль"),
        ("called_name", "Борис"),
        ("calling_department", "Збут"),
        ("called_department", "Склад"),
        ("calling_ownership", True),
        ("called_ownership", True),
        ("direction", "outgoing"),
    ]


async def test_names_come_from_the_address_book_and_unknown_is_empty(client: httpx.AsyncClient, world: World) -> None:
    world.add_call(calling_number=OUTSIDE, called_number=ALICE, direction="incoming")
    world.add_call(calling_number="+48221234567", called_number=ALICE, direction="incoming")
    first, second = await rows(client, world, names="on", departments="on", ownership="on", direction="on")
    assert (first["calling_name"], first["calling_department"], first["called_name"]) == (
        "Клієнт, «А»",
        "",
        "Олена Коваль",
    )
    assert (second["calling_number"], second["calling_name"]) == ("+48221234567", "")
    assert (second["calling_ownership"], second["called_ownership"], second["direction"]) == (False, True, "incoming")


async def test_the_three_formats_say_the_same(client: httpx.AsyncClient, world: World) -> None:
    for minute in range(10, 40):
        answered = {} if minute % 3 else {"answered_at": None, "answered_number": None, "cause": 17}
        world.add_call(started_at=moment(f"2026-04-19T09:{minute}:00"), **answered)
    query = {
        "token": world.own.fmc_token,
        **DAY,
        **dict.fromkeys(("names", "departments", "ownership", "direction"), "on"),
    }
    texts = [(await client.get(path, params=query)) for path in PATHS]
    from_csv = list(csv.DictReader(io.StringIO(texts[0].content.decode(), newline="")))
    from_json = [
        {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in call.items()}
        for call in texts[1].json()["calls"]
    ]
    from_xml = [{str(cell.tag): cell.text or "" for cell in call} for call in etree.fromstring(texts[2].content)]
    assert len(from_csv) == 30
    assert from_csv == from_json == from_xml


async def test_bom_adds_the_mark_that_spreadsheets_need(client: httpx.AsyncClient, world: World) -> None:
    query = {"token": world.own.fmc_token, **DAY}
    assert (await client.get(PATHS[0], params={**query, "bom": "on"})).content.startswith(b"\xef\xbb\xbfend_timestamp")
    assert (await client.get(PATHS[0], params=query)).content.startswith(b"end_timestamp")


async def test_many_rows_come_in_chunks(client: httpx.AsyncClient, world: World) -> None:
    from kobza.store.entries import CdrClosed, CdrOpened

    records = [world.cdr(started_at=moment("2026-04-19T09:00:00") + number) for number in range(3000)]
    world.journal.write([CdrOpened(record) for record in records] + [CdrClosed(record) for record in records])
    query = {"token": world.own.fmc_token, **DAY}
    async with client.stream("GET", PATHS[1], params=query) as answer:
        document = b"".join([chunk async for chunk in answer.aiter_raw()])
    calls = httpx.Response(200, content=document).json()["calls"]
    assert len(calls) == 3000
    assert [call["end_timestamp"] for call in calls] == sorted(call["end_timestamp"] for call in calls)
