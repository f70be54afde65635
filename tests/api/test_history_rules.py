"""The rules of callhistory and callrecord (contract, section 3), each at its boundaries, over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from kobza.api.rate_limits import Rates
from kobza.call.causes import cause_text
from kobza.store.entries import CdrClosed, CdrOpened
from kobza.store.place import PostgresUrl
from kobza.store.postgres_driver import NUL_SHOWN
from kobza.store.recordings import Remarks
from tests.api.test_callstat import assert_problem
from tests.api.world import ALICE, BORYS, OUTSIDE, World, moment
from tests.support.postgres import PostgresServer

HISTORY, RECORD = "/api/fmc/v1/callhistory", "/api/fmc/v1/callrecord"
NOW = "2026-04-20T09:00:00"
"""12:00:00 in Kyiv."""
DAY = {"from": "2026-04-19T00:00:00", "to": "2026-04-19T23:59:59"}
SOUND = bytes(range(256)) * 1000
SHA = "ab" * 32


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, database: PostgresServer | None) -> Iterator[World]:
    """Return a world with 60 calls of three directions on one day, three of them at each moment."""
    world = World(tmp_path_factory.mktemp("office"), server=database)
    world.app = world.build(rates=Rates(read=None, export=None, control=None, failures=None))
    kinds: list[dict[str, Any]] = [
        {},
        {"called_number": BORYS, "answered_number": BORYS, "direction": "local"},
        {"calling_number": OUTSIDE, "called_number": BORYS, "answered_number": ALICE, "direction": "incoming"},
    ]
    for number in range(60):
        world.add_call(started_at=moment("2026-04-19T09:00:00") + number // 3, **kinds[number % 3])
    world.add_recording(SOUND)
    yield world
    world.close()


@pytest_asyncio.fixture
async def client(office: World) -> AsyncIterator[httpx.AsyncClient]:
    office.at = moment(NOW)
    async with office.client() as opened:
        yield opened


async def history(client: httpx.AsyncClient, world: World, **asked: Any) -> dict[str, Any]:
    answer = await client.get(HISTORY, **world.fmc(**asked))
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


@pytest.mark.parametrize(
    ("from_", "to"),
    [
        ("2026-03-20T12:00:00", "2026-04-20T12:00:00"),
        ("2020-01-01T00:00:00", "2020-02-01T00:00:00"),
        ("2026-03-01T03:30:00", "2026-04-01T03:30:00"),  # over the night of spring
        ("2025-10-01T00:00:00", "2025-11-01T00:00:00"),  # over that of autumn
        ("0001-01-01T00:00:00", "0001-02-01T00:00:00"),
    ],
)
async def test_the_span_is_at_most_31_days_of_wall_time_as_far_back_as_there_is_history(
    client: httpx.AsyncClient, office: World, from_: str, to: str
) -> None:
    await history(client, office, **{"from": from_, "to": to})
    earlier = (datetime.fromisoformat(to) - timedelta(days=31, seconds=1)).isoformat() if from_[:4] != "0001" else None
    if earlier is not None:
        answer = await client.get(HISTORY, **office.fmc(**{"from": earlier, "to": to}))
        assert_problem(answer, 400, "invalid_parameter", "to")


@pytest.mark.parametrize("to", ["2026-04-20T12:00:01", "2027-01-01T00:00:00", "9999-12-31T23:59:59"])
async def test_a_to_in_the_future_means_now(client: httpx.AsyncClient, office: World, to: str) -> None:
    """Also for the span: 31 days before now are as far as it goes."""
    await history(client, office, **{"from": "2026-03-20T12:00:00", "to": to})
    answer = await client.get(HISTORY, **office.fmc(**{"from": "2026-03-20T11:59:59", "to": to}))
    assert_problem(answer, 400, "invalid_parameter", "to")
    office.at = moment("2026-04-19T09:00:10")
    seen = await history(client, office, **{"from": "2026-04-19T00:00:00", "to": to})
    assert len(seen["calls"]) == 33  # and not those that begin later


async def test_one_bound_may_be_absent(client: httpx.AsyncClient, office: World) -> None:
    assert len((await history(client, office, **{"from": "2026-04-19T12:00:00"}))["calls"]) == 60
    assert len((await history(client, office, to="2026-04-19T12:00:04"))["calls"]) == 15
    assert len((await history(client, office, to="2026-04-26T12:00:04"))["calls"]) == 60  # now, and 7 days before it
    assert (await history(client, office, **{"from": "2026-04-01T00:00:00"}))["calls"] == []  # 7 days after it
    assert_problem(await client.get(HISTORY, **office.fmc()), 400, "missing_parameter", "from")


@pytest.mark.parametrize("limit", [1, 3, 7, 20, 59, 60, 61, 5000])
@pytest.mark.parametrize("chosen", [{}, {"direction": "local"}, {"number": BORYS}])
async def test_pages_by_cursor_are_together_what_there_is_without_limit(
    client: httpx.AsyncClient, office: World, limit: int, chosen: dict[str, str]
) -> None:
    whole = await history(client, office, **DAY, **chosen)
    assert whole["next_cursor"] is None
    pages: list[list[dict[str, Any]]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await history(client, office, **DAY, **chosen, limit=limit, **cursor)
        pages.append(page["calls"])
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert [call for page in pages for call in page] == whole["calls"]
    assert all(len(page) == limit for page in pages[:-1])
    assert 0 < len(pages[-1]) <= limit  # no page that turns out to be empty


@pytest.mark.parametrize(
    ("chosen", "directions"),
    [
        ({"direction": "outgoing"}, {"outgoing"}),
        ({"direction": "incoming"}, {"incoming"}),
        ({"direction": "local"}, {"local"}),
        ({"number": "0671111111"}, {"outgoing", "local", "incoming"}),  # calling, calling, answered
        ({"number": "+380 67 222 22 22"}, {"local", "incoming"}),
        ({"number": BORYS, "direction": "incoming"}, {"incoming"}),
        ({"number": BORYS, "direction": "outgoing"}, set()),
    ],
)
async def test_by_number_and_direction(
    client: httpx.AsyncClient, office: World, chosen: dict[str, str], directions: set[str]
) -> None:
    calls = (await history(client, office, **DAY, **chosen))["calls"]
    assert {call["direction"] for call in calls} == directions
    assert len(calls) == 20 * len(directions)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        *(("limit", value, "invalid_parameter") for value in ("", "0", "-1", "5001", "1.0", "1e3", "٣", "+5", "05x")),
        *(
            ("cursor", value, "invalid_parameter")
            for value in ("", "x", "5", "-", "5-", "-5-a", "1" * 16 + "-a", "٣-a")
        ),
        *(("direction", value, "invalid_parameter") for value in ("", "Incoming", "in", "incoming,local")),
        *(("number", value, "invalid_number") for value in ("", "abc", "+", "1" * 50)),
        *((name, "2026-04-19", "invalid_parameter") for name in ("from", "to")),
    ],
)
async def test_what_is_malformed_is_400(
    client: httpx.AsyncClient, office: World, name: str, value: str, code: str
) -> None:
    assert_problem(await client.get(HISTORY, **office.fmc(**{**DAY, name: value})), 400, code, name)


@pytest.mark.parametrize("name", ["from", "to", "number", "direction", "limit", "cursor", "integrator_id"])
async def test_a_parameter_given_twice_is_400(client: httpx.AsyncClient, office: World, name: str) -> None:
    asked = office.fmc(**DAY)
    pairs = [*asked["params"].items(), (name, "1"), (name, "1")]
    answer = await client.get(HISTORY, params=pairs, headers=asked["headers"])
    assert_problem(answer, 400, "duplicate_parameter", name)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [(None, "en"), ("uk", "uk"), ("uk-UA,uk;q=0.9,en;q=0.8", "uk"), ("en,uk;q=0.5", "en"), ("de", "en")],
)
async def test_cause_text_follows_accept_language(
    client: httpx.AsyncClient, office: World, accepted: str | None, language: str
) -> None:
    asked = office.fmc(**DAY, limit=1)
    if accepted is not None:
        asked["headers"]["accept-language"] = accepted
    (call,) = (await client.get(HISTORY, **asked)).json()["calls"]
    assert call["cause_text"] == cause_text(16, language)


AWKWARD = 'слово "лапки" \\ , ; \t\n\r \0\x0b\x1f\u2028\ufffe</script>😀=1+1'


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        # seconds are rounded up, times of day truncated
        ({"ended_at": 18.001}, {"call_duration": 14, "end_datetime": "2026-01-19 11:00:18"}),
        ({"ended_at": 18.0}, {"call_duration": 13}),
        ({"ended_at": 5.0}, {"call_duration": 1}),  # answered is never 0
        ({"ended_at": 5.999}, {"call_duration": 1, "ended_at": "2026-01-19T09:00:05.999Z"}),
        ({"ringing_at": 1.0, "answered_at": 1.0}, {"ringing": 0}),
        ({"ringing_at": 1.0, "answered_at": 1.001}, {"ringing": 1}),
        ({"ringing_at": None}, {"ringing": 0}),
        # not answered: ringing until the end
        (
            {"answered_at": None, "answered_number": None, "ended_at": 31.5},
            {"call_duration": 0, "ringing": 31, "answered_at": None, "answered_number": None},
        ),
        ({"cause": 17, "sip_status": 486}, {"cause": 17, "sip_status": 486, "cause_text": "User busy"}),
        ({"sip_status": None}, {"sip_status": None}),
        *(({"released_by": who}, {"released_by": who}) for who in ("caller", "called", "api", "network")),
        ({"record_id": "r7"}, {"record_id": "r7"}),
        ({"calling_number": "+48221234567"}, {"calling_number": "+48221234567"}),
        ({"called_number": "112", "answered_number": "112"}, {"called_number": "112", "answered_number": "112"}),
        ({"calling_number": "anonymous", "direction": "incoming"}, {"calling_number": "anonymous"}),
        ({"client_state": AWKWARD}, {"client_state": AWKWARD}),
    ],
)
async def test_each_field(
    client: httpx.AsyncClient, office: World, changes: dict[str, Any], fields: dict[str, Any]
) -> None:
    started = moment("2026-01-19T09:00:00")
    moments = ("ringing_at", "answered_at", "ended_at")
    placed = {n: started + v if n in moments and v is not None else v for n, v in changes.items()}
    call = office.add_call(started_at=started, **placed)
    calls = (await history(client, office, **{"from": "2026-01-19T00:00:00", "to": "2026-01-19T23:00:00"}))["calls"]
    (shown,) = [one for one in calls if one["call_id"] == call.call_id]
    if fields == {"client_state": AWKWARD} and isinstance(office.store.place, PostgresUrl):
        fields = {"client_state": AWKWARD.replace("\0", NUL_SHOWN)}  # the one character that PostgreSQL has not
    assert {name: shown[name] for name in fields} == fields


async def test_without_limit_all_of_them_come_streamed(client: httpx.AsyncClient, office: World) -> None:
    begin = moment("2026-02-10T09:00:00")
    records = [office.cdr(started_at=begin + number, client_state="ї" * 50) for number in range(3000)]
    office.journal.write([entry for record in records for entry in (CdrOpened(record), CdrClosed(record))])
    asked = office.fmc(**{"from": "2026-02-10T00:00:00", "to": "2026-02-11T00:00:00"})
    async with client.stream("GET", HISTORY, **asked) as answer:
        assert "content-length" not in answer.headers
        assert answer.headers["content-type"] == "application/json"
        await answer.aread()
    assert [call["call_id"] for call in answer.json()["calls"]] == [record.call_id for record in records]


# callrecord


def record(world: World, record_id: str = "r1", **headers: str) -> dict[str, Any]:
    asked = world.fmc(record_id=record_id)
    asked["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    return asked


@pytest.mark.parametrize(
    ("headers", "status", "part"),
    [
        ({}, 200, slice(None)),
        ({"range": "bytes=0-0"}, 206, slice(0, 1)),
        ({"range": "bytes=0-255999"}, 206, slice(None)),
        ({"range": "bytes=255999-256000"}, 206, slice(255_999, None)),
        ({"range": "bytes=-1"}, 206, slice(-1, None)),
        ({"range": "bytes=-999999"}, 206, slice(None)),
        # what is malformed or asks for several parts is answered with the whole (RFC 9110, 14.2)
        *(({"range": text}, 200, slice(None)) for text in ("bytes=5-4", "bytes=-", "bytes", "lines=0-1", "bytes=a-b")),
        *(({"range": text}, 200, slice(None)) for text in ("bytes=0-1,5-9", "bytes=0-1, 5-9", "bytes=,0-1")),
        # only when it is still the same
        ({"range": "bytes=0-9", "if_range": f'"{SHA}"'}, 206, slice(0, 10)),
        ({"range": "bytes=0-9", "if_range": f'W/"{SHA}"'}, 200, slice(None)),  # a weak tag never matches there
        ({"range": "bytes=0-9", "if_range": '"other"'}, 200, slice(None)),
        ({"range": "bytes=0-9", "if_range": "Mon, 20 Apr 2026 09:00:00 GMT"}, 200, slice(None)),
        ({"range": "bytes=999999-", "if_range": '"other"'}, 200, slice(None)),
        ({"if_none_match": '"other"'}, 200, slice(None)),
        ({"if_none_match": '"other"', "range": "bytes=0-9"}, 206, slice(0, 10)),
        # only when it is another one
        ({"if_none_match": f'"{SHA}"'}, 304, None),
        ({"if_none_match": f'W/"{SHA}"'}, 304, None),
        ({"if_none_match": f'"x", "{SHA}"'}, 304, None),
        ({"if_none_match": "*"}, 304, None),
        ({"if_none_match": f'"{SHA}"', "range": "bytes=999999-"}, 304, None),  # before the range (13.2.2)
    ],
)
async def test_ranges_and_conditions(
    client: httpx.AsyncClient, office: World, headers: dict[str, str], status: int, part: slice | None
) -> None:
    answer = await client.get(RECORD, **record(office, **headers))
    assert answer.status_code == status
    assert answer.headers["etag"] == f'"{SHA}"'
    assert answer.content == (b"" if part is None else SOUND[part])
    if status == 206 and part is not None:
        start, stop, _ = part.indices(len(SOUND))
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(SOUND)}"
    else:
        assert "content-range" not in answer.headers
    head = await client.head(RECORD, **record(office, **headers))
    assert (head.status_code, head.content) == (304 if status == 304 else 200, b"")  # Range is for GET (14.2)
    if status != 304:
        assert answer.headers["content-length"] == str(len(answer.content))
        assert head.headers["content-length"] == str(len(SOUND))
        assert head.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("text", ["bytes=256000-", "bytes=256000-256001", "bytes=-0", "bytes=999999999999999999-"])
async def test_a_range_behind_the_end_is_416(client: httpx.AsyncClient, office: World, text: str) -> None:
    answer = await client.get(RECORD, **record(office, range=text))
    assert_problem(answer, 416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(SOUND)}"


@pytest.mark.parametrize(
    ("status", "http_status", "code"),
    [
        ("recording", 409, "recording_not_ready"),
        ("encoding", 409, "recording_not_ready"),
        ("erased", 410, "recording_erased"),
        ("failed", 410, "recording_failed"),
        ("ready", 410, "recording_erased"),  # whose file somebody removed
    ],
)
async def test_a_recording_that_is_not_there(
    client: httpx.AsyncClient, office: World, status: str, http_status: int, code: str
) -> None:
    record_id = office.add_recording(None, status, f"gone-{status}")
    answer = await client.get(RECORD, **record(office, record_id))
    assert_problem(answer, http_status, code)
    assert ("retry-after" in answer.headers) == (http_status == 409)
    head = await client.head(RECORD, **record(office, record_id))
    assert (head.status_code, head.content) == (http_status, b"")


async def test_what_a_listener_should_know_of_a_recording(client: httpx.AsyncClient, office: World) -> None:
    undecoded = {"caller": ["G729"], "callee": ["AMR"]}
    told = [("caller", 3290), ("callee", 3310)]
    noted = Remarks([(12_000, 15_500), (20_000, 22_250)], undecoded, announced=told, unannounced=["callee"])
    office.add_recording(SOUND, "ready", "half", remarks=noted)
    for ask in (client.get, client.head):
        answer = await ask(RECORD, **record(office, "half"))
        assert answer.headers["recording-paused"] == "12.000-15.500, 20.000-22.250"
        assert answer.headers["recording-undecoded"] == "caller=G729, called=AMR"
        assert answer.headers["recording-announced"] == "caller=3.290, called=3.310"
        assert answer.headers["recording-unannounced"] == "called"
    assert not {"recording-paused", "recording-undecoded"} & (await client.get(RECORD, **record(office))).headers.keys()
    office.add_recording(None, "failed", "none", remarks=Remarks(undecoded=undecoded))
    answer = await client.get(RECORD, **record(office, "none"))
    assert_problem(answer, 410, "recording_failed")
    assert answer.json()["detail"] == "What was spoken came in AMR, G729, which is not decoded here."


async def test_many_recordings_at_once_wait_for_no_thread(client: httpx.AsyncClient, office: World) -> None:
    """Slow downloads hold nothing that others need: a thread reads one block, and is free again."""
    answers = await asyncio.gather(*(client.get(RECORD, **record(office)) for _ in range(100)))
    assert {answer.content for answer in answers} == {SOUND}


async def test_an_empty_recording_is_an_empty_answer(client: httpx.AsyncClient, office: World) -> None:
    office.add_recording(b"", "ready", "empty")
    answer = await client.get(RECORD, **record(office, "empty"))
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")
    answer = await client.get(RECORD, **record(office, "empty", range="bytes=0-"))
    assert_problem(answer, 416, "range_not_satisfiable")
