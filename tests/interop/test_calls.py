"""Calls between two numbers, both phones played by sipp: what each hears, and what is stored and told of it."""

import asyncio
import contextlib

import pytest

from kobza.media.port_stock import SHARE
from tests.interop.conftest import NUMBERS, RING_TIMEOUT
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.sipp import Line, Sipp

A, B, C, D = NUMBERS
WHOLE = ["alerting", "established", "finished"]
UNANSWERED = ["alerting", "finished"]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
async def test_a_call_is_answered_and_the_caller_hangs_up(
    sipp: Sipp, kobza_server: Server, ledger: Ledger, lines: list[Line], tcp: bool
) -> None:
    async with sipp.phone(lines[1], "uas_answer", "-rtp_echo", tcp=tcp) as phone:
        async with sipp.start("uac_call", line=lines[0], dial=B, pause_ms=1200, tcp=tcp) as caller:
            await caller.success()
        await phone.success()
    outcome = await ledger.call(A, B, owners=(A, B))
    outcome.has(cause=16, status=200, released_by="caller")
    assert outcome.types(A) == outcome.types(B) == WHOLE
    row = outcome.row
    assert (row["direction"], row["answered_number"]) == ("local", B)
    assert row["call_duration"] in (2, 3)  # 1.2 s, rounded up
    assert row["ringing"] in (1, 2)
    assert 1.0 <= outcome.talk_seconds < 2.5


async def test_the_called_phone_hangs_up(sipp: Sipp, ledger: Ledger, lines: list[Line]) -> None:
    async with sipp.phone(lines[1], "uas_hangs_up", pause_ms=300) as phone:
        await sipp.run("uac_called_off", line=lines[0], dial=B)
        await phone.success()
    outcome = await ledger.call(A, B, owners=(A, B))
    outcome.has(cause=16, status=200, released_by="called")
    assert outcome.types(A) == outcome.types(B) == WHOLE


REFUSALS = [
    ("486 Busy Here", 486, 17, "called"),
    ("603 Decline", 603, 21, "called"),
    ("480 Temporarily Unavailable", 480, 18, "called"),
    ("404 Not Found", 404, 1, "network"),
    ("410 Gone", 410, 22, "network"),
    ("488 Not Acceptable Here", 488, 65, "called"),
    ("500 Server Internal Error", 500, 41, "network"),
    ("501 Not Implemented", 501, 79, "network"),
    ('480 Temporarily Unavailable\n    Reason: Q.850;cause=27;text="Destination out of order"', 480, 27, "called"),
]


@pytest.mark.parametrize(("line", "status", "cause", "released_by"), REFUSALS, ids=[str(row[:3]) for row in REFUSALS])
async def test_a_refusal_reaches_the_caller_with_its_cause(
    sipp: Sipp, ledger: Ledger, lines: list[Line], line: str, status: int, cause: int, released_by: str
) -> None:
    async with sipp.phone(lines[1], "uas_refuses", pause_ms=100, status_line=line) as phone:
        await sipp.run("uac_refused", line=lines[0], dial=B, status=status, cause=cause)
        await phone.success()
    outcome = await ledger.call(A, B, owners=(A, B))
    outcome.has(cause=cause, status=status, released_by=released_by)
    assert outcome.types(A) == outcome.types(B) == UNANSWERED
    assert outcome.row["call_duration"] == 0
    assert outcome.row["answered_at"] is None


async def test_nobody_answers_in_time(sipp: Sipp, ledger: Ledger, lines: list[Line]) -> None:
    async with sipp.phone(lines[1], "uas_cancelled", cancel=r"Q\.850;cause=(19|102)") as phone:
        await sipp.run("uac_refused", line=lines[0], dial=B, status=480, cause=19)
        await phone.success()
    outcome = await ledger.call(A, B, owners=(A, B))
    outcome.has(cause=19, status=480, released_by="network")
    assert outcome.types(A) == outcome.types(B) == UNANSWERED
    assert outcome.row["ringing"] in (RING_TIMEOUT, RING_TIMEOUT + 1)


async def test_the_caller_gives_up(sipp: Sipp, ledger: Ledger, lines: list[Line]) -> None:
    async with sipp.phone(lines[1], "uas_cancelled", cancel="CANCEL") as phone:
        await sipp.run("uac_cancel", line=lines[0], dial=B, pause_ms=300)
        await phone.success()
    outcome = await ledger.call(A, B, owners=(A, B))
    outcome.has(cause=31, status=487, released_by="caller")
    assert outcome.types(A) == outcome.types(B) == UNANSWERED


async def test_all_phones_of_a_number_ring_and_one_answers(sipp: Sipp, ledger: Ledger, lines: list[Line]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        loser = await stack.enter_async_context(
            sipp.phone(lines[1], "uas_cancelled", cancel=r"Reason:.*(SIP *;cause=200|Q\.850 *;cause=26)")
        )
        winner = await stack.enter_async_context(sipp.phone(lines[1], "uas_answer", "-rtp_echo", pause_ms=500))
        await sipp.run("uac_call", line=lines[0], dial=B)
        await winner.success()
        await loser.success()
    outcome = await ledger.call(A, B, owners=(A, B))
    outcome.has(cause=16, status=200, released_by="caller")
    assert outcome.types(B) == WHOLE


async def test_a_number_without_a_phone(sipp: Sipp, kobza_server: Server, ledger: Ledger, lines: list[Line]) -> None:
    await sipp.run("unregister", line=lines[3])  # a phone of another test may have gone without a word
    await sipp.run("uac_refused", line=lines[0], dial=D, status=480, cause=20)
    outcome = await ledger.call(A, D)
    outcome.has(cause=20, status=480, released_by="network")
    assert kobza_server.status_of(D) == "unavailable"  # and not busy for ever


async def test_what_cannot_be_dialled(sipp: Sipp, lines: list[Line]) -> None:
    await sipp.run("uac_refused", line=lines[0], dial="sales", status=484, cause=28)


async def test_do_not_disturb(sipp: Sipp, kobza_server: Server, ledger: Ledger, lines: list[Line]) -> None:
    kobza_server.put("/v1/dnd", {"number": B, "dnd": "on"})
    try:
        async with sipp.phone(lines[1], "uas_answer") as phone:
            await sipp.run("uac_refused", line=lines[0], dial=B, status=480, cause=21)
            assert "INVITE" not in phone.messages
    finally:
        kobza_server.put("/v1/dnd", {"number": B, "dnd": "off"})
    outcome = await ledger.call(A, B)
    outcome.has(cause=21, status=480, released_by="network")


async def test_a_phone_holds_and_resumes(sipp: Sipp, ledger: Ledger, lines: list[Line]) -> None:
    async with sipp.phone(lines[1], "uas_answer", "-rtp_echo", pause_ms=100) as phone:
        await sipp.run("uac_hold", line=lines[0], dial=B, pause_ms=400)
        await phone.success()
    outcome = await ledger.call(A, B, owners=(A, B))
    outcome.has(cause=16, status=200, released_by="caller")
    assert outcome.types(A) == outcome.types(B) == WHOLE


async def test_media_ports_return(sipp: Sipp, kobza_server: Server, ledger: Ledger, lines: list[Line]) -> None:
    """Four ports a call; some are kept bound for the calls to come, fewer than those of the calls made here."""
    kept = 2 * (len(kobza_server.site.rtp) // 2 // SHARE)
    for _ in range(1 + kept // 4):
        async with sipp.phone(lines[3], "uas_answer", "-rtp_echo", pause_ms=100) as phone:
            async with sipp.start("uac_call", line=lines[2], dial=D, pause_ms=100) as caller:
                await caller.success()
            await phone.success()
        await ledger.call(C, D, owners=(C, D))
    for _ in range(600):
        if len(kobza_server.media_ports()) <= kept:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"still bound: {kobza_server.media_ports()}")
