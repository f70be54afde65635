"""callcontrol on calls of real phones: transfer and its outcomes, DTMF, mute, recording on demand."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kobza.phone.call import CallState, PhoneCall
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.test_commands import Phones, hears, leg_of, made

A, B, C, D = NUMBERS
OUTSIDE = "0445550123"


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


async def control(phones: Phones, leg: str, action: str, expect: int = 200, **fields: str) -> Any:
    """Ask for an action with its fields."""
    body = {"call_control_id": leg, "action": action, **fields}
    return await asyncio.to_thread(phones.server.post, "/v1/callcontrol", body, expect)


async def talking(caller: SoftPhone, called: SoftPhone, number: str) -> tuple[PhoneCall, PhoneCall]:
    """Let one phone call another one that answers by itself; return both ends."""
    call = caller.dial(number)
    await call.established()
    (other,) = [each for each in called.calls if each.state is CallState.ESTABLISHED]
    await hears(call, 660)
    await hears(other, 440)
    return call, other


async def story(
    phones: Phones, ledger: Ledger, leg: str, legs: int
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """Return the states of a leg's call by leg, once so many had their `finished`, and its row in the history."""
    (call_id,) = {state["call_id"] for state in ledger._sink.sink.states if state["call_control_id"] == leg}
    states: dict[str, list[dict[str, Any]]] = {}
    for state in await ledger._sink.finished(str(call_id), legs):
        states.setdefault(str(state["call_control_id"]), []).append(state)
    (row,) = [row for row in phones.server.history() if row["call_id"] == call_id]
    return states, row


# transfer


async def test_the_called_one_transfers_to_a_colleague(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    b = await phones.at(B, 880)
    call, other = await talking(c, d, D)
    leg = await leg_of(phones, ledger, D)
    done = await control(phones, leg, "transfer", destination=B)
    assert (done["state"], done["call_control_id"]) == ("finished", leg)
    assert (await other.ended()).by == "peer"
    ringing = await b.incoming()
    assert ringing.peer == C
    await hears(call, 425)
    assert phones.server.status_of(D) == "available"
    assert phones.server.status_of(B) == "busy"
    new_leg = await leg_of(phones, ledger, B, "alerting")
    assert (await control(phones, leg, "hold", expect=404))["code"] == "not_found"
    assert (await control(phones, new_leg, "hold", expect=409))["code"] == "wrong_state"
    ringing.answer()
    await hears(call, 880)
    await hears(ringing, 440)
    ringing.hang_up()
    assert (await call.ended()).cause == 16
    states, row = await story(phones, ledger, leg, 3)
    assert (row["calling_number"], row["called_number"], row["answered_number"]) == (C, D, B)
    assert (row["cause"], row["sip_status"], row["released_by"]) == (16, 200, "called")
    assert [state["state_type"] for state in states[leg]] == ["alerting", "established", "finished"]
    assert (states[leg][-1]["cause"], states[leg][-1]["released_by"]) == (16, "api")
    assert [state["state_type"] for state in states[new_leg]] == ["alerting", "established", "finished"]
    assert [state["sequence"] for state in states[new_leg]] == [1, 2, 3]
    assert {(state["state_owner"], state["phone_number"]) for state in states[new_leg]} == {(B, C)}
    assert states[new_leg][-1]["call_duration"] < row["call_duration"]


async def test_the_caller_transfers_to_the_outside(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    site = phones.server.site
    bind = ("127.0.0.1", site.trunk_port)
    async with SoftPhone(OUTSIDE, site.sip, bind=bind, sound=Sound.tone(990), answer_after=0.5) as outside:
        call, other = await talking(c, d, D)
        leg = await leg_of(phones, ledger, C)
        await control(phones, leg, "transfer", destination=OUTSIDE)
        await call.ended()
        await hears(other, 990)
        (far,) = outside.calls
        assert far.peer in (D, "+38" + D)
        await hears(far, 660)
        far.hang_up()
        await other.ended()
    states, row = await story(phones, ledger, leg, 2)
    assert {told[0]["state_owner"] for told in states.values()} == {C, D}
    assert (row["answered_number"], row["released_by"]) == (OUTSIDE, "caller")


async def test_a_transfer_to_a_busy_phone_rings_at_the_one_who_transferred(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    await phones.at(B, 880, reject=486)
    call, other = await talking(c, d, D)
    leg = await leg_of(phones, ledger, D)
    await control(phones, leg, "transfer", destination=B)
    await other.ended()
    await asyncio.sleep(0.2)
    await hears(call, 660)  # D answers again by itself
    (again,) = d.calls
    await hears(again, 440)
    call.hang_up()
    await again.ended()
    states, row = await story(phones, ledger, leg, 3)
    mine = [told for told in states.values() if told[0]["state_owner"] == D]
    assert len(mine) == 2
    assert (row["answered_number"], row["cause"], row["released_by"]) == (D, 16, "caller")


async def test_transfers_that_are_refused_leave_the_call_alone(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660)
    call = c.dial(D)
    ringing = await d.incoming()
    leg = await leg_of(phones, ledger, C, "alerting")
    assert (await control(phones, leg, "transfer", expect=409, destination=B))["code"] == "wrong_state"
    ringing.answer()
    await call.established()
    for destination, status, code in (
        (B, 409, "destination_unreachable"),
        (C, 400, "invalid_number"),
        (D, 400, "invalid_number"),
        ("abc", 400, "invalid_number"),
    ):
        refused = await control(phones, leg, "transfer", expect=status, destination=destination)
        assert (refused["code"], refused["parameter"]) == (code, "destination")
    await hears(call, 660)
    call.hang_up()
    (await ledger.call(C, D, owners=(C, D))).has(cause=16, status=200, released_by="caller")


# digits


async def test_digits_are_heard_at_the_far_end(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    call, other = await talking(c, d, D)
    leg = await leg_of(phones, ledger, C)
    done = await asyncio.gather(
        control(phones, leg, "dtmf", digits="0123456789*#ABCD"), control(phones, leg, "dtmf", digits="1,1")
    )
    assert {each["state"] for each in done} == {"established"}
    assert other.digits in ("0123456789*#ABCD11", "110123456789*#ABCD")  # whichever came first, one after the other
    assert call.digits == ""
    await hears(other, 440)
    call.hang_up()
    await ledger.call(C, D, owners=(C, D))
