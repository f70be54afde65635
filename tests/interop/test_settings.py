"""Settings and presence as real phones meet them: until their end, across a restart, through a whole call."""

import asyncio
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kobza.phone.phone import SoftPhone
from tests.interop.conftest import NUMBERS, SinkThread
from tests.interop.outcome import Ledger
from tests.interop.server import Server, Site
from tests.interop.sipp import Sipp
from tests.interop.test_commands import Phones, hears, made
from tests.interop.test_originate import caller_id
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

A, B, C, D = NUMBERS


@pytest.fixture
def site(tmp_path: Path, new_site: Site) -> Site:
    """A store of its own, in which registrations may be short."""
    return new_site.copy(tmp_path / "kobza", KOBZA_REGISTRATION_MIN="1")


async def put(server: Server, function: str, **body: Any) -> Any:
    return await asyncio.to_thread(server.put, f"/v1/{function}", body)


async def get(server: Server, function: str, number: str) -> Any:
    return await asyncio.to_thread(lambda: server.get(f"/v1/{function}", number=number))


async def phone_of(server: Server, number: str) -> dict[str, Any]:
    (phone,) = (await get(server, "phonestatus", number))["phones"]
    return dict(phone)


async def refused(caller: SoftPhone, number: str) -> tuple[int | None, int | None]:
    ending = await caller.dial(number).ended()
    return ending.status, ending.cause


async def test_settings_end_by_themselves_also_across_a_restart(site: Site, sink: SinkThread) -> None:
    began = datetime.now(UTC)
    server = await asyncio.to_thread(site.start)
    lasting = 3 * (datetime.now(UTC) - began) + timedelta(seconds=3)  # longer than the next start takes here and now
    try:
        while True:
            end = (datetime.now(UTC) + lasting).replace(microsecond=0)
            on = await switch_on(server, end)
            await asyncio.to_thread(server.stop)  # A's setting ends while nobody is there
            server = await asyncio.to_thread(site.start)
            async with made(server) as phones:
                c, d = await phones.pair(answer_after=0.1)
                assert await get(server, "dnd", A) == {"number": A, "dnd": "off", "until": None}
                if end - datetime.now(UTC) < timedelta(seconds=2):  # the machine has become slower
                    lasting *= 3
                    continue
                assert await get(server, "dnd", D) == on
                assert (await phone_of(server, D))["dnd"] == "on"
                assert await refused(c, D) == (480, 21)
                assert d.calls == []
                await asyncio.sleep((end - datetime.now(UTC)).total_seconds())
                await ended(server, c, d, sink)
                return
    finally:
        await asyncio.to_thread(server.stop)


async def switch_on(server: Server, end: datetime) -> dict[str, Any]:
    """Let D not be disturbed and C show B until a moment, A not be disturbed a little; return what was said of D."""
    until = f"{end:%Y-%m-%dT%H:%M:%S.000Z}"
    on = {"number": D, "dnd": "on", "until": until}
    assert await put(server, "dnd", **on) == on
    await put(server, "clip", number=C, presentation_number=B, restricted=False, until=until)
    soon = f"{datetime.now(UTC) + timedelta(seconds=0.3):%Y-%m-%dT%H:%M:%S.%fZ}"
    await put(server, "dnd", number=A, dnd="on", until=soon)
    return on


async def ended(server: Server, c: SoftPhone, d: SoftPhone, sink: SinkThread) -> None:
    """Check that both settings have ended, and that new ones are in force with the next call."""
    assert await get(server, "dnd", D) == {"number": D, "dnd": "off", "until": None}
    assert (await phone_of(server, D))["dnd"] == "off"
    shown = await get(server, "clip", C)
    assert (shown["presentation_number"], shown["until"]) == (None, None)
    ledger = Ledger(server, sink)
    call = c.dial(D)
    await call.established()
    assert caller_id(d) == (C, "Phone 03")
    await put(server, "clip", number=C, presentation_number=B, restricted=False)
    call.hang_up()
    call = c.dial(D)  # the next call, at once
    await call.established()
    assert caller_id(d) == (B, "")
    call.hang_up()
    for _ in range(2):
        await ledger.call(C, D, owners=(C, D))


async def test_presence_through_calls_registrations_and_a_restart(site: Site, sink: SinkThread, tmp_path: Path) -> None:
    server = await asyncio.to_thread(site.start)
    sipp = Sipp(tmp_path, site.sip)
    try:
        assert await phone_of(server, C) == status(C, "unavailable", 0, None)
        async with made(server) as phones:
            await talk_and_look(phones)
        after = await phone_of(server, C)
        assert (after["status"], after["devices"]) == ("unavailable", 0)
        line = site.lines[D]
        ports = free_port(), free_port()
        began = datetime.now(UTC)
        await sipp.register(line, ports[0], expires=3600)
        slow = datetime.now(UTC) - began  # what it takes here and now to register: the next one shall be seen, too
        await sipp.register(line, ports[1], expires=2 + 4 * math.ceil(slow.total_seconds()))
        both = await phone_of(server, D)
        assert (both["status"], both["devices"]) == ("available", 2)
        await until(server, D, "available", 1)
        assert (await phone_of(server, D))["since"] == both["since"]
        await asyncio.to_thread(server.stop)
        server = await asyncio.to_thread(site.start)
        assert await phone_of(server, D) == status(D, "available", 1, None)
        began = datetime.now(UTC)
        await sipp.register(line, ports[0], expires=2)
        asked = datetime.now(UTC)
        await until(server, D, "unavailable", 0)
        since = datetime.fromisoformat((await phone_of(server, D))["since"])
        assert began + timedelta(seconds=1.9) < since < asked + timedelta(seconds=2.5)  # when it ran out, whenever seen
        everybody = await asyncio.to_thread(lambda: server.get("/v1/phonestatus"))
        assert [phone["number"] for phone in everybody["phones"]] == list(NUMBERS)
    finally:
        await asyncio.to_thread(server.stop)


def status(number: str, name: str, devices: int, since: str | None) -> dict[str, Any]:
    return {"number": number, "status": name, "dnd": "off", "devices": devices, "since": since}


async def talk_and_look(phones: Phones) -> None:
    server = phones.server
    c, d = await phones.pair()
    free = await phone_of(server, C)
    assert (free["status"], free["devices"]) == ("available", 1)
    call = c.dial(D)
    other = await d.incoming()
    busy = await phone_of(server, D)
    assert busy["status"] == "busy"
    other.answer()
    await hears(call, 660)
    await call.hold()
    for number in (C, D):
        assert (await phone_of(server, number))["status"] == "busy"
    assert (await phone_of(server, D))["since"] == busy["since"]
    call.hang_up()
    await other.ended()
    for number in (C, D):
        await until(server, number, "available", 1)
        assert (await phone_of(server, number))["since"] > busy["since"]


async def until(server: Server, number: str, name: str, devices: int) -> None:
    """Wait until a number is what it is to become."""
    async with asyncio.timeout(PATIENCE):
        while True:
            phone = await phone_of(server, number)
            if (phone["status"], phone["devices"]) == (name, devices):
                return
            await asyncio.sleep(0.05)
