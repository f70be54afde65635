"""The calls of an interval, from a real Kobza API, by both clients."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kobza.client import AnswerNotUnderstood, BadRequest, HistoryCall
from kobza.client.wall import KYIV
from tests.api.world import ALICE, BORYS, OUTSIDE, World, moment
from tests.client.conftest import Both
from tests.client.serving import Cuts, Recorder, Scripted, account_of, served

pytestmark = pytest.mark.database("sqlite")  # it sees a server from outside: the API's tests try both stores


def wall(*parts: int) -> datetime:
    """Return a wall time of Kyiv."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


FROM = wall(2026, 4, 1)


def ids(calls: list[HistoryCall]) -> list[str]:
    return [call.call_id for call in calls]


def test_every_field_of_a_call(kobza: Both, world: World) -> None:
    made = world.add_call(record_id="r1", client_state="Замовлення 7")
    (call,) = kobza.calls(FROM)
    assert call == HistoryCall(
        call_id=made.call_id,
        calling_number="0671111111",
        called_number="0501112233",
        started_at=datetime(2026, 4, 19, 9, 0, 0, tzinfo=UTC),
        ended_at=datetime(2026, 4, 19, 9, 0, 18, 400_000, tzinfo=UTC),
        call_duration=14,
        ringing=4,
        direction="outgoing",
        cause=16,
        record_id="r1",
        cause_text="Normal call clearing",
        sip_status=200,
        released_by="caller",
        answered_number="0501112233",
        answered_at=datetime(2026, 4, 19, 9, 0, 5, tzinfo=UTC),
        client_state="Замовлення 7",
    )
    assert call.answered


def test_pages_are_walked_by_cursor(kobza: Both, world: World, recorder: Recorder) -> None:
    made = [world.add_call(started_at=moment("2026-04-19T09:00:00") + 60 * i).call_id for i in range(7)]
    assert ids(kobza.calls(FROM, page_size=3)) == made
    assert len(recorder.requests) == 3
    assert "cursor=" not in recorder.requests[0][1]
    assert "cursor=" in recorder.requests[2][1]


def test_filters_and_the_language(kobza: Both, world: World, kind: str, url: str) -> None:
    out = world.add_call().call_id
    inward = world.add_call(calling_number=OUTSIDE, called_number=BORYS, direction="incoming").call_id
    assert ids(kobza.calls(FROM, number="+380 67 222-22-22")) == [inward]
    assert ids(kobza.calls(FROM, direction="outgoing")) == [out]
    ukrainian = Both(kind, url, world.own.fmc_token, world.own.integrator_id, language="uk", now=kobza._options["now"])
    assert ukrainian.calls(FROM)[0].cause_text != "Normal call clearing"


def test_long_spans_are_cut_into_parts_that_meet_without_doubling_or_losing(
    kobza: Both, world: World, recorder: Recorder
) -> None:
    begin = wall(2026, 1, 10, 15, 30)
    seam = datetime(2026, 2, 10, tzinfo=KYIV).timestamp()
    starts = [seam - 1, seam - 0.001, seam, seam + 0.0, seam + 0.999, seam + 1, moment("2026-04-01T00:00:00")]
    made = [world.add_call(started_at=start).call_id for start in starts]
    assert ids(kobza.calls(begin)) == made
    spans = [request[1].split("?")[1].split("&")[1:3] for request in recorder.requests]
    assert spans == [
        ["from=2026-01-10T15%3A30%3A00", "to=2026-02-10T00%3A00%3A00"],
        ["from=2026-02-10T00%3A00%3A00", "to=2026-03-13T00%3A00%3A00"],
        ["from=2026-03-13T00%3A00%3A00", "to=2026-04-13T00%3A00%3A00"],
        ["from=2026-04-13T00%3A00%3A00", "to=2026-04-20T12%3A00%3A00"],
    ]


def test_the_ends_of_an_interval_are_both_in_it(kobza: Both, world: World) -> None:
    first, last = datetime(2026, 4, 19, 9, tzinfo=UTC), datetime(2026, 4, 19, 10, tzinfo=UTC)
    offsets = [-0.001, 0, 3600, 3600.9, 3601]
    made = [world.add_call(started_at=first.timestamp() + offset).call_id for offset in offsets]
    assert ids(kobza.calls(first, last)) == made[1:4]
    assert kobza.calls(last + timedelta(hours=1), last + timedelta(hours=2)) == []


def test_a_moment_in_the_repeated_hour_is_that_moment(kobza: Both, world: World) -> None:
    world.at = moment("2026-11-01T12:00:00")
    early, late = moment("2026-10-25T00:30:00"), moment("2026-10-25T01:30:00")  # both 03:30 in Kyiv
    made = [world.add_call(started_at=at).call_id for at in (early, late)]
    half = timedelta(minutes=5)
    for at, expected in ((early, made[:1]), (late, made[1:])):
        middle = datetime.fromtimestamp(at, UTC)
        assert ids(kobza.calls(middle - half, middle + half)) == expected
        local = middle.astimezone(KYIV)
        assert ids(kobza.calls(local, local)) == expected
    assert ids(kobza.calls(wall(2026, 10, 25, 3, 25), wall(2026, 10, 25, 3, 35))) == made


def test_statistics_with_everything(kobza: Both, world: World, recorder: Recorder) -> None:
    world.add_call()
    world.add_call(started_at=moment("2026-04-19T11:00:00"), answered_at=None)
    first, second = kobza.call_statistics(
        wall(2026, 4, 19),
        names=True,
        departments=True,
        ownership=True,
        direction=True,
    )
    assert first.started_at == datetime(2026, 4, 19, 12, 0, 5, tzinfo=KYIV)
    assert first.ended_at == datetime(2026, 4, 19, 12, 0, 18, tzinfo=KYIV)
    assert (first.calling_number, first.called_number, first.duration) == ("0671111111", "0501112233", 14)
    assert (first.calling_name, first.called_name) == ("Олена Коваль", "Клієнт, «А»")
    assert (first.calling_department, first.called_department) == ("Збут", "")
    assert (first.calling_ownership, first.called_ownership, first.direction) == (True, False, "outgoing")
    assert second.duration == 0
    (_, _, headers) = recorder.requests[0]
    assert "authorization" not in headers
    (plain, _) = kobza.call_statistics(wall(2026, 4, 19))
    assert (plain.calling_name, plain.calling_ownership, plain.direction) == (None, None, None)


def test_statistics_of_a_month_meet_without_doubling_or_losing(kobza: Both, world: World, recorder: Recorder) -> None:
    begin = wall(2026, 3, 22, 10)
    seam = datetime(2026, 3, 29, tzinfo=KYIV).timestamp()  # the day on which the clock moves forward
    offsets = [-0.5, 0, 0.2, 0.2, 0.9, 1, 86_400]
    for offset in offsets:  # two of them are the same row
        world.add_call(started_at=seam + offset, answered_at=None, ended_at=seam + offset + 10)
    rows = kobza.call_statistics(begin)
    assert len(rows) == len(offsets)
    asked = [request[1].split("&token=")[0].partition("?")[2] for request in recorder.requests]
    assert asked == [
        "from=2026-03-22T10%3A00%3A00&to=2026-03-29T00%3A00%3A00",
        "from=2026-03-29T00%3A00%3A00&to=2026-04-05T00%3A00%3A00",
        "from=2026-04-05T00%3A00%3A00&to=2026-04-12T00%3A00%3A00",
        "from=2026-04-12T00%3A00%3A00&to=2026-04-19T00%3A00%3A00",
        "from=2026-04-19T00%3A00%3A00",  # until now, by the server's clock
    ]


def test_statistics_beyond_the_reach_are_refused(kobza: Both) -> None:
    with pytest.raises(BadRequest) as refused:
        kobza.call_statistics(wall(2026, 3, 1))
    assert refused.value.parameter == "from"
    with pytest.raises(BadRequest) as refused:
        kobza.calls(wall(2026, 4, 3), wall(2026, 4, 2))
    assert refused.value.parameter == "from"


def test_a_clock_that_is_ahead_asks_for_no_future(kobza: Both, world: World) -> None:
    world.add_call()
    world.at -= 30
    kobza._options["now"] = lambda: datetime.fromtimestamp(world.at + 30, UTC)
    assert len(kobza.call_statistics(wall(2026, 4, 19))) == 1
    assert len(kobza.calls(wall(2026, 4, 19))) == 1


WIRE_CALL = (
    b'{"call_id":"%s","calling_number":"0671111111","called_number":"%s","start_datetime":"2026-03-01 21:39:30",'
    b'"end_datetime":"2026-03-01 21:39:48","call_duration":"14","ringing":5,"direction":"%s","cause":16,'
    b'"record_id":null}'
)


def test_a_server_with_the_fields_of_the_wire_alone(kind: str) -> None:
    rows = b",".join(WIRE_CALL % row for row in ((b"a", b"0502", b"outgoing"), (b"b", b"0503", b"incoming")))
    app = Scripted((200, {}, b'{"calls":[%s]}' % rows))
    with served(app) as base:
        client = Both(kind, base, "T", "I")
        span = wall(2026, 3, 1), wall(2026, 3, 2)
        first, _ = client.calls(*span)
        assert first.started_at == datetime(2026, 3, 1, 21, 39, 30, tzinfo=KYIV)
        assert (first.call_duration, first.cause_text, first.answered_at) == (14, None, None)
        assert ids(client.calls(*span, number="0503")) == ["b"]  # it does not know our filters
        assert ids(client.calls(*span, direction="outgoing")) == ["a"]
        long = wall(2026, 2, 10), wall(2026, 3, 20)
        assert ids(client.calls(*long)) == ["a", "b", "a", "b"]  # it gives what was not asked for: nothing is hidden


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "callhistory is not"),
        (b'{"calls":7}', "callhistory is not"),
        (b'{"calls":[7]}', "no JSON object"),
        (b'{"calls":[{"call_id":"a"}]}', "has no calling_number"),
        (b'{"calls":[%s]}' % (WIRE_CALL % (b"a", b"b", b"c")).replace(b"21:39:30", b"25:00:00"), "start_datetime"),
        (b'{"calls":[%s]}' % (WIRE_CALL % (b"a", b"b", b"c")).replace(b'"14"', b'"x"'), "call_duration"),
        (b'{"calls":[],"next_cursor":"1"}', "the same next_cursor"),
    ],
)
def test_answers_that_are_no_history(kind: str, body: bytes, words: str) -> None:
    with served(Scripted((200, {}, body))) as base, pytest.raises(AnswerNotUnderstood, match=words):
        Both(kind, base, "T", "I").calls(wall(2026, 3, 1), wall(2026, 3, 2))


@pytest.mark.parametrize("options", [{"page_size": 0}, {"page_size": 5001}, {"direction": "up"}])
def test_arguments_that_are_wrong(kobza: Both, recorder: Recorder, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        kobza.calls(FROM, **options)
    assert recorder.requests == []


def test_a_cut_in_the_middle_of_a_page_is_repaired(kind: str, world: World) -> None:
    made = [world.add_call(started_at=moment("2026-04-19T09:00:00") + i).call_id for i in range(50)]
    cuts = Cuts(world.app, "/api/fmc/v1/callhistory")
    cuts.after = [100, 3000]
    with served(cuts) as base:
        client = Both(kind, base, *account_of(world), now=lambda: datetime.fromtimestamp(world.at, UTC))
        assert ids(client.calls(FROM)) == made
    assert len(cuts.requests) == 3


def test_calls_of_this_enterprise_alone(kobza: Both, world: World) -> None:
    world.add_call(enterprise_id=world.other.enterprise_id, calling_number=ALICE)
    assert kobza.calls(FROM) == []
