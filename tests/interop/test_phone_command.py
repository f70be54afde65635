"""`kobza phone` as a user runs it, at a real server."""

import signal
from pathlib import Path

from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.sipp import Line
from tests.phone.terminal import kobza_phone
from tests.support.spectrum import needs_sox, read_audio, tones_over_time

C, D = NUMBERS[2:]


@needs_sox()
async def test_one_answers_and_one_dials(
    kobza_server: Server, ledger: Ledger, lines: list[Line], tmp_path: Path
) -> None:
    server = kobza_server.site.sip
    heard_by_c, heard_by_d = tmp_path / "c.wav", tmp_path / "d.wav"
    answering = ("--answer-after", "0.3", "--play", "tone:660", "--record", str(heard_by_d))
    dialling = ("--dial", D, "--duration", "2", "--play", "tone:440", "--record", str(heard_by_c), "--transport", "tcp")
    async with kobza_phone(server, D, lines[3].password, *answering) as d:
        await d.event("registered")
        async with kobza_phone(server, C, lines[2].password, *dialling) as c:
            assert await c.end() == (0, "")
            kinds = [event["event"] for event in c.events]
            assert kinds == ["registered", "dialled", "rang", "established", "tone_heard", "ended", "unregistered"]
        ended = await d.event("ended")
        assert (ended["by"], ended["cause"]) == ("peer", 16)
        d.process.send_signal(signal.SIGINT)
        assert await d.end() == (0, "")
        assert d.events[-1]["event"] == "unregistered"
    assert kobza_server.status_of(C) == kobza_server.status_of(D) == "unavailable"
    for path, hz in ((heard_by_c, 660), (heard_by_d, 440)):
        (samples,) = read_audio(path)
        windows = tones_over_time(samples)
        assert len(windows) >= 8
        assert all(tone is not None and abs(tone - hz) < 8 for tone in windows), windows
    outcome = await ledger.call(C, D, owners=(C, D))
    outcome.has(cause=16, status=200, released_by="caller")


async def test_one_rejects_with_any_status(kobza_server: Server, ledger: Ledger, lines: list[Line]) -> None:
    server = kobza_server.site.sip
    async with kobza_phone(server, D, lines[3].password, "--reject", "606") as d:
        await d.event("registered")
        async with kobza_phone(server, C, lines[2].password, "--dial", D) as c:
            status, _ = await c.end()
            assert status == 1
            ended = next(event for event in c.events if event["event"] == "ended")
            assert ended["status"] == 606
        await d.event("ended")
    outcome = await ledger.call(C, D)
    assert (outcome.row["sip_status"], outcome.row["released_by"]) == (606, "called")


async def test_a_wrong_password_is_said_clearly(kobza_server: Server) -> None:
    async with kobza_phone(kobza_server.site.sip, C, "guessed") as c:
        status, complaint = await c.end()
    assert status == 1
    (line,) = complaint.splitlines()
    assert "wrong number or password" in line
    assert C in line
