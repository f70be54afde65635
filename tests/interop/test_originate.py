"""Click2dial with real phones: both legs, what each phone sees and hears, and every way in which it can end."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from kobza.phone.call import PhoneCall
from kobza.phone.events import What
from kobza.phone.phone import SoftPhone
from kobza.sdp.codecs import PCMU
from tests.interop.baresip import baresip
from tests.interop.conftest import NUMBERS, SinkThread
from tests.interop.outcome import Ledger
from tests.interop.server import KYIV, Server, Site
from tests.interop.sipp import Line, Sipp
from tests.interop.test_commands import Phones, hears, leg_of, made
from tests.support.spectrum import needs_sox, tones_over_time
from tests.support.waiting import PATIENCE, until

A, B, C, D = NUMBERS
OUTSIDE = "0445550123"
HOTLINE = "0800123456"
RINGBACK = 425
WHOLE = ["alerting", "established", "finished"]


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


def caller_id(phone: SoftPhone) -> tuple[Any, Any]:
    """Return number and name that a phone showed when its last call arrived."""
    arrived = [event for event in phone.events if event.what is What.ARRIVED]
    return arrived[-1].details["peer"], arrived[-1].details["name"]


def invite_of(call: PhoneCall) -> str:
    """Return the INVITE that a phone got, as text, while it rings."""
    assert call.dialog is not None
    assert call.dialog.request is not None
    return call.dialog.request.to_bytes().decode()


async def listening(port: int) -> None:
    """Wait until somebody has bound a UDP port: sipp takes a moment to start."""
    row = f":{port:04X} "
    await until(lambda: row in Path("/proc/net/udp").read_text(), f"somebody at port {port}")


def rang(phone: SoftPhone) -> bool:
    return any(event.what is What.ARRIVED for event in phone.events)


async def status_of(phones: Phones, number: str) -> str:
    return await asyncio.to_thread(phones.server.status_of, number)


async def test_the_originator_rings_hears_ringback_and_talks(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.pair()
    began = await phones.originate(C, D, client_state='{"deal": "№7"}')
    assert set(began) == {"call_control_id", "call_id"}
    own = await c.incoming()
    assert caller_id(c) == (D, "Phone 04")
    assert not rang(d)
    assert [await status_of(phones, number) for number in (C, D)] == ["busy", "available"]
    own.answer()
    other = await d.incoming()
    assert [await status_of(phones, number) for number in (C, D)] == ["busy", "busy"]
    assert caller_id(d) == (C, "Phone 03")
    await hears(own, RINGBACK)
    other.answer()
    await hears(own, 660)
    await hears(other, 440)
    own.hang_up()
    assert (await other.ended()).cause == 16
    outcome = await ledger.call(C, D, owners=(C, D))
    outcome.has(cause=16, status=200, released_by="caller")
    assert outcome.row["call_id"] == began["call_id"]
    assert outcome.types(C) == outcome.types(D) == WHOLE
    assert outcome.states[C][0]["call_control_id"] == began["call_control_id"]
    assert outcome.states[C][0]["occurred_at"] < outcome.states[D][0]["occurred_at"]
    everything = [outcome.row, *outcome.states[C], *outcome.states[D]]
    assert {each["client_state"] for each in everything} == {'{"deal": "№7"}'}
    assert [await status_of(phones, number) for number in (C, D)] == ["available", "available"]


@needs_sox()
async def test_a_phone_of_another_make_hears_ringback_and_talks(
    phones: Phones, ledger: Ledger, lines: list[Line], tmp_path: Path
) -> None:
    server = phones.server.site.sip
    async with (
        baresip(tmp_path / "a", lines[0], server, tone=440) as a,
        baresip(tmp_path / "b", lines[1], server, tone=660) as b,
    ):
        await phones.originate(A, B)
        assert B in (await a.event("CALL_INCOMING"))["peeruri"]
        await a.command("accept")
        assert A in (await b.event("CALL_INCOMING"))["peeruri"]
        await asyncio.sleep(2.5)
        await b.command("accept")
        await b.event("CALL_ESTABLISHED")
        await asyncio.sleep(2)
        await b.command("hangup")
        await a.event("CALL_CLOSED")
        own, other = tones_over_time(await a.heard()), tones_over_time(await b.heard())
    for tone, heard in ((RINGBACK, own), (660, own), (440, other)):
        assert any(each is not None and abs(each - tone) < 8 for each in heard), (tone, heard)
    outcome = await ledger.call(A, B, owners=(A, B))
    outcome.has(cause=16, status=200, released_by="called")
    assert outcome.row["record_id"]


# how the destination ends it


DESTINATIONS = [
    ("busy", {"reject": 486}, (17, 486, "called"), ["alerting", "finished"], []),
    ("rejects", {"reject": 603}, (21, 603, "called"), ["alerting", "finished"], []),
    ("is not available", {"reject": 480}, (18, 480, "called"), ["alerting", "finished"], []),
    ("does not answer", {}, (19, 480, "network"), ["alerting", "finished"], ["alerting", "finished"]),
    ("has no phone", None, (20, 480, "network"), ["alerting", "finished"], []),
]


@pytest.mark.parametrize(("what", "phone", "end", "own_states", "other_states"), DESTINATIONS)
async def test_the_destination(
    phones: Phones,
    ledger: Ledger,
    what: str,
    phone: dict[str, Any] | None,
    end: tuple[int, int, str],
    own_states: list[str],
    other_states: list[str],
) -> None:
    c = await phones.at(C, 440, answer_after=0.2)
    if phone is not None:
        await phones.at(D, 660, **phone)
    await phones.originate(C, D, timeout=5)
    call = await one_call(c)
    ending = await call.ended(15)
    assert (ending.by, ending.cause) == ("peer", end[0])
    outcome = await ledger.call(C, D, owners=(C, D) if other_states else (C,))
    outcome.has(cause=end[0], status=end[1], released_by=end[2])
    assert outcome.types(C) == own_states
    assert outcome.types(D) == other_states
    assert outcome.talk_seconds == 0


async def one_call(phone: SoftPhone, within: float = PATIENCE) -> PhoneCall:
    """Wait for the first call of a phone, whatever it does with it."""
    async with asyncio.timeout(within):
        while not phone.calls:  # noqa: ASYNC110 - a phone that answers by itself tells nobody
            await asyncio.sleep(0.02)
    return phone.calls[0]


async def test_a_destination_that_is_not_to_be_disturbed_when_the_originator_answers(
    phones: Phones, ledger: Ledger
) -> None:
    c, d = await phones.pair()
    for on_before, on_then, ends in ((True, True, True), (False, True, True), (True, False, False)):
        await dnd(phones, D, on_before)
        try:
            await phones.originate(C, D)
            own = await c.incoming()
            await dnd(phones, D, on_then)
            own.answer()
            if ends:
                assert (await own.ended()).cause == 21
                assert not rang(d)
                outcome = await ledger.call(C, D, owners=(C,))
                outcome.has(cause=21, status=480, released_by="network")
                assert outcome.types(C) == ["alerting", "finished"]
            else:
                (await d.incoming()).reject(486)
                await own.ended()
                await ledger.call(C, D, owners=(C, D))
        finally:
            await dnd(phones, D, False)


async def dnd(phones: Phones, number: str, on: bool) -> None:
    await asyncio.to_thread(phones.server.put, "/v1/dnd", {"number": number, "dnd": "on" if on else "off"})


async def test_do_not_disturb_lets_the_own_calls_out(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.pair(answer_after=0.1)
    await dnd(phones, C, True)
    try:
        dialled = c.dial(D)
        await dialled.established()
        dialled.hang_up()
        await ledger.call(C, D, owners=(C, D))
        await phones.originate(C, D)  # the own order rings the own phone
        own = await c.incoming()
        own.answer()
        await hears(own, 660)
        own.hang_up()
        await ledger.call(C, D, owners=(C, D))
        refused = d.dial(C)
        ending = await refused.ended()
        assert (ending.status, ending.cause) == (480, 21)
        outcome = await ledger.call(D, C)
        outcome.has(cause=21, status=480, released_by="network")
        assert len([event for event in c.events if event.what is What.ARRIVED]) == 1
    finally:
        await dnd(phones, C, False)


# how the originator ends it


@pytest.mark.parametrize(
    ("phone", "end", "states"),
    [
        ({"reject": 486}, (17, 486, "caller"), ["finished"]),
        ({"reject": 603}, (21, 603, "caller"), ["finished"]),
        ({}, (19, 480, "network"), ["alerting", "finished"]),
    ],
)
async def test_the_originator_does_not_take_it(
    phones: Phones, ledger: Ledger, phone: dict[str, Any], end: tuple[int, int, str], states: list[str]
) -> None:
    c = await phones.at(C, 440, **phone)
    d = await phones.at(D, 660)
    began = await phones.originate(C, D, timeout=5, client_state="x")
    outcome = await ledger.call(C, D, owners=(C,))
    outcome.has(cause=end[0], status=end[1], released_by=end[2])
    assert outcome.types(C) == states
    assert outcome.states[C][-1]["call_control_id"] == began["call_control_id"]
    assert outcome.states[C][-1]["client_state"] == "x"
    assert rang(c)
    assert not rang(d)


STAGES = ["the originator rings", "the destination rings", "both talk"]


async def reached(phones: Phones, ledger: Ledger, stage: str) -> tuple[str, PhoneCall, PhoneCall | None]:
    """Make a call and bring it to a stage; return the originator's leg and what the two phones have of it."""
    c, d = await phones.pair()
    began = await phones.originate(C, D)
    own = await c.incoming()
    if stage == "the originator rings":
        return began["call_control_id"], own, None
    own.answer()
    other = await d.incoming()
    if stage == "both talk":
        other.answer()
        await hears(own, 660)
    else:
        await leg_of(phones, ledger, D, "alerting")  # its 180 may come to the server after our next request
    return began["call_control_id"], own, other


@pytest.mark.parametrize("stage", STAGES)
async def test_it_is_cleared_when(phones: Phones, ledger: Ledger, stage: str) -> None:
    leg, own, other = await reached(phones, ledger, stage)
    done = await phones.control(leg, "clear")
    assert done["state"] == "finished"
    cause, status = (16, 200) if stage == "both talk" else (21, 603)
    for call in (own, other):
        if call is not None:
            ending = await call.ended()
            assert (ending.by, ending.cause) == ("peer", cause)
    outcome = await ledger.call(C, D, owners=(C,) if other is None else (C, D))
    outcome.has(cause=cause, status=status, released_by="api")
    again = await phones.control(leg, "clear", expect=404)
    assert again["code"] == "not_found"


@pytest.mark.parametrize("stage", STAGES)
async def test_the_originator_hangs_up_when(phones: Phones, ledger: Ledger, stage: str) -> None:
    _, own, other = await reached(phones, ledger, stage)
    own.hang_up()
    if other is not None:
        assert (await other.ended()).by == "peer"
    ends = {STAGES[0]: (21, 603), STAGES[1]: (31, 487), STAGES[2]: (16, 200)}
    outcome = await ledger.call(C, D, owners=(C,) if other is None else (C, D))
    outcome.has(cause=ends[stage][0], status=ends[stage][1], released_by="caller")


async def test_an_originator_that_cannot_be_called(phones: Phones, ledger: Ledger) -> None:
    nobody = await phones.originate(C, D, expect=409)
    assert (nobody["code"], nobody["parameter"]) == ("originator_unreachable", "originator")
    c, d = await phones.pair(answer_after=0.1)
    call = d.dial(C)
    ringing = await c.incoming()
    for stage in ("rings", "talks"):
        busy = await phones.originate(C, A, expect=409)
        assert (busy["code"], busy["parameter"]) == ("originator_busy", "originator"), stage
        if stage == "rings":
            ringing.answer()
            await call.established()
    call.hang_up()
    await ledger.call(D, C, owners=(C, D))
    both = await asyncio.gather(*(ask(phones.server, C, D) for _ in range(2)))
    assert sorted(answer.status_code for answer in both) == [200, 409]
    (await c.incoming()).reject(603)
    await ledger.call(C, D, owners=(C,))


async def ask(server: Server, originator: str, destination: str, key: str | None = None) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"originator": originator, "destination": destination}
    return await asyncio.to_thread(server.api.post, "/v1/originate", json=body, headers=headers)


# what is shown


async def test_clip_is_what_the_destination_sees(phones: Phones, ledger: Ledger, sipp: Sipp) -> None:
    site = phones.server.site
    enterprise = ("--enterprise", site.enterprise["enterprise_id"])
    await asyncio.to_thread(site.kobza, "presentation", "add", HOTLINE, *enterprise)
    try:
        c = await phones.at(C, 440, codecs=(PCMU,))  # all that sipp speaks
        d = await phones.at(D, 660, answer_after=0.1)
        hidden = {"number": C, "presentation_number": None, "restricted": True}
        await asyncio.to_thread(phones.server.put, "/v1/clip", hidden)
        await phones.originate(C, D, clip=HOTLINE)  # for this call it wins over the setting
        own = await c.incoming()
        own.answer()
        await hears(own, 660)
        assert caller_id(d) == (HOTLINE, "")
        own.hang_up()
        outcome = await ledger.call(C, D, owners=(C, D))
        assert {state["phone_number"] for state in outcome.states[D]} == {C}  # colleagues know each other
        async with sipp.start("uas_answer", "-rtp_echo", port=site.trunk_port, pause_ms=300) as trunk:
            c.answer_after = 0.1
            await listening(site.trunk_port)
            began = await phones.originate(C, OUTSIDE, clip=HOTLINE)
            await asyncio.sleep(1.5)
            await phones.control(began["call_control_id"], "clear")
            await trunk.success()
            invite = trunk.messages.split("INVITE ", 1)[1].split("\n\n", 1)[0]
        assert f"From: <sip:+38{HOTLINE}@" in invite
        assert f"P-Asserted-Identity: <sip:+38{C}@" in invite
        assert "Privacy" not in invite
        await ledger.call(C, OUTSIDE, owners=(C,))
    finally:
        await asyncio.to_thread(
            phones.server.put, "/v1/clip", {"number": C, "presentation_number": None, "restricted": False}
        )
        await asyncio.to_thread(site.kobza, "presentation", "remove", HOTLINE, *enterprise)
    refused = await phones.originate(C, D, expect=403, clip=HOTLINE)
    assert refused["code"] == "presentation_not_allowed"


async def test_a_restricted_number_is_in_nothing_that_a_phone_gets(phones: Phones, ledger: Ledger, sipp: Sipp) -> None:
    c, d = await phones.pair()
    setting = {"number": C, "presentation_number": B, "restricted": True}
    await asyncio.to_thread(phones.server.put, "/v1/clip", setting)
    try:
        call = c.dial(D)
        other = await one_call(d)
        invite = invite_of(other)
        other.answer()
        await call.established()
        assert 'From: "Anonymous" <sip:anonymous@anonymous.invalid>' in invite
        assert "\r\nPrivacy: id\r\n" in invite
        assert "P-Asserted-Identity" not in invite
        for secret in (C[1:], B[1:], "Phone 0"):
            assert secret not in invite.split("\r\n", 1)[1].replace(D[1:], "")
        call.hang_up()
        await ledger.call(C, D, owners=(C, D))
        async with sipp.start("uas_answer", "-rtp_echo", port=phones.server.site.trunk_port, pause_ms=300) as trunk:
            await listening(phones.server.site.trunk_port)
            call = c.dial(OUTSIDE)
            await call.established()
            call.hang_up()
            await trunk.success()
            sent = trunk.messages.split("INVITE ", 1)[1].split("\n\n", 1)[0]
        assert 'From: "Anonymous" <sip:anonymous@anonymous.invalid>' in sent
        assert f"P-Asserted-Identity: <sip:+38{C}@" in sent
        assert "Privacy: id" in sent
        outcome = await ledger.call(C, OUTSIDE, owners=(C,))
        assert outcome.row["calling_number"] == C
    finally:
        await asyncio.to_thread(
            phones.server.put, "/v1/clip", {"number": C, "presentation_number": None, "restricted": False}
        )


async def test_a_hidden_caller_from_outside_is_hidden_from_everybody(
    phones: Phones, ledger: Ledger, sipp: Sipp
) -> None:
    d = await phones.at(D, 660)
    port = phones.server.site.trunk_port
    before = len(phones.server.log)  # others call with the same number, not hidden
    async with sipp.start(
        "trunk_in_hidden", "-key", "asserted", f"+38{OUTSIDE}", dial=D, port=port, pause_ms=500
    ) as it:
        call = await one_call(d)
        invite = invite_of(call)
        call.answer()
        await it.success()
    assert OUTSIDE[1:] not in invite
    assert "anonymous.invalid" in invite
    assert "P-Asserted-Identity" not in invite
    outcome = await ledger.call("anonymous", D, owners=(D,))
    assert {state["phone_number"] for state in outcome.states[D]} == {"anonymous"}
    assert OUTSIDE[1:] not in repr(outcome)
    assert OUTSIDE[1:] not in phones.server.log[before:]


# idempotency and the older interface


async def test_one_key_is_one_call_also_after_a_restart(new_site: Site, sink: SinkThread, tmp_path: Path) -> None:
    site = new_site.copy(tmp_path / "kobza")
    server = await asyncio.to_thread(site.start)
    try:
        ledger = Ledger(server, sink)
        async with made(server) as phones:
            c = await phones.at(C, 440, reject=486)
            await phones.at(D, 660)
            answers = await asyncio.gather(*(ask(server, C, D, "order-7") for _ in range(4)))
            assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
            outcome = await ledger.call(C, D, owners=(C,))
            assert outcome.row["call_id"] == answers[0].json()["call_id"]
            other = await ask(server, C, A, "order-7")
            assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
            assert len([event for event in c.events if event.what is What.ARRIVED]) == 1
        server.kill()
        server = await asyncio.to_thread(site.start)
        again = await ask(server, C, D, "order-7")
        assert (again.status_code, again.content) == (200, answers[0].content)
        failed = await ask(server, C, D, "order-8")
        assert failed.json()["code"] == "originator_unreachable"
        async with made(server) as phones:
            ledger = Ledger(server, sink)
            await phones.at(C, 440, reject=486)
            retried = await ask(server, C, D, "order-8")
            assert retried.status_code == 200
            await ledger.call(C, D, owners=(C,))
        assert len(server.history()) == 2
    finally:
        await asyncio.to_thread(server.stop)


async def test_the_older_interface_makes_the_same_call_and_no_log_has_the_token(phones: Phones, ledger: Ledger) -> None:
    c, _ = await phones.pair(answer_after=0.1)
    token = phones.server.site.enterprise["fmc_token"]
    url = f"http://{phones.server.site.http}/api/onebox/v1/originate"
    fields = {"token": token, "calling_number": C, "called_number": D}
    for way in ("GET", "POST", "form"):
        options: dict[str, Any] = {"data": fields} if way == "form" else {"params": fields}
        answer = await asyncio.to_thread(httpx.request, "GET" if way == "GET" else "POST", url, **options)
        assert answer.status_code == 200, answer.text
        own = await c.incoming()
        own.answer()
        await hears(own, 660)
        own.hang_up()
        outcome = await ledger.call(C, D, owners=(C, D))
        assert outcome.row["call_id"] == answer.json()["call_id"]
    wrong = await asyncio.to_thread(httpx.get, url, params={**fields, "token": token[::-1]})
    assert (wrong.status_code, wrong.headers["content-type"]) == (403, "application/problem+json")
    assert "/api/onebox/v1/originate?token=***" in phones.server.log
    for secret in (token, token[::-1]):
        assert secret not in phones.server.log


async def test_another_enterprise_learns_what_is_shown_and_no_more(phones: Phones, ledger: Ledger) -> None:
    server, guest = phones.server, "0509990001"
    site = server.site
    added = json.loads(
        await asyncio.to_thread(
            site.kobza, "enterprise", "add", "Кав'ярня", "--admin", "guest", "--password", "x", "--json"
        )
    )
    own = ("--enterprise", added["enterprise_id"], "--sip-password", "guest", "--json")
    await asyncio.to_thread(site.kobza, "number", "add", guest, *own)
    their_api = httpx.AsyncClient(
        base_url=server.api.base_url,
        headers={"Authorization": f"Bearer {added['fmc_token']}"},
        params={"integrator_id": added["integrator_id"]},
    )
    # The server sees what another process changed within a quarter of a second.
    async with asyncio.timeout(PATIENCE):
        while (await their_api.get("/v1/phonestatus", params={"number": guest})).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    c = await phones.at(C, 440)
    async with SoftPhone(guest, site.sip, password="guest", answer_after=0.1) as theirs:
        for setting, shown in (({"restricted": True}, "anonymous"), ({"presentation_number": B}, B), ({}, C)):
            clip = {"number": C, "presentation_number": None, "restricted": False, **setting}
            await asyncio.to_thread(server.put, "/v1/clip", clip)
            call = c.dial(guest)
            await call.established()
            assert caller_id(theirs)[0] == shown
            call.hang_up()
            outcome = await ledger.call(C, guest, owners=(C,))
            assert outcome.row["direction"] == "outgoing"
            events = (await their_api.get("/v1/events")).json()["events"]
            assert {event["phone_number"] for event in events[-3:]} == {shown}
            assert [event["state_type"] for event in events[-3:]] == ["alerting", "established", "finished"]
    since = {"from": f"{datetime.now(KYIV) - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}"}
    history = (await their_api.get("/v1/callhistory", params=since)).json()
    assert [(row["calling_number"], row["direction"]) for row in history["calls"]] == [
        ("anonymous", "incoming"),
        (B, "incoming"),
        (C, "incoming"),
    ]
    await their_api.aclose()
