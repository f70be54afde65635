"""Each rule of the contract's section 2 about what is asked for, at its boundaries, over HTTP: a table for each."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from kobza.api.rate_limits import Rates
from tests.api.test_callstat import PATHS, assert_problem
from tests.api.world import World, moment
from tests.support.postgres import PostgresServer

PATH = PATHS[1]
NOW = "2026-04-20T09:00:00"
"""12:00:00 in Kyiv."""

NIGHTS = {"spring": "2026-03-29T01:00:00", "autumn": "2026-10-25T01:00:00"}
"""When the clock changes, in UTC: 03:00 EET becomes 04:00 EEST, and 04:00 EEST becomes 03:00 EET."""
AFTER = {"spring": "2026-04-01T09:00:00", "autumn": "2026-10-30T09:00:00"}


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory, database: PostgresServer | None) -> Iterator[World]:
    """Return a world with a call every 10 minutes around both nights; it lasts 90.2 s, or was not answered."""
    world = World(tmp_path_factory.mktemp("year"), server=database)
    # The clock goes to and fro here, which no bucket stands.
    world.app = world.build(rates=Rates(read=None, export=None, control=None, failures=None))
    for night in NIGHTS.values():
        change = moment(night)
        for minutes in range(-240, 241, 10):
            started = change + minutes * 60
            answered = started if minutes % 20 else None
            world.add_call(started_at=started, ringing_at=None, answered_at=answered, ended_at=started + 90.2)
    yield world
    world.close()


@pytest_asyncio.fixture
async def rules(year: World) -> AsyncIterator[httpx.AsyncClient]:
    year.at = moment(NOW)
    async with year.client() as client:
        yield client


def params(world: World, from_: str | None = None, to: str | None = None) -> dict[str, str]:
    bounds = {"from": from_, "to": to}
    return {"token": world.own.fmc_token} | {name: value for name, value in bounds.items() if value is not None}


async def effective(client: httpx.AsyncClient, asked: dict[str, str]) -> tuple[str, str]:
    """Return the bounds in force, as the file's name has them."""
    answer = await client.head(PATH, params=asked)
    assert answer.status_code == 200
    name = answer.headers["content-disposition"].removeprefix('attachment; filename="callstat_')
    from_, _, to = name.removesuffix('.json"').partition("_")
    return from_, to


async def refused(client: httpx.AsyncClient, asked: dict[str, str], parameter: str) -> None:
    for path in PATHS:
        assert_problem(await client.get(path, params=asked), 400, "invalid_parameter", parameter)


@pytest.mark.parametrize(
    ("asked", "in_force"),
    [
        (("2026-04-10T00:00:00", None), ("2026-04-10T00:00:00", "2026-04-17T00:00:00")),  # 7 days after from
        (("2026-04-13T12:00:00", None), ("2026-04-13T12:00:00", "2026-04-20T12:00:00")),  # which is now
        (("2026-04-13T12:00:01", None), ("2026-04-13T12:00:01", "2026-04-20T12:00:00")),  # or now, which is before
        (("2026-04-20T12:00:00", None), ("2026-04-20T12:00:00", "2026-04-20T12:00:00")),
        ((None, "2026-04-20T12:00:00"), ("2026-04-13T12:00:00", "2026-04-20T12:00:00")),  # 7 days before to
        ((None, "2026-03-28T12:00:00"), ("2026-03-21T12:00:00", "2026-03-28T12:00:00")),  # which is the bound
        ((None, "2026-03-28T11:59:59"), ("2026-03-21T12:00:00", "2026-03-28T11:59:59")),  # or the bound, which is after
        ((None, "2026-03-21T12:00:00"), ("2026-03-21T12:00:00", "2026-03-21T12:00:00")),
    ],
)
async def test_one_bound_may_be_absent(
    rules: httpx.AsyncClient, year: World, asked: tuple[str | None, str | None], in_force: tuple[str, str]
) -> None:
    assert await effective(rules, params(year, *asked)) == in_force


async def test_both_bounds_absent_is_400(rules: httpx.AsyncClient, year: World) -> None:
    for path in PATHS:
        assert_problem(await rules.get(path, params=params(year)), 400, "missing_parameter", "from")


@pytest.mark.parametrize(
    ("now", "from_", "longest"),
    [
        (NOW, "2026-04-10T10:00:00", "2026-04-17T10:00:00"),
        # over the nights 7 days of wall time are 167 and 169 hours
        (AFTER["spring"], "2026-03-25T10:00:00", "2026-04-01T10:00:00"),
        (AFTER["autumn"], "2026-10-22T10:00:00", "2026-10-29T10:00:00"),
        # that begin in the hour that is skipped, and in the one that comes twice
        (AFTER["spring"], "2026-03-29T03:30:00", "2026-04-01T12:00:00"),
        (AFTER["autumn"], "2026-10-25T03:30:00", "2026-10-30T11:00:00"),
        # that end in it
        (AFTER["spring"], "2026-03-22T03:30:00", "2026-03-29T03:30:00"),
        (AFTER["autumn"], "2026-10-18T03:30:00", "2026-10-25T03:30:00"),
    ],
)
async def test_the_span_is_at_most_7_days_of_wall_time(
    rules: httpx.AsyncClient, year: World, now: str, from_: str, longest: str
) -> None:
    year.at = moment(now)
    assert await effective(rules, params(year, from_, longest)) == (from_, longest)
    one_more = (datetime.fromisoformat(longest) + timedelta(seconds=1)).isoformat()
    await refused(rules, params(year, from_, one_more), "to")  # too long, or in the future


@pytest.mark.parametrize(
    ("now", "oldest"),
    [
        (NOW, "2026-03-21T12:00:00"),  # over the night of spring: 719 hours ago
        ("2026-05-20T09:00:00", "2026-04-20T12:00:00"),
        ("2026-11-10T10:00:00", "2026-10-11T12:00:00"),  # over that of autumn: 721 hours
        ("2026-04-28T00:30:00", "2026-03-29T03:30:00"),  # the hour that was skipped
        ("2026-11-24T01:30:00", "2026-10-25T03:30:00"),  # the hour that came twice
    ],
)
async def test_from_is_at_most_30_days_old(rules: httpx.AsyncClient, year: World, now: str, oldest: str) -> None:
    year.at = moment(now) + 0.999
    to = (datetime.fromisoformat(oldest) + timedelta(days=1)).isoformat()
    assert await effective(rules, params(year, oldest, to)) == (oldest, to)
    too_old = (datetime.fromisoformat(oldest) - timedelta(seconds=1)).isoformat()
    await refused(rules, params(year, too_old, to), "from")
    await refused(rules, params(year, too_old), "from")
    await refused(rules, params(year, None, too_old), "to")


@pytest.mark.parametrize(
    ("now", "latest"),
    [
        (NOW, "2026-04-20T12:00:00"),
        ("2026-10-25T00:30:00", "2026-10-25T03:30:00"),  # the first pass of the hour that comes twice
        ("2026-10-25T01:30:00", "2026-10-25T03:59:59"),  # the second: all of the hour has been once
        ("2026-03-29T00:59:59", "2026-03-29T02:59:59"),  # before the hour that is skipped
        ("2026-03-29T01:00:00", "2026-03-29T04:00:00"),  # after it; its times are past on the wall
    ],
)
async def test_to_is_not_in_the_future(rules: httpx.AsyncClient, year: World, now: str, latest: str) -> None:
    year.at = moment(now) + 0.5
    from_ = (datetime.fromisoformat(latest) - timedelta(days=1)).isoformat()
    assert await effective(rules, params(year, from_, latest)) == (from_, latest)
    assert (await effective(rules, params(year, None, latest)))[1] == latest
    future = (datetime.fromisoformat(latest) + timedelta(seconds=1)).isoformat()
    await refused(rules, params(year, from_, future), "to")
    await refused(rules, params(year, None, future), "to")


async def test_a_time_that_spring_skips_is_not_in_the_future(rules: httpx.AsyncClient, year: World) -> None:
    year.at = moment("2026-03-29T01:10:00")  # 04:10; 03:30 means 04:30, and 03:30 is past on the wall
    calls = await shown(rules, year, "2026-03-29T02:50:00", "2026-03-29T03:30:00")
    assert [call["start_timestamp"][11:16] for call in calls] == ["02:50", "04:00", "04:10"]


@pytest.mark.parametrize(
    ("from_", "to", "parameter"),
    [
        ("2026-04-19T00:00:01", "2026-04-19T00:00:00", "from"),
        ("2026-04-20T00:00:00", "2026-04-19T00:00:00", "from"),
        ("2026-04-20T12:00:01", None, "from"),  # to is now
    ],
)
async def test_from_is_not_after_to(
    rules: httpx.AsyncClient, year: World, from_: str, to: str | None, parameter: str
) -> None:
    await refused(rules, params(year, from_, to), parameter)


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "0", "1776675600", "2026-04-19", "2026-04-19T", "T12:00:00", "2026-04-19T12:00"),
        *("2026-04-19 12:00:00", "2026-04-1912:00:00", "2026-04-19t12:00:00", "20260419T120000", "19.04.2026T12:00:00"),
        *("2026-04-19T12:00:00Z", "2026-04-19T12:00:00+03:00", "2026-04-19T12:00:00.0", "2026-04-19T12:00:00,5"),
        *("2026-02-30T00:00:00", "2026-02-29T00:00:00", "2026-04-31T00:00:00", "2026-13-01T00:00:00"),
        *("2026-00-01T00:00:00", "2026-04-00T00:00:00", "0000-01-01T00:00:00", "2026-04-19T24:00:00"),
        *("2026-04-19T25:00:00", "2026-04-19T12:60:00", "2026-04-19T12:00:60", "2026-04-19T23:59:60"),
        *("٢٠٢٦-٠٤-١٩T١٢:٠٠:٠٠", "２０２６-04-19T12:00:00", "2026-04-19Т12:00:00", "2026-W16-7T12:00:00"),
        *("+2026-04-19T12:00:00", "-2026-04-19T12:00:00", "12026-04-19T12:00:00", "2026-4-19T12:00:00"),
        *(" 2026-04-19T12:00:00", "2026-04-19T12:00:00 ", "2026-04-19T12:00:00\n", "2026-04-19T12:00:00\0", "\ud800"),
    ],
)
async def test_a_time_is_a_date_a_t_and_a_time_that_exist(
    rules: httpx.AsyncClient, year: World, name: str, text: str
) -> None:
    other = {"from": ("to", "2026-04-19T12:00:00"), "to": ("from", "2026-04-19T12:00:00")}[name]
    raw = httpx.QueryParams({"token": year.own.fmc_token, other[0]: other[1]})
    encoded = "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
    answer = await rules.get(f"{PATH}?{raw}&{name}={encoded}")
    assert_problem(answer, 400, "invalid_parameter", name)


async def shown(client: httpx.AsyncClient, world: World, from_: str | None, to: str | None) -> list[dict[str, Any]]:
    answer = await client.get(PATH, params=params(world, from_, to))
    assert answer.status_code == 200, answer.text
    calls: list[dict[str, Any]] = answer.json()["calls"]
    return calls


def every_ten_minutes(first: str, last: str) -> list[str]:
    """Return the calls' moments from first to last (UTC)."""
    count = round((moment(last) - moment(first)) / 600) + 1
    return [datetime.fromtimestamp(moment(first) + 600 * n, UTC).strftime("%H:%M") for n in range(count)]


INTERVALS = [
    # on the night of spring 03:00 to 03:59 do not exist; such a time moves forward by an hour
    ("spring", "starts before, ends after", "2026-03-29T02:40:00", "2026-03-29T04:20:00", "00:40:00", "01:20:00"),
    ("spring", "starts inside", "2026-03-29T03:20:00", "2026-03-29T05:00:00", "01:20:00", "02:00:00"),
    ("spring", "ends inside", "2026-03-29T02:00:00", "2026-03-29T03:20:00", "00:00:00", "01:20:00"),
    ("spring", "lies inside", "2026-03-29T03:10:00", "2026-03-29T03:40:00", "01:10:00", "01:40:00"),
    ("spring", "its first second", "2026-03-29T03:00:00", "2026-03-29T03:00:00", "01:00:00", "01:00:00"),
    ("spring", "the second before", "2026-03-29T02:50:00", "2026-03-29T02:59:59", "00:50:00", "00:50:00"),
    # on that of autumn 03:00 to 03:59 come twice; from means the first, to the second
    ("autumn", "starts before, ends after", "2026-10-25T02:40:00", "2026-10-25T04:20:00", "T23:40", "02:20:00"),
    ("autumn", "starts inside", "2026-10-25T03:20:00", "2026-10-25T05:00:00", "00:20:00", "03:00:00"),
    ("autumn", "ends inside", "2026-10-25T02:00:00", "2026-10-25T03:20:00", "T23:00", "01:20:00"),
    ("autumn", "lies inside", "2026-10-25T03:10:00", "2026-10-25T03:40:00", "00:10:00", "01:40:00"),
    ("autumn", "one second twice", "2026-10-25T03:30:00", "2026-10-25T03:30:00", "00:30:00", "01:30:00"),
    ("autumn", "the second before", "2026-10-25T02:50:00", "2026-10-25T02:59:59", "T23:50", "T23:50"),
    ("autumn", "the second after", "2026-10-25T04:00:00", "2026-10-25T04:00:00", "02:00:00", "02:00:00"),
]


@pytest.mark.parametrize(
    ("night", "from_", "to", "first", "last"),
    [(night, *rest) for night, _, *rest in INTERVALS],
    ids=[f"{night}: {what}" for night, what, *_ in INTERVALS],
)
async def test_times_are_wall_time_in_kyiv_on_the_nights_on_which_the_clock_changes(
    rules: httpx.AsyncClient, year: World, night: str, from_: str, to: str, first: str, last: str
) -> None:
    year.at = moment(AFTER[night])
    day = NIGHTS[night][:10]
    before = (datetime.fromisoformat(day) - timedelta(days=1)).date().isoformat()
    first, last = (f"{before}{at}:00" if at.startswith("T") else f"{day}T{at}" for at in (first, last))
    calls = await shown(rules, year, from_, to)
    answer = await rules.get("/api/fmc/v1/callhistory", **year.fmc(**{"from": from_, "to": to}))
    of_history = answer.json()["calls"]
    assert [call["started_at"][11:16] for call in of_history] == every_ten_minutes(first, last)
    # The same calls, and both show the wall's time.
    assert [call["start_timestamp"] for call in calls] == [call["start_datetime"] for call in of_history]
    assert [call["end_timestamp"] for call in calls] == [call["end_datetime"] for call in of_history]


async def test_shown_times_are_those_of_the_wall_on_both_nights(rules: httpx.AsyncClient, year: World) -> None:
    year.at = moment(AFTER["spring"])
    calls = await shown(rules, year, "2026-03-29T02:40:00", "2026-03-29T04:10:00")
    assert [call["start_timestamp"][11:] for call in calls] == ["02:40:00", "02:50:00", "04:00:00", "04:10:00"]
    assert calls[1]["end_timestamp"] == "2026-03-29 02:51:30"
    year.at = moment(AFTER["autumn"])
    calls = await shown(rules, year, "2026-10-25T03:30:00", "2026-10-25T03:10:00")
    starts = [call["start_timestamp"][11:] for call in calls]
    assert starts == [
        "03:30:00",
        "03:40:00",
        "03:50:00",
        "03:00:00",
        "03:10:00",
    ]  # oldest first


def without_rate(answer: httpx.Response) -> dict[str, str]:
    """Return the headers but for those that count requests."""
    return {name: value for name, value in answer.headers.items() if not name.startswith("ratelimit")}


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_get_without_its_body(rules: httpx.AsyncClient, year: World, path: str) -> None:
    good = params(year, "2026-04-19T00:00:00")
    for asked in (good, good | {"names": "x"}, good | {"token": "0" * 64}, {}, good | {"from": "x"}):
        get, head = [await rules.request(method, path, params=asked) for method in ("GET", "HEAD")]
        assert head.status_code == get.status_code
        assert without_rate(head) == without_rate(get)
        assert head.content == b""


@pytest.mark.parametrize("name", ["bom", "limit", "number", "integrator_id", "From", "FROM", "from ", "", "ім'я"])
async def test_a_parameter_that_is_not_of_this_answer_is_ignored(
    rules: httpx.AsyncClient, year: World, name: str
) -> None:
    good = params(year, "2026-04-19T00:00:00", "2026-04-20T00:00:00")
    expected = await rules.get(PATH, params=good)
    answer = await rules.get(PATH, params=[*good.items(), (name, "x"), (name, "y")])
    assert (answer.status_code, answer.content) == (200, expected.content)


async def test_another_enterprises_token_shows_its_own_calls_only(rules: httpx.AsyncClient, year: World) -> None:
    year.at = moment(AFTER["spring"])
    bounds = {"from": "2026-03-28T00:00:00", "to": "2026-03-30T00:00:00"}
    for path, nothing in zip(PATHS, (1, 3, 3), strict=True):
        answer = await rules.get(path, params=bounds | {"token": year.other.fmc_token})
        assert answer.status_code == 200
        assert answer.content.count(b"\n") == nothing
        assert (await rules.get(path, params=bounds | {"token": year.own.fmc_token})).content.count(b"\n") > 40
