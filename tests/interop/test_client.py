"""The Python client acts on calls of real phones: the way of an integrator, from click2dial to the recording."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kobza.client import AsyncKobza, Conflict, Kobza, NotFound
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from tests.interop.conftest import RECORDED
from tests.interop.outcome import Ledger
from tests.interop.server import Server

A, B = RECORDED


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[tuple[SoftPhone, SoftPhone]]:
    """The phones of two numbers whose calls are recorded; both answer."""

    def phone(number: str, tone: int) -> SoftPhone:
        site = kobza_server.site
        password = site.lines[number].password
        return SoftPhone(number, site.sip, password=password, sound=Sound.tone(tone), answer_after=0.2)

    async with phone(A, 440) as a, phone(B, 660) as b:
        yield a, b


def arguments(server: Server) -> tuple[str, str, str]:
    enterprise = server.site.enterprise
    return f"http://{server.site.http}", enterprise["fmc_token"], enterprise["integrator_id"]


async def test_a_call_from_click2dial_to_its_recording(
    phones: tuple[SoftPhone, SoftPhone], kobza_server: Server, ledger: Ledger, tmp_path: Path
) -> None:
    began = datetime.now(UTC) - timedelta(seconds=5)
    async with AsyncKobza(*arguments(kobza_server)) as kobza:
        assert {phone.status for phone in await kobza.phone_status(A, B)} == {"available"}
        after = await kobza.newest_cursor()
        begun = await kobza.originate(A, B, client_state="замовлення 7")
        leg = kobza.call(begun.call_control_id)
        states: list[str] = []
        async for event in kobza.events(after, follow=True, poll=0.1):
            state = event.state
            assert state.call_id == begun.call_id
            if state.call_control_id == leg.call_control_id:
                states.append(state.state_type)
                assert (state.state_owner, state.client_state) == (A, "замовлення 7")
            if state.state_type == "established" and state.call_control_id == leg.call_control_id:
                assert (await leg.hold()).state == "held"
                with pytest.raises(Conflict) as refused:
                    await leg.hold()
                assert refused.value.code == "wrong_state"
                assert (await leg.unhold()).state == "established"
                assert {live.state_owner for live in await kobza.live_calls()} == {A, B}
                await asyncio.sleep(1)
                assert (await leg.clear()).action == "clear"
            if state.state_type == "finished" and state.call_control_id == leg.call_control_id:
                assert (state.cause, state.released_by) == (16, "api")
                break
        assert [each for each in states if each in ("alerting", "established", "finished")] == [
            "alerting",
            "established",
            "finished",
        ]
        with pytest.raises(NotFound):
            await leg.clear()
        await ledger.call(A, B, owners=(A, B))
        found = [call async for call in kobza.calls(began, number=B) if call.call_id == begun.call_id]
    await asyncio.to_thread(download, kobza_server, found[0].record_id, tmp_path / "call.mp3")


def download(server: Server, record_id: str | None, file: Path) -> None:
    """Fetch the recording with the blocking client; it may still be being encoded."""
    assert record_id is not None
    with Kobza(*arguments(server)) as kobza:
        done = kobza.download_recording(record_id, file, wait=30)
        rows = list(kobza.call_statistics(datetime.now(UTC) - timedelta(minutes=5), names=True, direction=True))
    assert done.verified
    assert int.from_bytes(file.read_bytes()[:2]) & 0xFFE0 == 0xFFE0  # the sync word of MPEG audio
    row = next(row for row in reversed(rows) if (row.calling_number, row.called_number) == (A, B))
    assert (row.calling_name, row.called_name, row.direction) == (f"Phone {A[-2:]}", f"Phone {B[-2:]}", "outgoing")
    assert row.duration >= 1
