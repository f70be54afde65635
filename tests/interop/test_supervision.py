"""Supervisors hear live calls of real phones and talk into them; more phones are added until it is a conference."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest

from kobza.phone.call import PhoneCall
from kobza.phone.phone import SoftPhone
from kobza.store import Store, audit
from kobza.store.audit import AuditSearch, Entry
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.test_commands import Phones, leg_of, made
from tests.support.spectrum import from_pcm16, tone_share
from tests.support.waiting import PATIENCE

A, B, C, D = NUMBERS
TONES = {A: 330, B: 1000, C: 440, D: 660}
NOTICE = 1400


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


@pytest.fixture(scope="module")
def supervisor(kobza_server: Server) -> str:
    """A token that may supervise; the first one of an enterprise may not."""
    site = kobza_server.site
    scopes = [word for scope in ("control", "supervise") for word in ("--scope", scope)]
    told = site.prepare("token", "add", "--enterprise", site.enterprise["enterprise_id"], *scopes, "--json")
    return str(json.loads(told)["fmc_token"])


async def hears_just(call: PhoneCall, *numbers: str, within: float = PATIENCE) -> None:
    """Wait until a phone hears these numbers' phones, and none of the others."""
    found: set[str] = set()
    async with asyncio.timeout(within):
        while True:
            sound = from_pcm16(call.voice.ear.recent())
            found = {number for number, hz in TONES.items() if tone_share(sound, hz) > 0.08}
            if found == set(numbers):
                return
            await asyncio.sleep(0.1)


async def control(phones: Phones, token: str, leg: str, action: str, expect: int = 200, **more: str) -> Any:
    """Act on a leg with a token."""

    def post() -> Any:
        answer = phones.server.api.post(
            "/v1/callcontrol",
            json={"call_control_id": leg, "action": action, **more},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == expect, answer.text
        return answer.json()

    return await asyncio.to_thread(post)


async def talking(phones: Phones, ledger: Ledger) -> tuple[PhoneCall, PhoneCall, str]:
    """Let C call D; return both phones' calls and C's leg."""
    c, d = await phones.pair(answer_after=0.1)
    call = c.dial(D)
    await call.established()
    (other,) = d.calls
    await hears_just(call, D)
    return call, other, await leg_of(phones, ledger, C)


async def audited(server: Server, count: int) -> list[Entry]:
    """Wait until the audit has so many entries of calls; return them, the oldest first."""
    with closing(Store.open(server.site.place)) as store:
        async with asyncio.timeout(PATIENCE):
            while True:
                with store.read() as conn:
                    found = audit.page(conn, AuditSearch(None), None, 100)
                entries = [entry for entry in found[::-1] if entry.action.startswith("call.")]
                if len(entries) >= count:
                    return entries
                await asyncio.sleep(0.1)


async def call_of(phone: SoftPhone) -> PhoneCall:
    """Wait until a phone is in a call."""
    async with asyncio.timeout(PATIENCE):
        while not phone.calls:  # noqa: ASYNC110 - a phone tells nobody
            await asyncio.sleep(0.05)
    await phone.calls[-1].established()
    return phone.calls[-1]


async def test_a_supervisor_listens_whispers_joins_and_leaves(phones: Phones, ledger: Ledger, supervisor: str) -> None:
    call, other, leg = await talking(phones, ledger)
    boss = await phones.at(B, TONES[B], answer_after=0.1)
    refused = await phones.control(leg, "supervise", expect=400)
    assert refused["parameter"] == "number"
    usual = phones.server.site.enterprise["fmc_token"]
    assert (await control(phones, usual, leg, "supervise", 403, number=B))["code"] == "scope_missing"
    began = await control(phones, supervisor, leg, "supervise", number=B)
    assert began["state"] == "established"
    hearing = await call_of(boss)
    await hears_just(hearing, C, D)
    await asyncio.gather(hears_just(call, D), hears_just(other, C))
    await control(phones, supervisor, leg, "supervise", number=B, mode="whisper")
    await asyncio.gather(hears_just(call, D, B), hears_just(other, C), hears_just(hearing, C, D))
    await control(phones, supervisor, leg, "supervise", number=B, mode="join")
    await asyncio.gather(hears_just(call, D, B), hears_just(other, C, B), hears_just(hearing, C, D))
    assert len(boss.calls) == 1
    hearing.hang_up()
    await asyncio.gather(hears_just(call, D), hears_just(other, C))
    outcome = await ledger.call(B, "0000", owners=(B,))
    outcome.has(cause=16, status=200, released_by="caller")
    noted = [(entry.action, entry.label, entry.after or {}) for entry in await audited(phones.server, 4)]
    assert [(action, label, after["supervisor"], after["mode"]) for action, label, after in noted] == [
        ("call.supervised", "+380671110003", "+380671110002", "listen"),
        ("call.supervised", "+380671110003", "+380671110002", "whisper"),
        ("call.supervised", "+380671110003", "+380671110002", "join"),
        ("call.supervision_ended", "+380671110003", "+380671110002", "join"),
    ]
    assert 1 <= noted[-1][2]["seconds"] <= PATIENCE
    call.hang_up()
    (await ledger.call(C, D, owners=(C, D))).has(cause=16, status=200, released_by="caller")


async def test_phones_are_added_to_a_call_and_leave_it(phones: Phones, ledger: Ledger) -> None:
    call, other, leg = await talking(phones, ledger)
    added = [await phones.at(number, TONES[number], answer_after=0.1) for number in (A, B)]
    guests = []
    for number, phone in zip((A, B), added, strict=True):
        answer = await control(phones, phones.server.site.enterprise["fmc_token"], leg, "add", destination=number)
        assert answer["guest_control_id"] != leg
        guests.append(await call_of(phone))
    first, second = guests
    await asyncio.gather(
        hears_just(call, D, A, B), hears_just(other, C, A, B), hears_just(first, C, D, B), hears_just(second, C, D, A)
    )
    again = await control(phones, phones.server.site.enterprise["fmc_token"], leg, "add", 400, destination=B)
    assert again["parameter"] == "destination"
    call.hang_up()  # who began it
    await asyncio.gather(hears_just(other, A, B), hears_just(first, D, B), hears_just(second, D, A))
    assert await asyncio.to_thread(phones.server.status_of, C) == "available"  # though it pays for two of the others
    await phones.control(answer["guest_control_id"], "clear")
    await second.ended()
    await asyncio.gather(hears_just(other, A), hears_just(first, D))
    first.hang_up()
    await other.ended()  # nobody is left to talk to
    (await ledger.call(C, A, owners=(C, A))).has(cause=16, status=200, released_by="called")
    (await ledger.call(C, B, owners=(C, B))).has(cause=16, status=200, released_by="api")
