"""The live board: who does what, what its buttons do, and how it is told of changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from kobza.api.event_streams import EventStreams
from kobza.call.errors import KobzaError
from kobza.call.leg import RecordingState
from kobza.portal.board import BoardRows
from kobza.portal.texts import say_in
from kobza.store import numbers, users
from tests.api.world import ALICE, BORYS, OUTSIDE, PASSWORD, PLAIN, Leg, Phone, World
from tests.portal.serving import served
from tests.portal.visitor import Visitor, text_of
from tests.support.waiting import PATIENCE

PART = {"hx-request": "true"}


def talk(world: World, state: str = "established") -> None:
    world.commands.legs = [Leg("c1", "leg1", ALICE, OUTSIDE, "outgoing", state, world.at - 65)]
    world.commands.phones = [
        Phone(ALICE, "busy", dnd=False, devices=2, since=world.at - 65),
        Phone(BORYS, "available", dnd=True, devices=1, since=world.at - 7200),
        Phone(PLAIN, "unavailable", dnd=False, devices=0, since=None),
    ]


async def lines(visitor: Visitor) -> list[str]:
    page = await visitor.page("/")
    return [text_of(line) for line in page.find_class("line")]


async def test_the_board_shows_who_does_what_since_when(olena: Visitor, world: World) -> None:
    talk(world)
    first, *others = await lines(olena)
    assert first == (
        "Олена Коваль 067 111 1111 · Збут talking ↗ Клієнт, «А» 050 111 2233 since 11:58:55 "
        "Hold Transfer To which number Transfer Record Hang up"
    )
    assert others == ["067 333 3333 offline", "Борис 067 222 2222 · Склад available Do Not Disturb since 10:00"]
    part = await olena.client.get("/live")
    assert "<html" not in part.text
    assert f'data-since="{int(world.at * 1000) - 65_000}"' in part.text
    talk(world, "alerting")
    assert (await lines(olena))[0].endswith("since 11:58:55 Hang up")
    talk(world, "held")
    assert (await lines(olena))[0].endswith("Resume Transfer To which number Transfer Record Hang up")


@pytest.mark.parametrize(
    ("recording", "shown", "buttons"),
    [
        ("on", "recording ", "Pause recording Stop recording "),
        ("paused", "recording paused ", "Record again Stop recording "),
        ("stopped", "", ""),
    ],
)
async def test_a_recording_is_shown_and_steered(
    olena: Visitor, world: World, recording: RecordingState, shown: str, buttons: str
) -> None:
    talk(world)
    world.commands.legs = [replace(leg, recording=recording) for leg in world.commands.legs]
    line = f"050 111 2233 {shown}since 11:58:55 Hold Transfer To which number Transfer {buttons}Hang up"
    assert (await lines(olena))[0].endswith(line)


async def test_one_way_audio_is_named(olena: Visitor, world: World) -> None:
    talk(world)
    world.commands.legs = [replace(leg, not_heard=True) for leg in world.commands.legs]
    assert "050 111 2233 not heard by the other side since" in (await lines(olena))[0]
    world.commands.legs = [replace(leg, not_heard=False, hears_nothing=True) for leg in world.commands.legs]
    assert "050 111 2233 hears nothing from the other side since" in (await lines(olena))[0]


@pytest.mark.parametrize("what", ["start", "pause", "resume", "stop", "rewind"])
async def test_buttons_of_a_recording(olena: Visitor, world: World, what: str) -> None:
    talk(world)
    page = await olena.page("/")
    form = {"csrf": page.xpath("//input[@name='csrf']/@value")[0], "call_control_id": "leg1", "record": what}
    answer = await olena.client.post("/live/record", data=form, headers=PART)
    if what == "rewind":
        assert (answer.status_code, world.commands.told) == (400, [])
    else:
        assert answer.status_code == 204
        assert world.commands.told == [("control", world.own.enterprise_id, "leg1", f"record_{what}", "", "")]


@pytest.mark.parametrize(
    ("path", "state", "told"),
    [
        ("/live/hangup", "alerting", ("clear", "", "")),
        ("/live/hold", "established", ("hold", "", "")),
        ("/live/resume", "held", ("unhold", "", "")),
        ("/live/transfer", "established", ("transfer", "", BORYS)),
    ],
)
async def test_a_button_gives_a_command(
    olena: Visitor, world: World, path: str, state: str, told: tuple[str, str, str]
) -> None:
    talk(world, state)
    answer = await olena.submit("/", path, destination="067 222-22-22")
    assert answer.headers["location"] == "/"
    assert world.commands.told == [("control", world.own.enterprise_id, "leg1", *told)]


async def test_who_has_a_number_of_their_own_may_hear_calls(olena: Visitor, world: World) -> None:
    talk(world)
    assert not (await olena.page("/")).xpath("//form[@action='/live/supervise']")
    page = await olena.page("/")
    form = {"csrf": page.xpath("//input[@name='csrf']/@value")[0], "call_control_id": "leg1", "mode": "whisper"}
    refused = await olena.client.post("/live/supervise", data=form, headers=PART)
    assert (refused.status_code, "number of your own" in refused.text) == (409, True)
    with world.store.write() as conn:
        users.change(conn, world.own.enterprise_id, "olena", role=users.Role.ADMIN, name="", number=BORYS)
    world.commands.can_mix = False
    assert not (await olena.page("/")).xpath("//form[@action='/live/supervise']"), "rtpengine mixes no voices"
    world.commands.can_mix = True
    answer = await olena.submit("/", "/live/supervise", mode="whisper")
    assert answer.headers["location"] == "/"
    assert world.commands.told == [("supervise", world.own.enterprise_id, "leg1", BORYS, "whisper", "olena")]
    assert (await olena.submit("/", "/live/supervise", mode="shout")).status_code == 400
    world.commands.legs = [Leg("c1", "leg1", BORYS, OUTSIDE, "outgoing", "established", world.at)]
    assert not (await olena.page("/")).xpath("//form[@action='/live/supervise']"), "one's own call is no matter of that"


async def test_whether_people_are_told_is_chosen(olena: Visitor, world: World) -> None:
    def chosen(page: Any) -> list[str]:
        return [str(value) for value in page.xpath("//select[@name='supervision']/option[@selected]/@value")]

    assert chosen(await olena.page("/provisioning")) == ["announced"]
    await olena.submit("/provisioning", "/provisioning/supervision", supervision="silent")
    assert chosen(await olena.page("/provisioning")) == ["silent"]
    assert (await olena.submit("/provisioning", "/provisioning/supervision", supervision="x")).status_code == 400
    entry = text_of((await olena.page("/audit")).xpath("//table//tbody/tr")[0])
    assert "enterprise changed" in entry
    assert "supervision_announced" in entry


async def test_a_command_that_is_refused_says_why(olena: Visitor, world: World) -> None:
    talk(world)
    answer = await olena.submit("/", "/live/hangup", call_control_id="leg2")
    assert answer.status_code == 404
    assert "There is no such thing." in answer.text
    page = await olena.page("/")
    form = {"csrf": page.xpath("//input[@name='csrf']/@value")[0], "call_control_id": "leg1"}
    answer = await olena.client.post("/live/transfer", data={**form, "destination": "x"}, headers=PART)
    assert (answer.status_code, "<html" in answer.text) == (400, False)
    world.commands.refuse = KobzaError("The phone refused.", code="refused_by_phone", http_status=502)
    answer = await olena.client.post("/live/hold", data=form, headers=PART)
    assert (answer.status_code, answer.text) == (502, "The phone refused.")
    world.commands.refuse = None
    assert (await olena.client.post("/live/hold", data=form, headers=PART)).status_code == 204


async def test_the_board_of_somebody_who_is_not_signed_in_is_403(visitor: Visitor) -> None:
    for path in ("/live", "/live/stream"):
        assert (await visitor.client.get(path)).status_code == 403


@asynccontextmanager
async def signed_in(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with served(world) as address, httpx.AsyncClient(base_url=address, timeout=PATIENCE) as client:
        await client.post("/signin", data={"login": "olena", "password": PASSWORD})
        yield client


async def test_the_stream_tells_every_change_and_ends_with_the_sign_in(world: World) -> None:
    world.app = world.build(event_streams=EventStreams(heartbeat=0.2))
    async with (
        signed_in(world) as client,
        client.stream("GET", "/live/stream") as answer,
        asyncio.timeout(PATIENCE),
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = answer.aiter_lines()
        assert await anext(told) == "event: board"
        talk(world)
        assert [line async for line in told if "talking" in line and end_sign_in(world)]


async def test_only_lines_that_change_are_told_and_a_new_order_when_it_is_one(world: World) -> None:
    talk(world)
    async with (
        signed_in(world) as client,
        client.stream("GET", "/live/stream") as answer,
        asyncio.timeout(PATIENCE),
    ):
        told = answer.aiter_lines()
        assert await anext(told) == "event: board"

        async def lines() -> dict[str, Any]:
            async for line in told:
                if line == "event: lines":
                    return dict(json.loads((await anext(told)).removeprefix("data: ")))
            raise AssertionError("the stream ended")

        talk(world, "held")
        held = await lines()
        assert list(held["lines"]) == [ALICE]
        assert "on hold" in held["lines"][ALICE]
        assert held["order"] is None
        world.commands.legs = []
        idle = await lines()
        assert (list(idle["lines"]), idle["order"]) == ([ALICE], [PLAIN, ALICE, BORYS])
        with world.store.write() as conn:
            numbers.remove(conn, world.own.enterprise_id, BORYS)
        assert await lines() == {"lines": {}, "order": [PLAIN, ALICE]}


async def test_a_large_office_is_looked_at_without_making_lines_anew(olena: Visitor, world: World) -> None:
    talk(world)
    visitor = SimpleNamespace(
        enterprise_id=world.own.enterprise_id, only_number=None, may_act_on=lambda number: True, may_supervise=False
    )
    portal = SimpleNamespace(context=world.app.state.context)
    rows = BoardRows(cast("Any", portal), cast("Any", visitor), say_in("en"))
    await rows.read()
    first, second = await rows.now(), await rows.now()
    assert [one is other for one, other in zip(first, second, strict=True)] == [False, True, True]
    await rows.read()
    assert (await rows.now())[1] is first[1], "the names are the same"


def end_sign_in(world: World) -> bool:
    """Change the password, at which every sign-in ends."""
    with world.store.write() as conn:
        return users.set_password(conn, "olena", "another hash")


async def test_there_are_no_more_streams_than_may_be(world: World) -> None:
    world.app = world.build(event_streams=EventStreams(most_of_enterprise=1))
    async with signed_in(world) as client, client.stream("GET", "/live/stream") as first:
        told = first.aiter_lines()  # one that nobody holds would close the stream
        await anext(told)
        assert (await client.get("/live/stream")).status_code == 429
