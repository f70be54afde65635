"""Real phones hear that their call is recorded, and the recording shows that they did."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kobza.phone.call import PhoneCall
from kobza.store import Store, recordings
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.test_commands import Phones, hears, leg_of, made
from tests.interop.test_control import control, talking
from tests.media.spools import decode_mp3, needs_mp3
from tests.media.test_notices import spans
from tests.media.test_sounds import file_of
from tests.support.spectrum import from_pcm16, tone_share
from tests.support.waiting import PATIENCE

C, D = NUMBERS[2:]
ANNOUNCED, BEEP = 1300, 1400


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


async def hears_too(call: PhoneCall, hertz: float, share: float) -> None:
    """Wait until a tone is part of what a phone hears."""
    async with asyncio.timeout(PATIENCE):
        while tone_share(from_pcm16(call.voice.ear.recent()), hertz) < share:  # noqa: ASYNC110 - an ear tells nobody
            await asyncio.sleep(0.02)


@needs_mp3
async def test_the_called_one_is_told_and_both_hear_beeps(phones: Phones, ledger: Ledger, tmp_path: Path) -> None:
    site = phones.server.site
    enterprise_id = site.enterprise["enterprise_id"]
    own = ("--enterprise", enterprise_id, "--json")
    file = tmp_path / "consent.wav"
    file.write_bytes(file_of(1, 8000, hertz=(ANNOUNCED,)))
    set_up = ("sound", "recording", str(file), "--to", "called", "--beep", "5")
    shown = json.loads(await asyncio.to_thread(site.prepare, *set_up, *own))
    assert {name: shown[f"recording_{name}"] for name in ("told", "voice", "sound", "beep")} == {
        "told": "called",
        "voice": "uk",
        "sound": "consent.wav",
        "beep": 5,
    }
    try:
        async with asyncio.timeout(PATIENCE):
            while not list((site.folder / "sounds").glob("*.alaw")):  # noqa: ASYNC110 - a folder tells nobody
                await asyncio.sleep(0.05)
        c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
        call, other = await talking(c, d, D)
        started = await control(phones, await leg_of(phones, ledger, C), "record_start")
        await hears_too(other, ANNOUNCED, 0.5)
        assert tone_share(from_pcm16(call.voice.ear.recent()), ANNOUNCED) < 0.01
        await asyncio.gather(hears_too(call, BEEP, 0.003), hears_too(other, BEEP, 0.003))
        await hears(call, 660)
        await hears(other, 440)
        call.hang_up()
        outcome = await ledger.call(C, D, owners=(C, D))
        assert outcome.row["record_id"] == started["record_id"]
    finally:
        cleared = await asyncio.to_thread(
            site.prepare, "sound", "recording", "--none", "--to", "nobody", "--beep", "0", *own
        )
    assert json.loads(cleared)["recording_told"] == "nobody"
    path = tmp_path / "record.mp3"
    path.write_bytes(await asyncio.to_thread(phones.server.recording, started["record_id"]))
    answer = phones.server.api.head("/v1/callrecord", params={"record_id": started["record_id"]})
    assert answer.headers["recording-announced"].startswith("called=1.")
    assert "recording-unannounced" not in answer.headers
    store = Store.open(site.place)
    try:
        with store.read() as conn:
            recording = recordings.find(conn, enterprise_id, started["record_id"])
    finally:
        store.close()
    assert recording is not None
    left, right = decode_mp3(path)
    assert len(left) == pytest.approx(8 * (recording.duration_ms or 0), abs=8)
    (told,) = spans(left, ANNOUNCED)  # over the caller's voice lies what the called one heard
    assert told == pytest.approx((0.5, 1.5), abs=0.15)
    assert [side for side, _ in recording.noted.announced] == ["callee"]
    assert recording.noted.announced[0][1] == pytest.approx(1500, abs=150)
    assert spans(right, ANNOUNCED) == []
    for channel, voice in ((left, 440), (right, 660)):
        ((begins, ends),) = spans(channel, BEEP, 0.003)
        assert begins == pytest.approx(5.0, abs=0.15)
        assert ends - begins == pytest.approx(0.2, abs=0.05)
        assert tone_share(channel, voice) > 0.5
