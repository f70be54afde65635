"""Calls that are picked up, by lamp and by code, and calls that go on at another phone (RFC 3891)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kobza.phone.call import CallState, PhoneCall
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from kobza.sip.refer import Replaces
from tests.interop.baresip import baresip
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.test_commands import Phones, hears, made
from tests.support.lamp_phone import Lamp, LampPhone
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.database("sqlite")  # what is stored of them tests/call says
A, B, C, D = NUMBERS
OUTSIDE = "0445550166"


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


def place(lamp: Lamp) -> Replaces:
    """What a phone names that picks up what a lamp shows."""
    (dialog,) = lamp.dialogs.values()
    ids = dialog.attrib
    return Replaces(ids["call-id"], to_tag=ids["remote-tag"], from_tag=ids["local-tag"], early_only=True)


async def refused(phone: SoftPhone, place: Replaces) -> int | None:
    """The status with which an INVITE that wants a place is refused."""
    return (await phone.dial(D, replaces=place).ended()).status


async def told(ledger: Ledger, caller: str, called: str, owners: int) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The row of a new call, and what each owner was told: its states, with their causes."""
    row = await ledger._row(caller, called, PATIENCE)
    states: dict[str, list[str]] = {}
    for state in await ledger._sink.finished(row["call_id"], owners):
        if state["state_type"] not in ("held", "resumed", "record_ready"):
            cause = f" {state['cause']}" if state.get("cause") else ""
            states.setdefault(str(state["state_owner"]), []).append(f"{state['state_type']}{cause}")
    return row, states


async def rings(phone: SoftPhone) -> PhoneCall:
    return await phone.incoming(PATIENCE)


async def test_a_call_is_picked_up_by_the_lamp_and_goes_on_at_another_phone(phones: Phones, ledger: Ledger) -> None:
    """The outside calls D; C sees it on its lamp and takes it, first at its desk, then at the phone in the workshop."""
    site = phones.server.site
    c, d, workshop = await phones.at(C, 440), await phones.at(D, 660), await phones.at(C, 880)
    b = await phones.at(B, 990)
    async with (
        LampPhone(site.sip, site.lines[A]) as desk,
        SoftPhone(OUTSIDE, site.sip, bind=("127.0.0.1", site.trunk_port), sound=Sound.tone(550)) as outside,
    ):
        lamp, _ = await desk.watch(D)
        mine, _ = await desk.watch(C)
        call = outside.dial(D)
        ringing = await rings(d)
        await desk.until(lambda: lamp.shown[-1] == "early")
        wanted = place(lamp)
        assert await refused(c, replace(wanted, from_tag="of-nobody")) == 481
        assert await refused(c, replace(wanted, call_id="of-nobody")) == 481
        assert (await outside.dial(D, replaces=wanted).ended()).status == 403  # a trunk has no place there
        assert ringing.state is CallState.RINGING
        taken = c.dial(D, replaces=wanted)
        await taken.established()
        await call.established()
        assert (await ringing.ended()).by == "peer"
        await hears(taken, 550)
        await hears(call, 440)
        await desk.until(lambda: lamp.shown[-1] == "dark" and mine.shown[-1] == "confirmed")
        assert await refused(c, wanted) == 603  # it rings there no longer
        talking = replace(place(mine), early_only=False)
        assert await refused(workshop, replace(talking, early_only=True)) == 486
        assert await refused(b, talking) == 403
        assert taken.state is CallState.ESTABLISHED
        moved = workshop.dial(D, replaces=replace(talking, to_tag=talking.from_tag, from_tag=talking.to_tag))
        await moved.established()
        assert (await taken.ended()).by == "peer"
        await hears(moved, 550)
        await hears(call, 880)
        await call.hold()
        await call.resume()
        await hears(moved, 550)
        moved.hang_up()
        await call.ended()
    row, states = await told(ledger, OUTSIDE, D, 2)
    assert (row["answered_number"], row["cause"], row["released_by"], row["sip_status"]) == (C, 16, "called", 200)
    assert states == {D: ["alerting", "finished 26"], C: ["established", "finished 16"]}
    assert await refused(c, wanted) == 603


async def test_the_code_picks_up_a_number_and_ones_group(phones: Phones, ledger: Ledger, tmp_path: Path) -> None:
    """A real phone dials *8 and the number; alone the code takes what rings at a colleague of one's groups."""
    site = phones.server.site
    c, d = await phones.at(C, 440), await phones.at(D, 660)
    assert (await c.dial("*8").ended()).status == 480  # it is in no group
    site.kobza("group", "set", "300", "--enterprise", site.enterprise["enterprise_id"], "--member", C, "--member", D)
    try:
        async with baresip(tmp_path / "a", site.lines[A], site.sip, tone=880) as phone:
            call = c.dial(D)
            ringing = await rings(d)
            await phone.command("dial", f"sip:*8{D}@{site.sip[0]}:{site.sip[1]}")
            await phone.event("CALL_ESTABLISHED")
            await call.established()
            await ringing.ended()
            await hears(call, 880)
            call.hang_up()
            await phone.event("CALL_CLOSED")
        row, states = await told(ledger, C, D, 3)
        assert (row["answered_number"], row["cause"], row["direction"]) == (A, 16, "local")
        assert states[D] == ["alerting", "finished 26"]
        assert states[A] == ["established", "finished 16"]
        b = await phones.at(B, 990)
        call = b.dial(D)
        await rings(d)
        assert (await b.dial("*8").ended()).status == 480  # of another group
        assert (await b.dial(f"*8{D}").ended()).status == 480  # its own call
        taken = c.dial("*8")
        await taken.established()
        await call.established()
        await hears(call, 440)
        taken.hang_up()
        await call.ended()
        row, states = await told(ledger, B, D, 3)
        assert (row["answered_number"], states[C]) == (C, ["established", "finished 16"])
        for code in ("*8777", "*8sales", f"*8{OUTSIDE}"):
            assert (await c.dial(code).ended()).status == 480
    finally:
        site.kobza("group", "remove", "300", "--enterprise", site.enterprise["enterprise_id"])
