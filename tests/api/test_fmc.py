"""The Generic FMC API (contract, section 3): each function with its errors."""

from typing import Any

import httpx
import pytest

from kobza.call.errors import (
    KobzaError,
    NoAnswerFromPhoneError,
    WrongStateError,
)
from kobza.call.states import OwnerState, StateType
from kobza.store import endpoints, tokens
from kobza.store.entries import AttemptStored, StateStored
from kobza.store.erasure import Request, erase
from kobza.store.tokens import Scope
from kobza.webhooks.exchange import Exchange, encode
from kobza.webhooks.payload import body
from tests.api.test_callstat import assert_problem
from tests.api.world import ALICE, BORYS, OUTSIDE, PLAIN, STRANGER, Leg, World, moment

FMC = "/api/fmc/v1"
DAY = {"from": "2026-04-19T00:00:00", "to": "2026-04-19T23:59:59"}

FUNCTIONS = [
    ("GET", "/callhistory"),
    ("GET", "/callrecord"),
    ("POST", "/originate"),
    ("POST", "/callcontrol"),
    ("GET", "/clip"),
    ("PUT", "/clip"),
    ("GET", "/dnd"),
    ("PUT", "/dnd"),
    ("GET", "/phonestatus"),
    ("GET", "/webhook"),
    ("PUT", "/webhook"),
    ("DELETE", "/webhook"),
    ("POST", "/webhook/test"),
    ("GET", "/webhook/deliveries"),
    ("GET", "/webhook/deliveries/1"),
    ("POST", "/webhook/deliveries/1/replay"),
    ("POST", "/webhook/deliveries/replay"),
    ("POST", "/webhook/recover"),
    ("POST", "/webhook/activate"),
    ("GET", "/events"),
]


@pytest.mark.parametrize(("method", "path"), FUNCTIONS)
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Bearer é", "Token x"])
async def test_without_a_proper_header_401_with_a_challenge(
    client: httpx.AsyncClient, world: World, method: str, path: str, header: str | None
) -> None:
    headers = {} if header is None else {b"authorization": header.encode("latin-1")}
    answer = await client.request(
        method, FMC + path, params={"integrator_id": world.own.integrator_id}, headers=headers, content=b"{"
    )
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith('Bearer realm="kobza"')


@pytest.mark.parametrize(("method", "path"), FUNCTIONS)
async def test_wrong_token_or_integrator_403(client: httpx.AsyncClient, world: World, method: str, path: str) -> None:
    own = {"integrator_id": world.own.integrator_id}
    for token in ("0" * 64, "x", world.own.fmc_token[:-1], world.own.integrator_id):
        answer = await client.request(method, FMC + path, params=own, headers={"authorization": f"Bearer {token}"})
        assert_problem(answer, 403, "forbidden", "token")
    for integrator in (world.other.integrator_id, "", "0", "ї"):
        params = {"integrator_id": integrator}
        answer = await client.request(method, FMC + path, params=params, headers=world.bearer)
        assert_problem(answer, 403, "forbidden", "integrator_id")
    answer = await client.request(method, FMC + path, headers=world.bearer)
    assert_problem(answer, 400, "missing_parameter", "integrator_id")


async def test_a_token_ends_when_it_is_said_to(client: httpx.AsyncClient, world: World) -> None:
    with world.store.write() as conn:
        (token,) = tokens.list_for(conn, world.own.enterprise_id)
        tokens.rotate(conn, world.own.enterprise_id, token.token_id, int(world.at * 1000), 1000)
    assert (await client.get(f"{FMC}/phonestatus", **world.fmc())).status_code == 200
    world.at += 1
    assert_problem(await client.get(f"{FMC}/phonestatus", **world.fmc()), 403, "forbidden", "token")


BAD_BODIES: list[tuple[bytes, str, str | None]] = [
    (b"", "invalid_body", None),
    (b"{", "invalid_body", None),
    (b"originator=1", "invalid_body", None),
    (b"[]", "invalid_body", None),
    (b"null", "invalid_body", None),
    (b'"x"', "invalid_body", None),
    (b"\xff\xfe", "invalid_body", None),
    (b'{"a": "\\ud800"}', "invalid_body", None),
    (b"[" * 50_000, "invalid_body", None),
    (b" " * 65_537, "invalid_body", None),
]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/originate"),
        ("POST", "/callcontrol"),
        ("PUT", "/clip"),
        ("PUT", "/dnd"),
        ("PUT", "/webhook"),
        ("POST", "/webhook/recover"),
        ("POST", "/webhook/activate"),
        ("POST", "/webhook/deliveries/replay"),
    ],
)
@pytest.mark.parametrize(("content", "code", "parameter"), BAD_BODIES)
async def test_a_body_that_is_no_json_object_is_400(
    client: httpx.AsyncClient, world: World, method: str, path: str, content: bytes, code: str, parameter: str | None
) -> None:
    answer = await client.request(method, FMC + path, content=content, **world.fmc())
    assert_problem(answer, 400, code, parameter)


@pytest.mark.parametrize(
    ("path", "document", "code", "parameter"),
    [
        ("POST /originate", {"destination": "101"}, "missing_parameter", "originator"),
        ("POST /originate", {"originator": 671111111, "destination": "101"}, "invalid_body", "originator"),
        ("POST /originate", {"originator": None, "destination": "101"}, "invalid_body", "originator"),
        ("POST /originate", {"originator": ALICE, "destination": "1" * 41}, "invalid_body", "destination"),
        ("POST /originate", {"originator": ALICE, "destination": "abc"}, "invalid_number", "destination"),
        ("POST /originate", {"originator": ALICE, "destination": ALICE}, "invalid_number", "destination"),
        ("POST /originate", {"originator": ALICE, "destination": "101", "timeout": 4}, "invalid_body", "timeout"),
        ("POST /originate", {"originator": ALICE, "destination": "101", "timeout": 121}, "invalid_body", "timeout"),
        ("POST /originate", {"originator": ALICE, "destination": "101", "timeout": "60"}, "invalid_body", "timeout"),
        (
            "POST /originate",
            {"originator": ALICE, "destination": "101", "client_state": "ї" * 513},
            "invalid_body",
            "client_state",
        ),
        (
            "POST /originate",
            {"originator": ALICE, "destination": "101", "client_state": "x" * 1025},
            "invalid_body",
            "client_state",
        ),
        ("POST /callcontrol", {"action": "clear"}, "missing_parameter", "call_control_id"),
        ("POST /callcontrol", {"call_control_id": "x", "action": "explode"}, "invalid_body", "action"),
        ("POST /callcontrol", {"call_control_id": 5, "action": "clear"}, "invalid_body", "call_control_id"),
        ("POST /callcontrol", {"call_control_id": "x" * 65, "action": "clear"}, "invalid_body", "call_control_id"),
        ("PUT /dnd", {"number": ALICE, "dnd": True}, "invalid_body", "dnd"),
        ("PUT /dnd", {"number": ALICE, "dnd": "on", "until": "soon"}, "invalid_parameter", "until"),
        ("PUT /dnd", {"number": ALICE, "dnd": "on", "until": "2026-04-20T12:00:00"}, "invalid_parameter", "until"),
        ("PUT /clip", {"number": ALICE, "restricted": False}, "missing_parameter", "presentation_number"),
        (
            "PUT /clip",
            {"number": ALICE, "presentation_number": None, "restricted": "no"},
            "invalid_body",
            "restricted",
        ),
        ("PUT /webhook", {"url": "ftp://x", "token": "t"}, "invalid_parameter", "url"),
        ("PUT /webhook", {"url": "https://x", "token": "a b"}, "invalid_parameter", "token"),
        ("PUT /webhook", {"url": "https://x", "token": "t", "secret": "short"}, "invalid_parameter", "secret"),
        ("PUT /webhook", {"url": "https://x/" + "a" * 2000, "token": "t"}, "invalid_body", "url"),
        ("POST /webhook/recover", {"since": "x"}, "invalid_parameter", "since"),
    ],
)
async def test_wrong_fields_are_400_with_their_name(
    client: httpx.AsyncClient, world: World, path: str, document: dict[str, Any], code: str, parameter: str
) -> None:
    method, _, function = path.partition(" ")
    answer = await client.request(method, FMC + function, json=document, **world.fmc())
    assert_problem(answer, 400, code, parameter)
    assert world.commands.told == []


def requests_on(number: str) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        ("GET", "/callhistory", {"params": {**DAY, "number": number}}),
        ("POST", "/originate", {"json": {"originator": number, "destination": "101"}}),
        ("GET", "/clip", {"params": {"number": number}}),
        ("PUT", "/clip", {"json": {"number": number, "presentation_number": None, "restricted": True}}),
        ("GET", "/dnd", {"params": {"number": number}}),
        ("PUT", "/dnd", {"json": {"number": number, "dnd": "on"}}),
        ("GET", "/phonestatus", {"params": {"number": number}}),
    ]


@pytest.mark.parametrize("which", range(7))
async def test_a_number_of_another_enterprise_is_404_like_an_unknown_one(
    client: httpx.AsyncClient, world: World, which: int
) -> None:
    answers = []
    for number in (STRANGER, "+380970000000"):
        method, path, options = requests_on(number)[which]
        wanted = world.fmc(**options.pop("params", {}))
        answers.append(await client.request(method, FMC + path, **wanted, **options))
        assert_problem(answers[-1], 404, "not_found")
    assert answers[0].content == answers[1].content
    for answer in answers:
        del answer.headers["ratelimit"]
    assert answers[0].headers == answers[1].headers


@pytest.mark.parametrize("which", range(7))
async def test_a_number_without_the_packages_is_403(client: httpx.AsyncClient, world: World, which: int) -> None:
    method, path, options = requests_on(PLAIN)[which]
    answer = await client.request(method, FMC + path, **world.fmc(**options.pop("params", {})), **options)
    assert_problem(answer, 403, "service_not_enabled")


# callhistory


async def history(client: httpx.AsyncClient, world: World, **parameters: Any) -> dict[str, Any]:
    answer = await client.get(f"{FMC}/callhistory", **world.fmc(**{**DAY, **parameters}))
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_history_shows_each_field_of_the_contract(client: httpx.AsyncClient, world: World) -> None:
    call = world.add_call(record_id="r9", client_state="order 7")
    assert await history(client, world) == {
        "calls": [
            {
                "call_id": call.call_id,
                "calling_number": "0671111111",
                "called_number": "0501112233",
                "start_datetime": "2026-04-19 12:00:00",
                "end_datetime": "2026-04-19 12:00:18",
                "call_duration": 14,
                "ringing": 4,
                "direction": "outgoing",
                "cause": 16,
                "record_id": "r9",
                "cause_text": "Normal call clearing",
                "sip_status": 200,
                "released_by": "caller",
                "answered_number": "0501112233",
                "started_at": "2026-04-19T09:00:00.000Z",
                "answered_at": "2026-04-19T09:00:05.000Z",
                "ended_at": "2026-04-19T09:00:18.400Z",
                "client_state": "order 7",
            }
        ],
        "next_cursor": None,
    }


async def test_history_of_a_call_that_was_not_answered(client: httpx.AsyncClient, world: World) -> None:
    world.add_call(answered_at=None, answered_number=None, cause=17, sip_status=486, released_by="called")
    (call,) = (await history(client, world))["calls"]
    assert (call["call_duration"], call["ringing"], call["cause"]) == (0, 18, 17)
    assert (call["answered_at"], call["answered_number"], call["record_id"]) == (None, None, None)


async def test_cause_text_is_in_the_language_asked_for(client: httpx.AsyncClient, world: World) -> None:
    world.add_call(cause=17)
    wanted = world.fmc(**DAY)
    wanted["headers"]["accept-language"] = "uk-UA,uk;q=0.9"
    answer = await client.get(f"{FMC}/callhistory", **wanted)
    assert answer.json()["calls"][0]["cause_text"] == "Абонент зайнятий"


async def test_history_by_number_and_direction(client: httpx.AsyncClient, world: World) -> None:
    out = world.add_call()
    inside = world.add_call(called_number=BORYS, direction="local")
    inbound = world.add_call(calling_number=OUTSIDE, called_number=BORYS, direction="incoming")

    async def ids(**parameters: str) -> list[str]:
        return [call["call_id"] for call in (await history(client, world, **parameters))["calls"]]

    assert await ids() == [out.call_id, inside.call_id, inbound.call_id]
    assert await ids(number="067 111-11-11") == [out.call_id, inside.call_id]
    assert await ids(number=BORYS) == [inside.call_id, inbound.call_id]
    assert await ids(direction="incoming") == [inbound.call_id]
    assert await ids(number=BORYS, direction="local") == [inside.call_id]


async def test_history_page_by_page_is_the_whole_history(client: httpx.AsyncClient, world: World) -> None:
    made = [world.add_call(started_at=moment("2026-04-19T09:00:00") + number // 3) for number in range(10)]
    found: list[str] = []
    cursor: dict[str, str] = {}
    sizes = []
    while True:
        page = await history(client, world, limit=4, **cursor)
        sizes.append(len(page["calls"]))
        found += [call["call_id"] for call in page["calls"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert sizes == [4, 4, 2]
    assert found == [call.call_id for call in made]
    assert (await history(client, world, limit=10))["next_cursor"] is None


@pytest.mark.parametrize(
    ("parameters", "code", "parameter"),
    [
        ({}, "missing_parameter", "from"),
        ({**DAY, "limit": "0"}, "invalid_parameter", "limit"),
        ({**DAY, "limit": "5001"}, "invalid_parameter", "limit"),
        ({**DAY, "limit": "ten"}, "invalid_parameter", "limit"),
        ({**DAY, "cursor": "x"}, "invalid_parameter", "cursor"),
        ({**DAY, "cursor": "-1-a"}, "invalid_parameter", "cursor"),
        ({**DAY, "direction": "sideways"}, "invalid_parameter", "direction"),
        ({**DAY, "number": "abc"}, "invalid_number", "number"),
        ({"from": "2026-03-01T00:00:00", "to": "2026-04-01T00:00:01"}, "invalid_parameter", "to"),
    ],
)
async def test_history_errors(
    client: httpx.AsyncClient, world: World, parameters: dict[str, str], code: str, parameter: str
) -> None:
    answer = await client.get(f"{FMC}/callhistory", **world.fmc(**parameters))
    assert_problem(answer, 400, code, parameter)


async def test_history_of_another_enterprise_is_not_shown(client: httpx.AsyncClient, world: World) -> None:
    world.add_call(enterprise_id=world.other.enterprise_id)
    assert (await history(client, world))["calls"] == []


# callrecord

SOUND = bytes(range(256)) * 1000


async def test_recording_whole_and_its_headers(client: httpx.AsyncClient, world: World) -> None:
    record_id = world.add_recording(SOUND)
    for method in ("GET", "HEAD"):
        answer = await client.request(method, f"{FMC}/callrecord", **world.fmc(record_id=record_id))
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "audio/mpeg"
        assert answer.headers["content-length"] == str(len(SOUND))
        assert answer.headers["etag"] == f'"{"ab" * 32}"'
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.content == (SOUND if method == "GET" else b"")


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=100-99999", slice(100, 100_000)),
        ("bytes=255999-", slice(255_999, None)),
        ("bytes=-5", slice(-5, None)),
    ],
)
async def test_part_of_a_recording(client: httpx.AsyncClient, world: World, wanted: str, part: slice) -> None:
    options = world.fmc(record_id=world.add_recording(SOUND))
    options["headers"]["range"] = wanted
    answer = await client.get(f"{FMC}/callrecord", **options)
    start, stop, _ = part.indices(len(SOUND))
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(SOUND)}"
    assert answer.headers["content-length"] == str(stop - start)
    assert answer.content == SOUND[part]


async def test_range_behind_the_end_is_416(client: httpx.AsyncClient, world: World) -> None:
    options = world.fmc(record_id=world.add_recording(SOUND))
    options["headers"]["range"] = f"bytes={len(SOUND)}-"
    answer = await client.get(f"{FMC}/callrecord", **options)
    assert_problem(answer, 416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(SOUND)}"


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("if-none-match", f'"{"ab" * 32}"', 304),
        ("if-none-match", '"other"', 200),
        ("if-range", '"other"', 200),
        ("if-range", f'"{"ab" * 32}"', 206),
    ],
)
async def test_conditional_requests(
    client: httpx.AsyncClient, world: World, name: str, value: str, status: int
) -> None:
    options = world.fmc(record_id=world.add_recording(SOUND))
    options["headers"][name] = value
    if name == "if-range":
        options["headers"]["range"] = "bytes=0-9"
    assert (await client.get(f"{FMC}/callrecord", **options)).status_code == status


async def test_recordings_that_cannot_be_had(client: httpx.AsyncClient, world: World) -> None:
    for record_id, status in (("r1", "recording"), ("r2", "encoding")):
        world.add_recording(None, status, record_id)
        answer = await client.get(f"{FMC}/callrecord", **world.fmc(record_id=record_id))
        assert_problem(answer, 409, "recording_not_ready")
        assert int(answer.headers["retry-after"]) > 0
    world.add_recording(None, "erased", "r3")
    assert_problem(await client.get(f"{FMC}/callrecord", **world.fmc(record_id="r3")), 410, "recording_erased")
    for unknown in ("r4", "x" * 100, "../../etc/passwd", "\0", ""):
        answer = await client.get(f"{FMC}/callrecord", **world.fmc(record_id=unknown))
        assert_problem(answer, 404, "not_found")
    assert_problem(await client.get(f"{FMC}/callrecord", **world.fmc()), 400, "missing_parameter", "record_id")


async def test_a_recording_of_another_enterprise_is_404(client: httpx.AsyncClient, world: World) -> None:
    world.add_recording(SOUND)
    params = {"integrator_id": world.other.integrator_id, "record_id": "r1"}
    headers = {"authorization": f"Bearer {world.other.fmc_token}"}
    assert_problem(await client.get(f"{FMC}/callrecord", params=params, headers=headers), 404, "not_found")


# callcontrol

LEG = Leg("call1", "leg1", ALICE, OUTSIDE, "outgoing", "established", 0.0)


@pytest.mark.parametrize(
    ("action", "fields", "told", "after"),
    [
        ("clear", {}, ("", ""), {"state": "finished"}),
        ("hold", {"digits": None}, ("", ""), {"state": "held"}),
        ("unhold", {"whatever": 5}, ("", ""), {"state": "established"}),
        ("mute", {}, ("", ""), {"state": "established", "muted": True}),
        ("unmute", {}, ("", ""), {"state": "established"}),
        ("dtmf", {"digits": "0123456789*#ABCD,"}, ("0123456789*#ABCD,", ""), {"state": "established"}),
        ("transfer", {"destination": "050 111-22-33"}, ("", OUTSIDE), {"state": "finished"}),
        ("record_start", {}, ("", ""), {"state": "established", "recording": "on", "record_id": "rec1"}),
        ("record_pause", {}, ("", ""), {"state": "established"}),
        ("record_resume", {}, ("", ""), {"state": "established"}),
        ("record_stop", {}, ("", ""), {"state": "established"}),
    ],
)
async def test_callcontrol_tells_what_the_leg_is_afterwards(
    client: httpx.AsyncClient,
    world: World,
    action: str,
    fields: dict[str, Any],
    told: tuple[str, str],
    after: dict[str, Any],
) -> None:
    world.commands.legs = [LEG]
    document = {"call_control_id": "leg1", "action": action}
    answer = await client.post(f"{FMC}/callcontrol", json={**document, **fields}, **world.fmc())
    unchanged = {"muted": False, "recording": None, "record_id": None, "guest_control_id": None}
    assert (answer.status_code, answer.json()) == (200, {**document, **unchanged, **after})
    assert world.commands.told == [("control", world.own.enterprise_id, "leg1", action, *told)]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"action": "supervise", "number": "067 222 22 22"}, ("supervise", BORYS, "listen")),
        ({"action": "supervise", "number": BORYS, "mode": "join"}, ("supervise", BORYS, "join")),
        ({"action": "add", "destination": "050 111-22-33"}, ("add", OUTSIDE)),
    ],
)
async def test_somebody_is_brought_to_a_live_call(
    client: httpx.AsyncClient, world: World, fields: dict[str, str], told: tuple[str, ...]
) -> None:
    world.commands.legs = [LEG]
    with world.store.write() as conn:
        token = tokens.add(conn, world.own.enterprise_id, 0, name="desk", scopes=[Scope.CONTROL, Scope.SUPERVISE])
    asked = world.fmc() | {"headers": {"authorization": f"Bearer {token.secret}"}}
    answer = await client.post(f"{FMC}/callcontrol", json={"call_control_id": "leg1", **fields}, **asked)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["guest_control_id"]) == ("established", "leg1")
    (done,) = world.commands.told
    assert done[:3] == (told[0], world.own.enterprise_id, "leg1")
    assert done[3:] == told[1:] + ((f"desk {token.token.token_id}",) if told[0] == "supervise" else ())


async def test_who_may_control_may_not_supervise(client: httpx.AsyncClient, world: World) -> None:
    world.commands.legs = [LEG]
    document = {"call_control_id": "leg1", "action": "supervise", "number": BORYS}
    answer = await client.post(f"{FMC}/callcontrol", json=document, **world.fmc())
    assert_problem(answer, 403, "scope_missing")
    assert answer.json()["scope"] == "supervise"
    assert world.commands.told == []


@pytest.mark.parametrize(
    ("fields", "code", "parameter"),
    [
        ({"action": "supervise"}, "missing_parameter", "number"),
        ({"action": "supervise", "number": BORYS, "mode": "shout"}, "invalid_body", "mode"),
        ({"action": "supervise", "number": BORYS, "destination": ALICE}, "invalid_body", "destination"),
        ({"action": "add"}, "missing_parameter", "destination"),
        ({"action": "add", "destination": ALICE, "mode": "join"}, "invalid_body", "mode"),
        ({"action": "hold", "number": BORYS}, "invalid_body", "number"),
        ({"action": "dtmf"}, "missing_parameter", "digits"),
        ({"action": "dtmf", "digits": None}, "missing_parameter", "digits"),
        ({"action": "dtmf", "digits": ""}, "invalid_body", "digits"),
        ({"action": "dtmf", "digits": "1" * 33}, "invalid_body", "digits"),
        ({"action": "dtmf", "digits": "12e"}, "invalid_body", "digits"),
        ({"action": "dtmf", "digits": "12a"}, "invalid_body", "digits"),
        ({"action": "dtmf", "digits": "1\n"}, "invalid_body", "digits"),
        ({"action": "dtmf", "digits": "١٢"}, "invalid_body", "digits"),
        ({"action": "dtmf", "digits": 12}, "invalid_body", "digits"),
        ({"action": "dtmf", "digits": ["1"]}, "invalid_body", "digits"),
        ({"action": "dtmf", "digits": "1", "destination": ALICE}, "invalid_body", "destination"),
        ({"action": "transfer"}, "missing_parameter", "destination"),
        ({"action": "transfer", "destination": ""}, "invalid_body", "destination"),
        ({"action": "transfer", "destination": "1" * 41}, "invalid_body", "destination"),
        ({"action": "transfer", "destination": "abc"}, "invalid_number", "destination"),
        ({"action": "transfer", "destination": 501112233}, "invalid_body", "destination"),
        ({"action": "transfer", "destination": ALICE, "digits": "1"}, "invalid_body", "digits"),
        ({"action": "clear", "digits": "1"}, "invalid_body", "digits"),
        ({"action": "hold", "destination": ALICE}, "invalid_body", "destination"),
        ({"action": "record_start", "digits": "1"}, "invalid_body", "digits"),
        ({"action": "Clear"}, "invalid_body", "action"),
        ({"action": None}, "invalid_body", "action"),
        ({}, "missing_parameter", "action"),
    ],
)
async def test_callcontrol_refuses_what_does_not_fit_the_action(
    client: httpx.AsyncClient, world: World, fields: dict[str, Any], code: str, parameter: str
) -> None:
    world.commands.legs = [LEG]
    answer = await client.post(f"{FMC}/callcontrol", json={"call_control_id": "leg1", **fields}, **world.fmc())
    assert_problem(answer, 400, code, parameter)
    assert world.commands.told == []


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (None, 404, "not_found"),
        (WrongStateError("It rings."), 409, "wrong_state"),
        (NoAnswerFromPhoneError("Nothing came."), 504, "no_answer_from_phone"),
    ],
)
async def test_callcontrol_errors(
    client: httpx.AsyncClient, world: World, error: KobzaError | None, status: int, code: str
) -> None:
    world.commands.refuse = error
    document = {"call_control_id": "leg1", "action": "hold"}
    assert_problem(await client.post(f"{FMC}/callcontrol", json=document, **world.fmc()), status, code)


# webhook, deliveries, events


async def test_webhook_is_set_shown_and_removed_and_its_secrets_are_never_shown(
    client: httpx.AsyncClient, world: World
) -> None:
    assert_problem(await client.get(f"{FMC}/webhook", **world.fmc()), 404, "not_found")
    document = {
        "url": "https://crm.example.com/hooks",
        "token": "remote-token-1",
        "secret": "whsec_" + "QUJD" * 8,
        "extended": True,
    }
    shown = {
        "url": document["url"],
        "signed": True,
        "extended": True,
        "active": True,
        "inactive_reason": None,
        "changed_at": "2026-04-20T09:00:00.000Z",
        "failing_since": None,
    }
    assert (await client.put(f"{FMC}/webhook", json=document, **world.fmc())).json() == shown
    assert (await client.get(f"{FMC}/webhook", **world.fmc())).json() == shown
    with world.store.read() as conn:
        stored = endpoints.get(conn, world.own.enterprise_id)
    assert stored is not None
    assert (stored.token, stored.secret) == (document["token"], document["secret"])
    assert world.commands.refreshed == 1, "the next state must know it"
    assert (await client.delete(f"{FMC}/webhook", **world.fmc())).status_code == 204
    assert world.commands.refreshed == 2
    assert_problem(await client.delete(f"{FMC}/webhook", **world.fmc()), 404, "not_found")


async def test_a_webhook_to_where_nothing_would_ever_be_posted_is_refused(
    client: httpx.AsyncClient, world: World
) -> None:
    for url, kind in (("http://10.0.0.1/hooks", "private"), ("http://[::1]:9000", "loopback")):
        answer = await client.put(f"{FMC}/webhook", json={"url": url, "token": "t"}, **world.fmc())
        assert_problem(answer, 400, "invalid_parameter", "url")
        assert f"a {kind} address, which webhook_allow does not list" in answer.json()["detail"]
    named = {"url": "http://crm.internal/hooks", "token": "t"}
    assert (await client.put(f"{FMC}/webhook", json=named, **world.fmc())).status_code == 200


async def test_webhook_test_says_what_the_endpoint_answered(client: httpx.AsyncClient, world: World) -> None:
    assert_problem(await client.post(f"{FMC}/webhook/test", **world.fmc()), 409, "webhook_not_set")
    await client.put(f"{FMC}/webhook", json={"url": "https://crm.example.com/hooks", "token": "t"}, **world.fmc())
    answer = (await client.post(f"{FMC}/webhook/test", **world.fmc())).json()
    assert (answer["delivered"], answer["status_code"], answer["duration_ms"]) == (True, 200, 12)
    endpoint, _, document = world.webhooks.posted[0]
    assert endpoint.token == "t"
    assert httpx.Response(200, content=document).json()["state_type"] == "test"


def store_state(world: World, sequence: int = 1, *, owed: bool = True, **changes: Any) -> OwnerState:
    values: dict[str, Any] = {
        "event_id": f"e{sequence}",
        "call_id": "call1",
        "call_control_id": "leg1",
        "sequence": sequence,
        "state_type": StateType.ALERTING,
        "enterprise_id": world.own.enterprise_id,
        "state_owner": ALICE,
        "phone_number": OUTSIDE,
        "call_direction": "incoming",
        "at": world.at,
    }
    state = OwnerState(**{**values, **changes})
    world.journal.write([StateStored(state, owed_to_endpoint=owed, payload=body(state))])
    return state


async def test_events_follow_a_cursor(client: httpx.AsyncClient, world: World) -> None:
    states = [store_state(world, sequence) for sequence in (1, 2, 3)]
    store_state(world, 1, event_id="x", call_control_id="leg2", enterprise_id=world.other.enterprise_id)
    first = (await client.get(f"{FMC}/events", **world.fmc(limit=2))).json()
    assert [event["event_id"] for event in first["events"]] == ["e1", "e2"]
    assert first["events"][0] == httpx.Response(200, content=body(states[0])).json()
    second = (await client.get(f"{FMC}/events", **world.fmc(after=first["next_cursor"]))).json()
    assert [event["event_id"] for event in second["events"]] == ["e3"]
    third = (await client.get(f"{FMC}/events", **world.fmc(after=second["next_cursor"]))).json()
    assert third == {"events": [], "next_cursor": second["next_cursor"]}
    world.at += 8 * 86_400
    assert (await client.get(f"{FMC}/events", **world.fmc())).json()["events"] == []
    assert_problem(await client.get(f"{FMC}/events", **world.fmc(after="x")), 400, "invalid_parameter", "after")


SENT = [("Content-Type", "application/json"), ("Authorization", "Bearer ***")]


async def test_deliveries_are_listed_replayed_and_recovered(client: httpx.AsyncClient, world: World) -> None:
    await client.put(f"{FMC}/webhook", json={"url": "https://crm.example.com/hooks", "token": "t"}, **world.fmc())
    for sequence in (1, 2):
        store_state(world, sequence)
    attempt = AttemptStored(
        call_id="call1",
        call_control_id="leg1",
        sequence=1,
        attempt=1,
        started_at=world.at,
        duration_ms=41,
        outcome="failed",
        url="https://crm.example.com/hooks/callstate",
        status_code=500,
        error="HTTP 500",
        exchange=encode(Exchange(SENT, [("Server", "x")], "2", 7, 40)),
    )
    world.journal.write([attempt])
    listed = (await client.get(f"{FMC}/webhook/deliveries", **world.fmc())).json()
    assert [each["event"]["event_id"] for each in listed["deliveries"]] == ["e2", "e1"]
    failed = listed["deliveries"][1]
    assert (failed["status"], failed["attempts"][0]["status_code"], failed["due_at"]) == ("failed", 500, None)
    (shown,) = failed["attempts"]
    assert shown["request_headers"] == [list(pair) for pair in SENT]
    assert shown["response_headers"] == [["Server", "x"]]
    assert (shown["http_version"], shown["connect_ms"], shown["first_byte_ms"]) == ("2", 7, 40)
    for each in listed["deliveries"]:  # also of one that was not tried yet
        assert each["curl"].startswith("curl --include --request POST https://crm.example.com/hooks/callstate ")
        assert '--header "Authorization: Bearer $REMOTE_TOKEN"' in each["curl"]
        assert (await client.get(f"{FMC}/webhook/deliveries/{each['id']}", **world.fmc())).json() == each
    only = (await client.get(f"{FMC}/webhook/deliveries", **world.fmc(status="failed"))).json()
    assert only["deliveries"] == [failed]
    page = (await client.get(f"{FMC}/webhook/deliveries", **world.fmc(limit=1))).json()
    rest = (await client.get(f"{FMC}/webhook/deliveries", **world.fmc(cursor=page["next_cursor"]))).json()
    assert page["deliveries"] + rest["deliveries"] == listed["deliveries"]

    recovered = await client.post(f"{FMC}/webhook/recover", json={"since": "2026-04-20T00:00:00"}, **world.fmc())
    assert recovered.json() == {"recovered": 1, "missed": 0}
    replayed = await client.post(f"{FMC}/webhook/deliveries/{failed['id']}/replay", **world.fmc())
    assert replayed.json()["status"] == "pending"
    assert world.webhooks.rechecked == [world.own.enterprise_id] * 2
    chosen = {"ids": [failed["id"], "999"]}
    for asked, count in (
        (chosen, 1),
        ({"since": "2026-04-20T00:00:00"}, 2),
        ({"since": "2026-04-20T00:00:00", "until": "2026-04-20T00:00:01"}, 0),
    ):
        answer = await client.post(f"{FMC}/webhook/deliveries/replay", json=asked, **world.fmc())
        assert answer.json() == {"replayed": count}
    for wrong in ({}, {**chosen, "since": "2026-04-20T00:00:00"}, {**chosen, "until": "2026-04-20T00:00:00"}):
        answer = await client.post(f"{FMC}/webhook/deliveries/replay", json=wrong, **world.fmc())
        assert_problem(answer, 400, "invalid_body", "until" if "until" in wrong else "ids")
    for unknown in ("999", "x", "0" * 30):
        assert_problem(await client.get(f"{FMC}/webhook/deliveries/{unknown}", **world.fmc()), 404, "not_found")
        answer = await client.post(f"{FMC}/webhook/deliveries/{unknown}/replay", **world.fmc())
        assert_problem(answer, 404, "not_found")


async def test_what_was_erased_is_gone_and_what_never_was_is_unknown(client: httpx.AsyncClient, world: World) -> None:
    await client.put(f"{FMC}/webhook", json={"url": "https://crm.example.com/hooks", "token": "t"}, **world.fmc())
    store_state(world, 1)
    call = world.add_call(call_id="call1", record_id=world.add_recording(SOUND))
    listed = (await client.get(f"{FMC}/webhook/deliveries", **world.fmc())).json()["deliveries"]
    replay = f"{FMC}/webhook/deliveries/{listed[0]['id']}/replay"
    request = Request(world.own.enterprise_id, call.calling_number, "olena")
    with world.store.write() as conn:
        conn.exec_driver_sql("UPDATE recordings SET call_id = 'call1'")
    erase(world.store, request, lambda: int(world.at * 1000), erase_file=lambda path: None, pause=0.0)
    assert_problem(await client.get(f"{FMC}/callrecord", **world.fmc(record_id="r1")), 410, "recording_erased")
    assert_problem(await client.get(f"{FMC}/callrecord", **world.fmc(record_id="r2")), 404, "not_found")
    assert_problem(await client.post(replay, **world.fmc()), 410, "delivery_erased")
    assert (await client.get(f"{FMC}/webhook/deliveries", **world.fmc())).json()["deliveries"] == []
    assert (await client.get(f"{FMC}/events", **world.fmc())).json()["events"] == []
    other = {"integrator_id": world.other.integrator_id}
    headers = {"authorization": f"Bearer {world.other.fmc_token}"}
    assert_problem(await client.post(replay, params=other, headers=headers), 404, "not_found")
    recovered = await client.post(f"{FMC}/webhook/recover", json={"since": "2026-04-20T00:00:00"}, **world.fmc())
    assert recovered.json() == {"recovered": 0, "missed": 0}


async def test_the_webhook_is_switched_on_with_what_it_missed(client: httpx.AsyncClient, world: World) -> None:
    async def activate(**body: bool) -> httpx.Response:
        return await client.post(f"{FMC}/webhook/activate", json=body, **world.fmc())

    for path in ("activate", "recover"):
        answer = await client.post(f"{FMC}/webhook/{path}", json={"since": "2026-04-20T00:00:00"}, **world.fmc())
        assert_problem(answer, 409, "webhook_not_set")
    await client.put(f"{FMC}/webhook", json={"url": "https://crm.example.com/hooks", "token": "t"}, **world.fmc())
    assert (await activate()).json() == {"activated": False, "recovered": 0, "missed": 0}
    own, now_ms = world.own.enterprise_id, int(world.at * 1000)
    for recover in (True, False):
        with world.store.write() as conn:
            endpoints.note_failing(conn, own, now_ms - 5000)
            endpoints.deactivate(conn, own, "no call state was taken", now_ms - 1000)
        shown = (await client.get(f"{FMC}/webhook", **world.fmc())).json()
        assert (shown["active"], shown["inactive_reason"]) == (False, "no call state was taken")
        assert shown["failing_since"] == "2026-04-20T08:59:55.000Z"
        leg = f"leg of {recover}"
        store_state(world, 1, event_id=leg, call_control_id=leg, owed=False)
        answer = (await activate(recover=recover)).json()
        assert answer == {"activated": True, "recovered": int(recover), "missed": int(recover)}
        shown = (await client.get(f"{FMC}/webhook", **world.fmc())).json()
        assert (shown["active"], shown["inactive_reason"], shown["failing_since"]) == (True, None, None)
    assert world.webhooks.rechecked == [own] * 2


async def test_a_path_that_is_no_id_allows_what_it_has_itself(client: httpx.AsyncClient, world: World) -> None:
    """The page of one delivery is at the same place."""
    answer = await client.put(f"{FMC}/webhook/deliveries/replay", **world.fmc())
    assert answer.status_code == 405
    assert answer.headers.get_list("allow") == ["POST"]
    answer = await client.put(f"{FMC}/webhook/deliveries/17", **world.fmc())
    assert answer.headers.get_list("allow") == ["GET"]
