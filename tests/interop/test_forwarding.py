"""Calls that go on to another number: real phones, and sipp as the outside line."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.sipp import Sipp, SippProcess
from tests.interop.test_commands import Phones, hears, made
from tests.support.lamp_phone import LampPhone
from tests.support.waiting import PATIENCE

A, B, C, D = NUMBERS
OUTSIDE = "0445550123"


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


@pytest.fixture
def forwarded(kobza_server: Server) -> Iterator[Server]:
    yield kobza_server
    for number in NUMBERS:
        kobza_server.put("/v1/forwarding", {"number": number})


async def told(ledger: Ledger, called: str, owners: int) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The row of a new call of A to a number, and what each owner was told: its states, with their causes."""
    row = await ledger._row(A, called, PATIENCE)
    states: dict[str, list[str]] = {}
    for state in await ledger._sink.finished(row["call_id"], owners):
        cause = f" {state['cause']}" if state.get("cause") else ""
        states.setdefault(str(state["state_owner"]), []).append(f"{state['state_type']}{cause}")
    return row, states


@pytest.fixture
async def trunk(sipp: Sipp, kobza_server: Server) -> AsyncIterator[SippProcess]:
    """The outside line, listening by the time that the phones have talked among themselves."""
    async with sipp.start("uas_answer", "-rtp_echo", port=kobza_server.site.trunk_port, pause_ms=100) as process:
        yield process


async def test_calls_go_on_to_a_colleague_to_the_outside_and_not_in_a_circle(
    phones: Phones, trunk: SippProcess, forwarded: Server, ledger: Ledger
) -> None:
    a = await phones.at(A, 440)
    await phones.at(B, 660, reject=486)
    c = await phones.at(C, 880, answer_after=0.1)
    forwarded.put("/v1/forwarding", {"number": B, "busy": C})
    call = a.dial(B)
    await call.established()
    await hears(call, 880)
    (other,) = c.calls
    assert other.peer == A
    await hears(other, 440)
    assert (forwarded.status_of(B), forwarded.status_of(C)) == ("available", "busy")
    call.hang_up()
    await other.ended()
    row, states = await told(ledger, B, 2)
    assert (row["answered_number"], row["cause"], row["sip_status"]) == (C, 16, 200)
    assert states == {
        A: ["alerting", "established", "finished 16"],
        C: ["alerting", "established", "finished 16"],
    }

    forwarded.put("/v1/forwarding", {"number": B, "unreachable": D, "busy": D})
    forwarded.put("/v1/forwarding", {"number": D, "unreachable": OUTSIDE})
    call = a.dial(B)
    await call.established()
    await hears(call, 440)  # the outside line is an echo
    call.hang_up()
    await trunk.success()
    invite = trunk.messages.split("INVITE ", 1)[1].split("\n\r\n", 1)[0]
    line = {name: value.strip() for name, _, value in (each.partition(":") for each in invite.splitlines())}
    assert f"+38{A}@" in line["From"]
    assert f"+38{D}@" in line["P-Asserted-Identity"]  # whose call it is
    last, first = line["Diversion"].split(", ")
    assert last.startswith(f"<sip:+38{D}@")
    assert last.endswith(">;reason=unavailable;counter=1;privacy=off")
    assert first.startswith(f"<sip:+38{B}@")
    assert ";reason=user-busy;" in first
    assert [entry.partition(";index=")[2] for entry in line["History-Info"].split(", ")] == [
        "1",
        "1.1;mp=1",
        "1.1.1;mp=1.1",
    ]
    row, states = await told(ledger, B, 1)
    assert (row["answered_number"], row["direction"]) == (OUTSIDE, "local")
    assert states == {A: ["alerting", "established", "finished 16"]}

    forwarded.put("/v1/forwarding", {"number": B, "always": D})
    forwarded.put("/v1/forwarding", {"number": D, "always": B})
    call = a.dial(B)
    ended = await call.ended()
    assert (ended.status, ended.cause) == (482, 25)
    row, states = await told(ledger, B, 0)
    assert (row["cause"], row["sip_status"], row["answered_number"], states) == (25, 482, None, {})
    assert (await phones.originate(A, B, expect=503))["code"] == "no_route"


async def test_a_group_rings_all_at_once_in_turn_and_with_a_mobile_phone(
    phones: Phones, forwarded: Server, ledger: Ledger
) -> None:
    site = forwarded.site
    own = ("--enterprise", site.enterprise["enterprise_id"])
    site.prepare("group", "set", "200", *own, "--name", "Sales", "--member", B, "--member", C, "--seconds", "5")
    site.prepare("number", "set", C, *own, "--mobile", OUTSIDE)
    forwarded.put("/v1/dnd", {"number": D, "dnd": "off"})  # whoever changes something here sees all that has changed
    line = ("127.0.0.1", site.trunk_port)
    async with (
        SoftPhone(OUTSIDE, site.sip, bind=line, sound=Sound.tone(990)) as mobile,
        LampPhone(site.sip, site.lines[D]) as desk,
    ):
        lamp, _ = await desk.watch("200")
        a, b, c = await phones.at(A, 440), await phones.at(B, 660), await phones.at(C, 880)
        call = a.dial("200")
        lost, rings = await b.incoming(), await mobile.incoming()
        await c.incoming()
        assert (lost.peer, forwarded.status_of(B), forwarded.status_of(C)) == (A, "busy", "busy")
        await desk.until(lambda: lamp.shown[-1] == "early")
        assert lamp.remote()[1] == f"sip:{A}@{site.sip[0]}"
        rings.answer()
        assert (await lost.ended()).cause == 26
        await hears(call, 990)
        await hears(rings, 440)
        assert forwarded.status_of(B) == "available"
        await desk.until(lambda: lamp.shown[-1] == "dark")  # it is C's call now
        await desk.again(lamp, seconds=0)
        call.hang_up()
        await rings.ended()
    row, states = await told(ledger, "200", 3)
    assert (row["answered_number"], row["cause"]) == (C, 16)
    assert states[A] == states[C] == ["alerting", "established", "finished 16"]
    assert states[B] == ["alerting", "finished 26"]

    site.prepare("group", "set", "200", *own, "--strategy", "in_turn")
    site.prepare("number", "set", C, *own, "--mobile", "none")
    forwarded.put("/v1/dnd", {"number": D, "dnd": "off"})
    call = a.dial("200")
    (await b.incoming()).reject(603)
    second = await c.incoming()
    second.answer()
    await hears(call, 880)
    second.hang_up()
    await call.ended()
    row, states = await told(ledger, "200", 3)
    assert (row["answered_number"], row["released_by"]) == (C, "called")
    assert states[B] == ["alerting", "finished 21"]
    assert states[C] == ["alerting", "established", "finished 16"]
    site.prepare("group", "remove", "200", *own)


async def test_outside_working_hours_calls_are_refused_or_go_on(
    phones: Phones, forwarded: Server, ledger: Ledger
) -> None:
    site = forwarded.site
    own = ("--enterprise", site.enterprise["enterprise_id"])
    a, b, c = await phones.at(A, 440), await phones.at(B, 660), await phones.at(C, 880, answer_after=0.1)

    def say(*words: str) -> None:
        site.prepare("hours", *words, *own)
        forwarded.put("/v1/dnd", {"number": D, "dnd": "off"})  # whoever changes something sees all that has changed

    say("set", "--week", "closed", "--callers", "all")
    try:
        ended = await a.dial(B).ended()
        assert (ended.status, ended.cause) == (480, 20)
        row, states = await told(ledger, B, 0)
        assert (row["cause"], row["sip_status"], row["answered_number"], states) == (20, 480, None, {})

        say("set", "--closed-to", C)
        call = a.dial(B)
        await hears(call, 880)
        (other,) = c.calls
        call.hang_up()
        await other.ended()
        row, states = await told(ledger, B, 2)
        assert (row["answered_number"], row["cause"]) == (C, 16)
        assert states == {each: ["alerting", "established", "finished 16"] for each in (A, C)}
        assert b.calls == []

        say("override", B, "--open", "--until", "2h")
        call = a.dial(B)
        (await b.incoming()).answer()
        await hears(call, 660)
        call.hang_up()
        await told(ledger, B, 2)
    finally:
        say("remove")
    say("remove", B)


async def test_a_second_call_finds_a_number_busy_and_one_too_many_is_not_made(
    phones: Phones, forwarded: Server, ledger: Ledger
) -> None:
    site = forwarded.site
    own = ("--enterprise", site.enterprise["enterprise_id"])
    a, b, c = await phones.at(A, 440), await phones.at(B, 660), await phones.at(C, 880)

    def say(*words: str) -> None:
        site.prepare("number", "set", B, *own, *words)
        forwarded.put("/v1/dnd", {"number": D, "dnd": "off"})  # whoever changes something sees all that has changed

    say("--no-call-waiting")
    try:
        call = a.dial(B)
        (await b.incoming()).answer()
        await call.established()
        ended = await c.dial(B).ended()
        assert (ended.status, ended.cause) == (486, 17)
        say("--call-waiting")
        second = c.dial(B)
        (await b.incoming()).answer()
        await second.established()
        say("--max-calls", "2")
        ended = await b.dial(C).ended()
        assert (ended.status, ended.cause) == (403, 21)
        second.hang_up()
        call.hang_up()
        await told(ledger, B, 2)
    finally:
        say("--call-waiting", "--max-calls", "none")
